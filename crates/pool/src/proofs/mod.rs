//! The proofs: what the model checkers, the step counter and the recorded histories show.

#[cfg(not(loom))]
mod histories;
#[cfg(loom)]
mod loom;
#[cfg(shuttle)]
mod shuttle;
#[cfg(not(any(loom, shuttle)))]
mod stopped;
