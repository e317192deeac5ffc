//! Where a redirect leads, and what may come along. Pure.

use http::{
    HeaderMap, Method, Request, StatusCode, Uri,
    header::{self, HeaderName, LOCATION},
    uri::{Authority, PathAndQuery, Scheme},
};

/// What redirects have changed about the request.
#[derive(Clone, Debug)]
pub(super) struct Detour {
    uri: Uri,
    /// The request has become a `GET` without a body.
    get: bool,
    /// Another origin was on the way: credentials stay behind, even if it leads back.
    foreign: bool,
}

/// Why a redirect can't be followed.
pub(super) type NoWay = &'static str;

/// Whether the status is one of those that lead elsewhere.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The next detour, for the answer `status` and `headers` to a request of `method` to `uri`, after `before`.
pub(super) fn follow(
    status: StatusCode,
    headers: &HeaderMap,
    method: &Method,
    uri: &Uri,
    before: Option<&Detour>,
) -> Result<Detour, NoWay> {
    let location = headers.get(LOCATION).ok_or("there is no `Location`")?;
    let location = location.to_str().map_err(|_| "`Location` is not ASCII")?;
    let target = resolve(uri, location).ok_or("`Location` is no HTTP address")?;
    // Fetch, HTTP-redirect fetch: POST becomes GET after 301 and 302, everything but GET and HEAD after 303.
    let get = match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::GET && *method != Method::HEAD,
        _ => false,
    };
    Ok(Detour {
        get: get || before.is_some_and(|before| before.get),
        foreign: origin(&target) != origin(uri) || before.is_some_and(|before| before.foreign),
        uri: target,
    })
}

impl Detour {
    /// Leads a fresh request the same way.
    pub(super) fn apply<B: Default>(&self, request: &mut Request<B>) {
        *request.uri_mut() = self.uri.clone();
        // The client makes it anew, of the address.
        request.headers_mut().remove(header::HOST);
        if self.get {
            *request.method_mut() = Method::GET;
            *request.body_mut() = B::default();
            remove(request.headers_mut(), OF_THE_BODY);
        }
        if self.foreign {
            let headers = request.headers_mut();
            remove(headers, CREDENTIALS);
            let secret: Vec<HeaderName> = headers
                .iter()
                .filter(|(_, value)| value.is_sensitive())
                .map(|(name, _)| name.clone())
                .collect();
            remove(headers, &secret);
        }
    }
}

/// What tells who the user is (CVE-2022-1650 was an `EventSource` that sent them along), beside everything that is
/// [marked as sensitive](http::HeaderValue::set_sensitive).
const CREDENTIALS: &[HeaderName] = &[
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
    header::WWW_AUTHENTICATE,
];

const OF_THE_BODY: &[HeaderName] = &[
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
];

fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

/// Scheme, host and port. In process there may be none.
fn origin(uri: &Uri) -> Option<(&str, String, Option<u16>)> {
    let scheme = uri.scheme_str()?;
    let default = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let host = uri.host()?.to_ascii_lowercase();
    Some((scheme, host, uri.port_u16().or(default)))
}

/// A reference against a base (RFC 3986, 5.2). Fragments stay behind.
fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next()?.trim();
    let mut parts = base.clone().into_parts();
    if has_scheme(reference) {
        return absolute(reference);
    }
    let path = if let Some(rest) = reference.strip_prefix("//") {
        // The same scheme at another host.
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        parts.authority = Some(rest[..end].parse::<Authority>().ok()?);
        rest[end..].to_owned()
    } else if reference.is_empty() {
        return Some(base.clone());
    } else if reference.starts_with('/') {
        reference.to_owned()
    } else if reference.starts_with('?') {
        format!("{}{reference}", base.path())
    } else {
        let folder = base.path().rfind('/').map_or("", |end| &base.path()[..end]);
        format!("{folder}/{reference}")
    };
    parts.path_and_query = Some(without_dots(&path).parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// Whether the reference is an address of its own (RFC 3986, 3.1).
fn has_scheme(reference: &str) -> bool {
    let of_schemes = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(of_schemes)
    })
}

fn absolute(reference: &str) -> Option<Uri> {
    let uri: Uri = reference.parse().ok()?;
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let path = without_dots(path).parse().ok()?;
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(path);
    let http = parts.scheme.as_ref().is_some_and(is_http);
    http.then(|| Uri::from_parts(parts).ok()).flatten()
}

fn is_http(scheme: &Scheme) -> bool {
    *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
}

/// Takes `.` and `..` out of a path (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let (path, query) = match path.find('?') {
        Some(at) => path.split_at(at),
        None => (path, ""),
    };
    let mut out: Vec<&str> = Vec::new();
    let mut segments = path
        .split('/')
        .skip(usize::from(path.starts_with('/')))
        .peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    out.pop();
                }
                if last {
                    out.push("");
                }
            }
            _ => out.push(segment),
        }
    }
    format!("/{}{query}", out.join("/"))
}
