//! Every state of both protocols times every fault of what lies below: nothing panics, nothing hangs, everybody is told
//! the right end, and what the peer got whole was sent once.
//!
//! Each file holds the states of one machine, the faults, and a table of what comes of each pair.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../support/event_server.rs"]
mod event_server;
#[path = "../support/script.rs"]
mod script;

mod body;
mod handshake;
mod peer;
mod source;
mod websocket;
