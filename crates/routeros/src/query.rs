//! Which rows are meant: a program for a stack of truths, as the binary API words it.
//!
//! Console expressions and REST filters become the same program, so every face has one meaning of
//! "equal" and "less". Running a program takes time in proportion to its length.

mod filter;

pub use filter::Filter;

/// Conditions on a row, in postfix order. The empty query holds for every row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<Step>);

/// One step of a [`Query`]; the stack begins as infinitely many truths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Pushes whether a condition holds.
    Test(Test),
    /// Replaces the top by its opposite.
    Not,
    /// Replaces the two on top by whether both hold.
    And,
    /// Replaces the two on top by whether one of them holds.
    Or,
    /// Pushes a copy of the truth at this depth; the top has depth 0.
    Copy(usize),
    /// Replaces the whole stack by the truth at this depth.
    Keep(usize),
}

/// A condition on one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The row shows it.
    Has(String),
    /// The row does not show it.
    Lacks(String),
    /// It is `yes`, or a text that is not empty.
    Holds(String),
    /// It compares so with a value.
    Compare(String, Relation, String),
    /// A part of it matches a regular expression.
    Matches(String, String),
    /// It is an address within a prefix or range.
    Within(String, String),
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same value, however it is spelt.
    Equal,
    /// Another value, or none.
    Unequal,
    /// Smaller: numbers, times and addresses by value, texts by their octets.
    Less,
    /// Larger.
    Greater,
    /// Not larger.
    AtMost,
    /// Not smaller.
    AtLeast,
}

impl Query {
    /// Holds for every row.
    #[must_use]
    pub const fn all() -> Self {
        Self(Vec::new())
    }

    /// Holds when the property has this value.
    #[must_use]
    pub fn equal(name: &str, value: &str) -> Self {
        Self(vec![Step::Test(Test::Compare(name.into(), Relation::Equal, value.into()))])
    }

    /// A query of these steps.
    #[must_use]
    pub const fn of(steps: Vec<Step>) -> Self {
        Self(steps)
    }

    /// Appends a step. Truths left on the stack at the end must all hold.
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Appends another query: both must hold.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether it holds for every row.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The steps in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}
