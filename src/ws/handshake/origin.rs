//! Which pages may connect.

use std::{error, fmt};

use super::{
    super::predicate::Predicate,
    authority::Authority,
    offer::{Offer, OriginHeader},
    rejection::Rejection,
};

/// Which origins may open a WebSocket.
///
/// Browsers send cookies with every WebSocket handshake and keep no same-origin rule for it: a page of a stranger
/// can connect as the visitor, unless the server looks at `Origin` (cross-site WebSocket hijacking). So the
/// default is [`same_origin`](Self::same_origin). Clients that are no browsers send no `Origin` and are let in,
/// as they could send any: [`required`](Self::required) changes that.
///
/// Host and port are compared with `Host` (or `:authority`). The scheme is compared where it is known: over
/// HTTP/1.1 behind a proxy that ends TLS it is not. A proxy that rewrites `Host` needs the public origin
/// [allowed](Self::allow).
///
/// ```
/// use tower_realtime::ws::{OriginPolicy, handshake::Policy};
///
/// let origins = OriginPolicy::same_origin()
///     .allow("https://app.example")?
///     .allow_subdomains("https://preview.example")?
///     .allow_if(|origin| origin.scheme() == "chrome-extension");
/// let policy = Policy::new().origins(origins);
/// # let _ = policy;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Behind a proxy that rewrites `Host`, for browsers only, and for the sandboxed frames of a page as well:
///
/// ```
/// # use tower_realtime::ws::{InvalidOrigin, OriginPolicy};
/// let origins = OriginPolicy::listed().allow("https://app.example")?.allow_null().required();
/// # let _ = origins;
/// # Ok::<(), InvalidOrigin>(())
/// ```
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    any: bool,
    same: bool,
    null: bool,
    required: bool,
    allowed: Vec<Allowed>,
}

#[derive(Clone, Debug)]
enum Allowed {
    Exactly(Origin),
    Below(Origin),
    If(Predicate<Origin>),
}

impl OriginPolicy {
    /// Takes the pages of the same host and port. The default.
    #[must_use]
    pub const fn same_origin() -> Self {
        let mut policy = Self::listed();
        policy.same = true;
        policy
    }

    /// Takes only what is [allowed](Self::allow) afterwards, not even the server's own pages.
    ///
    /// For servers whose `Host` says nothing about the public name, because a proxy rewrites it.
    #[must_use]
    pub const fn listed() -> Self {
        Self {
            any: false,
            same: false,
            null: false,
            required: false,
            allowed: Vec::new(),
        }
    }

    /// Takes every origin, `null` too.
    ///
    /// Right for public data, or where every connection proves itself by something else than a cookie.
    #[must_use]
    pub const fn any() -> Self {
        let mut policy = Self::listed();
        policy.any = true;
        policy
    }

    /// Takes the pages of `origin` too: `scheme://host` or `scheme://host:port`.
    ///
    /// # Errors
    ///
    /// When `origin` is not an origin: without a scheme, with a path or a trailing slash.
    pub fn allow(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.allowed.push(Allowed::Exactly(Origin::parse(origin)?));
        Ok(self)
    }

    /// Takes every subdomain of `origin`, not `origin` itself.
    ///
    /// All of their pages are trusted, so every subdomain should be yours.
    ///
    /// # Errors
    ///
    /// As for [`allow`](Self::allow).
    pub fn allow_subdomains(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.allowed.push(Allowed::Below(Origin::parse(origin)?));
        Ok(self)
    }

    /// Takes the origins for which `predicate` holds, for lists that change at run time.
    #[must_use]
    pub fn allow_if(mut self, predicate: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.allowed.push(Allowed::If(Predicate::new(predicate)));
        self
    }

    /// Takes `Origin: null`: sandboxed frames, `file:` and `data:` pages, some redirects. Anybody can make one.
    #[must_use]
    pub const fn allow_null(mut self) -> Self {
        self.null = true;
        self
    }

