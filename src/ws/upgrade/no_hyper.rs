//! Without hyper, only our own extensions are found.

use http::Extensions;

use super::{ConnectProtocol, OnUpgrade};

pub(crate) fn take_upgrade(extensions: &mut Extensions) -> Option<OnUpgrade> {
    extensions.remove()
}

pub(crate) const fn adopt(_: &mut Extensions) {}

pub(crate) fn extended_connect(extensions: &mut Extensions) {
    extensions.insert(ConnectProtocol::new("websocket"));
}
