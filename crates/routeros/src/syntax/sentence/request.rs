//! From a client's sentence to what it asks for.

use crate::command::{Argument, Command, Target};
use crate::query::{Query, Relation, Step, Test};
use crate::trap::Trap;

/// A sentence of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What every reply to it begins with.
    pub tag: Option<String>,
    /// What is asked for.
    pub call: Call,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// To be somebody.
    Login {
        /// The user.
        name: String,
        /// The password; `None` if the client wants the challenge of old versions.
        password: Option<String>,
    },
    /// To end the command with this tag, or all.
    Cancel(Option<String>),
    /// To be disconnected.
    Quit,
    /// A command of a menu.
    Command(Command),
}

/// The attribute (ours) that says that the query does not limit a listing but names the rows that
/// the command is about: `set [find …]` as one sentence.
pub(super) const FOUND: &str = ".found";

/// A query may have this many steps.
const QUERY_MAX: usize = 1024;

impl Request {
    /// Reads the words of a sentence.
    ///
    /// # Errors
    ///
    /// The query cannot be read; the tag is there for the answer.
    pub fn read(words: &[String]) -> Result<Self, (Option<String>, Trap)> {
        let tag = words.iter().find_map(|word| word.strip_prefix(".tag=")).map(str::to_owned);
        let Some((first, rest)) = words.split_first() else {
            return Err((tag, Trap::NoSuchCommand(String::new())));
        };
        let attribute = |name: &str| {
            let mut attributes = rest.iter().filter_map(|word| attribute(word));
            attributes.rfind(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
        };
        let call = match first.as_str() {
            "/login" => Call::Login {
                name: attribute("name").unwrap_or_default(),
                password: attribute("password"),
            },
            "/cancel" => Call::Cancel(attribute("tag")),
            "/quit" => Call::Quit,
            path => match command(path, rest) {
                Ok(command) => Call::Command(command),
                Err(trap) => return Err((tag, trap)),
            },
        };
        Ok(Self { tag, call })
    }
}

fn command(path: &str, words: &[String]) -> Result<Command, Trap> {
    let (menu, verb) = path.rsplit_once('/').unwrap_or(("", path));
    let mut command = Command::new(menu, verb);
    let mut found = false;
    for word in words {
        if let Some(query) = word.strip_prefix('?') {
            query_word(&mut command.query, query)?;
            continue;
        }
        match attribute(word) {
            Some((".id" | "numbers", value)) => {
                command.targets.push(Target::Named(value.into()));
            }
            Some((FOUND, _)) => found = true,
            Some((name, value)) => command.arguments.push(match name.strip_prefix('!') {
                Some(name) => Argument::clear(name),
                None => Argument::set(name, value),
            }),
            None if word.starts_with(".tag=") => {}
            None => match word.strip_prefix(".proplist=") {
                Some(names) => command.arguments.push(Argument::set(".proplist", names)),
                None => return Err(Trap::UnknownParameter(word.clone())),
            },
        }
    }
    if found {
        command.targets.push(Target::Found(core::mem::take(&mut command.query)));
    }
    Ok(command)
}

/// Name and value of `=name=value`; some clients leave the second `=` out.
fn attribute(word: &str) -> Option<(&str, &str)> {
    let rest = word.strip_prefix('=')?;
    Some(rest.split_once('=').unwrap_or((rest, "")))
}

/// Appends a query word, without its `?`, to a query.
///
/// Beside RouterOS's own words there are ours for expressions of the console: `~name=expression`,
/// `@name=range`, `+name`, `!name=value`, `[name=value` (at most) and `]name=value` (at least).
///
/// # Errors
///
/// The word is none, or the query grows too long.
pub fn query_word(query: &mut Query, word: &str) -> Result<(), Trap> {
    if let Some(operations) = word.strip_prefix('#') {
        operations_of(query, operations)?;
    } else {
        query.push(Step::Test(test(word)));
    }
    if query.steps().len() > QUERY_MAX {
        return Err(Trap::Syntax("query is too long".into()));
    }
    Ok(())
}

fn test(word: &str) -> Test {
    let pair = |rest: &str| {
        let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
        (name.to_owned(), value.to_owned())
    };
    let compare = |rest, relation| {
        let (name, value) = pair(rest);
        Test::Compare(name, relation, value)
    };
    let mut rest = word.chars();
    match rest.next() {
        Some('-') => Test::Lacks(rest.as_str().into()),
        Some('<') => compare(rest.as_str(), Relation::Less),
        Some('>') => compare(rest.as_str(), Relation::Greater),
        Some('=') => compare(rest.as_str(), Relation::Equal),
        Some('!') => compare(rest.as_str(), Relation::Unequal),
        Some('[') => compare(rest.as_str(), Relation::AtMost),
        Some(']') => compare(rest.as_str(), Relation::AtLeast),
        Some('+') => Test::Holds(rest.as_str().into()),
        Some('~') => {
            let (name, expression) = pair(rest.as_str());
            Test::Matches(name, expression)
        }
        Some('@') => {
            let (name, range) = pair(rest.as_str());
            Test::Within(name, range)
        }
        _ if word.contains('=') => compare(word, Relation::Equal),
        _ => Test::Has(word.into()),
    }
}

/// `?#…`: an index at the end keeps one truth, one before something else copies it; `.` after
/// anything but an index copies the top.
fn operations_of(query: &mut Query, operations: &str) -> Result<(), Trap> {
    let unknown = || Trap::Syntax(format!("unknown query operation #{operations}"));
    let mut rest = operations;
    let mut after_index = false;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let depth = rest[..length].parse().map_err(|_| unknown())?;
            rest = &rest[length..];
            query.push(if rest.is_empty() { Step::Keep(depth) } else { Step::Copy(depth) });
            after_index = true;
            continue;
        }
        match first {
            '!' => query.push(Step::Not),
            '&' => query.push(Step::And),
            '|' => query.push(Step::Or),
            '.' if after_index => {}
            '.' => query.push(Step::Copy(0)),
            _ => return Err(unknown()),
        }
        after_index = false;
        rest = &rest[first.len_utf8()..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Request {
        let words: Vec<String> = words.iter().map(|word| (*word).into()).collect();
        Request::read(&words).expect("the sentence is legal")
    }

    fn steps(words: &[&str]) -> Vec<Step> {
        let mut query = Query::all();
        for word in words {
            query_word(&mut query, word).expect("the word is legal");
        }
        query.steps().to_vec()
    }

    #[test]
    fn a_command_has_targets_arguments_and_a_query_in_any_order() {
        let request = read(&[
            "/ip/dhcp-server/lease/print",
            "?server=x",
            "=active=",
            ".tag=7",
            "=.proplist=address,server",
            "=detail",
            "=.id=*1,*2",
        ]);
        assert_eq!(request.tag.as_deref(), Some("7"));
        let expected = Command::new("/ip/dhcp-server/lease", "print")
            .target("*1,*2")
            .with("active", "")
            .with(".proplist", "address,server")
            .with("detail", "")
            .filtered(Query::equal("server", "x"));
        assert_eq!(request.call, Call::Command(expected));
    }

    #[test]
    fn values_may_hold_anything_and_names_may_be_cleared() {
        let request = read(&["/ip/pool/set", "=numbers=p", "=comment=a=b", "=!next-pool=", "=x"]);
        let Call::Command(command) = request.call else { panic!("{request:?}") };
        assert_eq!(command.argument("comment"), Some("a=b"));
        assert_eq!(command.arguments[1], Argument::clear("next-pool"));
        assert_eq!(command.argument("x"), Some(""));
    }

    #[test]
    fn the_session_s_own_commands_are_told_apart() {
        let login = Call::Login { name: "admin".into(), password: Some(String::new()) };
        assert_eq!(read(&["/login", "=name=admin", "=password="]).call, login);
        let challenge = Call::Login { name: String::new(), password: None };
        assert_eq!(read(&["/login"]).call, challenge);
        assert_eq!(read(&["/cancel", "=tag=5", ".tag=5"]).call, Call::Cancel(Some("5".into())));
        assert_eq!(read(&["/cancel"]).call, Call::Cancel(None));
        assert_eq!(read(&["#", ".tag=9"]).call, Call::Command(Command::new("", "#")));
        assert!(Request::read(&["/ip/pool/print".into(), "oops".into()]).is_err());
    }

    #[test]
    fn what_our_own_client_writes_is_read_back() {
        let grammar_free = [
            Command::new("/ip/pool", "print").with("detail", "").filtered(
                crate::syntax::console::query("!(a=1 or b!=2) c<3 d>=4 e~\"^x\" f in 10.0.0.0/8 g")
                    .unwrap(),
            ),
            Command {
                targets: vec![Target::Found(Query::equal("name", "x=y"))],
                arguments: vec![Argument::clear("comment"), Argument::set("ranges", "")],
                ..Command::new("/ip/pool", "set")
            },
            Command::new("", "export"),
        ];
        for command in grammar_free {
            let mut buffer = Vec::new();
            crate::syntax::sentence::command(&mut buffer, Some("1"), &command);
            let limits = crate::syntax::sentence::Limits::USER;
            let (words, _) = crate::syntax::sentence::read(&buffer, limits).unwrap().unwrap();
            let request = Request::read(&words).unwrap();
            assert_eq!(request, Request { tag: Some("1".into()), call: Call::Command(command) });
        }
    }

    #[test]
    fn query_words_become_a_program() {
        let equal = |name: &str, value: &str| {
            Step::Test(Test::Compare(name.into(), Relation::Equal, value.into()))
        };
        assert_eq!(steps(&["a=1", "=b=2", "-c", "d"])[..2], [equal("a", "1"), equal("b", "2")]);
        assert_eq!(steps(&["-c"]), [Step::Test(Test::Lacks("c".into()))]);
        assert_eq!(steps(&["d"]), [Step::Test(Test::Has("d".into()))]);
        assert_eq!(steps(&["#||"]), [Step::Or, Step::Or]);
        assert_eq!(steps(&["#&!."]), [Step::And, Step::Not, Step::Copy(0)]);
        assert_eq!(steps(&["#12"]), [Step::Keep(12)]);
        assert_eq!(steps(&["#1.0|"]), [Step::Copy(1), Step::Copy(0), Step::Or]);
        let mut query = Query::all();
        assert!(query_word(&mut query, "#x").is_err());
        let long = "!".repeat(QUERY_MAX + 1);
        assert!(query_word(&mut query, &format!("#{long}")).is_err());
    }
}
