//! The handlers of axum's documentation and examples, moved over by a change of imports, over HTTP/1.1 and HTTP/2.
//!
//! The handlers are those of axum 0.8 (<https://github.com/tokio-rs/axum>, Copyright (c) 2019-2025 axum Contributors,
//! MIT licence), without what prints and logs and without extractors of other crates. In each file only the lines that
//! are marked `was:` differ.
#![allow(
    clippy::manual_let_else,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "handlers of examples, as they are"
)]

mod chat;
mod documented;
mod events;
mod http2;
mod support;
mod testing;
mod websockets;
