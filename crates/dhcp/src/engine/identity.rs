//! What makes a client the same client: RFC 2131 § 4.2, and `dynamic-lease-identifiers`.

use core::hash::{Hash, Hasher};
use core::net::Ipv4Addr;

use crate::client::Hardware;
use crate::config::Identifiers;
use crate::wire::{RelayAgent, Request};

/// The identity of a client on one server; equal for the same client, whatever it sends besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity<'a> {
    /// Its hardware address: `chaddr`, or a client-id that is nothing but one.
    Hardware { htype: u8, octets: &'a [u8] },
    /// Its client-id, opaque.
    Client(&'a [u8]),
    /// The port that it is plugged into. A circuit id is local to its relay: without a remote id
    /// the relay's address goes with it.
    Port { relay: Ipv4Addr, circuit: &'a [u8], remote: &'a [u8] },
}

/// Which of its traits a lease's client was told apart by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Hardware,
    Client,
    Port,
}

/// Everything of a client that an identity can be made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits<'a> {
    pub(super) htype: u8,
    pub(super) chaddr: &'a [u8],
    /// Option 61; empty if there is none.
    pub(super) client_id: &'a [u8],
    pub(super) giaddr: Ipv4Addr,
    /// Option 82; empty if there is none.
    pub(super) relay_agent: &'a [u8],
    /// What the client is told apart by.
    pub(super) told_by: Kind,
}

impl<'a> Traits<'a> {
    /// What a request shows; by its hardware address the client is told apart last.
    pub(super) fn of(request: &'a Request<'a>) -> Self {
        Self {
            told_by: Kind::Hardware,
            htype: request.hardware.htype(),
            chaddr: request.hardware.octets(),
            client_id: request.client_id().unwrap_or_default(),
            giaddr: request.giaddr,
            relay_agent: request.relay_agent().map_or(&[], |agent| agent.octets()),
        }
    }

    /// By which trait the client is told apart on a server with these identifiers.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.2
    //# If the client
    //# supplies a 'client identifier', the client MUST use the same 'client
    //# identifier' in all subsequent messages, and the server MUST use that
    //# identifier to identify the client.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.2
    //# If the client does not provide a
    //# 'client identifier' option, the server MUST use the contents of the
    //# 'chaddr' field to identify the client.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-2.1
    //# the key will be (IP-subnet-number, hardware-address) unless the client explicitly supplies
    //# an identifier using the 'client identifier' option.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-9.14
    //# DHCP servers use this value to index their database of address bindings.
    //= https://www.rfc-editor.org/rfc/rfc4361#section-6.3
    //# DHCPv4 servers that conform to this specification MUST use the 'client identifier' option to
    //# identify the client if the client sends it.
    //= https://www.rfc-editor.org/rfc/rfc4361#section-6.4
    //# DHCPv4 servers MUST use 'chaddr' as an identifier in cases where 'client identifier' is not
    //# sent
    pub(super) fn kind(&self, identifiers: Identifiers) -> Kind {
        if identifiers.option_82 && self.port().is_some() {
            Kind::Port
        } else if identifiers.client_id && !self.client_id.is_empty() {
            Kind::Client
        } else {
            Kind::Hardware
        }
    }

    /// The identity of the client.
    pub(super) fn identity(&self) -> Identity<'a> {
        self.by(self.told_by)
    }

    /// The identity by one trait; by hardware address where the trait is missing.
    fn by(&self, kind: Kind) -> Identity<'a> {
        let hardware = Identity::Hardware { htype: self.htype, octets: self.chaddr };
        match kind {
            Kind::Hardware => hardware,
            Kind::Client => match *self.client_id {
                [] => hardware,
                // A client-id of hardware type and address says what `chaddr` says: a boot ROM
                // without one and the system that it starts are the same client.
                [Hardware::ETHERNET, _, _, _, _, _, _] => {
                    let octets = &self.client_id[1..];
                    Identity::Hardware { htype: Hardware::ETHERNET, octets }
                }
                _ => Identity::Client(self.client_id),
            },
            Kind::Port => self.port().unwrap_or(hardware),
        }
    }

    /// The port that the client is plugged into, if the relay says.
    pub(super) fn port(&self) -> Option<Identity<'a>> {
        let agent = RelayAgent::new(self.relay_agent);
        let circuit = agent.circuit_id().unwrap_or_default();
        let remote = agent.remote_id().unwrap_or_default();
        //= https://www.rfc-editor.org/rfc/rfc3046#section-3.1
        //# a circuit ID should be qualified with the giaddr value that identifies the relay agent.
        let relay = if remote.is_empty() { self.giaddr } else { Ipv4Addr::UNSPECIFIED };
        (!circuit.is_empty() || !remote.is_empty()).then_some(Identity::Port {
            relay,
            circuit,
            remote,
        })
    }

    /// Whether this is the client that `holder` was when it got its lease.
    pub(super) fn is(&self, holder: &Traits<'_>) -> bool {
        // A renewal that goes around the relay has no option 82, or no relay's address.
        //= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
        //# servers SHOULD be prepared to handle relay agent options in unicast messages, but MUST
        //# NOT expect them to always be there.
        if holder.told_by == Kind::Port && self.giaddr.is_unspecified() {
            if self.relay_agent.is_empty() {
                return self.by(Kind::Client) == holder.by(Kind::Client);
            }
            let relayed = Traits { giaddr: holder.giaddr, ..*self };
            return relayed.by(Kind::Port) == holder.identity();
        }
        self.identity() == holder.identity()
    }
}

