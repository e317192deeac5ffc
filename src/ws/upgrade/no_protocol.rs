//! Without HTTP/2, hyper has no `:protocol`.

use http::Extensions;

use super::ConnectProtocol;

pub(super) const fn of(_: &Extensions) -> Option<ConnectProtocol> {
    None
}

pub(super) const fn ask(_: &mut Extensions) {}
