//! What clients ask for when they connect: menus of the machine, and menus that do not exist.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use lab::scene::CONFIGURATION;
use lab::{Api, Rest, Scene};

/// What a command says, as a script of the shell sees it.
fn command(scene: &Scene, line: &str) -> String {
    let mut command = scene.server.machine().command(env!("CARGO_BIN_EXE_leasehold"));
    command.env("LEASEHOLD_SOCKET", scene.server.state().join("leasehold.sock"));
    let output = command.arg(line).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_client_that_connects_gets_true_values_and_keeps_its_connection() {
    let scene = Scene::with(CONFIGURATION);
    let mut api = Api::connect(&scene);
    let name = &api.rows(&["/system/identity/getall"])[0]["name"];
    assert!(!name.is_empty());
    let resource = api.rows(&["/system/resource/print"]).remove(0);
    assert_eq!(resource["version"], "7.16.2 (stable)");
    assert!(resource["board-name"].starts_with("CHR"), "{resource:?}");
    assert!(resource["total-memory"].parse::<u64>().unwrap() > 1 << 20);
    assert_eq!(api.rows(&["/system/routerboard/getall"])[0]["routerboard"], "false");
    let update = api.rows(&["/system/package/update/print"]).remove(0);
    assert_eq!(update["installed-version"], "7.16.2");
    assert_eq!(api.rows(&["/system/package/print"])[0]["name"], "routeros");
    let link = api.rows(&["/interface/print", "?name=ether-83"]).remove(0);
    assert_eq!((link["type"].as_str(), link["running"].as_str()), ("ether", "true"));
    assert!(link["rx-byte"].parse::<u64>().is_ok());
    let address = api.rows(&["/ip/address/print", "?interface=ether-83"]).remove(0);
    assert_eq!(address["address"], "67.9.97.1/24");
    assert_eq!(address["network"], "67.9.97.0");
    for empty in ["/ip/dhcp-client", "/ip/dns/static", "/interface/wifi", "/system/health"] {
        assert!(api.rows(&[&format!("{empty}/print")]).is_empty(), "{empty}");
    }
    for absent in
        ["/ip/firewall/filter/print", "/caps-man/interface/getall", "/interface/lte/print"]
    {
        assert_eq!(api.trap(&[absent]), "no such command prefix", "{absent}");
    }
    api.done(&["/system/identity/set", "=name=tower-1"]);
    assert_eq!(api.rows(&["/system/identity/print"])[0]["name"], "tower-1");
    assert_eq!(api.trap(&["/system/resource/set", "=version=8"]), "no such command");
}

#[test]
fn an_export_goes_into_a_file_and_comes_back_whole_or_not_at_all() {
    let scene = Scene::with(CONFIGURATION);
    let mut api = Api::connect(&scene);
    api.done(&["/export", "=file=night"]);
    let file = api.rows(&["/file/print", "?=name=night.rsc"]).remove(0);
    let script = file["contents"].clone();
    let first = script.lines().next().unwrap();
    assert!(first.starts_with("# 20") && first.ends_with(" by RouterOS 7.16.2"), "{first}");
    assert!(script.contains("/ip pool\nadd name=isp-pool"), "{script}");
    assert_eq!(file["size"], script.len().to_string());
    api.done(&["/ip/pool/export", "=file=pools.rsc", "=terse="]);
    let pools = api.rows(&["/file/print", "?name=pools.rsc"]).remove(0)["contents"].clone();
    assert!(pools.contains("/ip pool add name=isp-pool") && !pools.contains("dhcp-server"));
    let chunk = &["/file/read", "=file=night.rsc", "=offset=2", "=chunk-size=4"];
    assert_eq!(api.rows(chunk)[0]["data"], script[2..6]);

    let more = "/ip pool\nadd name=q ranges=10.0.0.0/24 next-pool=isp-pool\n";
    let id = api.done(&["/file/add", "=name=more.rsc", &format!("=contents={more}")]).unwrap();
    assert!(id.starts_with('*'), "{id}");
    let dry = api.done(&["/import", "=file-name=more.rsc", "=dry-run="]).unwrap();
    assert_eq!(dry, "1 command(s)\ndry run: nothing was changed\n");
    assert_eq!(api.rows(&["/ip/pool/print"]).len(), 1, "nothing was changed");
    let done = api.done(&["/import", "=file-name=more.rsc"]).unwrap();
    assert!(done.ends_with("Script file loaded and executed successfully\n"), "{done}");
    assert_eq!(api.rows(&["/ip/pool/print", "?name=q"])[0]["next-pool"], "isp-pool");
    let text = std::fs::read_to_string(scene.lab.file("server.toml")).unwrap();
    assert!(text.contains("name = \"q\""), "{text}");
    let again = api.trap(&["/import", "=file-name=more.rsc"]);
    assert!(again.contains("pool with such name exists (line 2 column"), "{again}");

    api.done(&["/file/set", "=.id=more.rsc", "=contents=/ip pool\nnonsense"]);
    let wrong = api.trap(&["/import", "=file-name=more.rsc"]);
    assert!(wrong.starts_with("Script Error: bad command name nonsense (line 2"), "{wrong}");
    for name in ["../server.toml", "/etc/passwd", "files/x", ".hidden"] {
        let refused = api.trap(&["/file/add", &format!("=name={name}"), "=contents=x"]);
        assert_eq!(refused, "invalid value for argument name", "{name}");
        assert_eq!(
            api.trap(&["/import", &format!("=file-name={name}")]),
            "invalid value for argument file-name"
        );
    }
    assert_eq!(api.trap(&["/import", "=file-name=none.rsc"]), "failure: no such file none.rsc");
    api.done(&["/file/remove", &format!("=.id={}", file[".id"])]);
    api.done(&["/file/remove", "=numbers=more.rsc"]);
    assert_eq!(api.rows(&["/file/print"]).len(), 1);
    assert_eq!(api.trap(&["/file/remove", "=.id=more.rsc"]), "no such item");
}

#[test]
fn a_ping_answers_in_rows_until_its_count_or_a_cancel() {
    let scene = Scene::with(CONFIGURATION);
    let mut api = Api::connect(&scene);
    let rows = api.rows(&["/ping", "=address=67.9.97.1", "=count=2", "=size=100"]);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[1]["seq"].as_str(), rows[1]["size"].as_str()), ("1", "100"));
    assert_eq!((rows[1]["sent"].as_str(), rows[1]["received"].as_str()), ("2", "2"));
    assert!(rows[1]["time"].ends_with("us") || rows[1]["time"].ends_with("ms"));
    assert!(rows[1].contains_key("avg-rtt") && !rows[1].contains_key(".id"));
    let lost = api.rows(&["/ping", "=address=67.9.97.77", "=count=1"]).remove(0);
    assert_eq!((lost["packet-loss"].as_str(), lost.get("time")), ("100", None));
    assert!(lost.contains_key("status"), "{lost:?}");

    api.send(&["/ping", "=address=67.9.97.1", ".tag=p"]);
    assert_eq!(api.next(lab::PATIENCE).unwrap()[..2], ["!re", ".tag=p"]);
    api.send(&["/cancel", "=tag=p", ".tag=c"]);
    let interrupted = loop {
        let words = api.next(lab::PATIENCE).unwrap();
        if words[0] == "!trap" {
            break words;
        }
    };
    assert_eq!(interrupted[1..], [".tag=p", "=category=2", "=message=interrupted"]);
    assert_eq!(api.next(lab::PATIENCE).unwrap(), ["!done", ".tag=p"]);
    assert_eq!(api.next(lab::PATIENCE).unwrap(), ["!done", ".tag=c"]);
    assert_eq!(api.trap(&["/ping"]), "missing value(s) of argument(s) address");
    assert_eq!(api.trap(&["/ping", "=address=x"]), "invalid value for argument address");
    assert_eq!(api.trap(&["/ping", "=address=10.0.0.1", "=host=x"]), "unknown parameter host");
    assert_eq!(api.trap(&["/ping/print"]), "no such command prefix");
}

