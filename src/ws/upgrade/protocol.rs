//! hyper's `:protocol` as ours.

use http::Extensions;
use hyper::ext::Protocol;

use super::ConnectProtocol;

pub(super) fn of(extensions: &Extensions) -> Option<ConnectProtocol> {
    let theirs = extensions.get::<Protocol>()?;
    Some(ConnectProtocol::new(theirs.as_str()))
}

pub(super) fn ask(extensions: &mut Extensions) {
    extensions.insert(Protocol::from_static("websocket"));
}
