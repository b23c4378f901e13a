//! Ways to the control task. Every face is a syntax: none names a menu or a property.

mod answering;
pub mod client;
pub mod console;
pub(crate) mod door;
pub(crate) mod http;
pub mod oneshot;
mod patience;
mod rest;
mod session;
pub mod socket;
mod telling;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::control::Control;
use door::Door;

/// The binary API on a connection from the network, whose client has to log in.
pub(crate) async fn serve_sentences<S>(stream: S, control: Control, door: Door)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    session::serve(stream, control, Some(door)).await;
}
