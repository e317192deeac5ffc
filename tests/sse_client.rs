//! `EventSource`: what it asks, how it takes the answers, when it connects again (HTML 9.2.3, Fetch). The server is in
//! the same process, and the clock is tokio's paused one.

use std::{future::ready, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderValue, Method, Request, header};
use http_body_util::{Empty, Full};
use tower_realtime::{
    lifecycle::Backoff,
    sse::{Attempt, Error, EventSource, Limits, ReadyState, Update},
};

#[path = "support/event_server.rs"]
mod event_server;

use event_server::{Play, Server, Step, answer, events, stop};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn get() -> Request<Empty<Bytes>> {
    Request::get("http://here.test/events")
        .body(Empty::new())
        .expect("a request")
}

fn source(server: &Server) -> EventSource {
    EventSource::new(server.client(), get(), tokio::time::sleep)
}

/// Data of all messages, and the error that ended the stream, if one did.
async fn all(mut source: EventSource) -> (Vec<String>, Option<Error>) {
    let (mut data, mut failure) = (Vec::new(), None);
    while let Some(message) = source.next().await {
        assert!(failure.is_none(), "nothing comes after an error");
        match message {
            Ok(message) => data.push(message.data().to_string()),
            Err(error) => failure = Some(error),
        }
    }
    assert_eq!(source.ready_state(), ReadyState::Closed);
    (data, failure)
}

/// Plays a script to its end.
async fn play(script: impl IntoIterator<Item = Play>) -> (Server, Vec<String>, Option<Error>) {
    let server = Server::new(script);
    let (data, failure) = all(source(&server)).await;
    (server, data, failure)
}

/// A header of each request.
fn sent(server: &Server, name: &str) -> Vec<Option<String>> {
    let value = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec()).ok();
    server
        .asked()
        .iter()
        .map(|head| head.headers.get(name).and_then(value))
        .collect()
}

/// The pauses between the requests.
fn pauses(server: &Server) -> Vec<Duration> {
    server
        .times()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect()
}

// The request.

#[tokio::test(start_paused = true)]
async fn it_asks_as_browsers_do() {
    let script = [
        events([Step::Send("id: 7\ndata: a\n\n")]),
        events([Step::Send("id: schön ☃\n\n")]),
        events([Step::Send("id: 9\n\nid: \u{1}\n\n")]),
        events([Step::Send("id\n\n")]),
        stop(),
    ];
    let (server, data, failure) = play(script).await;
    assert_eq!((data.len(), failure.is_none()), (1, true));
    assert_eq!(
        sent(&server, "accept"),
        vec![Some("text/event-stream".into()); 5]
    );
    assert_eq!(
        sent(&server, "cache-control"),
        vec![Some("no-cache".into()); 5]
    );
    // As UTF-8; only when not empty; and not at all where HTTP can't say it.
    let ids = [None, Some("7"), Some("schön ☃"), None, None];
    assert_eq!(
        sent(&server, "last-event-id"),
        ids.map(|id| id.map(str::to_owned))
    );
    assert!(server.asked().iter().all(|head| head.method == Method::GET));
}

