//! RFC 7692, sections 5 and 7, as tables: offers to a server, answers to a client.
#![allow(clippy::unwrap_used)]

use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS};
use tower_realtime::ws::deflate::{Deflate, answer, check, offer};

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(
            SEC_WEBSOCKET_EXTENSIONS,
            HeaderValue::from_bytes(line.as_bytes()).unwrap(),
        );
    }
    headers
}

fn answered(deflate: &Deflate, lines: &[&str]) -> Option<String> {
    let agreed = answer(deflate, &headers(lines))?;
    Some(agreed.header().to_str().unwrap().to_owned())
}

/// What the default server says to one header line; "-" is: nothing.
const OFFERS: &[(&str, &str)] = &[
    // 7.1: nothing but the name
    ("permessage-deflate", "permessage-deflate"),
    (" permessage-deflate ", "permessage-deflate"),
    (
        "permessage-deflate;server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover",
    ),
    (
        "permessage-deflate ; client_no_context_takeover",
        "permessage-deflate; client_no_context_takeover",
    ),
    (
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ),
    // 7.1.2.1: the server repeats its window, or names a smaller one
    (
        "permessage-deflate; server_max_window_bits=15",
        "permessage-deflate; server_max_window_bits=15",
    ),
    (
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=10",
    ),
    (
        "permessage-deflate; server_max_window_bits=9",
        "permessage-deflate; server_max_window_bits=9",
    ),
    (
        "permessage-deflate; server_max_window_bits=\"9\"",
        "permessage-deflate; server_max_window_bits=9",
    ),
    (
        "permessage-deflate; server_max_window_bits=\"\\1\\2\"",
        "permessage-deflate; server_max_window_bits=12",
    ),
    (
        "permessage-deflate; server_max_window_bits = 9",
        "permessage-deflate; server_max_window_bits=9",
    ),
    // what zlib can't do is declined
    ("permessage-deflate; server_max_window_bits=8", "-"),
    (
        "permessage-deflate; server_max_window_bits=8, permessage-deflate",
        "permessage-deflate",
    ),
    // 7.1.2: 8 to 15, without leading zeroes; the server's has to have a value
    ("permessage-deflate; server_max_window_bits", "-"),
    ("permessage-deflate; server_max_window_bits=7", "-"),
    ("permessage-deflate; server_max_window_bits=16", "-"),
    ("permessage-deflate; server_max_window_bits=09", "-"),
    ("permessage-deflate; server_max_window_bits=+9", "-"),
    ("permessage-deflate; server_max_window_bits=010", "-"),
    (
        "permessage-deflate; server_max_window_bits=99999999999999999999",
        "-",
    ),
    ("permessage-deflate; server_max_window_bits=\"\"", "-"),
    ("permessage-deflate; server_max_window_bits=\" 9\"", "-"),
    // 7.1.2.2: the client's may come without
    (
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate",
    ),
    (
        "permessage-deflate; client_max_window_bits=15",
        "permessage-deflate",
    ),
    (
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; client_max_window_bits=8",
    ),
    (
        "permessage-deflate; client_max_window_bits=12",
        "permessage-deflate; client_max_window_bits=12",
    ),
    ("permessage-deflate; client_max_window_bits=7", "-"),
    ("permessage-deflate; client_max_window_bits=16", "-"),
    ("permessage-deflate; client_max_window_bits=", "-"),
    // 7.1.1: these have no value
    ("permessage-deflate; server_no_context_takeover=1", "-"),
    (
        "permessage-deflate; client_no_context_takeover=\"true\"",
        "-",
    ),
    // 7.1: unknown, or twice
    ("permessage-deflate; unknown", "-"),
    ("permessage-deflate; unknown=1", "-"),
    ("permessage-deflate; __proto__", "-"),
    ("permessage-deflate; Server_No_Context_Takeover", "-"),
    (
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "-",
    ),
    (
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "-",
    ),
    (
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "-",
    ),
    (
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "-",
    ),
    // 5: several offers, in the order of the client's preference
    (
        "permessage-deflate; unknown, permessage-deflate",
        "permessage-deflate",
    ),
    (
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        "permessage-deflate; server_max_window_bits=10",
    ),
    (
        "permessage-deflate, permessage-deflate; server_max_window_bits=10",
        "permessage-deflate",
    ),
    (
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-deflate",
    ),
    (
        "permessage-bzip2; level=\"9\", permessage-deflate",
        "permessage-deflate",
    ),
    ("x-webkit-deflate-frame", "-"),
    ("permessage-deflat", "-"),
    ("permessage-deflatex", "-"),
    ("", "-"),
    // RFC 9110, 5.6.1: empty elements
    (", ,permessage-deflate,,", "permessage-deflate"),
    // RFC 6455, 9.1: what is not in the grammar
    ("permessage-deflate;", "-"),
    ("permessage-deflate; ;", "-"),
    ("permessage-deflate; =1", "-"),
    ("permessage-deflate permessage-deflate", "-"),
    ("permessage-deflate; client_max_window_bits=\"9", "-"),
    ("permessage-deflate; client_max_window_bits=\"9\\", "-"),
    ("permessage-deflate; client_max_window_bits=9 9", "-"),
    ("\"permessage-deflate\"", "-"),
    ("; permessage-deflate", "-"),
    ("caf\u{e9}, permessage-deflate", "-"),
];