impl Hash for Identity<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match *self {
            Self::Hardware { htype, octets } => {
                hasher.write(&[0, htype]);
                hasher.write(octets);
            }
            Self::Client(id) => {
                hasher.write(&[1]);
                hasher.write(id);
            }
            Self::Port { relay, circuit, remote } => {
                hasher.write(&[2]);
                hasher.write(&relay.octets());
                hasher.write(&(circuit.len() as u64).to_be_bytes());
                hasher.write(circuit);
                hasher.write(remote);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &[u8] = &[2, 0, 0, 0, 0, 1];

    fn traits<'a>(client_id: &'a [u8], giaddr: [u8; 4], relay_agent: &'a [u8]) -> Traits<'a> {
        let (giaddr, told_by) = (giaddr.into(), Kind::Client);
        Traits { htype: 1, chaddr: MAC, client_id, giaddr, relay_agent, told_by }
    }

    const ALL: Identifiers = Identifiers { client_mac: true, client_id: true, option_82: true };

    #[test]
    fn the_most_telling_trait_that_is_set_and_shown_wins() {
        let all = traits(b"id", [0; 4], &[1, 1, 7]);
        assert_eq!(all.kind(ALL), Kind::Port);
        assert_eq!(all.kind(Identifiers::default()), Kind::Client);
        let mac = Identifiers { client_id: false, ..Identifiers::default() };
        assert_eq!(all.kind(mac), Kind::Hardware);
        assert_eq!(traits(b"", [0; 4], &[1, 0]).kind(ALL), Kind::Hardware);
    }

    #[test]
    fn a_client_id_that_is_the_hardware_address_is_the_hardware_address() {
        let id = [&[1], MAC].concat();
        let with = traits(&id, [0; 4], b"");
        let without = traits(b"", [0; 4], b"");
        assert_eq!(with.by(Kind::Client), without.by(Kind::Client));
        let other = traits(&[1, 2, 0, 0, 0, 0, 2], [0; 4], b"");
        assert_ne!(other.by(Kind::Client), without.by(Kind::Client));
    }

    //= https://www.rfc-editor.org/rfc/rfc3046#section-3.1
    //= type=test
    //# a circuit ID should be qualified with the giaddr value that identifies the relay agent.
    #[test]
    fn a_circuit_id_alone_belongs_to_its_relay() {
        let circuit = [1, 1, 7];
        let (one, two) =
            (traits(b"", [10, 0, 0, 1], &circuit), traits(b"", [10, 0, 0, 2], &circuit));
        assert_ne!(one.by(Kind::Port), two.by(Kind::Port));
        let both = [1, 1, 7, 2, 1, 9];
        let (one, two) = (traits(b"", [10, 0, 0, 1], &both), traits(b"", [10, 0, 0, 2], &both));
        assert_eq!(one.by(Kind::Port), two.by(Kind::Port));
    }

    //= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
    //= type=test
    //# servers SHOULD be prepared to handle relay agent options in unicast messages, but MUST NOT
    //# expect them to always be there.
    #[test]
    fn a_renewal_around_the_relay_is_still_the_same_client() {
        let port = |it: Traits<'static>| Traits { told_by: Kind::Port, ..it };
        let circuit: &'static [u8] = &[1, 1, 7];
        let holder = port(traits(b"id", [10, 0, 0, 1], circuit));
        assert!(traits(b"id", [0; 4], b"").is(&holder));
        assert!(port(traits(b"id", [0; 4], circuit)).is(&holder));
        assert!(!traits(b"xx", [0; 4], b"").is(&holder));
        assert!(!port(traits(b"id", [10, 0, 0, 2], circuit)).is(&holder));
        assert!(port(traits(b"new modem", [10, 0, 0, 1], circuit)).is(&holder));
    }
}
