//! Everything worth telling: one variant is the log line, the counter and the answer to "why".

/// One thing that happened, or the reason why nothing did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A datagram that is not a legal DHCP or BOOTP request, and the rule that it broke.
    Malformed,
}