#[tokio::test(start_paused = true)]
async fn headers_of_the_request_are_kept() {
    let server = Server::new([events([Step::Send("id: 2\n\n")]), stop()]);
    let mut request = get();
    let headers = request.headers_mut();
    headers.insert(
        "accept",
        "application/json, text/event-stream".parse().unwrap(),
    );
    headers.insert("cache-control", "max-age=0".parse().unwrap());
    headers.insert("authorization", "Bearer x".parse().unwrap());
    headers.insert("last-event-id", "1".parse().unwrap());
    let source = EventSource::new(server.client(), request, tokio::time::sleep);
    assert_eq!(source.last_id(), "1");
    all(source).await;
    for (name, value) in [
        ("accept", "application/json, text/event-stream"),
        ("cache-control", "max-age=0"),
        ("authorization", "Bearer x"),
    ] {
        assert_eq!(sent(&server, name), vec![Some(value.to_owned()); 2]);
    }
    let ids = [Some("1".to_owned()), Some("2".to_owned())];
    assert_eq!(sent(&server, "last-event-id"), ids);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_request_of_its_own() {
    let server = Server::new([
        events([Step::Send("id: 1\ndata: a\n\n")]),
        Play::Refuse,
        stop(),
    ]);
    let mut attempts = 0;
    let requests = move |attempt: Attempt| {
        let id = ["", "1", "1"][attempts];
        assert_eq!(attempt.last_event_id, id);
        assert_eq!(attempt.failed, [0, 0, 1][attempts]);
        attempts += 1;
        let request = Request::get("/").header("authorization", format!("token {attempts}"));
        ready(request.body(Empty::<Bytes>::new()))
    };
    let (data, failure) = all(EventSource::with(
        server.client(),
        requests,
        tokio::time::sleep,
    ))
    .await;
    assert_eq!((data, failure.is_none()), (vec!["a".to_owned()], true));
    let tokens = [1, 2, 3].map(|n| Some(format!("token {n}")));
    assert_eq!(sent(&server, "authorization"), tokens);
}

#[tokio::test(start_paused = true)]
async fn no_request_is_the_end() {
    let server = Server::new([stop()]);
    let requests = |_: Attempt| ready(Err::<Request<Empty<Bytes>>, _>("signed out"));
    let source = EventSource::with(server.client(), requests, tokio::time::sleep);
    let (data, failure) = all(source).await;
    assert!(data.is_empty() && failure.unwrap().is_request());
    assert!(server.asked().is_empty());
}

// The answer.

#[tokio::test(start_paused = true)]
async fn only_200_opens() {
    for status in 200..=599 {
        let event = [Step::Send("data: x\n\n")];
        let first = answer(status, [("content-type", "text/event-stream")], event);
        let (server, data, failure) = play([first, stop()]).await;
        let asked = server.asked().len();
        let failed = failure.as_ref().is_some_and(|error| {
            let response = error.response().expect("what it answered");
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["content-type"], "text/event-stream");
            assert_eq!(response.body(), "data: x\n\n");
            error.is_status() || error.is_redirect()
        });
        let want = match status {
            200 => (1, 2, false),
            204 => (0, 1, false),
            429 | 500..=599 => (0, 2, false),
            _ => (0, 1, true),
        };
        assert_eq!((data.len(), asked, failed), want, "{status}");
        let redirects = matches!(status, 301 | 302 | 303 | 307 | 308);
        assert_eq!(
            failure.is_some_and(|error| error.is_redirect()),
            redirects,
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_decides_about_other_statuses() {
    let script = || {
        [
            answer(401, [("x-why", "late")], []),
            answer(503, [], []),
            stop(),
        ]
    };
    let server = Server::new(script());
    let policy = |response: &http::Response<Bytes>| response.headers().contains_key("x-why");
    let (_, failure) = all(source(&server).retry_if(policy)).await;
    assert_eq!(failure.unwrap().response().unwrap().status(), 503);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_essence_of_the_type_counts() {
    for (kind, opens) in [
        ("text/event-stream", true),
        ("Text/Event-Stream", true),
        ("text/event-stream;", true),
        (" text/event-stream ; charset=utf-8", true),
        ("text/event-stream;charset=latin1;x=y", true),
        ("text/event-streams", false),
        ("text/event", false),
        ("text/plain; x=text/event-stream", false),
        ("text/html", false),
        ("application/json", false),
        ("x bogus", false),
        ("", false),
    ] {
        let first = answer(200, [("content-type", kind)], [Step::Send("data: x\n\n")]);
        let (server, data, failure) = play([first, stop()]).await;
        assert_eq!(data.len(), usize::from(opens), "{kind:?}");
        assert_eq!(
            failure.is_some_and(|error| error.is_content_type()),
            !opens,
            "{kind:?}"
        );
        assert_eq!(server.asked().len(), 1 + usize::from(opens), "{kind:?}");
    }
    let (_, _, failure) = play([answer(200, [], [])]).await;
    assert!(failure.unwrap().is_content_type(), "none at all");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_kept_up_to_a_limit_of_bytes_and_time() {
    let steps = || std::iter::repeat_n(Step::Send("0123456789abcde "), 400);
    let (_, _, failure) = play([answer(400, [], steps())]).await;
    assert_eq!(failure.unwrap().response().unwrap().body().len(), 4096);

    let stalls = [Step::Send("no"), Step::Hold];
    let start = tokio::time::Instant::now();
    let (_, _, failure) = play([answer(403, [], stalls)]).await;
    assert_eq!(failure.unwrap().response().unwrap().body(), "no");
    assert_eq!(start.elapsed(), 2 * SECOND);

    let breaks = [Step::Send("half"), Step::Break];
    let (_, _, failure) = play([answer(403, [], breaks)]).await;
    assert_eq!(failure.unwrap().response().unwrap().body(), "half");
}

// Redirects.

#[tokio::test(start_paused = true)]
async fn redirects_lead_where_they_say() {
    for (from, location, to) in [
        ("http://a.test/x/y?z", "/moved", Some("http://a.test/moved")),
        (
            "http://a.test/x/y?z",
            "moved?q=1#f",
            Some("http://a.test/x/moved?q=1"),
        ),
        ("http://a.test/x/y?z", "?q", Some("http://a.test/x/y?q")),
        ("http://a.test/x/y?z", "", Some("http://a.test/x/y?z")),
        ("http://a.test/x/y/z", "../m", Some("http://a.test/x/m")),
        (
            "http://a.test/x/y/z",
            "./m/./n/..",
            Some("http://a.test/x/y/m/"),
        ),
        ("http://a.test/x", "/../../m", Some("http://a.test/m")),
        (
            "http://a.test/x",
            "//b.test:81/m",
            Some("http://b.test:81/m"),
        ),
        ("https://a.test/x", "//b.test", Some("https://b.test/")),
        (
            "http://a.test/x",
            "https://b.test/a/../m",
            Some("https://b.test/m"),
        ),
        (
            "http://a.test/x",
            "http://b.test?q",
            Some("http://b.test/?q"),
        ),
        ("http://a.test", "m", Some("http://a.test/m")),
        ("/x/y", "z", Some("/x/z")),
        ("/x/y", "/m", Some("/m")),
        ("http://a.test/x", "a:b", None),
        ("http://a.test/x", "ftp://b.test/", None),
        ("http://a.test/x", "javascript:alert(1)", None),
        ("http://a.test/x", "http://", None),
        ("http://a.test/x", "//", None),
        ("http://a.test/x", "/a b", None),
    ] {
        let server = Server::new([answer(307, [("location", location)], []), stop()]);
        let request = Request::get(from).body(Empty::<Bytes>::new()).unwrap();
        let (_, failure) = all(EventSource::new(
            server.client(),
            request,
            tokio::time::sleep,
        ))
        .await;
        let second = server.asked().get(1).map(|head| head.uri.to_string());
        assert_eq!(second.as_deref(), to, "{location:?} from {from}");
        assert_eq!(
            failure.is_some_and(|error| error.is_redirect()),
            to.is_none(),
            "{location:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_do_not_go_to_another_origin() {
    for (hops, kept) in [
        (vec!["/moved"], true),
        (vec!["http://here.test:80/moved"], true),
        (vec!["http://HERE.test/moved"], true),
        (vec!["https://here.test/events"], false),
        (vec!["http://here.test:81/events"], false),
        (vec!["http://there.test/"], false),
        (vec!["/still", "http://there.test/"], false),
        (vec!["http://there.test/", "http://here.test/events"], false),
    ] {
        let redirect = |location: &&str| answer(302, [("location", *location)], []);
        let server = Server::new(hops.iter().map(redirect).chain([stop()]));
        let mut request = get();
        let headers = request.headers_mut();
        for name in [
            "authorization",
            "cookie",
            "proxy-authorization",
            "x-plain",
            "host",
        ] {
            headers.insert(name, HeaderValue::from_static("secret"));
        }
        let mut key = HeaderValue::from_static("secret");
        key.set_sensitive(true);
        headers.insert("x-api-key", key);
        headers.insert("last-event-id", HeaderValue::from_static("4"));
        all(EventSource::new(
            server.client(),
            request,
            tokio::time::sleep,
        ))
        .await;
        let last = server.asked().pop().unwrap().headers;
        for name in [
            "authorization",
            "cookie",
            "proxy-authorization",
            "x-api-key",
        ] {
            assert_eq!(last.contains_key(name), kept, "{name} over {hops:?}");
        }
        assert_eq!(last["x-plain"], "secret");
        assert_eq!(last["last-event-id"], "4");
        assert_eq!(last["accept"], "text/event-stream");
        assert!(
            !last.contains_key("host"),
            "the client makes it of the address"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_change_the_method_as_in_browsers() {
    for (status, method, after) in [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ] {
        let moved = answer(status, [("location", "/moved")], []);
        let server = Server::new([
            moved.clone(),
            answer(308, [("location", "/again")], []),
            stop(),
        ]);
        let request = Request::builder().method(method).uri("http://here.test/");
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::<Bytes>::from("{}")).unwrap();
        all(EventSource::new(
            server.client(),
            request,
            tokio::time::sleep,
        ))
        .await;
        let asked = server.asked();
        assert_eq!(asked.len(), 3, "{status} {method}");
        for head in &asked[1..] {
            assert_eq!(head.method, after, "{status} {method}");
            let body = head.headers.contains_key("content-type");
            assert_eq!(body, method == after, "{status} {method}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_keeps_what_was_asked_for_and_has_to_lead_to_a_stream() {
    let moved = || answer(302, [("location", "/elsewhere")], []);
    let page = answer(200, [("content-type", "text/html")], []);
    let (server, data, failure) = play([
        events([Step::Send("id: 7\ndata: a\n\n")]),
        moved(),
        events([Step::Send("data: b\n\n")]),
        moved(),
        page,
    ])
    .await;
    assert_eq!(data, ["a", "b"]);
    assert!(failure.is_some_and(|error| error.is_content_type()));
    let asked: Vec<_> = server
        .asked()
        .iter()
        .map(|head| head.uri.path().to_owned())
        .collect();
    assert_eq!(
        asked,
        ["/events", "/events", "/elsewhere", "/events", "/elsewhere"]
    );
    let seven = || Some("7".to_owned());
    assert_eq!(
        sent(&server, "last-event-id"),
        [None, seven(), seven(), seven(), seven()]
    );
    assert_eq!(
        sent(&server, "accept"),
        vec![Some("text/event-stream".to_owned()); 5]
    );
}

#[tokio::test(start_paused = true)]
async fn long_and_strange_ids_are_sent_as_they_are() {
    let long = "\u{e9}=\"x\"; ,/".repeat(500);
    let stream: &'static str = String::leak(format!("id: {long}\ndata: a\n\n"));
    let (server, ..) = play([events([Step::Send(stream)]), stop()]).await;
    assert_eq!(sent(&server, "last-event-id"), [None, Some(long)]);
}

#[tokio::test(start_paused = true)]
async fn events_called_as_the_built_in_ones_are_messages() {
    let stream = "event: error\ndata: a\n\nevent: open\ndata: b\n\nevent: close\ndata: c\n\n";
    let (_, data, failure) = play([events([Step::Send(stream)]), stop()]).await;
    assert_eq!((data.len(), failure.is_none()), (3, true));
}

#[tokio::test(start_paused = true)]
async fn another_charset_is_read_as_utf_8() {
    let kind = [("content-type", "text/event-stream;charset=windows-1251")];
    let (_, data, _) = play([
        answer(200, kind, [Step::Send("data: \u{436} \u{2603}\n\n")]),
        stop(),
    ])
    .await;
    assert_eq!(data, ["\u{436} \u{2603}"]);
}

#[tokio::test(start_paused = true)]
async fn twenty_redirects_are_followed_and_no_more() {
    let moved = || answer(302, [("location", "/events")], []);
    let (server, _, failure) = play([moved()]).await;
    assert!(failure.unwrap().is_redirect());
    assert_eq!(server.asked().len(), 21);

    let script = std::iter::repeat_with(moved).take(20).chain([stop()]);
    let (server, _, failure) = play(script).await;
    assert!(failure.is_none());
    assert_eq!(server.asked().len(), 21);
}

// Connecting again.

#[tokio::test(start_paused = true)]
async fn every_end_but_a_stop_is_followed_by_another_attempt() {
    let script = [
        events([Step::Send("data: ended\n\n")]),
        events([Step::Send("data: broke\n\ndata: ha"), Step::Break]),
        Play::Refuse,
        answer(503, [], []),
        events([Step::Send("lf\n\ndata: back\n\n")]),
        stop(),
    ];
    let (server, data, failure) = play(script).await;
    assert_eq!(data, ["ended", "broke", "back"], "halves do not join");
    assert!(failure.is_none());
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_may_fail_as_well() {
    let (_, data, failure) =
        play([Play::Refuse, events([Step::Send("data: a\n\n")]), stop()]).await;
    assert_eq!((data, failure.is_none()), (vec!["a".to_owned()], true));
}

#[tokio::test(start_paused = true)]
async fn the_id_goes_on_and_the_rest_starts_anew() {
    let server = Server::new([
        events([Step::Send(
            "\u{feff}id: 7\nevent: e\ndata: a\n\nevent: leak\nid: 8\ndata: b\n",
        )]),
        events([Step::Send("\u{feff}data: c\n\n")]),
        stop(),
    ]);
    let messages: Vec<_> = source(&server)
        .map(|message| message.unwrap())
        .collect()
        .await;
    let parts = messages
        .iter()
        .map(|m| (m.event(), m.data(), m.last_event_id()));
    assert_eq!(
        parts.collect::<Vec<_>>(),
        [("e", "a", "7"), ("message", "c", "7")]
    );
    let ids = [None, Some("7".to_owned()), Some("7".to_owned())];
    assert_eq!(
        sent(&server, "last-event-id"),
        ids,
        "the id of a finished block"
    );
}

#[tokio::test(start_paused = true)]
async fn the_server_sets_the_pace_at_once_and_for_good() {
    let (server, ..) = play([
        events([Step::Send(
            "retry: 300\nretry: 9x\nretry: +4\ndata: never finished",
        )]),
        events([Step::Wait(10 * SECOND), Step::Send("data: b\n\n")]),
        events([Step::Wait(10 * SECOND)]),
        stop(),
    ])
    .await;
    let pauses = pauses(&server);
    // To the letter, after a connection that was healthy.
    assert_eq!(
        pauses,
        [
            300 * MILLI,
            10 * SECOND + 300 * MILLI,
            10 * SECOND + 300 * MILLI
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_nothing_is_no_hot_loop() {
    let server = Server::new([events([Step::Send("retry: 0\ndata: x\n\n")])]);
    let follow = source(&server).for_each(|_| ready(()));
    let _ = tokio::time::timeout(60 * SECOND, follow).await;
    let asked = server.asked().len();
    assert!((300..=601).contains(&asked), "{asked} in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_gave_something_and_ended_well_is_no_failure() {
    // As servers do that are polled: by the standard, the wait is what `retry` says, each time.
    let useful = || events([Step::Send("retry: 200\ndata: x\n\n")]);
    let server = Server::new([useful(), useful(), useful(), useful(), stop()]);
    let mut attempts = source(&server).backoff(Backoff::new().max_attempts(1));
    while let Some(update) = attempts.update().await {
        assert!(!matches!(update, Update::Closed { cause: Some(_), .. }));
    }
    assert_eq!(pauses(&server), [200 * MILLI; 4]);
    // Nothing but a comment, or an end in bad order, is none.
    let empty = events([Step::Send(":\nretry: 200\n\n")]);
    let broken = events([Step::Send("retry: 200\ndata: x\n\n"), Step::Break]);
    for last in [empty, broken] {
        let server = Server::new([useful(), last, stop()]);
        let source = source(&server).backoff(Backoff::new().max_attempts(1));
        let (data, failure) = all(source).await;
        assert!(
            failure.is_some_and(|failure| failure.is_exhausted()),
            "{data:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn waits_grow_until_a_connection_was_healthy() {
    let short = || events([Step::Send(": x\n\n")]);
    let long = events([Step::Wait(10 * SECOND)]);
    let script = [
        short(),
        short(),
        Play::Refuse,
        short(),
        short(),
        long,
        short(),
        stop(),
    ];
    let server = Server::new(script);
    let mut source = source(&server);
    let mut waits = Vec::new();
    while let Some(update) = source.update().await {
        if let Update::Reconnecting { after, .. } = update {
            waits.push(after);
        }
    }
    let bounds = [1, 2, 4, 8, 16, 1, 2];
    assert_eq!(waits.len(), bounds.len());
    for (wait, bound) in waits.iter().zip(bounds) {
        assert!(*wait <= bound * SECOND, "{waits:?}");
    }
    let again: Vec<_> = waits.iter().map(|wait| wait.subsec_nanos()).collect();
    assert!(
        again.windows(2).any(|pair| pair[0] != pair[1]),
        "random: {waits:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_after_so_many_attempts() {
    let server = Server::new([events([Step::Wait(11 * SECOND)]), Play::Refuse]);
    let (_, failure) = all(source(&server).backoff(Backoff::new().max_attempts(3))).await;
    let failure = failure.unwrap();
    assert!(failure.is_exhausted());
    let last = std::error::Error::source(&failure)
        .unwrap()
        .downcast_ref::<Error>()
        .unwrap();
    assert!(last.is_connect());
    // The healthy one does not count among those that failed.
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_the_least_wait() {
    let (server, ..) = play([
        answer(503, [("retry-after", "120")], []),
        answer(429, [("retry-after", "60")], []),
        answer(503, [("retry-after", "soon")], []),
        answer(503, [("retry-after", "9999999")], []),
        stop(),
    ])
    .await;
    let pauses = pauses(&server);
    for (pause, (least, most)) in pauses
        .iter()
        .zip([(120, 121), (60, 62), (0, 4), (3600, 3608)])
    {
        assert!(
            (least * SECOND..=most * SECOND).contains(pause),
            "{pauses:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_an_end_and_comments_are_none() {
    let comment = [Step::Wait(44 * SECOND), Step::Send(":\n")];
    let server = Server::new([
        Play::Silence,
        events(
            comment
                .clone()
                .into_iter()
                .chain(comment)
                .chain([Step::Hold]),
        ),
        stop(),
    ]);
    let mut source = source(&server).idle_timeout(45 * SECOND);
    let mut causes = Vec::new();
    let start = tokio::time::Instant::now();
    let mut waited = Duration::ZERO;
    while let Some(update) = source.update().await {
        if let Update::Reconnecting { after, cause, .. } = update {
            causes.push((start.elapsed() - waited, cause.is_timeout()));
            waited = start.elapsed() + after;
        }
    }
    assert_eq!(causes.len(), 2);
    assert!(causes.iter().all(|(_, timeout)| *timeout));
    // The whole time, and up to a quarter more.
    assert!(
        (45 * SECOND..=57 * SECOND).contains(&causes[0].0),
        "{causes:?}"
    );
    assert!(
        (133 * SECOND..=145 * SECOND).contains(&causes[1].0),
        "{causes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_program_that_comes_late_does_not_time_out() {
    let steps = [
        Step::Send("data: a\n\n"),
        Step::Send("data: b\n\n"),
        Step::Hold,
    ];
    let server = Server::new([events(steps)]);
    let mut source = source(&server).idle_timeout(SECOND);
    assert_eq!(source.next().await.unwrap().unwrap().data(), "a");
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(source.next().await.unwrap().unwrap().data(), "b");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn too_large_is_the_end() {
    let server = Server::new([events([Step::Send("data: a\n\ndata: far too long\n\n")])]);
    let (data, failure) = all(source(&server).limits(Limits::new().line(10))).await;
    assert_eq!(data, ["a"]);
    assert!(failure.unwrap().is_too_large());
    assert_eq!(server.asked().len(), 1, "the same would come again");
}

// Methods that are not idempotent.

fn post(server: &Server) -> EventSource {
    let request = Request::post("/chat")
        .body(Full::<Bytes>::from("{}"))
        .expect("a request");
    EventSource::new(server.client(), request, tokio::time::sleep)
}

#[tokio::test(start_paused = true)]
async fn a_post_is_sent_once() {
    type Check = fn(&Error) -> bool;
    let event = Step::Send("data: a\n\n");
    let rows: [(Play, usize, Option<Check>); 5] = [
        (events([event.clone()]), 1, None),
        (
            events([event.clone(), Step::Break]),
            1,
            Some(Error::is_body),
        ),
        (Play::Refuse, 0, Some(Error::is_connect)),
        (answer(503, [], []), 0, Some(Error::is_status)),
        (Play::Silence, 0, Some(Error::is_timeout)),
    ];
    for (play, messages, check) in rows {
        let server = Server::new([play.clone(), stop()]);
        let (data, failure) = all(post(&server).idle_timeout(SECOND)).await;
        assert_eq!(data.len(), messages);
        assert_eq!(failure.is_some(), check.is_some());
        assert!(check.is_none_or(|check| check(&failure.unwrap())));
        assert_eq!(server.asked().len(), 1);

        let server = Server::new([play, stop()]);
        let asks = post(&server).idle_timeout(SECOND).repeat_any_method();
        assert!(all(asks).await.1.is_none());
        assert_eq!(server.asked().len(), 2, "unless it is asked to");
    }
}

// What is seen of it.

#[tokio::test(start_paused = true)]
async fn updates_tell_everything() {
    let server = Server::new([
        Play::Refuse,
        answer(
            200,
            [("content-type", "text/event-stream"), ("x-session", "5")],
            [Step::Send("id: 1\ndata: a\n\n")],
        ),
        answer(404, [], [Step::Send("gone")]),
    ]);
    let mut source = source(&server);
    assert_eq!(source.ready_state(), ReadyState::Connecting);
    let mut seen = Vec::new();
    while let Some(update) = source.update().await {
        seen.push(match update {
            Update::Open(head) => format!("open {:?}", head.headers["x-session"]),
            Update::Message(message) => format!("message {}", message.data()),
            Update::Reconnecting { cause, .. } => format!("again: {cause}"),
            Update::Closed { cause, .. } => format!("closed: {}", cause.unwrap()),
            _ => unreachable!(),
        });
        let state = match seen.last().unwrap().split([' ', ':']).next() {
            Some("open" | "message") => ReadyState::Open,
            Some("again") => ReadyState::Connecting,
            _ => ReadyState::Closed,
        };
        assert_eq!(source.ready_state(), state, "{seen:?}");
    }
    assert_eq!(
        seen,
        [
            "again: no answer to the request for an event stream",
            "open \"5\"",
            "message a",
            "again: the event stream ended",
            "closed: the server answered with 404 Not Found: \"gone\"",
        ]
    );
    assert_eq!(source.last_id(), "1");
    assert!(source.update().await.is_none());
}

/// One for each attempt that failed, as the standard fires `error` at each (HTML 9.2.2), and none is passed over.
#[tokio::test(start_paused = true)]
async fn every_failed_attempt_is_reported() {
    let server = Server::new([
        events([Step::Send("data: a\n\n")]),
        Play::Refuse,
        Play::Refuse,
        answer(503, [], [Step::Send("busy")]),
        Play::Silence,
        events([Step::Send(": x\n\n"), Step::Break]),
        events([Step::Wait(10 * SECOND)]),
        Play::Refuse,
        stop(),
    ]);
    let mut source = source(&server).idle_timeout(20 * SECOND);
    let mut seen = Vec::new();
    while let Some(update) = source.update().await {
        if let Update::Reconnecting { failed, cause, .. } = update {
            seen.push((server.asked().len(), failed, cause.to_string()));
        }
    }
    let refused = "no answer to the request for an event stream";
    let want = [
        (1, 0, "the event stream ended"),
        (2, 1, refused),
        (3, 2, refused),
        (
            4,
            3,
            "the server answered with 503 Service Unavailable: \"busy\"",
        ),
        (5, 4, "the event stream was silent for 20s"),
        (6, 5, "the event stream broke off"),
        (7, 0, "the event stream ended"),
        (8, 1, refused),
    ];
    assert_eq!(
        seen,
        want.map(|(asked, failed, cause)| (asked, failed, cause.to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn close_ends_it_wherever_it_stands() {
    // Before the first poll, in mid-stream, while it waits, and while it connects.
    for (script, polls) in [
        (stop(), 0),
        (events([Step::Send("id: 4\ndata: a\n\n"), Step::Hold]), 2),
        (events([]), 2),
        (Play::Refuse, 1),
    ] {
        let server = Server::new([script]);
        let mut source = source(&server);
        for _ in 0..polls {
            source.update().await;
        }
        let asked = server.asked().len();
        let id = source.last_id().to_owned();
        source.close();
        source.close();
        assert_eq!(source.ready_state(), ReadyState::Closed);
        assert!(matches!(
            source.update().await,
            Some(Update::Closed { cause: None, .. })
        ));
        assert!(source.update().await.is_none());
        assert!(source.next().await.is_none());
        assert_eq!(server.asked().len(), asked);
        assert_eq!(source.last_id(), &*id, "to go on later");
    }
    let server = Server::new([Play::Silence]);
    let mut source = source(&server);
    assert!(source.next().now_or_never().is_none());
    source.close();
    assert!(source.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn only_the_wanted_events_come() {
    let stream =
        "event: a\ndata: 1\n\nevent: b\nid: 5\ndata: 2\n\ndata: 3\n\nevent: A\ndata: 4\n\n";
    let server = Server::new([events([Step::Send(stream)]), stop()]);
    let (data, _) = all(source(&server).only(["a", "message"])).await;
    assert_eq!(data, ["1", "3"]);
    assert_eq!(
        sent(&server, "last-event-id")[1].as_deref(),
        Some("5"),
        "ids of all count"
    );
}

#[tokio::test(start_paused = true)]
async fn dropped_futures_lose_nothing() {
    let server = Server::new([
        events([
            Step::Send("id: 1\ndata: "),
            Step::Wait(SECOND),
            Step::Send("a\n\nda"),
        ]),
        Play::Refuse,
        events([
            Step::Send("data: b\n\n"),
            Step::Wait(SECOND),
            Step::Send("data: c\n\n"),
        ]),
        stop(),
    ]);
    let mut source = source(&server);
    let mut data = Vec::new();
    // Each turn of this drops a future that may be anywhere.
    while source.ready_state() != ReadyState::Closed {
        if let Some(Some(message)) = source.next().now_or_never() {
            data.push(message.unwrap().data().to_string());
        } else {
            tokio::time::sleep(50 * MILLI).await;
        }
    }
    assert_eq!(data, ["a", "b", "c"]);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_is_waited_for_and_asked_properly() {
    // A limit that is used up until the first stream has ended.
    let server = Server::new([events([Step::Send("data: a\n\n")]), stop()]);
    let limited = tower::ServiceBuilder::new()
        .concurrency_limit(1)
        .service(server.client::<Empty<Bytes>>());
    let (data, failure) = all(EventSource::new(limited, get(), tokio::time::sleep)).await;
    assert_eq!((data.len(), failure.is_none()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn a_router_in_the_same_process_will_do() {
    use axum::{Router, response::IntoResponse, routing::get};
    let stream = (
        [(header::CONTENT_TYPE, "text/event-stream")],
        "data: in process\n\n",
    );
    let app = Router::new().route("/events", get(move || ready(stream.into_response())));
    let request = Request::get("/events").body(Empty::<Bytes>::new()).unwrap();
    let mut source = EventSource::new(app, request, tokio::time::sleep);
    assert_eq!(source.next().await.unwrap().unwrap().data(), "in process");
}

#[test]
fn it_needs_no_runtime_but_the_timer() {
    let server = Server::new([
        events([Step::Send("data: a\n\n")]),
        events([Step::Send("data: b\n\n")]),
        stop(),
    ]);
    let (data, _) = smol::block_on(async {
        let request = get();
        let fast = |_: Duration| smol::Timer::after(MILLI);
        all(EventSource::new(server.client(), request, fast)).await
    });
    assert_eq!(data, ["a", "b"]);
}

#[test]
fn it_is_send_and_unpin() {
    fn check<T: Send + Unpin>() {}
    check::<EventSource>();
}
