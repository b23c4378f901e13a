//! One new property takes one entry in one table: every face, the docs and Rust find it.

use leasehold_routeros::syntax::console::{self, Grammar, Statement};
use leasehold_routeros::syntax::rest::{self, Call, Method};
use leasehold_routeros::syntax::script::{self, Form};
use leasehold_routeros::syntax::sentence::{self, Limits, Request};
use leasehold_routeros::syntax::toml;
use leasehold_routeros::{Command, Ids, Menu, Offline, Record, Reply, Row, Tree, help};

/// A menu of a lamp, with or without more properties.
macro_rules! lamp {
    ($module:ident, $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $rule:expr, )*) => {
        mod $module {
            use leasehold_routeros::menu;
            use leasehold_routeros::menu::Unique;
            use leasehold_routeros::value::{Name, Seconds};

            menu! {
                /// Lamps.
                pub(crate) struct Lamp in "/lamp" {
                    /// Unique name.
                    name: Name = required(),
                    /// Time after which it goes out.
                    glow: Seconds<1, 3600> = preset("5m"),
                    $( $(#[doc = $doc])+ $field: $type = $rule, )*
                }
                /// What a lamp does.
                live struct LampState {
                    /// Whether it burns.
                    burning: bool = live_or("no").flag('B'),
                }
                unique: &[Unique {
                    by: &["name"],
                    within: None,
                    enabled_only: false,
                    failure: "lamp with such name exists",
                }],
            }
        }
    };
}

lamp!(before,);
lamp!(
    after,
    /// Colour of the light.
    bulb_colour: String = preset("white"),
);

/// The name that the new property has everywhere.
const NEW: &str = "bulb-colour";

fn tree(menu: &'static Menu) -> Tree {
    let mut tree = Tree::new([menu]);
    tree.add("/lamp", &[("name", "desk"), ("glow", "60")]).expect("the row is legal");
    tree
}

fn records(tree: &mut Tree, command: &Command) -> Vec<Record> {
    match tree.run(command, &Offline).expect("the command is legal").reply {
        Reply::Rows(listing) => listing.collect(&Offline),
        other => panic!("{other:?}"),
    }
}

/// What each face says when the property is set, and what it then reads back.
fn faces(menu: &'static Menu) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("toml", by_toml(menu)),
        ("rsc", by_script(menu)),
        ("console", by_console(menu)),
        ("api", by_sentence(menu)),
        ("rest", by_rest(menu)),
        ("help", Some(help::menu(menu)).filter(|text| text.contains("Colour of the light."))),
        ("docs", Some(help::reference(&[menu])).filter(|text| text.contains("| `bulb-colour` |"))),
    ]
}

fn by_toml(menu: &'static Menu) -> Option<String> {
    let text = "[[lamp]]\nname = \"desk\"\nbulb-colour = \"red\"\n";
    let opened = toml::open([menu], text, &Ids::default()).expect("it is TOML");
    opened.problems.is_empty().then_some(())?;
    let mut tree = opened.tree;
    let set = Command::new("/lamp", "set").target("desk").with(NEW, "blue");
    tree.run(&set, &Offline).expect("the property is known");
    let mut document = opened.document;
    document.update(&tree).ok().filter(|text| text.contains("bulb-colour = \"blue\""))
}

fn by_script(menu: &'static Menu) -> Option<String> {
    let mut tree = tree(menu);
    let text = "/lamp\nset [find name=desk] bulb-colour=red\n";
    script::import(&mut tree, text, &script::Options::default(), &Offline).ok()?;
    Some(script::export(&tree, "", Form::Compact)).filter(|text| text.contains("bulb-colour=red"))
}

fn by_console(menu: &'static Menu) -> Option<String> {
    let mut tree = tree(menu);
    let text = "/lamp set desk bulb=red\n/lamp print detail where bulb-colour=red";
    let statements = console::parse(&Grammar::new([menu]), "", text).ok()?;
    let [set, print] = statements.as_slice() else { panic!("{statements:?}") };
    let (Statement::Run(set), Statement::Run(shown)) = (set, print) else { panic!("{set:?}") };
    tree.run(set, &Offline).ok()?;
    let reply = tree.run(shown, &Offline).ok()?.reply;
    let records = records(&mut tree, shown);
    let printed = console::answer(print, &reply, &records, None);
    Some(printed).filter(|text| text.contains("bulb-colour=\"red\""))
}

fn by_sentence(menu: &'static Menu) -> Option<String> {
    let mut tree = tree(menu);
    let words = ["/lamp/set", "=.id=desk", "=bulb-colour=red"].map(str::to_owned);
    let Ok(Request { call: sentence::Call::Command(set), .. }) = Request::read(&words) else {
        panic!("{words:?}")
    };
    tree.run(&set, &Offline).ok()?;
    let record = records(&mut tree, &Command::new("/lamp", "print")).remove(0);
    let mut buffer = Vec::new();
    sentence::record(&mut buffer, None, &record, &[]);
    let (words, _) = sentence::read(&buffer, Limits::USER).ok()??;
    words.into_iter().find(|word| word == "=bulb-colour=red")
}

fn by_rest(menu: &'static Menu) -> Option<String> {
    let mut tree = tree(menu);
    let body = br#"{"bulb-colour":"red"}"#;
    let exchange = rest::request(&tree, Method::Patch, "/lamp/desk", "", body).ok()?;
    let Call::Command(set) = &exchange.call else { panic!("{exchange:?}") };
    let reply = tree.run(set, &Offline).ok()?.reply;
    let shown = records(&mut tree, &exchange.second(&reply)?);
    let answer = exchange.answer(&reply, &shown).body;
    Some(answer).filter(|text| text.contains("\"bulb-colour\":\"red\""))
}

#[test]
fn a_new_property_is_found_by_every_face() {
    for (face, found) in faces(after::Lamp::menu()) {
        assert!(found.is_some(), "{face} does not know the new property");
    }
    for (face, found) in faces(before::Lamp::menu()) {
        assert_eq!(found, None, "{face} knows a property that is not there");
    }
}

#[test]
fn a_new_property_is_a_typed_field() {
    let mut tree = tree(after::Lamp::menu());
    let set = Command::new("/lamp", "set").target("desk").with("bulb-colour", "red");
    tree.run(&set, &Offline).unwrap();
    let lamp = tree.rows::<after::Lamp>().remove(0).row.unwrap();
    assert_eq!((lamp.glow.seconds(), lamp.bulb_colour.as_str()), (60, "red"));
    assert_eq!(after::Lamp::read(&lamp.write()).unwrap(), lamp);
    let state = after::LampState { burning: Some(true) };
    assert_eq!(leasehold_routeros::Live::cells(&state).iter().count(), 1);
    assert_eq!(tree.rows::<before::Lamp>().len(), 1, "the same path, an older table");
}

#[test]
fn add_only_properties_are_settable_once() {
    lamp!(
        fixed,
        /// Where it hangs.
        place: String = preset("").add_only(),
    );
    let mut tree = tree(fixed::Lamp::menu());
    tree.add("/lamp", &[("name", "hall"), ("place", "ceiling")]).unwrap();
    let set = Command::new("/lamp", "set").target("hall").with("place", "wall");
    let refused = tree.run(&set, &Offline).unwrap_err();
    assert_eq!(refused.to_string(), "failure: can not change place");
}
