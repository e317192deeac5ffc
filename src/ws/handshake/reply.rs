//! The heads of the answers.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{policy::Answer, rejection::Rejection};

impl Answer {
    /// The response that opens the WebSocket: 101 over HTTP/1.1, 200 over HTTP/2.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::new()));
        let headers = response.headers_mut();
        let optional = [
            (SEC_WEBSOCKET_PROTOCOL, self.protocol),
            (SEC_WEBSOCKET_EXTENSIONS, self.extensions),
        ];
        for (name, value) in optional {
            headers.extend(value.map(|value| (name, value)));
        }
        // RFC 8441, section 5: over HTTP/2 there is no key, hence no proof, and nothing to upgrade.
        if let Some(accept) = self.accept {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            upgrade_headers(headers);
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        response
    }
}

impl Rejection {
    /// The response that refuses, for a request of this `version`.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self, version: Version) -> Response<B> {
        let upgrades = version <= Version::HTTP_11;
        let mut status = self.status();
        if !upgrades && status == StatusCode::UPGRADE_REQUIRED {
            status = StatusCode::BAD_REQUEST;
        }
        let mut response = Response::new(B::from(Bytes::from_static(self.text().as_bytes())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        match self {
            Self::MethodNotGet => headers.insert(ALLOW, HeaderValue::from_static("GET")),
            Self::MethodNotConnect => headers.insert(ALLOW, HeaderValue::from_static("CONNECT")),
            // RFC 6455, section 4.4: the versions that would be understood.
            Self::MissingUpgrade | Self::UnsupportedVersion | Self::HttpVersion => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
            }
            _ => None,
        };
        if status == StatusCode::UPGRADE_REQUIRED {
            upgrade_headers(headers);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// RFC 9110, section 7.8: whoever sends `Upgrade` names it in `Connection`.
fn upgrade_headers(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}