#[test]
fn torch_shows_the_dhcp_traffic_of_an_interface() {
    let scene = Scene::with(CONFIGURATION);
    let mut api = Api::connect(&scene);
    let torch = ["/tool/torch", "=interface=ether-83", "=duration=3", ".tag=t"];
    api.send(&torch);
    std::thread::sleep(std::time::Duration::from_millis(300));
    scene.assert_serving();
    let mut rows = Vec::new();
    loop {
        let words = api.next(lab::PATIENCE).unwrap();
        match words[0].as_str() {
            "!re" => rows.push(lab::api::row(&words)),
            "!done" => break,
            _ => panic!("{words:?}"),
        }
    }
    let asked = rows.iter().find(|row| row["dst-port"] == "67" && row["rx-packets"] != "0");
    assert!(asked.is_some_and(|row| row["src-address"] == "0.0.0.0"), "{rows:?}");
    assert!(rows.iter().any(|row| row["tx-packets"] != "0"), "{rows:?}");
    let wrong = api.trap(&["/tool/torch", "=interface=ether-99", "=once="]);
    assert_eq!(wrong, "input does not match any value of interface");
    assert!(api.rows(&["/tool/torch", "=interface=ether-83", "=once="]).is_empty());
}

#[test]
fn the_log_is_printed_followed_and_kept_by_rules() {
    let scene = Scene::with(CONFIGURATION);
    let mut api = Api::connect(&scene);
    let mut listening = Api::connect(&scene);
    listening.send(&["/log/listen", "?topics=dhcp,info", ".tag=l"]);
    // The listening has begun when something else is answered behind it.
    listening.rows(&["/log/print"]);
    let client = scene.client(7);
    client.lease();
    let row = loop {
        let row = lab::api::row(&listening.next(lab::PATIENCE).unwrap());
        // Lines of the start may still be on their way.
        if !row["message"].ends_with("serves ether-83") {
            break row;
        }
    };
    assert!(row["message"].starts_with("dhcp-server-83 assigned 67.9.97.254 for"), "{row:?}");
    let rows = api.rows(&["/log/print"]);
    let line = rows.iter().find(|line| line["message"] == row["message"]).unwrap();
    assert_eq!((&line[".id"], line["topics"].as_str()), (&row[".id"], "dhcp,info"));
    assert_eq!(line["time"].len(), "2026-11-25 10:36:30".len());
    assert!(!rows.iter().any(|line| line["topics"].contains("debug")));

    let shown = command(&scene, "/system logging print where topics~\"dhcp\"");
    assert!(shown.contains("assigned 67.9.97.254"), "{shown}");
    let rules = command(&scene, "/system logging print");
    assert!(rules.contains("critical") && !rules.contains("assigned"), "{rules}");

    api.done(&["/system/logging/add", "=topics=dhcp,debug"]);
    lab::eventually("a line of debugging", || {
        client.broadcast(&client.init_reboot([10, 9, 9, 9].into()));
        api.rows(&["/log/print"]).iter().any(|line| line["topics"] == "dhcp,debug")
    });
    let why = api.trap(&["/system/logging/remove", "=.id=*1"]);
    assert_eq!(why, "failure: can not remove builtin logging rule");
}

