//! What the caller holds and says: ids, wishes, claims, and the answers to them.

use core::fmt;
use core::net::Ipv4Addr;
use core::num::{NonZeroU32, NonZeroU64};

/// An address space: the same address in two spaces is two addresses.
///
/// The id belongs to the space's name for as long as the universe lives, over every
/// [`reconfigure`](crate::Pools::reconfigure).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceId(pub(crate) u16);

impl SpaceId {
    /// The space named `main`, which always exists.
    pub const MAIN: SpaceId = SpaceId(0);

    /// The number of the space, from 0.
    pub const fn index(self) -> u16 {
        self.0
    }
}

/// A pool of one snapshot, in the order of its plan. Not valid for another snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub(crate) u32);

impl PoolId {
    /// The number of the pool, from 0.
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// Who an address is remembered for: a hash of (owner, info), made by the caller; never zero.
///
/// Two owners with the same tag may get each other's remembered address offered. That is a lost
/// convenience, never an address with two owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerTag(NonZeroU32);

impl OwnerTag {
    /// A tag of its number; none for zero.
    pub const fn new(tag: u32) -> Option<Self> {
        match NonZeroU32::new(tag) {
            Some(tag) => Some(Self(tag)),
            None => None,
        }
    }

    /// A tag of a 64-bit hash, folded to 32 bits.
    pub const fn from_hash(hash: u64) -> Self {
        match NonZeroU32::new((hash ^ (hash >> 32)) as u32) {
            Some(tag) => Self(tag),
            None => Self(NonZeroU32::MIN),
        }
    }

    /// The tag's number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

/// What the caller of [`acquire`](crate::Pools::acquire) would like to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Who asks. `last` is honoured only if the address is remembered for this owner.
    pub owner: Option<OwnerTag>,
    /// Given if it is free and in the chain, whoever it is remembered for.
    pub preferred: Option<Ipv4Addr>,
    /// The address that this owner had last.
    pub last: Option<Ipv4Addr>,
}

/// The right to one address, which nobody else has until it is given back.
///
/// Give it back with [`release`](crate::Pools::release) or hand it to
/// [`quarantine`](crate::Pools::quarantine). A claim that is dropped keeps its address taken for
/// ever: that is what a lease needs which is only written down.
#[must_use = "a dropped claim keeps its address taken for ever"]
#[derive(PartialEq, Eq, Hash)]
pub struct Claim(
    /// The address, the space's number and a one, from the highest bit on: a single word, as a
    /// processor has to wait when it loads together what was stored in pieces.
    NonZeroU64,
);

impl Claim {
    #[inline]
    pub(crate) fn new(space: SpaceId, address: u32) -> Self {
        Self(NonZeroU64::MIN | u64::from(address) << 32 | u64::from(space.0) << 16)
    }

    /// The claimed address.
    #[inline]
    pub const fn address(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits((self.0.get() >> 32) as u32)
    }

    /// The space of the address.
    #[inline]
    pub const fn space(&self) -> SpaceId {
        SpaceId((self.0.get() >> 16) as u16)
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (space, address) = (self.space(), self.address());
        f.debug_struct("Claim").field("address", &address).field("space", &space).finish()
    }
}

/// A claim on an address that nobody may use for now, as somebody else was seen using it.
#[must_use = "a dropped quarantine keeps its address taken for ever"]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Quarantined(Claim);

impl Quarantined {
    pub(crate) const fn new(claim: Claim) -> Self {
        Self(claim)
    }

    pub(crate) fn into_claim(self) -> Claim {
        self.0
    }

    /// The quarantined address.
    pub const fn address(&self) -> Ipv4Addr {
        self.0.address()
    }

    /// The space of the address.
    pub const fn space(&self) -> SpaceId {
        self.0.space()
    }
}

/// An acquired address and the pool of the chain that it came from.
#[must_use = "a dropped grant keeps its address taken for ever"]
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    /// The right to the address.
    pub claim: Claim,
    /// The first pool of the chain that holds the address.
    pub pool: PoolId,
}

/// No address of the pool or of its next pools was free at one moment during the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no address of the pool or of its next pools is free")
    }
}

impl core::error::Error for Exhausted {}

/// Why one given address cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The space is not one of this universe.
    UnknownSpace,
    /// The plan neither puts the address into a range, nor reserves it, nor covers it.
    NotCovered,
    /// Somebody holds a claim on it.
    Claimed,
    /// It is in quarantine.
    Quarantined,
    /// It is reserved, and was not asked for as a reserved address.
    Reserved,
    /// It was asked for as a reserved address, and is not reserved.
    NotReserved,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::UnknownSpace => "the address space is not one of these pools",
            Refused::NotCovered => "the address is in no range, not reserved and not covered",
            Refused::Claimed => "the address is claimed",
            Refused::Quarantined => "the address is in quarantine",
            Refused::Reserved => "the address is reserved",
            Refused::NotReserved => "the address is not reserved",
        })
    }
}

impl core::error::Error for Refused {}

/// What is known of an address at the moment of the look.
///
/// A look takes part in no order with the calls of other threads: an address that is seen free may
/// be on its way in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressState {
    /// The plan neither puts the address into a range, nor reserves it, nor covers it.
    NotCovered,
    /// Free, and remembered for nobody.
    Fresh,
    /// Free, and given to others last.
    Remembered(OwnerTag),
    /// Reserved, and claimed by nobody.
    Vacant,
    /// Somebody holds a claim on it.
    Claimed,
    /// In quarantine.
    Quarantined,
}

/// How many addresses of a pool are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All addresses of the ranges.
    pub total: u64,
    /// Those that cannot be acquired: claimed, quarantined or reserved.
    pub used: u64,
    /// Those that can.
    pub available: u64,
    /// Those of `used` that are in quarantine.
    pub quarantined: u64,
}

const _: () = assert!(size_of::<Option<Claim>>() == 8 && size_of::<Quarantined>() == 8);
