//! `/system/metrics`: where monitoring asks how the server does.

use core::net::{Ipv4Addr, SocketAddrV4};

use leasehold_routeros::menu;
use leasehold_routeros::menu::Form;
use leasehold_routeros::value::Bounded;

menu! {
    /// Where Prometheus (`/metrics`) and keepalived (`/healthz`) ask, over plain HTTP (ours).
    pub struct Metrics in "/system/metrics" {
        /// Address to listen on; `0.0.0.0` is every one.
        address: Ipv4Addr = preset("127.0.0.1").always(),
        /// TCP port.
        port: Bounded<1, 65535> = preset("9547").always(),
        /// Whether nobody can ask.
        disabled: bool = preset("yes").always().flag('X'),
    }
    /// Nothing is known beside the configuration.
    live struct MetricsState {
    }
    form: Form::Singleton,
    key: &[],
    noun: "metrics",
}

impl Metrics {
    /// Where to listen, if anywhere.
    #[must_use]
    pub fn place(&self) -> Option<SocketAddrV4> {
        let port = u16::try_from(self.port.number()).ok()?;
        (!self.disabled).then(|| SocketAddrV4::new(self.address, port))
    }
}
