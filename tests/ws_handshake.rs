//! The opening handshake, decided: one row per rule.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use http::{Request, Response, StatusCode, Version, request::Parts};
use tower_realtime::ws::{
    HostPolicy, OriginPolicy, Rejection,
    handshake::{Offer, Policy},
    upgrade::ConnectProtocol,
};

const GOOD: &[&str] = &[
    "host: example.com",
    "upgrade: websocket",
    "connection: Upgrade",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version: 13",
];

/// The head of a good request with edits: `name: value` replaces a header, `+name: value` adds a line, `-name`
/// removes it, and `METHOD target version` replaces the request line.
fn head(good: &[&str], edits: &str) -> Parts {
    let mut request = Request::get("/ws").body(()).unwrap();
    let insert = |request: &mut Request<()>, line: &str, more: bool| {
        let (name, value) = line.split_once(':').unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        if !more {
            request.headers_mut().remove(&name);
        }
        let value = value.trim_matches(' ').as_bytes();
        request
            .headers_mut()
            .append(name, value.try_into().unwrap());
    };
    for line in good {
        insert(&mut request, line, true);
    }
    for edit in edits
        .split('\n')
        .map(|edit| edit.trim_start())
        .filter(|edit| !edit.is_empty())
    {
        if let Some(line) = edit.strip_prefix('+') {
            insert(&mut request, line, true);
        } else if let Some(name) = edit.strip_prefix('-') {
            assert!(
                request.headers_mut().remove(name).is_some(),
                "{name} is not there"
            );
        } else if let Some((line, version)) = edit.split_once(" HTTP/") {
            let (method, target) = line.split_once(' ').unwrap();
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = target.parse().unwrap();
            *request.version_mut() = match version {
                "1.0" => Version::HTTP_10,
                "1.1" => Version::HTTP_11,
                "2" => Version::HTTP_2,
                "3" => Version::HTTP_3,
                _ => unreachable!(),
            };
        } else if let Some(protocol) = edit.strip_prefix(":protocol=") {
            request
                .extensions_mut()
                .insert(ConnectProtocol::new(protocol));
        } else {
            insert(&mut request, edit, false);
        }
    }
    request.into_parts().0
}

fn parse(edits: &str) -> Result<(), Rejection> {
    Offer::parse(&head(GOOD, edits)).map(drop)
}

