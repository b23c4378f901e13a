//! REST: each method's answer, every value a string, errors in RouterOS's words.

use leasehold_routeros::Reply;
use leasehold_routeros::syntax::rest::{self, Answer, Call, Method};

use crate::world::World;

const POOL: &str = "/ip/pool";
const SERVER: &str = "/ip/dhcp-server";
const LEASE: &str = "/ip/dhcp-server/lease";

impl World {
    /// What a request is answered with.
    fn rest(&mut self, method: Method, path: &str, body: &str) -> (u16, String) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let Answer { status, body } =
            match rest::request(&self.tree, method, path, query, body.as_bytes()) {
                Ok(exchange) => self.exchange(&exchange),
                Err(refused) => rest::refused(&refused),
            };
        (status, body)
    }

    fn exchange(&mut self, exchange: &rest::Exchange) -> Answer {
        let Call::Command(command) = &exchange.call else { panic!("{exchange:?}") };
        let reply = match self.tree.run(command, &self.running) {
            Ok(outcome) => outcome.reply,
            Err(trap) => return rest::failure(exchange, &trap),
        };
        let second = exchange.second(&reply).map(|command| {
            let outcome = self.tree.run(&command, &self.running);
            outcome.expect("a row that was made is shown").reply
        });
        let listing = second.or(match &reply {
            Reply::Rows(_) => self.tree.run(command, &self.running).ok().map(|done| done.reply),
            _ => None,
        });
        let records = match listing {
            Some(Reply::Rows(listing)) => listing.collect(&self.running),
            _ => Vec::new(),
        };
        exchange.answer(&reply, &records)
    }

    fn detail(&mut self, method: Method, path: &str, body: &str) -> String {
        let before = (self.tree.ids(), self.export());
        let (status, body) = self.rest(method, path, body);
        assert_eq!((self.tree.ids(), self.export()), before, "{path} changed something");
        assert_eq!(status, 400, "{body}");
        let begin = "{\"error\":400,\"message\":\"Bad Request\",\"detail\":\"";
        body.strip_prefix(begin).and_then(|rest| rest.strip_suffix("\"}")).unwrap_or(&body).into()
    }
}

