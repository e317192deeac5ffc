//! Guides: from a first line to production, a chapter for each thing to do.
//!
//! They are the files of `docs/guide`, with links into this documentation; their code is compiled by the tests.
//!
//! | to | read |
//! |---|---|
//! | see a whole program for your stack | [quick-starts](quick_starts) |
//! | decide between event streams, WebSockets and plain HTTP | [choosing] |
//! | bring handlers over from axum's own | [from axum](from_axum) |
//! | send events · answer sockets | [event streams](sse) · [WebSockets](websocket), [their connections](websocket_connection) |
//! | reach many clients at once | [broadcast] |
//! | give clients what they missed | [resume] |
//! | read event streams and open sockets | [clients], [from other crates](moving_clients) |
//! | send fewer bytes | [compression] |
//! | stand behind a proxy | [proxies] |
//! | run it: limits, figures, restarts, many machines | [operations], [shutdown], [scaling] |
//! | know who may connect | [security] |

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/guide/broadcast.md")]
pub mod broadcast {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/guide/choosing.md")]
pub mod choosing {}

#[doc = include_str!("../docs/guide/clients.md")]
pub mod clients {}

#[doc = include_str!("../docs/guide/moving-clients.md")]
pub mod moving_clients {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/guide/from-axum.md")]
pub mod from_axum {}

#[doc = include_str!("../docs/guide/operations.md")]
pub mod operations {}

#[doc = include_str!("../docs/guide/compression.md")]
pub mod compression {}

#[doc = include_str!("../docs/guide/proxies.md")]
pub mod proxies {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/guide/quick-starts.md")]
pub mod quick_starts {}

#[doc = include_str!("../docs/guide/resume.md")]
pub mod resume {}

#[doc = include_str!("../docs/guide/scaling.md")]
pub mod scaling {}

#[doc = include_str!("../docs/guide/security.md")]
pub mod security {}

#[doc = include_str!("../docs/guide/shutdown.md")]
pub mod shutdown {}

#[doc = include_str!("../docs/guide/sse.md")]
pub mod sse {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/guide/websocket.md")]
pub mod websocket {}

#[doc = include_str!("../docs/guide/websocket-connection.md")]
pub mod websocket_connection {}