#[test]
fn http1_rules() {
    use Rejection::*;
    let rows: &[(&str, Result<(), Rejection>)] = &[
        ("", Ok(())),
        // RFC 9110, section 7.8, and 5.3: lists, over all lines, without empty items, in any case.
        ("connection: upgrade", Ok(())),
        ("connection: keep-alive, Upgrade", Ok(())),
        ("connection: ,, keep-alive ,\tUPGRADE ,", Ok(())),
        ("connection: keep-alive\n+connection: Upgrade", Ok(())),
        ("upgrade: WebSocket", Ok(())),
        ("upgrade: h2c, websocket", Ok(())),
        ("upgrade: foo\n+upgrade: websocket", Ok(())),
        ("-connection", Err(MissingConnection)),
        ("connection:", Err(MissingConnection)),
        ("connection: close", Err(MissingConnection)),
        ("connection: not-upgrade", Err(MissingConnection)),
        ("connection: upgrade-not", Err(MissingConnection)),
        ("connection: \"upgrade\"", Err(MissingConnection)),
        ("-upgrade", Err(MissingUpgrade)),
        ("upgrade:", Err(MissingUpgrade)),
        ("upgrade: xwebsocket", Err(MissingUpgrade)),
        ("upgrade: websocket/13", Err(MissingUpgrade)),
        ("upgrade: \"websocket\"", Err(MissingUpgrade)),
        ("upgrade: web socket", Err(MissingUpgrade)),
        // RFC 6455, section 4.2.1, item 1.
        ("POST /ws HTTP/1.1", Err(MethodNotGet)),
        ("HEAD /ws HTTP/1.1", Err(MethodNotGet)),
        ("get /ws HTTP/1.1", Err(MethodNotGet)),
        ("CONNECT example.com:80 HTTP/1.1", Err(MethodNotGet)),
        ("GET /ws HTTP/1.0", Err(HttpVersion)),
        // A body would be read as frames.
        ("content-length: 0", Ok(())),
        ("content-length: 5", Err(BodyPresent)),
        ("content-length: 0, 5", Err(BodyPresent)),
        ("transfer-encoding: chunked", Err(BodyPresent)),
        // RFC 9112, section 3.2.
        ("-host", Err(MissingHost)),
        ("host:", Err(InvalidHost)),
        ("host: a b/c", Err(InvalidHost)),
        ("host: user@example.com", Err(InvalidHost)),
        ("host: example.com:port", Err(InvalidHost)),
        ("host: example.com:99999", Err(InvalidHost)),
        ("host: [::1", Err(InvalidHost)),
        ("host: [::1]x", Err(InvalidHost)),
        ("host: [example.com]", Err(InvalidHost)),
        ("host: [::1]:80", Ok(())),
        ("host: example.com:", Ok(())),
        ("+host: example.com", Err(DuplicateHost)),
        ("GET http://example.com/ws HTTP/1.1", Ok(())),
        (
            "GET http://example.com/ws HTTP/1.1\n-host",
            Err(MissingHost),
        ),
        ("GET http://user@example.com/ws HTTP/1.1", Err(InvalidHost)),
        // RFC 6455, section 4.2.1, item 5, and 11.3.1.
        ("-sec-websocket-key", Err(MissingKey)),
        ("sec-websocket-key:", Err(InvalidKey)),
        ("sec-websocket-key: x", Err(InvalidKey)),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25j", Err(InvalidKey)), // 15 bytes
        (
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZWU=",
            Err(InvalidKey),
        ), // 17 bytes
        (
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZWVl",
            Err(InvalidKey),
        ), // 18 bytes
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ", Err(InvalidKey)), // no padding
        (
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=",
            Err(InvalidKey),
        ),
        (
            "sec-websocket-key: dGhlIHNhbXBsZS!ub25jZQ==",
            Err(InvalidKey),
        ),
        (
            "sec-websocket-key: -_hlIHNhbXBsZSBub25jZQ==",
            Err(InvalidKey),
        ), // RFC 4648, section 5
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZR==", Ok(())), // loose bits
        (
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
            Err(InvalidKey),
        ),
        (
            "+sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            Err(DuplicateKey),
        ),
        (
            "+sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
            Err(DuplicateKey),
        ),
        // RFC 6455, section 4.2.1, item 6, and 11.3.5.
        ("-sec-websocket-version", Err(UnsupportedVersion)),
        ("sec-websocket-version:", Err(UnsupportedVersion)),
        ("sec-websocket-version: 8", Err(UnsupportedVersion)),
        ("sec-websocket-version: 14", Err(UnsupportedVersion)),
        ("sec-websocket-version: 13.0", Err(UnsupportedVersion)),
        ("sec-websocket-version: 013", Err(UnsupportedVersion)),
        ("sec-websocket-version: 13, 8", Err(UnsupportedVersion)),
        ("+sec-websocket-version: 13", Err(UnsupportedVersion)),
        // RFC 6455, section 4.1, item 10.
        (
            "sec-websocket-protocol: a, b\n+sec-websocket-protocol: c",
            Ok(()),
        ),
        ("sec-websocket-protocol:", Ok(())),
        ("sec-websocket-protocol: ch at", Err(InvalidProtocols)),
        ("sec-websocket-protocol: café", Err(InvalidProtocols)),
        ("sec-websocket-protocol: \"chat\"", Err(InvalidProtocols)),
        ("sec-websocket-protocol: a, b, a", Err(InvalidProtocols)),
        // RFC 6455, section 9.1: whoever understands no extension still fails what breaks the grammar.
        (
            "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
            Ok(()),
        ),
        (
            "sec-websocket-extensions: foo; a=1; b=\"c\\d\" , bar",
            Ok(()),
        ),
        (
            "sec-websocket-extensions: foo\n+sec-websocket-extensions: ,, bar ;\ta",
            Ok(()),
        ),
        ("sec-websocket-extensions:", Ok(())),
        ("sec-websocket-extensions: foo;", Err(InvalidExtensions)),
        ("sec-websocket-extensions: ;foo", Err(InvalidExtensions)),
        ("sec-websocket-extensions: foo bar", Err(InvalidExtensions)),
        ("sec-websocket-extensions: foo; a=", Err(InvalidExtensions)),
        ("sec-websocket-extensions: foo; =1", Err(InvalidExtensions)),
        ("sec-websocket-extensions: foo=1", Err(InvalidExtensions)),
        (
            "sec-websocket-extensions: foo; a=\"b",
            Err(InvalidExtensions),
        ),
        ("sec-websocket-extensions: foo; a=\"\"", Ok(())), // well formed, and no value that anybody takes
        ("sec-websocket-extensions: foo; a=\"b c\"", Ok(())),
        ("sec-websocket-extensions: \"foo\"", Err(InvalidExtensions)),
        ("sec-websocket-extensions: (foo)", Err(InvalidExtensions)),
        ("sec-websocket-extensions: föö", Err(InvalidExtensions)),
        (
            "sec-websocket-extensions: foo\n+sec-websocket-extensions: b@r",
            Err(InvalidExtensions),
        ),
        // Others are none of our business.
        ("x-a: 1\n+cookie: a=b\n+sec-websocket-foo: bar", Ok(())),
        // A draft from before 2011.
        (
            "-sec-websocket-key\n-sec-websocket-version\nsec-websocket-key1: 4 @1",
            Err(UnsupportedVersion),
        ),
    ];
    for (edits, expected) in rows {
        assert_eq!(parse(edits), *expected, "{edits}");
    }
}

