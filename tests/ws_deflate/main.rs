//! `DeflateIo` between a scripted transport and plain frames, checked against plain zlib.
#![allow(clippy::unwrap_used)]

mod bomb;
mod inbound;
#[path = "../support/insist.rs"]
mod insist;
mod outbound;
mod random;
#[path = "../support/script.rs"]
mod script;
mod socket;
mod streams;
mod support;
