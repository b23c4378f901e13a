//! `/system/…`: what this machine is.

use leasehold_routeros::menu;
use leasehold_routeros::menu::Form;

menu! {
    /// What this machine is called.
    pub struct Identity in "/system/identity" {
        /// Its name; the host's own while none is given.
        name: Option<String> = unset().always().supplied(),
    }
    /// Nothing is known beside the configuration.
    live struct IdentityState {
    }
    form: Form::Singleton,
    key: &[],
    noun: "identity",
}