#[test]
fn http2_rules() {
    use Rejection::*;
    let good = &["sec-websocket-version: 13"];
    let target = "CONNECT https://example.com/ws HTTP/2\n";
    let rows: &[(&str, Result<(), Rejection>)] = &[
        (":protocol=websocket", Ok(())),
        (":protocol=WebSocket", Ok(())),
        (":protocol=connect-udp", Err(UnsupportedProtocol)),
        ("", Err(MethodNotConnect)),
        (
            ":protocol=websocket\nGET https://example.com/ws HTTP/2",
            Err(MethodNotConnect),
        ),
        (
            "GET https://example.com/ws HTTP/2\nupgrade: websocket",
            Err(MethodNotConnect),
        ),
        (
            ":protocol=websocket\n-sec-websocket-version",
            Err(UnsupportedVersion),
        ),
        (
            ":protocol=websocket\nsec-websocket-version: 8",
            Err(UnsupportedVersion),
        ),
        // RFC 8441, section 5: a key is not used.
        (":protocol=websocket\nsec-websocket-key: x", Ok(())),
        (
            ":protocol=websocket\nCONNECT https://example.com/ws HTTP/3",
            Ok(()),
        ),
        (":protocol=websocket\nhost: a b", Err(InvalidHost)),
        (
            ":protocol=websocket\nsec-websocket-extensions: foo;",
            Err(InvalidExtensions),
        ),
    ];
    for (edits, expected) in rows {
        let head = head(good, &format!("{target}{edits}"));
        assert_eq!(Offer::parse(&head).map(drop), *expected, "{edits}");
    }
}

