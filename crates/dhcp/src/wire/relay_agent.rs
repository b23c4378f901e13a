//! Option 82, the relay agent information: sub-options inside an option (RFC 3046).

use core::net::Ipv4Addr;

const CIRCUIT_ID: u8 = 1;
const REMOTE_ID: u8 = 2;
const LINK_SELECTION: u8 = 5;
const FLAGS: u8 = 10;
const SERVER_ID_OVERRIDE: u8 = 11;
const RELAY_ID: u8 = 12;
const SOURCE_PORT: u8 = 19;

/// The value of option 82.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayAgent<'a>(&'a [u8]);

impl<'a> RelayAgent<'a> {
    /// The value of an option 82, whatever it holds.
    #[must_use]
    pub fn new(value: &'a [u8]) -> Self {
        Self(value)
    }

    /// The value as the relay sent it: what is echoed.
    #[must_use]
    //= https://www.rfc-editor.org/rfc/rfc3046#section-2.0
    //# No "pad" sub-option is defined, and the Information field shall NOT be terminated with a 255
    //# sub-option.
    pub fn octets(&self) -> &'a [u8] {
        self.0
    }

    /// The first sub-option with this code. Where one sub-option runs past the end none counts.
    #[must_use]
    pub fn get(&self, code: u8) -> Option<&'a [u8]> {
        let mut rest = self.0;
        let mut found = None;
        //= https://www.rfc-editor.org/rfc/rfc3046#section-2.0
        //# The sub-options need not appear in sub-option code order.
        while let [this, length, tail @ ..] = rest {
            let (value, tail) = tail.split_at_checked(usize::from(*length))?;
            if *this == code {
                found = found.or(Some(value));
            }
            rest = tail;
        }
        found.filter(|_| rest.is_empty())
    }

    /// Which port of the relay the client is on; empty ones do not count.
    #[must_use]
    pub fn circuit_id(&self) -> Option<&'a [u8]> {
        self.get(CIRCUIT_ID).filter(|id| !id.is_empty())
    }

    /// Who the relay says the client is; empty ones do not count.
    #[must_use]
    pub fn remote_id(&self) -> Option<&'a [u8]> {
        self.get(REMOTE_ID).filter(|id| !id.is_empty())
    }

    /// Who the relay says that it is itself (RFC 6925); empty ones do not count.
    #[must_use]
    pub fn relay_id(&self) -> Option<&'a [u8]> {
        self.get(RELAY_ID).filter(|id| !id.is_empty())
    }

    /// An address of the subnet that the client is on, where `giaddr` is not (RFC 3527).
    #[must_use]
    pub fn link_selection(&self) -> Option<Ipv4Addr> {
        self.address(LINK_SELECTION)
    }

    /// What the relay wants in option 54 (RFC 5107).
    #[must_use]
    pub fn server_id_override(&self) -> Option<Ipv4Addr> {
        self.address(SERVER_ID_OVERRIDE).filter(|address| !address.is_unspecified())
    }

    /// Whether the client's message was unicast to the relay, if the relay says (RFC 5010).
    #[must_use]
    pub fn was_unicast(&self) -> Option<bool> {
        //= https://www.rfc-editor.org/rfc/rfc5010#section-5
        //# If the DHCP server receives a relay-agent-flags suboption that is
        //# longer than one octet, it MUST evaluate the first octet.
        self.get(FLAGS)?.first().map(|flags| flags & 0x80 != 0)
    }

    /// Whether the relay wants the reply at the port that it sent from (RFC 8357).
    #[must_use]
    pub fn wants_source_port(&self) -> bool {
        self.get(SOURCE_PORT).is_some()
    }

    fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.get(code)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    }
}

#[cfg(test)]
mod tests {
    use dhcproto::v4::relay::RelayCode;

    use super::*;

    #[test]
    fn dhcproto_has_the_same_codes() {
        let ours = [CIRCUIT_ID, REMOTE_ID, LINK_SELECTION, FLAGS, SERVER_ID_OVERRIDE];
        let theirs = [
            RelayCode::AgentCircuitId,
            RelayCode::AgentRemoteId,
            RelayCode::LinkSelection,
            RelayCode::RelayAgentFlags,
            RelayCode::ServerIdentifierOverride,
        ];
        assert_eq!(ours, theirs.map(u8::from));
    }

    #[test]
    fn an_overrun_makes_the_whole_option_useless() {
        let agent = RelayAgent::new(&[1, 2, 0, 0xff, 2, 200, 1]);
        assert_eq!(agent.circuit_id(), None);
        assert_eq!(RelayAgent::new(&[1, 2, 0, 0xff, 2]).circuit_id(), None);
        assert_eq!(RelayAgent::new(&[1, 2, 0, 0xff]).circuit_id(), Some(&[0, 0xff][..]));
    }

    #[test]
    fn sub_options_of_the_wrong_size_do_not_count() {
        assert_eq!(RelayAgent::new(&[5, 3, 10, 0, 0]).link_selection(), None);
        assert_eq!(RelayAgent::new(&[10, 0]).was_unicast(), None);
        //= https://www.rfc-editor.org/rfc/rfc5010#section-5
        //= type=test
        //# If the DHCP server receives a relay-agent-flags suboption that is
        //# longer than one octet, it MUST evaluate the first octet.
        assert_eq!(RelayAgent::new(&[10, 2, 0x80, 0]).was_unicast(), Some(true));
        assert_eq!(RelayAgent::new(&[10, 1, 0x80]).was_unicast(), Some(true));
        assert_eq!(RelayAgent::new(&[1, 0]).circuit_id(), None);
        assert!(RelayAgent::new(&[19, 0]).wants_source_port());
        assert!(!RelayAgent::new(&[]).wants_source_port());
    }
}