    /// Refuses requests without an `Origin`: only browsers get in, and who pretends to be one.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) fn check(&self, offer: &Offer<'_>) -> Result<(), Rejection> {
        let value = match offer.origin {
            OriginHeader::Absent if self.required => return Err(Rejection::MissingOrigin),
            OriginHeader::Absent => return Ok(()),
            OriginHeader::One(value) => value,
            OriginHeader::Repeated => return Err(Rejection::OriginNotAllowed),
        };
        let taken = match value.to_str() {
            _ if self.any => true,
            Ok("null") => self.null,
            Ok(text) => Origin::parse(text).is_ok_and(|origin| self.takes(&origin, offer)),
            Err(_) => false,
        };
        if taken {
            Ok(())
        } else {
            Err(Rejection::OriginNotAllowed)
        }
    }

    fn takes(&self, origin: &Origin, offer: &Offer<'_>) -> bool {
        let allowed = |allowed: &Allowed| match allowed {
            Allowed::Exactly(known) => known == origin,
            Allowed::Below(parent) => origin.is_below(parent),
            Allowed::If(predicate) => predicate.holds(origin),
        };
        (self.same && is_same(origin, offer)) || self.allowed.iter().any(allowed)
    }
}

impl Default for OriginPolicy {
    fn default() -> Self {
        Self::same_origin()
    }
}

/// A page may always have lost its TLS on the way here, but it can't have gained it.
fn is_same(origin: &Origin, offer: &Offer<'_>) -> bool {
    let downgraded = origin.scheme == "http" && matches!(offer.scheme, Some("https" | "wss"));
    let web = matches!(origin.scheme.as_str(), "http" | "https");
    web && !downgraded
        && offer
            .host
            .is_some_and(|host| origin.authority().same(host, origin.default_port()))
}

/// Where a page comes from: scheme, host and port, as browsers write it into `Origin` (RFC 6454, section 7).
///
/// ```
/// use tower_realtime::ws::{Origin, OriginPolicy};
///
/// fn is_ours(origin: &Origin) -> bool {
///     origin.scheme() == "https" && origin.port().is_none() && origin.host().ends_with(".tenants.example")
/// }
/// let origins = OriginPolicy::same_origin().allow_if(is_ours);
/// # let _ = origins;
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = |what| InvalidOrigin {
            what,
            text: text.chars().take(100).collect(),
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| invalid("has no scheme://"))?;
        if !is_scheme(scheme) {
            return Err(invalid("has a malformed scheme"));
        }
        if rest.contains(['/', '?', '#']) {
            return Err(invalid("has a path or a trailing slash"));
        }
        let authority =
            Authority::parse(rest).ok_or_else(|| invalid("has a malformed host or port"))?;
        let mut origin = Self {
            scheme: scheme.to_ascii_lowercase(),
            host: authority.host.to_ascii_lowercase(),
            port: authority.port,
        };
        // "https://a:443" and "https://a" are one origin.
        if origin.port == origin.default_port() {
            origin.port = None;
        }
        Ok(origin)
    }

    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host, in lower case; an IPv6 address with its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, unless it is the scheme's own.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    fn authority(&self) -> Authority<'_> {
        Authority {
            host: &self.host,
            port: self.port,
        }
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme.as_str() {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        }
    }

    fn is_below(&self, parent: &Self) -> bool {
        let sub = self.host.strip_suffix(parent.host.as_str());
        self.scheme == parent.scheme
            && self.port == parent.port
            && sub.is_some_and(|sub| sub.len() > 1 && sub.ends_with('.'))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// A text that was to be allowed as an origin and is none.
///
/// ```
/// use tower_realtime::ws::OriginPolicy;
///
/// let error = OriginPolicy::same_origin().allow("https://app.example/").unwrap_err();
/// println!("{error}"); // an origin has no path, not even a slash
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidOrigin {
    what: &'static str,
    text: String,
}

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the origin {:?} {}", self.text, self.what)
    }
}

impl error::Error for InvalidOrigin {}

/// RFC 3986, section 3.1.
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}