#[test]
fn accepts_with_101_over_http1() {
    let response = answer(&Policy::new(), GOOD, "").unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(
        response.headers()["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["connection"], "upgrade");
    assert_eq!(response.headers().len(), 3);
}

#[test]
fn accepts_with_200_over_http2() {
    let edits = "CONNECT https://example.com/ws HTTP/2\n:protocol=websocket";
    let response = answer(&Policy::new(), &["sec-websocket-version: 13"], edits).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().is_empty());
}

#[test]
fn chooses_the_subprotocol_the_server_prefers() {
    let policy = Policy::new().protocols(["v2", "v1"]);
    let rows = [
        ("", None),
        ("sec-websocket-protocol: v1, v2", Some("v2")),
        (
            "sec-websocket-protocol: v1\n+sec-websocket-protocol: x, v2",
            Some("v2"),
        ),
        ("sec-websocket-protocol:  v1 ", Some("v1")),
        ("sec-websocket-protocol: V1", None),
        ("sec-websocket-protocol: v", None),
        ("sec-websocket-protocol: v11,v22", None),
    ];
    for (edits, expected) in rows {
        let response = answer(&policy, GOOD, edits).unwrap();
        let chosen = response.headers().get("sec-websocket-protocol");
        assert_eq!(
            chosen.map(|value| value.to_str().unwrap()),
            expected,
            "{edits}"
        );
    }
    let none = answer(&Policy::new(), GOOD, "sec-websocket-protocol: v1").unwrap();
    assert!(!none.headers().contains_key("sec-websocket-protocol"));
}

#[test]
fn every_rejection_is_an_answer_that_names_the_fault() {
    let rows = [
        ("-upgrade", 426, "upgrade", "websocket"),
        ("-upgrade", 426, "connection", "upgrade"),
        ("GET /ws HTTP/1.0", 426, "upgrade", "websocket"),
        (
            "sec-websocket-version: 8",
            426,
            "sec-websocket-version",
            "13",
        ),
        ("sec-websocket-version: 8", 426, "upgrade", "websocket"),
        ("POST /ws HTTP/1.1", 405, "allow", "GET"),
        ("GET /ws HTTP/2", 405, "allow", "CONNECT"),
        (
            "-sec-websocket-key",
            400,
            "content-type",
            "text/plain; charset=utf-8",
        ),
        (
            "sec-websocket-extensions: foo;",
            400,
            "content-type",
            "text/plain; charset=utf-8",
        ),
        (
            "origin: null",
            403,
            "content-type",
            "text/plain; charset=utf-8",
        ),
        (
            "CONNECT https://a/ws HTTP/2\n:protocol=x",
            501,
            "content-type",
            "text/plain; charset=utf-8",
        ),
        (
            "CONNECT https://a/ws HTTP/2\n:protocol=websocket\nsec-websocket-version: 8",
            400,
            "sec-websocket-version",
            "13",
        ),
    ];
    for (edits, status, name, value) in rows {
        let head = head(GOOD, edits);
        let rejection = Offer::parse(&head)
            .and_then(|offer| Policy::new().answer(&offer))
            .unwrap_err();
        let response: Response<bytes::Bytes> = rejection.into_response(head.version);
        assert_eq!(response.status(), status, "{edits}");
        assert_eq!(response.headers()[name], value, "{edits}");
        assert_eq!(response.body(), rejection.to_string().as_bytes(), "{edits}");
        assert_eq!(response.extensions().get(), Some(&rejection), "{edits}");
        let http2 = head.version == Version::HTTP_2;
        assert!(
            !(http2 && response.headers().contains_key("connection")),
            "{edits}"
        );
        assert!(
            !(http2 && response.headers().contains_key("upgrade")),
            "{edits}"
        );
    }
}

#[test]
fn origin_rules() {
    let listed = || OriginPolicy::listed().allow("https://app.example").unwrap();
    let below = || {
        OriginPolicy::listed()
            .allow_subdomains("https://example.com")
            .unwrap()
    };
    let policies = [
        ("same", OriginPolicy::same_origin()),
        ("listed", listed()),
        ("required", OriginPolicy::same_origin().required()),
        ("any", OriginPolicy::any()),
        ("below", below()),
        ("null", listed().allow_null()),
        (
            "if",
            OriginPolicy::listed().allow_if(|origin| origin.port() == Some(8443)),
        ),
    ];
    let rows: &[(&str, &str)] = &[
        ("", "same listed any below null if"),
        ("origin: http://example.com", "same required any"),
        ("origin: https://example.com", "same required any"),
        ("origin: HTTPS://EXAMPLE.com", "same required any"),
        ("origin: https://example.com:443", "same required any"),
        ("origin: http://example.com:443", "any"),
        ("origin: https://example.com:8443", "any if"),
        ("origin: https://evil.example", "any"),
        ("origin: https://example.com.evil.example", "any"),
        ("origin: https://notexample.com", "any"),
        ("origin: https://a.example.com", "any below"),
        ("origin: https://a.b.example.com", "any below"),
        ("origin: https://.example.com", "any"),
        ("origin: http://a.example.com", "any"),
        ("origin: https://app.example", "any listed null"),
        ("origin: https://app.example:443", "any listed null"),
        ("origin: http://app.example", "any"),
        ("origin: null", "any null"),
        ("origin: file://", "any"),
        ("origin:", "any"),
        ("origin: example.com", "any"),
        ("origin: https://example.com/", "any"),
        ("origin: https://user@example.com", "any"),
        ("origin: https://example.com https://evil.example", "any"),
        ("origin: ftp://example.com", "any"),
        // Two origins are none, whatever the policy.
        (
            "origin: https://example.com\n+origin: https://example.com",
            "",
        ),
        // The host's own port.
        (
            "host: example.com:8080\norigin: http://example.com:8080",
            "same required any",
        ),
        ("host: example.com:8080\norigin: http://example.com", "any"),
        (
            "host: example.com:80\norigin: http://example.com",
            "same required any",
        ),
        (
            "host: [::1]:3000\norigin: http://[::1]:3000",
            "same required any",
        ),
        // A secure socket for an insecure page is no same origin, where the scheme is known.
        (
            "GET https://example.com/ws HTTP/1.1\norigin: http://example.com:443",
            "any",
        ),
        (
            "GET http://example.com/ws HTTP/1.1\norigin: https://example.com",
            "same required any",
        ),
        // The target stands above the header (RFC 9112, section 3.2.2).
        (
            "GET http://evil.example/ws HTTP/1.1\norigin: http://example.com",
            "any",
        ),
    ];
    for (edits, takes) in rows {
        for (name, policy) in &policies {
            let taken = answer(&Policy::new().origins(policy.clone()), GOOD, edits).is_ok();
            assert_eq!(
                taken,
                takes.split(' ').any(|taker| taker == *name),
                "{name}: {edits}"
            );
        }
    }
    let absent = answer(
        &Policy::new().origins(OriginPolicy::any().required()),
        GOOD,
        "",
    );
    assert_eq!(absent.unwrap_err(), Rejection::MissingOrigin);
}

#[test]
fn host_rules() {
    let policies = [
        ("any", HostPolicy::any()),
        ("loopback", HostPolicy::loopback_only()),
        (
            "named",
            HostPolicy::only(["example.com", "tool.example:8080"]),
        ),
        ("both", HostPolicy::loopback_only().allow("example.com")),
    ];
    let rows = [
        ("host: example.com", "any named both"),
        ("host: EXAMPLE.com:99", "any named both"),
        ("host: tool.example:8080", "any named"),
        ("host: tool.example", "any"),
        ("host: tool.example:80", "any"),
        ("host: localhost:3000", "any loopback both"),
        ("host: 127.0.0.1", "any loopback both"),
        ("host: 127.8.9.1:1", "any loopback both"),
        ("host: [::1]:3000", "any loopback both"),
        ("host: [::2]:3000", "any"),
        ("host: 127.0.0.1.evil.example", "any"),
        ("host: localhost.evil.example", "any"),
        ("host: 128.0.0.1", "any"),
    ];
    for (edits, takes) in rows {
        for (name, policy) in &policies {
            let taken = answer(&Policy::new().hosts(policy.clone()), GOOD, edits);
            let expected = takes.split(' ').any(|taker| taker == *name);
            assert_eq!(taken.is_ok(), expected, "{name}: {edits}");
        }
    }
}

#[test]
fn says_what_is_wrong_with_an_origin_in_a_list() {
    let rows = [
        ("app.example", "the origin \"app.example\" has no scheme://"),
        (
            "https://app.example/",
            "the origin \"https://app.example/\" has a path or a trailing slash",
        ),
        ("1://a", "the origin \"1://a\" has a malformed scheme"),
        (
            "https://",
            "the origin \"https://\" has a malformed host or port",
        ),
        (
            "https://a:b",
            "the origin \"https://a:b\" has a malformed host or port",
        ),
        (
            "https://bücher.example",
            "the origin \"https://bücher.example\" has a malformed host or port",
        ),
    ];
    for (origin, message) in rows {
        let error = OriginPolicy::listed().allow(origin).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

fn answer(
    policy: &Policy,
    good: &[&str],
    edits: &str,
) -> Result<Response<bytes::Bytes>, Rejection> {
    let head = head(good, edits);
    let answer = policy.answer(&Offer::parse(&head)?)?;
    Ok(answer.into_response())
}
