//! CVE-2026-3608: what is nested without end is refused by every syntax, and the stack holds.

use leasehold_dhcp::menus;
use leasehold_routeros::syntax::console::{self, Grammar};
use leasehold_routeros::syntax::rest::{self, Method};
use leasehold_routeros::syntax::{script, toml};
use leasehold_routeros::{Ids, Offline};

const DEEP: usize = 50_000;

#[test]
fn cve_2026_3608_nested_json() {
    for open in ["[", "{\"a\":", "{\".query\":[", "[{\"a\":["] {
        let body = open.repeat(DEEP);
        let read =
            rest::request(&menus::tree(), Method::Post, "/ip/pool/print", "", body.as_bytes());
        assert!(read.is_err(), "{open}");
    }
}

#[test]
fn cve_2026_3608_nested_scripts() {
    let grammar = Grammar::new(menus::menus());
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{", "}"), ("!", ""), ("[find ", "]"), ("(a+", ")")]
    {
        for close in ["", close] {
            let nested = open.repeat(DEEP) + "1" + &close.repeat(DEEP);
            for line in [
                nested.clone(),
                format!("/ip pool print where {nested}"),
                format!("/ip pool set {nested} name=a"),
                format!("/ip pool add name={nested}"),
                format!(":put {nested}"),
            ] {
                assert!(console::parse(&grammar, "", &line).is_err() || open == "!", "{open}");
                let mut tree = menus::tree();
                let options = script::Options::default();
                let _ = script::import(&mut tree, &line, &options, &Offline);
            }
        }
    }
}

#[test]
fn cve_2026_3608_nested_toml() {
    for text in ["a = ".to_owned() + &"[".repeat(DEEP), "a = ".to_owned() + &"{a = ".repeat(DEEP)] {
        assert!(toml::open(menus::menus(), &text, &Ids::default()).is_err());
    }
    let dotted = vec!["a"; DEEP].join(".") + " = 1";
    let _ = toml::open(menus::menus(), &dotted, &Ids::default());
}
