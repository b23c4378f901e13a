//! The proofs: what the model checkers and the step counter show.

#[cfg(loom)]
mod loom;
