//! Where a redirect leads, and what may go along.

use http::{
    HeaderMap, StatusCode, Uri,
    header::{AUTHORIZATION, COOKIE, LOCATION, PROXY_AUTHORIZATION},
    uri::{PathAndQuery, Scheme},
};

/// Whether a client follows redirects of its handshake.
///
/// A browser never does. The default is not to: the redirect is returned as a refusal.
///
/// ```
/// use tower_realtime::ws::{Connector, Redirects};
///
/// let browser = Connector::new().redirects(Redirects::none());
/// let careful = Connector::new().redirects(Redirects::same_origin(3));
/// let trusting = Connector::new().redirects(Redirects::anywhere(20));
/// # let _ = (browser, careful, trusting);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Redirects {
    most: u8,
    elsewhere: bool,
}

impl Redirects {
    /// Follows none.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            most: 0,
            elsewhere: false,
        }
    }

    /// Follows up to `most` in a row, to the same scheme, host and port.
    #[must_use]
    pub const fn same_origin(most: u8) -> Self {
        Self {
            most,
            elsewhere: false,
        }
    }

    /// Follows up to `most` in a row, to anywhere but from TLS to plain text.
    ///
    /// `Authorization`, `Cookie` and `Proxy-Authorization` don't go along to another origin.
    #[must_use]
    pub const fn anywhere(most: u8) -> Self {
        Self {
            most,
            elsewhere: true,
        }
    }

    /// Where the next request goes, after `followed` redirects; `None` where this is the answer.
    pub(crate) fn next(
        self,
        followed: u8,
        from: &Uri,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Uri> {
        let redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
        if !redirect || followed >= self.most {
            return None;
        }
        let to = resolve(from, headers.get(LOCATION)?.to_str().ok()?)?;
        let downgrade = from.scheme() == Some(&Scheme::HTTPS) && to.scheme() != from.scheme();
        (same_origin(from, &to) || (self.elsewhere && !downgrade)).then_some(to)
    }
}

/// Drops what only the first origin may know.
pub(crate) fn strip_credentials(from: &Uri, to: &Uri, headers: &mut HeaderMap) {
    if !same_origin(from, to) {
        for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            headers.remove(name);
        }
    }
}

/// `ws` is `http` and `wss` is `https` (RFC 6455, section 3); HTTP clients know only the latter.
pub(crate) fn to_http(uri: Uri) -> Uri {
    let scheme = match uri.scheme_str() {
        Some("ws") => Scheme::HTTP,
        Some("wss") => Scheme::HTTPS,
        _ => return uri,
    };
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(scheme);
    Uri::from_parts(parts).unwrap_or(uri)
}

fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| {
        let default = if uri.scheme() == Some(&Scheme::HTTPS) {
            443
        } else {
            80
        };
        uri.port_u16().unwrap_or(default)
    };
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    a.scheme() == b.scheme() && host(a) == host(b) && port(a) == port(b)
}

/// RFC 3986, section 5.2, as far as `Location` needs it. Dot segments are left for the server.
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next()?;
    if location.contains("://") && !location.starts_with(['/', '?']) {
        return location.parse().ok().map(to_http);
    }
    let mut parts = base.clone().into_parts();
    if let Some(rest) = location.strip_prefix("//") {
        let scheme = base.scheme_str()?;
        return format!("{scheme}://{rest}").parse().ok();
    }
    let path = base.path();
    let joined = match location.chars().next() {
        None => return Some(base.clone()),
        Some('/') => location.to_owned(),
        Some('?') => format!("{path}{location}"),
        Some(_) => {
            let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
            format!("{folder}{location}")
        }
    };
    parts.path_and_query = Some(joined.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}
