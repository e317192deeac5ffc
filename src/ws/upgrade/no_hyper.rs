//! Without hyper, only our own extensions are found.

use http::Extensions;

use super::{ConnectProtocol, OnUpgrade};

pub(crate) fn take_upgrade(extensions: &mut Extensions) -> Option<OnUpgrade> {
    extensions.remove()
}

pub(crate) fn find_protocol(extensions: &Extensions) -> Option<ConnectProtocol> {
    extensions.get().cloned()
}