#[test]
fn server_answers_each_offer() {
    for (offer, expected) in OFFERS {
        let answer = answered(&Deflate::new(), &[offer]);
        assert_eq!(answer.as_deref().unwrap_or("-"), *expected, "to {offer:?}");
    }
}

#[test]
fn server_reads_all_header_lines() {
    let deflate = Deflate::new();
    assert_eq!(answered(&deflate, &[]), None);
    assert_eq!(
        answered(&deflate, &["x-one", "permessage-deflate"]).unwrap(),
        "permessage-deflate"
    );
    let offers = [
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=11",
    ];
    assert_eq!(
        answered(&deflate, &offers).unwrap(),
        "permessage-deflate; server_max_window_bits=11"
    );
}

/// What servers with other wishes say.
#[test]
fn server_follows_its_own_wishes() {
    let new = Deflate::new;
    let all = "permessage-deflate; client_max_window_bits; server_max_window_bits=14";
    let kib = |n: usize| n * 1024;
    let rows: &[(&str, Deflate, &str, &str)] = &[
        (
            "no takeover",
            new().no_context_takeover(),
            all,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=14",
        ),
        (
            "a small window to send",
            new().send_window_bits(10),
            all,
            "permessage-deflate; server_max_window_bits=10",
        ),
        // a client that did not name it need not know: Firefox fails then
        (
            "a small window, unnamed",
            new().send_window_bits(10),
            "permessage-deflate",
            "permessage-deflate",
        ),
        (
            "a small window to receive",
            new().receive_window_bits(11),
            all,
            "permessage-deflate; server_max_window_bits=14; client_max_window_bits=11",
        ),
        // 7.1.2.2: must not be answered where it was not offered; so the client's window is not kept
        (
            "a small window, not to be limited",
            new().receive_window_bits(11),
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover",
        ),
        (
            "never larger than the client's",
            new().receive_window_bits(11),
            "permessage-deflate; client_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=9",
        ),
        // the budget: first our window shrinks, then our takeover goes, then the same for the client's
        (
            "budget for everything",
            new().memory(kib(512)),
            all,
            "permessage-deflate; server_max_window_bits=14",
        ),
        (
            "budget for 13 bits",
            new().memory(kib(79 + 280)),
            all,
            "permessage-deflate; server_max_window_bits=13",
        ),
        (
            "budget for 9 bits",
            new().memory(kib(79 + 249)),
            all,
            "permessage-deflate; server_max_window_bits=9",
        ),
        (
            "budget for receiving only",
            new().memory(kib(128)),
            all,
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=14",
        ),
        (
            "budget for receiving 12 bits",
            new().memory(kib(52)),
            all,
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=14; client_max_window_bits=12",
        ),
        (
            "budget for a client that can't limit its window",
            new().memory(kib(52)),
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            "no budget",
            new().memory(0),
            all,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=14",
        ),
    ];
    for (name, deflate, offer, expected) in rows {
        assert_eq!(
            answered(deflate, &[offer]).as_deref(),
            Some(*expected),
            "{name}"
        );
    }
}

#[test]
fn settings_out_of_range_become_the_nearest() {
    let all = "permessage-deflate; client_max_window_bits; server_max_window_bits=15";
    let small = Deflate::new().send_window_bits(0).receive_window_bits(8);
    let expected = "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9";
    assert_eq!(answered(&small, &[all]).unwrap(), expected);
    let large = Deflate::new().send_window_bits(200).receive_window_bits(16);
    assert_eq!(
        answered(&large, &[all]).unwrap(),
        "permessage-deflate; server_max_window_bits=15"
    );
}

