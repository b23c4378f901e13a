//! Why a client got no answer, or a NAK: each reason is a variant, a sentence and a counter.

use core::fmt;

/// Declares an enum whose variants each have a counter's name and a sentence.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($variant:ident: $counter:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $text] $variant,)*
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name of the counter that counts it.
            #[must_use]
            pub fn counter(self) -> &'static str {
                match self {
                    $(Self::$variant => $counter,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)*
                })
            }
        }
    };
}

reasons! {
    /// The rule that a datagram broke.
    Malformed {
        TooShort: "malformed-too-short", "shorter than header and cookie, 240 octets";
        NotARequest: "malformed-op", "op is not BOOTREQUEST";
        HardwareLength: "malformed-hlen", "hlen is above 16";
        Hops: "malformed-hops", "more than 16 hops";
        MessageType: "malformed-message-type", "option 53 is not one octet that a client may send";
        ServerMessage: "malformed-server-message", "a server's message came from a client";
        ServerIdentifier: "malformed-server-id", "option 54 is not four octets";
        RequestedAddress: "malformed-requested-address", "option 50 is not four octets";
        RelayAgentTwice: "malformed-option-82-twice", "option 82 appears twice";
        NoIdentity: "malformed-no-identity",
            "neither a hardware address of one station nor a client-id";
        NoAddress: "malformed-no-address", "a request that names no address";
        TwoAddresses: "malformed-two-addresses", "option 50 and ciaddr name different addresses";
    }
}

reasons! {
    /// Why a legal request was not answered.
    Silence {
        NoServer: "silent-no-server", "no server serves its interface or relay";
        NoNetwork: "silent-no-network", "its relay is in no network";
        OwnRelay: "silent-own-relay", "giaddr is an address of this machine";
        OtherServer: "silent-other-server", "it chose another server";
        NotAuthoritative: "silent-not-authoritative",
            "it is unknown, and this server is not authoritative";
        StaticOnly: "silent-static-only", "it has no static lease, and there are no others";
        Blocked: "silent-blocked", "its static lease has block-access";
        DelayThreshold: "silent-delay-threshold", "it has not tried for delay-threshold yet";
        PoolEmpty: "silent-pool-empty", "no address is left";
        Testing: "silent-testing", "its address is being probed";
        Taken: "silent-taken", "another client holds the address of its static lease";
        Conflict: "silent-conflict", "somebody else answers for its address";
        Withheld: "silent-withheld",
            "the address belongs to something that is disabled or invalid";
        NotHolder: "silent-not-holder", "it does not hold the address";
        StoreFailed: "silent-store-failed", "the store cannot keep a new promise";
        MacLimit: "silent-mac-limit", "client-mac-limit is reached";
        CircuitLimit: "silent-circuit-limit", "circuit-lease-limit is reached";
        Declines: "silent-declines", "it has declined too many addresses";
        Bootp: "silent-bootp", "BOOTP is not for it here";
        Inform: "silent-inform", "its address is in no network of this server";
        OwnSearch: "silent-own-search", "it is this server's own search for others";
        QueryDenied: "silent-query-denied", "leasequery-allow does not name the relay that asks";
        QueryWithoutRelay: "silent-query-without-relay",
            "a leasequery is answered to its giaddr, and it has none";
        QueryShape: "silent-query-shape",
            "a leasequery names one of ciaddr, chaddr and client-id, neither none nor two";
        Overload: "silent-overload", "too many addresses are being probed";
    }
}

reasons! {
    /// Why a client was told NAK.
    Denied {
        NotOffered: "nak-not-offered", "another address was offered";
        Taken: "nak-taken", "another client holds it";
        Reserved: "nak-reserved", "it is reserved for another client";
        Moved: "nak-moved", "the client has a static lease for another address";
        WrongAddress: "nak-wrong-address", "the client has another lease";
        WrongNetwork: "nak-wrong-network", "it is not an address of this network";
        OutsidePools: "nak-outside-pools", "it is in no pool that the server gives from";
        Conflict: "nak-conflict", "somebody else was found on it";
    }
}

impl Denied {
    /// What option 56 tells the client.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::NotOffered => "requested address was not offered",
            Self::Taken => "requested address is in use",
            Self::Reserved => "requested address is reserved",
            Self::Moved => "another address is reserved for you",
            Self::WrongAddress => "requested address is not yours",
            Self::WrongNetwork => "wrong network",
            Self::OutsidePools => "address not available",
            Self::Conflict => "requested address is in conflict",
        }
    }
}