#[test]
fn the_machine_and_what_goes_on_for_a_while_are_there_over_https_too() {
    let scene = Scene::with(CONFIGURATION);
    let rest = Rest::set_up(&scene, "ann", "correct horse");
    for singleton in
        ["identity", "resource", "package/update", "routerboard", "license", "clock", "metrics"]
    {
        let row = rest.get(&format!("/system/{singleton}"));
        let texts = row.as_object().unwrap().values().all(serde_json::Value::is_string);
        assert!(texts && !row.as_object().unwrap().is_empty(), "{singleton}: {row}");
    }
    for list in [
        "/system/package",
        "/system/health",
        "/system/logging",
        "/log",
        "/interface",
        "/interface/ethernet",
        "/ip/address",
        "/ip/arp",
        "/ip/service",
        "/user",
        "/user/group",
        "/user/active",
        "/file",
    ] {
        assert!(rest.get(list).is_array(), "{list}");
    }
    assert_eq!(rest.get("/interface?name=ether-83")[0]["running"], "true");
    assert_eq!(rest.get("/ip/address?interface=ether-83")[0]["address"], "67.9.97.1/24");
    assert_eq!(rest.get("/user/ann")["group"], "full");
    assert_eq!(rest.get("/user/ann").get("password"), None);

    let rows = rest.post("/ping", r#"{"address":"67.9.97.1","count":"2"}"#);
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!((&rows[1]["host"], &rows[1]["received"]), (&"67.9.97.1".into(), &"2".into()));
    assert_eq!(rest.refused("POST", "/ping", "{}"), "missing value(s) of argument(s) address");
    let torch = std::thread::scope(|scope| {
        let asked = r#"{"interface":"ether-83","duration":"3"}"#;
        let looking = scope.spawn(|| rest.post("/tool/torch", asked));
        while !looking.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(300));
            scene.client(1).lease();
        }
        looking.join().unwrap()
    });
    let flow = torch.as_array().unwrap().iter().find(|flow| flow["dst-port"] == "67");
    assert!(flow.is_some_and(|flow| flow["src-port"] == "68"), "{torch}");
    let nowhere = r#"{"interface":"ether-99","once":""}"#;
    let why = rest.refused("POST", "/tool/torch", nowhere);
    assert_eq!(why, "input does not match any value of interface");
}
