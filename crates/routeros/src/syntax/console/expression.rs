//! `where` and `find`: conditions joined by `and`, `or` and `!`, as a query.

use super::cursor::Cursor;
use super::{Misread, Rule};
use crate::query::{Query, Relation, Step, Test};

/// Expressions may nest this deep.
const DEPTH_MAX: usize = 64;

/// Operators, longest first.
const OPERATORS: [(&str, Option<Relation>); 7] = [
    ("!=", Some(Relation::Unequal)),
    ("<=", Some(Relation::AtMost)),
    (">=", Some(Relation::AtLeast)),
    ("=", Some(Relation::Equal)),
    ("<", Some(Relation::Less)),
    (">", Some(Relation::Greater)),
    ("~", None),
];

/// Reads an expression by itself: `status=bound and address in 10.0.0.0/8`.
///
/// # Errors
///
/// Where and why the text is no expression.
pub fn query(text: &str) -> Result<Query, Misread> {
    let mut cursor = Cursor::new(text);
    let query = read(&mut cursor)?;
    cursor.end_of_statement()?;
    Ok(query)
}

/// Reads an expression up to the end of the statement; an empty one holds for every row.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Query, Misread> {
    let mut steps = Vec::new();
    cursor.skip_blanks();
    if !cursor.at_end() {
        either(cursor, &mut steps, 0)?;
    }
    Ok(Query::of(steps))
}

fn either(cursor: &mut Cursor<'_>, steps: &mut Vec<Step>, depth: usize) -> Result<(), Misread> {
    both(cursor, steps, depth)?;
    while eat_word(cursor, &["||", "or"]) {
        both(cursor, steps, depth)?;
        steps.push(Step::Or);
    }
    Ok(())
}

/// Conditions beside each other must all hold, also without a word between them.
fn both(cursor: &mut Cursor<'_>, steps: &mut Vec<Step>, depth: usize) -> Result<(), Misread> {
    one(cursor, steps, depth)?;
    loop {
        let joined = eat_word(cursor, &["&&", "and"]);
        cursor.skip_blanks();
        let before_or = cursor.clone();
        if !joined {
            let over = cursor.at_end() || cursor.peek() == Some(')');
            if over || eat_word(&mut before_or.clone(), &["||", "or"]) {
                return Ok(());
            }
        }
        one(cursor, steps, depth)?;
        steps.push(Step::And);
    }
}

fn one(cursor: &mut Cursor<'_>, steps: &mut Vec<Step>, depth: usize) -> Result<(), Misread> {
    cursor.skip_blanks();
    let begin = cursor.at();
    if depth > DEPTH_MAX {
        return Err(Misread::new(begin, Rule::Syntax));
    }
    if cursor.eat("!") {
        one(cursor, steps, depth + 1)?;
        steps.push(Step::Not);
        return Ok(());
    }
    if cursor.eat("(") {
        either(cursor, steps, depth + 1)?;
        cursor.skip_blanks();
        if !cursor.eat(")") {
            return Err(Misread::new(cursor.at(), Rule::Syntax));
        }
        return Ok(());
    }
    let name = cursor.plain("=!<>~&|");
    if name.is_empty() {
        return Err(Misread::new(begin, Rule::Syntax));
    }
    let mut ahead = cursor.clone();
    ahead.skip_blanks();
    for (sign, relation) in OPERATORS {
        if !ahead.eat(sign) {
            continue;
        }
        ahead.skip_blanks();
        let value = match ahead.at_end() {
            true => String::new(),
            false => ahead.value("&|)")?,
        };
        *cursor = ahead;
        steps.push(Step::Test(match relation {
            Some(relation) => Test::Compare(name, relation, value),
            None => Test::Matches(name, value),
        }));
        return Ok(());
    }
    if eat_word(&mut ahead, &["in"]) {
        ahead.skip_blanks();
        let range = ahead.value("&|)")?;
        *cursor = ahead;
        steps.push(Step::Test(Test::Within(name, range)));
        return Ok(());
    }
    steps.push(Step::Test(Test::Holds(name)));
    Ok(())
}

/// Skips one of `words`; one of letters has to be followed by a blank or a parenthesis.
fn eat_word(cursor: &mut Cursor<'_>, words: &[&str]) -> bool {
    let mut ahead = cursor.clone();
    ahead.skip_blanks();
    for word in words {
        let mut after = ahead.clone();
        let sign = !word.starts_with(|c: char| c.is_ascii_alphabetic());
        if after.eat(word)
            && (sign || after.peek().is_none_or(|c| c.is_whitespace() || "(!".contains(c)))
        {
            *cursor = after;
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, relation: Relation, value: &str) -> Step {
        Step::Test(Test::Compare(name.into(), relation, value.into()))
    }

    #[test]
    fn conditions_become_a_program() {
        let steps = |text| query(text).unwrap().steps().to_vec();
        assert_eq!(steps(""), []);
        assert_eq!(steps("name=\"a b\""), [test("name", Relation::Equal, "a b")]);
        assert_eq!(
            steps("a=1 b!=2 or !(c<3 && d>=4)"),
            [
                test("a", Relation::Equal, "1"),
                test("b", Relation::Unequal, "2"),
                Step::And,
                test("c", Relation::Less, "3"),
                test("d", Relation::AtLeast, "4"),
                Step::And,
                Step::Not,
                Step::Or,
            ]
        );
        assert_eq!(
            steps("disabled name~\"^x\" and address in 10.0.0.0/8"),
            [
                Step::Test(Test::Holds("disabled".into())),
                Step::Test(Test::Matches("name".into(), "^x".into())),
                Step::And,
                Step::Test(Test::Within("address".into(), "10.0.0.0/8".into())),
                Step::And,
            ]
        );
        assert_eq!(steps("order=1"), [test("order", Relation::Equal, "1")]);
        assert_eq!(steps("comment="), [test("comment", Relation::Equal, "")]);
        assert_eq!(steps("name = x"), [test("name", Relation::Equal, "x")]);
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in ["=1", "(a=1", "a=1)", "a=1 and", "!", "a=\"x", "a=$x", "a in", "a &"] {
            assert!(query(text).is_err(), "{text}");
        }
        assert!(query(&format!("{}a", "(".repeat(100_000))).is_err());
        assert!(query(&format!("{}a", "!".repeat(100_000))).is_err());
    }
}
