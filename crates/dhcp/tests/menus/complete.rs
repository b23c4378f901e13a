//! What the console offers while a line is typed, all of it from the tables.

use leasehold_dhcp::menus;
use leasehold_routeros::syntax::console::{self, Class, Completion, Grammar, Wanted};

fn grammar() -> Grammar {
    Grammar::new(menus::menus())
}

fn at(context: &str, line: &str) -> Completion {
    console::complete(&grammar(), context, line)
}

fn offered(line: &str) -> Vec<String> {
    at("", line).candidates.into_iter().map(|one| one.word).collect()
}

fn wanted(line: &str) -> String {
    match at("", line).wanted {
        Some(Wanted::Rows(menu)) => menu.path.into(),
        Some(Wanted::Interfaces) => "interfaces".into(),
        None => String::new(),
    }
}

#[test]
fn menus_and_commands_are_offered_in_both_spellings() {
    assert_eq!(offered("/i"), ["ip", "import"]);
    for line in ["/ip/po", "/ip po", "ip po"] {
        assert_eq!(offered(line), ["pool"], "{line}");
        assert_eq!(at("", line).start, line.len() - 2);
    }
    assert!(offered("/ip pool ").contains(&"print".into()));
    assert_eq!(offered("/ip pool pr"), ["print"]);
    assert_eq!(offered("/ip dhcp-server le"), ["lease"]);
    let here: Vec<_> = at("/ip/pool", "us").candidates.into_iter().map(|one| one.word).collect();
    assert_eq!(here, ["used"]);
    assert_eq!(offered("/ip pool print; /ip dhcp-server ne"), ["network"]);
    assert_eq!(offered("/nowhere pr"), [""; 0]);
}

#[test]
fn arguments_are_offered_once_and_with_what_they_mean() {
    assert_eq!(offered("/ip pool add na"), ["name="]);
    assert_eq!(offered("/ip pool add name=x na"), [""; 0]);
    assert_eq!(offered("/ip pool add name=\"a b\" ran"), ["ranges="]);
    assert_eq!(offered("/ip pool print det"), ["detail"]);
    assert_eq!(offered("/ip dhcp-server lease print act"), ["active"]);
    assert_eq!(offered("/ip pool print proplist=name,ra"), ["ranges"]);
    let ranges = at("", "/ip pool add ran").candidates.remove(0);
    assert!(!ranges.doc.is_empty() && !ranges.ends);
}

#[test]
fn values_are_offered_from_the_table_or_asked_of_the_server() {
    assert_eq!(offered("/ip dhcp-server set 0 authoritative=y"), ["yes"]);
    assert_eq!(offered("/ip dhcp-server add disabled="), ["yes", "no"]);
    assert_eq!(offered("/ip dhcp-server add address-pool=st"), ["static-only"]);
    assert_eq!(wanted("/ip dhcp-server add address-pool=st"), "/ip/pool");
    assert_eq!(wanted("/ip dhcp-server add interface="), "interfaces");
    assert_eq!(wanted("/ip pool set "), "/ip/pool");
    assert_eq!(wanted("/ip pool set numbers="), "/ip/pool");
    assert_eq!(wanted("/ip pool set a next-pool="), "/ip/pool");
    let mut pools = at("", "/ip pool set numbers=a,is");
    pools.answer(["isp-pool".into(), "other".into(), "is free".into()]);
    assert_eq!(pools.start, "/ip pool set numbers=a,".len());
    let words: Vec<_> = pools.candidates.iter().map(|one| one.word.as_str()).collect();
    assert_eq!(words, ["isp-pool", "\"is free\""]);
    let mut quoted = at("", "/ip pool set \"is f");
    quoted.answer(["is free".into()]);
    assert_eq!(quoted.candidates[0].word, "is free");
}

#[test]
fn conditions_are_completed_too() {
    assert_eq!(offered("/ip dhcp-server lease print where sta"), ["status"]);
    assert_eq!(offered("/ip dhcp-server lease print where status=bo"), ["bound"]);
    assert_eq!(offered("/ip dhcp-server lease remove [find status=dec"), ["declined"]);
    assert_eq!(offered("/ip dhcp-server lease remove [fi"), ["find"]);
    assert_eq!(offered("/ip dhcp-server lease remove [find status=bound and dyn"), ["dynamic"]);
    assert_eq!(offered(":put [/ip po"), ["pool"]);
}

#[test]
fn help_says_what_a_property_is() {
    let help = at("", "/ip dhcp-server add lease-time=").help();
    assert!(help.contains("lease-time:") && help.contains("default `30m`"), "{help}");
    let help = at("", "/ip pool ").help();
    assert!(help.contains("print") && help.contains("shows rows"), "{help}");
}

#[test]
fn words_have_classes_and_open_lines_go_on() {
    let classes = |line| {
        let words = console::words(&grammar(), "", line);
        words.into_iter().map(|(at, class)| (&line[at], class)).collect::<Vec<_>>()
    };
    use Class::{Name, Unknown, Value, Verb};
    assert_eq!(
        classes("/ip pool set [find name=a] comment=\"x y\" bogus=1"),
        [
            ("ip", Class::Menu),
            ("pool", Class::Menu),
            ("set", Verb),
            ("find", Verb),
            ("name", Name),
            ("a", Value),
            ("comment", Name),
            ("\"x y\"", Value),
            ("bogus", Unknown),
            ("1", Value),
        ]
    );
    for line in ["/ip pool set [find name=a", "/ip pool add comment=\"x", "/ip pool add \\"] {
        assert!(console::goes_on(&grammar(), "", line), "{line}");
    }
    for line in ["/ip pool set [find name=a] x", "/ip pool print", "", "]", "\"", "[", "=!{"] {
        let _ = (console::goes_on(&grammar(), "", line), console::words(&grammar(), "", line));
    }
    assert!(!console::goes_on(&grammar(), "", "/ip pool print"));
}

#[test]
fn every_beginning_of_a_line_is_scanned() {
    let line = ":put [/ip pool find where name=\"a\\\" b\" or !(total>3 && x~\"^q\")] ; # end\n/ip";
    for end in (0..=line.len()).filter(|end| line.is_char_boundary(*end)) {
        let completion = at("/ip/pool", &line[..end]);
        assert!(completion.start <= end, "{}", &line[..end]);
        let _ = console::words(&grammar(), "", &line[end..]);
    }
}