#[test]
fn the_how_tos_calls_are_answered_as_it_says() {
    let mut world = World::scenario();
    let body = r#"{"name":"isp-pool-api","ranges":"67.9.97.10-67.9.97.254"}"#;
    let added = (200, r#"{"message":"added",".id":"*2"}"#.to_owned());
    assert_eq!(world.rest(Method::Post, POOL, body), added);
    let all = concat!(
        r#"[{".id":"*1","name":"isp-pool","ranges":"67.9.97.10-67.9.97.254","next-pool":""},"#,
        r#"{".id":"*2","name":"isp-pool-api","ranges":"67.9.97.10-67.9.97.254","next-pool":""}]"#
    );
    assert_eq!(world.rest(Method::Get, POOL, ""), (200, all.into()));
}

#[test]
fn rows_are_made_shown_changed_and_removed() {
    let mut world = World::scenario();
    let row = r#"{".id":"*2","name":"p","ranges":"10.0.0.0/24","next-pool":"isp-pool"}"#;
    let body = r#"{"name":"p","ranges":["10.0.0.0-10.0.0.255"],"next-pool":"*1"}"#;
    assert_eq!(world.rest(Method::Put, POOL, body), (201, row.into()));
    for path in ["/ip/pool/*2", "/ip/pool/%2A2", "/ip/pool/p", "/ip/pool/p?.proplist="] {
        assert_eq!(world.rest(Method::Get, path, ""), (200, row.into()), "{path}");
    }
    let changed = row.replace("\"isp-pool\"}", "\"\",\"comment\":\"x\"}");
    let body = r#"{"next-pool":null,"comment":"x"}"#;
    assert_eq!(world.rest(Method::Patch, "/ip/pool/p", body), (200, changed));
    assert_eq!(world.rest(Method::Patch, "/ip/pool/*2", r#"{"comment":""}"#).0, 200);
    assert_eq!(world.get(POOL, "p", "comment"), "");
    assert_eq!(world.rest(Method::Delete, "/ip/pool/*2", ""), (204, String::new()));
    let gone = (404, r#"{"error":404,"message":"Not Found"}"#.to_owned());
    assert_eq!(world.rest(Method::Delete, "/ip/pool/*2", ""), gone);
    assert_eq!(world.rest(Method::Get, "/ip/pool/*2", ""), gone);
    assert_eq!(world.rest(Method::Get, "/ip/pool?.id=*2", ""), (200, "[]".into()));
}

#[test]
fn a_server_s_row_has_the_keys_that_a_router_s_has() {
    let mut world = World::scenario();
    let (_, body) = world.rest(Method::Get, SERVER, "");
    for part in [
        r#""use-radius":"no""#,
        r#""disabled":"false""#,
        r#""lease-time":"1d""#,
        r#""lease-script":"""#,
        r#""dynamic":"false","invalid":"false""#,
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    for absent in ["authoritative", "client-mac-limit", "comment", "relay"] {
        assert!(!body.contains(absent), "{absent}: {body}");
    }
    let (_, body) = world.rest(Method::Get, "/ip/dhcp-server/network", "");
    assert!(body.contains(r#""wins-server":"","ntp-server":"","caps-manager":"""#), "{body}");
    assert!(!body.contains("netmask"), "{body}");
}

#[test]
fn leases_are_shown_filtered_and_made_static() {
    let mut world = World::scenario();
    let id = world.bind("67.9.97.254", "aa:bb:cc:dd:ee:ff", "dhcp-server-83", "laptop");
    let body = r#"{"address":"67.9.97.9","mac-address":"aa-00-00-00-00-01","disabled":false}"#;
    assert_eq!(world.rest(Method::Put, LEASE, body).0, 201);
    let (_, never) = world.rest(Method::Get, "/ip/dhcp-server/lease/*1", "");
    for part in [r#""status":"waiting""#, r#""last-seen":"never""#, r#""blocked":"false""#] {
        assert!(never.contains(part), "{part}: {never}");
    }
    assert!(!never.contains("\"active-address\"") && !never.contains("\"server\""), "{never}");
    assert_eq!(world.rest(Method::Get, &format!("{LEASE}?server=all"), "").1, "[]");
    let filter = format!("{LEASE}?dynamic=yes&status=bound&.proplist=address");
    let one = format!("[{{\".id\":\"{id}\",\"address\":\"67.9.97.254\"}}]");
    assert_eq!(world.rest(Method::Get, &filter, ""), (200, one));
    let path = format!("{LEASE}/{id}");
    let set = r#"{"address":"67.9.97.7"}"#;
    assert_eq!(world.detail(Method::Patch, &path, set), "failure: can not change dynamic lease");
    let body = format!("{{\".id\":\"{id}\"}}");
    let made = world.rest(Method::Post, &format!("{LEASE}/make-static"), &body);
    assert_eq!(made, (200, "[]".into()));
    let (status, row) = world.rest(Method::Patch, &path, set);
    assert!(status == 200 && row.contains("\"dynamic\":\"false\""), "{row}");
}

#[test]
fn any_command_can_be_posted() {
    let mut world = World::scenario();
    let body = r#"{"name":"p","ranges":"10.0.0.1"}"#;
    let ret = |text: &str| (200, format!("{{\"ret\":\"{text}\"}}"));
    assert_eq!(world.rest(Method::Post, "/ip/pool/add", body), ret("*2"));
    let body = r#"{"name":"q","ranges":"10.0.0.2"}"#;
    assert_eq!(world.rest(Method::Post, "/ip/pool/add", body), ret("*3"));
    let body = r##"{".query":["name=p","name=q","#|"],".proplist":["name"]}"##;
    let rows = r#"[{".id":"*2","name":"p"},{".id":"*3","name":"q"}]"#;
    assert_eq!(world.rest(Method::Post, "/ip/pool/print", body), (200, rows.into()));
    let body = r#"{"count-only":""}"#;
    assert_eq!(world.rest(Method::Post, "/ip/pool/print", body), ret("3"));
    let body = r#"{"numbers":"*2,q","comment":"both"}"#;
    assert_eq!(world.rest(Method::Post, "/ip/pool/set", body), (200, "[]".into()));
    let body = r#"{".id":"p","value-name":"comment"}"#;
    assert_eq!(world.rest(Method::Post, "/ip/pool/unset", body), (200, "[]".into()));
    assert_eq!(world.get(POOL, "q", "comment") + &world.get(POOL, "p", "comment"), "both");
    let (_, config) = world.rest(Method::Get, "/ip/dhcp-server/config", "");
    assert!(config.starts_with("{\"store-leases-disk\":\"5m\""), "{config}");
    let body = r#"{"interim-update":300}"#;
    assert_eq!(world.rest(Method::Post, "/ip/dhcp-server/config/set", body), (200, "[]".into()));
    let (_, config) = world.rest(Method::Get, "/ip/dhcp-server/config", "");
    assert!(config.contains("\"interim-update\":\"5m\""), "{config}");
    let (_, export) = world.rest(Method::Post, "/export", "{}");
    assert!(export.contains("/ip pool"), "{export}");
    let body = r#"{"script":"/ip pool print","as-string":""}"#;
    let call = rest::request(&world.tree, Method::Post, "/execute", "", body.as_bytes());
    assert_eq!(call.map(|exchange| exchange.call), Ok(Call::Script("/ip pool print".into())));
}

#[test]
fn errors_have_routeros_words_and_change_nothing() {
    let mut world = World::scenario();
    let mut told = |method, path: &str, body: &str| world.detail(method, path, body);
    let unknown = "no such command or directory (nonexistent)";
    assert_eq!(told(Method::Get, "/ip/nonexistent", ""), unknown);
    assert_eq!(told(Method::Get, "/nonexistent/pool", ""), unknown);
    assert_eq!(told(Method::Get, "/ip/pool/print", ""), "no such command");
    assert_eq!(told(Method::Post, "/ip/pool/frobnicate", ""), "no such command");
    assert_eq!(told(Method::Get, "/ip/dhcp-server/network/x", ""), "no such command prefix");
    assert_eq!(told(Method::Post, "/ip/pool/set", r#"{"comment":"x"}"#), "missing =.id=");
    assert_eq!(
        told(Method::Put, POOL, r#"{"name":"isp-pool","ranges":"1.2.3.4"}"#),
        "failure: pool with such name exists"
    );
    assert_eq!(
        told(Method::Put, POOL, r#"{"name":"q","ranges":"1.2.3.4","next-pool":"x"}"#),
        "input does not match any value of next-pool"
    );
    assert_eq!(told(Method::Put, POOL, r#"{"nam":"q"}"#), "unknown parameter nam");
    assert_eq!(told(Method::Patch, "/ip/pool/*1", r#"{"total":"1"}"#), "unknown parameter total");
    assert_eq!(told(Method::Post, "/ip/pool/print", r#"{"?name":"x"}"#), "unknown parameter ?name");
    assert_eq!(told(Method::Put, POOL, "[]"), "the body has to be a JSON object");
    assert!(told(Method::Put, POOL, "{").starts_with("invalid JSON: "));
    assert!(told(Method::Put, POOL, &"[".repeat(100_000)).starts_with("invalid JSON: "));
    let nested = r#"{"name":{"a":1}}"#;
    assert_eq!(told(Method::Put, POOL, nested), "invalid value for argument name");
    for path in ["/ip/pool/used/*1", "/ip/dhcp-server/config/*1"] {
        let words = concat!(
            r#"{"error":406,"message":"Not Acceptable","#,
            r#""detail":"no such command or directory (remove)"}"#
        );
        assert_eq!(world.rest(Method::Delete, path, ""), (406, words.into()));
    }
}
