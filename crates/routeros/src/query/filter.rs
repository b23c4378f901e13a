//! A query bound to a menu: names looked up, operands read, expressions compiled.

use core::cmp::Ordering;
use core::net::Ipv4Addr;

use ipnet::Ipv4Net;
use regex::{Regex, RegexBuilder};

use super::{Query, Relation, Step, Test};
use crate::menu::Menu;
use crate::record::Record;
use crate::trap::Trap;
use crate::value::{AddressRange, Kind, Value, milliseconds};

/// A [`Query`] that can be asked of the records of one menu.
#[derive(Clone, Debug)]
pub struct Filter(Vec<Bound>);

#[derive(Clone, Debug)]
enum Bound {
    Test(Subject, Condition),
    Not,
    And,
    Or,
    Copy(usize),
    Keep(usize),
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Id,
    Property(usize, Kind),
    Nothing,
}

#[derive(Clone, Debug)]
enum Condition {
    Has,
    Lacks,
    Holds,
    Compare(Relation, String),
    Matches(Regex),
    Within(AddressRange),
    Never,
}

/// A regular expression may not take more memory than this when compiled, octets.
const EXPRESSION_SIZE_MAX: usize = 1 << 20;

impl Filter {
    /// Binds `query` to `menu`.
    ///
    /// # Errors
    ///
    /// A regular expression cannot be read.
    pub fn new(query: &Query, menu: &Menu) -> Result<Self, Trap> {
        query.steps().iter().map(|step| bind(step, menu)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the query holds for the row.
    #[must_use]
    pub fn holds(&self, record: &Record) -> bool {
        let mut stack: Vec<bool> = Vec::new();
        for step in &self.0 {
            let at = |depth: usize| {
                let place = stack.len().checked_sub(depth + 1);
                place.and_then(|place| stack.get(place)).copied().unwrap_or(true)
            };
            match step {
                Bound::Test(subject, condition) => stack.push(condition.holds(*subject, record)),
                Bound::Not => {
                    let top = stack.pop().unwrap_or(true);
                    stack.push(!top);
                }
                Bound::And | Bound::Or => {
                    let (one, other) = (stack.pop().unwrap_or(true), stack.pop().unwrap_or(true));
                    let and = matches!(step, Bound::And);
                    stack.push(if and { one && other } else { one || other });
                }
                Bound::Copy(depth) => stack.push(at(*depth)),
                Bound::Keep(depth) => stack = vec![at(*depth)],
            }
        }
        stack.into_iter().all(|truth| truth)
    }
}

fn bind(step: &Step, menu: &Menu) -> Result<Bound, Trap> {
    let (name, condition) = match step {
        Step::Not => return Ok(Bound::Not),
        Step::And => return Ok(Bound::And),
        Step::Or => return Ok(Bound::Or),
        Step::Copy(depth) => return Ok(Bound::Copy(*depth)),
        Step::Keep(depth) => return Ok(Bound::Keep(*depth)),
        Step::Test(Test::Has(name)) => (name, Condition::Has),
        Step::Test(Test::Lacks(name)) => (name, Condition::Lacks),
        Step::Test(Test::Holds(name)) => (name, Condition::Holds),
        Step::Test(Test::Compare(name, relation, value)) => {
            (name, Condition::Compare(*relation, value.clone()))
        }
        Step::Test(Test::Matches(name, expression)) => {
            let built = RegexBuilder::new(expression).size_limit(EXPRESSION_SIZE_MAX).build();
            let invalid = |_| Trap::Failure(format!("invalid regular expression {expression}"));
            (name, Condition::Matches(built.map_err(invalid)?))
        }
        Step::Test(Test::Within(name, range)) => {
            (name, AddressRange::parse(range).map_or(Condition::Never, Condition::Within))
        }
    };
    let subject = match menu.place(name) {
        Some(place) => Subject::Property(place, menu.properties[place].value.kind),
        None if name == ".id" => Subject::Id,
        None => Subject::Nothing,
    };
    Ok(Bound::Test(subject, condition))
}

impl Condition {
    fn holds(&self, subject: Subject, record: &Record) -> bool {
        let (text, kind) = match subject {
            Subject::Id => (record.id().map(|id| id.to_string()), Kind::Text),
            Subject::Property(place, kind) => (record.shown(place), kind),
            Subject::Nothing => (None, Kind::Text),
        };
        let Some(text) = text else {
            return match self {
                Self::Lacks | Self::Compare(Relation::Unequal, _) => true,
                // `where name=""` is the opposite of `where name`.
                Self::Compare(Relation::Equal, value) => value.is_empty(),
                _ => false,
            };
        };
        match self {
            Self::Has => true,
            Self::Lacks | Self::Never => false,
            Self::Holds if kind == Kind::Flag => text == "yes",
            Self::Holds => !text.is_empty(),
            Self::Compare(relation, value) => relation.accepts(compare(kind, &text, value)),
            Self::Matches(expression) => expression.is_match(&text),
            Self::Within(range) => within(&text, *range),
        }
    }
}

impl Relation {
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Unequal => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::Greater => ordering.is_gt(),
            Self::AtMost => ordering.is_le(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// Compares by value where both texts are values of the kind, else by octets.
pub(crate) fn compare(kind: Kind, one: &str, other: &str) -> Ordering {
    fn by<T: Ord>(read: impl Fn(&str) -> Option<T>, one: &str, other: &str) -> Option<Ordering> {
        Some(read(one)?.cmp(&read(other)?))
    }
    let by_value = match kind {
        Kind::Flag => by(|text| bool::parse(text).ok(), one, other),
        Kind::Number => by(|text| u64::parse(text).ok(), one, other),
        Kind::Time => by(milliseconds, one, other),
        Kind::Mac => by(|text| Some(text.to_ascii_uppercase().replace('-', ":")), one, other),
        Kind::Address => by(|text| text.parse::<Ipv4Addr>().ok(), one, other),
        Kind::Network => by(|text| text.parse::<Ipv4Net>().ok(), one, other),
        Kind::Text | Kind::Word | Kind::Interface => None,
    };
    by_value.unwrap_or_else(|| one.cmp(other))
}

/// Whether the text is an address, prefix or range within `outer`.
fn within(text: &str, outer: AddressRange) -> bool {
    AddressRange::parse(text)
        .is_ok_and(|inner| outer.contains(inner.first) && outer.contains(inner.last))
}
