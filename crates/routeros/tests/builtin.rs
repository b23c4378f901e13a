//! Rows that are always there, and properties that are written and never read.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use leasehold_routeros::menu::{Form, Unique};
use leasehold_routeros::syntax::script::{self, Form as Export};
use leasehold_routeros::syntax::toml;
use leasehold_routeros::value::Name;
use leasehold_routeros::{Cells, Command, Ids, Offline, Query, Reply, Row, Tree, menu};

fn sounds_when_configured(cells: &Cells) -> Option<String> {
    Some(if cells.get(2).is_some() { "yes" } else { "no" }.into())
}

menu! {
    /// Bells of the house.
    pub struct Bell in "/bell" {
        /// Unique name.
        name: Name = required(),
        /// How high it sounds.
        pitch: u64 = required(),
        /// Who rings.
        ringer: String = preset(""),
        /// Whether it sounds.
        loud: Option<bool> = unset().always().otherwise(sounds_when_configured),
        /// What has to be said to ring it.
        secret: Option<String> = unset().write_only(),
    }
    /// Nothing is known beside the configuration.
    live struct BellState {
    }
    form: Form::Fixed,
    unique: &[Unique {
        by: &["name"],
        within: None,
        enabled_only: false,
        failure: "bell with such name exists",
    }],
    builtin: &[&[("name", "door"), ("pitch", "400")], &[("name", "attic"), ("pitch", "900")]],
    noun: "bell",
}

fn run(tree: &mut Tree, command: &Command) -> Result<Reply, String> {
    tree.run(command, &Offline).map(|outcome| outcome.reply).map_err(|trap| trap.to_string())
}

fn shown(tree: &mut Tree, query: Query) -> Vec<String> {
    match run(tree, &Command::new("/bell", "print").filtered(query)) {
        Ok(Reply::Rows(rows)) => {
            rows.collect(&Offline).iter().map(|row| format!("{row:?}")).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn builtin_rows_are_changed_and_neither_made_nor_removed_nor_renamed() {
    let mut tree = Tree::new([Bell::menu()]);
    assert_eq!(tree.names("/bell"), ["door", "attic"]);
    assert_eq!(script::export(&tree, "", Export::Compact), "");
    run(&mut tree, &Command::new("/bell", "set").target("attic").with("pitch", "800")).unwrap();
    assert_eq!(script::export(&tree, "", Export::Compact), "/bell\nset attic pitch=800\n");
    let rename = Command::new("/bell", "set").target("attic").with("name", "roof");
    assert_eq!(run(&mut tree, &rename).unwrap_err(), "failure: can not rename builtin bell");
    let add = Command::new("/bell", "add").with("name", "roof").with("pitch", "1");
    assert_eq!(run(&mut tree, &add).unwrap_err(), "no such command");
    let remove = Command::new("/bell", "remove").target("attic");
    assert_eq!(run(&mut tree, &remove).unwrap_err(), "no such command");
}

#[test]
fn a_file_says_of_builtin_rows_what_differs() {
    let text = "[[bell]]\nname = \"attic\"\nringer = \"wind\" # always\n";
    let opened = toml::open([Bell::menu()], text, &Ids::default()).unwrap();
    assert_eq!(opened.problems, []);
    let (mut tree, mut document) = (opened.tree, opened.document);
    let bells = tree.rows::<Bell>();
    let [door, attic] = bells.as_slice() else { panic!("{}", bells.len()) };
    assert_eq!((door.row.as_ref().unwrap().pitch, door.id.0), (400, 1));
    assert_eq!((attic.row.as_ref().unwrap().pitch, attic.id.0), (900, 2));
    run(&mut tree, &Command::new("/bell", "set").target("door").with("pitch", "300")).unwrap();
    let text = document.update(&tree).unwrap();
    assert!(text.contains("# always") && text.contains("pitch = 300"), "{text}");
    let again = toml::open([Bell::menu()], &text, &Ids::parse(&tree.ids())).unwrap();
    assert_eq!(again.problems, []);
    assert_eq!(again.tree.rows::<Bell>()[0].row.as_ref().unwrap().pitch, 300);
    let twice = format!("{text}\n[[bell]]\nname = \"door\"\n\n[[bell]]\nname = \"roof\"\n");
    let wrong = toml::open([Bell::menu()], &twice, &Ids::default()).unwrap();
    let rules: Vec<_> = wrong.problems.iter().map(|problem| problem.rule.as_str()).collect();
    assert!(rules.contains(&"there is only one such row"), "{rules:?}");
    assert!(rules.contains(&"no such item"), "{rules:?}");
    assert_eq!(wrong.tree.rows::<Bell>().len(), 2);
}

#[test]
fn what_is_unset_may_follow_from_the_rest() {
    let mut tree = Tree::new([Bell::menu()]);
    assert!(shown(&mut tree, Query::equal("loud", "yes")).is_empty());
    run(&mut tree, &Command::new("/bell", "set").target("door").with("ringer", "x")).unwrap();
    assert_eq!(shown(&mut tree, Query::equal("loud", "yes")).len(), 1);
    run(&mut tree, &Command::new("/bell", "set").target("door").with("loud", "no")).unwrap();
    assert!(shown(&mut tree, Query::equal("loud", "yes")).is_empty());
}

#[test]
fn what_is_write_only_is_told_to_nobody() {
    let mut tree = Tree::new([Bell::menu()]);
    run(&mut tree, &Command::new("/bell", "set").target("door").with("secret", "xyzzy")).unwrap();
    assert_eq!(tree.rows::<Bell>()[0].row.as_ref().unwrap().secret.as_deref(), Some("xyzzy"));
    assert!(!shown(&mut tree, Query::all()).concat().contains("xyzzy"));
    assert!(shown(&mut tree, Query::equal("secret", "xyzzy")).is_empty());
    for form in [Export::Compact, Export::Verbose, Export::Terse] {
        assert!(!script::export(&tree, "", form).contains("xyzzy"));
    }
    let get = Command::new("/bell", "get").target("door").with("value-name", "secret");
    assert!(!format!("{:?}", run(&mut tree, &get)).contains("xyzzy"));
}
