//! The binary API: sentences of words with lengths, as commands and replies.
//!
//! Written for the parsers of real clients: each sentence is whole in the buffer, its tag comes
//! first, a trap has nothing but `category` and `message`, and `!done` follows every trap.

mod reply;
mod request;
mod words;

pub use reply::{command, dead, done, fatal, outcome, record, trap, words_of};
pub use request::{Call, Request, query_word};
pub use words::{Broken, Limits, read, write};