#[test]
fn client_offers_what_it_wishes() {
    let new = Deflate::new;
    let rows = [
        (
            new(),
            "permessage-deflate; client_max_window_bits, \
             permessage-deflate; client_no_context_takeover; client_max_window_bits",
        ),
        (
            new().no_context_takeover(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (
            new().send_window_bits(12),
            "permessage-deflate; client_max_window_bits=12, \
             permessage-deflate; client_no_context_takeover; client_max_window_bits=12",
        ),
        (
            new().receive_window_bits(9),
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits, \
             permessage-deflate; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits",
        ),
        (
            new().memory(52 * 1024),
            "permessage-deflate; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits",
        ),
    ];
    for (deflate, expected) in rows {
        assert_eq!(offer(&deflate), expected);
    }
}

/// The client's wishes, the server's answer, and whether it may stand.
#[test]
fn client_checks_the_answer() {
    let new = Deflate::new;
    let rows: &[(Deflate, &[&str], Result<bool, ()>)] = &[
        // declined
        (new(), &[], Ok(false)),
        (new(), &[""], Ok(false)),
        (new(), &["permessage-deflate"], Ok(true)),
        // 7.1.1: a server may always ask for less
        (
            new(),
            &["permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
            Ok(true),
        ),
        (
            new(),
            &["permessage-deflate; server_max_window_bits=8"],
            Ok(true),
        ),
        (
            new(),
            &["permessage-deflate; client_max_window_bits=9"],
            Ok(true),
        ),
        // 8 bits: legal, and we send plain then
        (
            new(),
            &["permessage-deflate; client_max_window_bits=8"],
            Ok(true),
        ),
        // 7.1.1.1: asked for, so it has to be there
        (
            new().receive_context_takeover(false),
            &["permessage-deflate"],
            Err(()),
        ),
        (
            new().receive_context_takeover(false),
            &["permessage-deflate; server_no_context_takeover"],
            Ok(true),
        ),
        // 7.1.1.2: ours is a hint
        (
            new().send_context_takeover(false),
            &["permessage-deflate"],
            Ok(true),
        ),
        // 7.1.2.1: the same or smaller
        (
            new().receive_window_bits(10),
            &["permessage-deflate; server_max_window_bits=10"],
            Ok(true),
        ),
        (
            new().receive_window_bits(10),
            &["permessage-deflate; server_max_window_bits=9"],
            Ok(true),
        ),
        (
            new().receive_window_bits(10),
            &["permessage-deflate; server_max_window_bits=11"],
            Err(()),
        ),
        (
            new().receive_window_bits(10),
            &["permessage-deflate"],
            Err(()),
        ),
        // 7.1.2.2
        (
            new().send_window_bits(10),
            &["permessage-deflate"],
            Ok(true),
        ),
        (
            new().send_window_bits(10),
            &["permessage-deflate; client_max_window_bits=10"],
            Ok(true),
        ),
        (
            new().send_window_bits(10),
            &["permessage-deflate; client_max_window_bits=11"],
            Err(()),
        ),
        (
            new(),
            &["permessage-deflate; client_max_window_bits"],
            Err(()),
        ),
        (
            new(),
            &["permessage-deflate; client_max_window_bits=16"],
            Err(()),
        ),
        (
            new(),
            &["permessage-deflate; client_max_window_bits=7"],
            Err(()),
        ),
        (
            new(),
            &["permessage-deflate; server_max_window_bits"],
            Err(()),
        ),
        // unknown, repeated, with a value
        (new(), &["permessage-deflate; unknown"], Err(())),
        (
            new(),
            &["permessage-deflate; server_no_context_takeover=1"],
            Err(()),
        ),
        (
            new(),
            &["permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
            Err(()),
        ),
        // what was not offered, or twice
        (new(), &["x-webkit-deflate-frame"], Err(())),
        (new(), &["permessage-deflate, x-other"], Err(())),
        (new(), &["permessage-deflate, permessage-deflate"], Err(())),
        (
            new(),
            &["permessage-deflate", "permessage-deflate"],
            Err(()),
        ),
        (new(), &["permessage-deflate;"], Err(())),
    ];
    for (deflate, lines, expected) in rows {
        let checked = check(deflate, &headers(lines))
            .map(|agreed| agreed.is_some())
            .map_err(drop);
        assert_eq!(checked, *expected, "{lines:?}");
    }
}

/// Every pair of wishes leads to an agreement that both sides accept.
#[test]
fn our_client_and_our_server_always_agree() {
    let mut wishes = Vec::new();
    for bits in 9..=15 {
        for memory in [0, 50, 60, 100, 256, 300, 400, 1024] {
            for takeover in [false, true] {
                let deflate = Deflate::new().memory(memory * 1024);
                wishes.push(
                    deflate
                        .send_window_bits(bits)
                        .send_context_takeover(takeover),
                );
                wishes.push(
                    deflate
                        .receive_window_bits(bits)
                        .receive_context_takeover(takeover),
                );
            }
        }
    }
    for client in &wishes {
        let offer = offer(client);
        for server in &wishes {
            let agreed = answer(server, &headers(&[offer.to_str().unwrap()]))
                .expect("every offer of ours is good");
            let header = agreed.header();
            let checked = check(client, &headers(&[header.to_str().unwrap()]));
            assert!(
                matches!(checked, Ok(Some(_))),
                "{offer:?} answered by {header:?}: {checked:?}"
            );
        }
    }
}
