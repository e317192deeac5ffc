//! The invariants of the architecture, each as a test. `docs/architecture.md` explains them.

#[path = "support/source.rs"]
mod source;

use source::{Source, code_lines, has_word, words};

/// Files that decide and never wait. A folder stands for all of its files but the front page.
const PURE: &[&str] = &[
    "layers/progress.rs",
    "lifecycle/age.rs",
    "lifecycle/backoff.rs",
    "lifecycle/bucket.rs",
    "lifecycle/retry_after.rs",
    "log/resume.rs",
    "sse/boundary.rs",
    "sse/decode/",
    "sse/encode.rs",
    "sse/event.rs",
    "sse/field.rs",
    "sse/join.rs",
    "sse/keep_alive/pulse.rs",
    "sse/last_event_id.rs",
    "sse/client/head.rs",
    "sse/client/idle.rs",
    "sse/client/redirect.rs",
    "sse/client/retry.rs",
    "topic/join.rs",
    "topic/ring.rs",
    "ws/close.rs",
    "ws/deflate/bounds.rs",
    "ws/deflate/codec.rs",
    "ws/deflate/config.rs",
    "ws/deflate/fragment.rs",
    "ws/deflate/frames.rs",
    "ws/deflate/history.rs",
    "ws/deflate/inbound.rs",
    "ws/deflate/memory.rs",
    "ws/deflate/negotiate.rs",
    "ws/deflate/outbound.rs",
    "ws/fault.rs",
    "ws/handshake/",
    "ws/heartbeat.rs",
    "ws/socket/assembly.rs",
    "ws/socket/control.rs",
    "ws/socket/header.rs",
    "ws/socket/inspector.rs",
    "ws/socket/queue.rs",
    "ws/socket/utf8.rs",
];

/// What a pure file may not name: waiting, clocks, locks and I/O.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "poll",
    "poll_",
    "Context",
    "Waker",
    "Instant",
    "SystemTime",
    "io",
    "Mutex",
    "RwLock",
    "Arc",
    "Atomic",
    "thread",
    "sleep",
    "tokio",
    "smol",
    "http_body",
    "futures_",
];

/// The areas of the crate. One may use those of the lines above its own, and itself.
const ORDER: &[&[&str]] = &[
    &["error", "text", "trace", "wakers"],
    &["rt"],
    &["lifecycle", "topic"],
    &["sse", "ws"],
    &["log"],
    &["layers", "loopback", "axum"],
    &["guide"],
];

/// Crates that could be replaced, and the only files that may name them.
const EDGES: &[(&str, &[&str])] = &[
    ("async_tungstenite", &["ws/socket/tungstenite.rs"]),
    (
        "axum_core",
        &[
            "axum/extract.rs",
            "axum/json.rs",
            "axum/response.rs",
            "axum/sse/json.rs",
            "axum/sse/response.rs",
            "axum/ws/message.rs",
            "axum/ws/rejection.rs",
            "axum/ws/socket.rs",
            "axum/ws/upgrade.rs",
        ],
    ),
    ("flate2", &["ws/deflate/codec.rs"]),
    (
        "hyper",
        &[
            "layers/stall.rs",
            "layers/stall_executor.rs",
            "rt/hyper.rs",
            "ws/service/http2.rs",
            "ws/upgrade/http2.rs",
            "ws/upgrade/hyper.rs",
            "ws/upgrade/protocol.rs",
        ],
    ),
    ("redis", &["log/redis/wire.rs"]),
    ("smol", &["rt/smol.rs"]),
    ("tokio", &["rt/tokio.rs"]),
    ("tower_http", &["sse/compress.rs"]),
];

/// Crates whose types stay inside: a change of them must not be a change of ours.
const PRIVATE: &[&str] = &[
    "async_tungstenite",
    "base64",
    "flate2",
    "futures_util",
    "http_body_util",
    "memchr",
    "pin_project_lite",
    "redis",
    "sha1",
    "tower",
    "tower_http",
    "tungstenite",
    "wide",
];

const FILE_LIMIT: usize = 400;
const FUNCTION_LIMIT: usize = 80;
const MEDIAN_LIMIT: usize = 8;
const INLINE_TEST_LIMIT: usize = 60;

/// Fails with one line for each fault.
fn none(rule: &str, faults: impl IntoIterator<Item = String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{rule}:\n  {}\n", faults.join("\n  "));
}

fn is_pure(file: &Source) -> bool {
    let listed = |&entry: &&str| match entry.strip_suffix('/') {
        Some(_) => file.path.starts_with(entry) && !file.is_front_page(),
        None => file.path == entry,
    };
    PURE.iter().any(listed)
}

fn rank(area: &str) -> Option<usize> {
    ORDER.iter().position(|areas| areas.contains(&area))
}

#[test]
fn pure_files_neither_wait_nor_ask_the_time() {
    let files = source::all();
    let named = |file: &Source| {
        let hit = |word: &&&str| has_word(&file.code, word);
        IMPURE
            .iter()
            .filter(hit)
            .map(|word| format!("{}: {word}", file.path))
            .collect::<Vec<_>>()
    };
    none(
        "a pure file names what waits",
        files.iter().filter(|file| is_pure(file)).flat_map(named),
    );
}

#[test]
fn the_lists_name_files_that_exist() {
    let files = source::all();
    let listed = PURE.iter().chain(EDGES.iter().flat_map(|(_, edge)| *edge));
    let stale = |entry: &&&str| !files.iter().any(|file| file.path.starts_with(**entry));
    none(
        "a list names what is gone",
        listed.filter(stale).map(|entry| (*entry).to_owned()),
    );
}

/// `docs/architecture.md` has a line for each file and folder of `src/`, and names no other.
#[test]
fn the_map_is_complete() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/architecture.md")).expect("a document");
    let (_, map) = text.split_once("\nsrc/\n").expect("a map");
    let listed = map.lines().take_while(|line| line.starts_with("   "));
    let listed: Vec<_> = listed
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    let entries = std::fs::read_dir(root.join("src")).expect("a folder");
    let mut there: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("UTF-8");
            match entry.path().is_dir() {
                true => format!("{name}/"),
                false => name,
            }
        })
        .filter(|name| !name.ends_with(".md"))
        .collect();
    let mut sorted = listed.clone();
    sorted.sort();
    there.sort();
    assert_eq!(sorted, there, "src/ and its map");
    // It is read from the top to the bottom: below comes first.
    let areas = listed
        .iter()
        .map(|name| name.trim_end_matches(".rs").trim_end_matches('/'));
    let ranks: Vec<_> = areas.filter_map(rank).collect();
    assert!(
        ranks.is_sorted(),
        "the map goes from below to above: {ranks:?}"
    );
}

#[test]
fn areas_use_only_what_lies_below_them() {
    let mut faults = Vec::new();
    for file in source::all() {
        let area = file.area().to_owned();
        if area == "lib" {
            continue;
        }
        let Some(own) = rank(&area) else {
            faults.push(format!(
                "{}: the area `{area}` has no place in ORDER",
                file.path
            ));
            continue;
        };
        for named in file.areas_named() {
            // A name that is no area is an item of the crate's root: `BoxError`.
            let upward = rank(&named).is_some_and(|other| other >= own && named != area);
            if upward {
                faults.push(format!("{}: {area} uses {named}", file.path));
            }
        }
    }
    none("the direction of modules", faults);
}

#[test]
fn foreign_crates_stay_at_their_edge() {
    let files = source::all();
    let stray = |(name, edge): &(&str, &[&str])| {
        let outside = files
            .iter()
            .filter(|file| !edge.contains(&file.path.as_str()));
        let named = outside.filter(|file| file.names_crate(name));
        named
            .map(|file| format!("{}: {name}", file.path))
            .collect::<Vec<_>>()
    };
    none(
        "a crate is named outside of its edge files",
        EDGES.iter().flat_map(stray),
    );
}

#[test]
fn public_signatures_name_no_private_dependency() {
    let mut faults = Vec::new();
    for file in source::all() {
        let imported = imports(&file.code, PRIVATE);
        for head in file.public_heads() {
            let foreign =
                words(head).find(|word| PRIVATE.contains(word) || imported.contains(word));
            // `pub mod redis` and `pub use self::redis::…` are our own modules of the same name.
            let own = head.starts_with("pub mod") || head.contains("self::");
            if let Some(word) = foreign.filter(|_| !own) {
                faults.push(format!("{}: `{word}` in `{}`", file.path, head.trim()));
            }
        }
    }
    none("a public signature names a private dependency", faults);
}

/// The names that `use` brings in from `crates`.
fn imports<'a>(code: &'a str, crates: &[&str]) -> Vec<&'a str> {
    let uses = code
        .split(';')
        .filter_map(|item| item.trim().strip_prefix("use "));
    let foreign = uses.filter(|path| {
        words(path)
            .next()
            .is_some_and(|first| crates.contains(&first))
    });
    let traits_only = ["Stream", "Sink", "StreamExt", "SinkExt", "Body", "self"];
    foreign
        .flat_map(words)
        .filter(|word| word.starts_with(char::is_uppercase) && !traits_only.contains(word))
        .collect()
}

#[test]
fn files_and_functions_stay_small() {
    let mut faults = Vec::new();
    let mut lengths = Vec::new();
    for file in source::all() {
        let lines = code_lines(&file.code);
        if lines > FILE_LIMIT {
            faults.push(format!(
                "{}: {lines} lines of code, {FILE_LIMIT} at most",
                file.path
            ));
        }
        let tests = code_lines(&file.tests);
        if tests > INLINE_TEST_LIMIT {
            faults.push(format!(
                "{}: {tests} lines of inline tests, move them to tests/",
                file.path
            ));
        }
        for function in file.functions() {
            if function.lines > FUNCTION_LIMIT {
                faults.push(format!(
                    "{}: `{}` has {} lines",
                    file.path, function.name, function.lines
                ));
            }
            lengths.push(function.lines);
        }
    }
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    if median > MEDIAN_LIMIT {
        faults.push(format!(
            "the median function has {median} lines, {MEDIAN_LIMIT} at most"
        ));
    }
    none("sizes", faults);
}

#[test]
fn inline_tests_come_last() {
    let ends_early = |file: &Source| {
        let body = file.tests.split_once('{').map_or("", |(_, body)| body);
        let mut depth = 1;
        let close = body.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        });
        close.is_some_and(|close| !body[close + 1..].trim().is_empty())
    };
    let files = source::all();
    none(
        "code after the inline tests",
        files
            .iter()
            .filter(|f| ends_early(f))
            .map(|f| f.path.clone()),
    );
}

#[test]
fn front_pages_hold_declarations_only() {
    let mut faults = Vec::new();
    for file in source::all().iter().filter(|file| file.is_front_page()) {
        let code = without_attributes(&file.code).replace("{}", ";");
        for item in code
            .split(';')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            if !is_declaration(item) {
                let first = item.lines().next().unwrap_or_default();
                faults.push(format!("{}: `{first}`", file.path));
            }
        }
    }
    none("logic in a front page", faults);
}

#[test]
fn feature_gates_stand_on_declarations() {
    let mut faults = Vec::new();
    // `trace.rs` is the one place that has two forms of the same thing.
    for file in source::all().iter().filter(|file| file.path != "trace.rs") {
        for (at, _) in file.code.match_indices("feature") {
            let rest = &file.code[at..];
            if !rest["feature".len()..].trim_start().starts_with('=') {
                continue;
            }
            let after = rest.find(']').map_or("", |end| &rest[end + 1..]);
            let item = without_attributes(after);
            let gate_of_a_module = is_declaration(item.trim_start());
            if !(gate_of_a_module && file.is_front_page()) {
                let line = file.code[..at].lines().count();
                faults.push(format!("{}:{line}", file.path));
            }
        }
    }
    none("a feature gate inside of logic", faults);
}

/// Starts `item` with `mod` or `use`, whoever may see it?
fn is_declaration(item: &str) -> bool {
    let mut rest = item.strip_prefix("pub").unwrap_or(item).trim_start();
    if let Some(scope) = rest.strip_prefix('(') {
        rest = scope
            .split_once(')')
            .map_or("", |(_, rest)| rest)
            .trim_start();
    }
    rest.starts_with("mod ") || rest.starts_with("use ")
}

/// `code` without `#[…]` and `#![…]`.
fn without_attributes(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[").into_iter().chain(rest.find("#![")).min() {
        out.push_str(&rest[..at]);
        let mut depth = 0;
        let end = rest[at..].find(|c| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            c == ']' && depth == 0
        });
        rest = end.map_or("", |end| &rest[at + end + 1..]);
    }
    out.push_str(rest);
    out
}

mod the_rules_can_fail {
    use super::*;

    #[test]
    fn literals_and_comments_are_no_code() {
        let text = "let a = \"tokio::x\\\" {\"; // tokio::\nlet b = r#\"\"async\"\"#; /* a /* b */ poll */ let c = '{';\nfn f<'a>() {}";
        let bare = source::blank_out(text);
        assert!(!has_word(&bare, "tokio") && !has_word(&bare, "async") && !has_word(&bare, "poll"));
        assert!(bare.contains("fn f<'a>() {}") && bare.matches('{').count() == 1);
        assert_eq!(bare.lines().count(), 3);
    }

    #[test]
    fn words_are_whole_words() {
        assert!(
            has_word("use std::io;", "io")
                && !has_word("option", "io")
                && !has_word("bio::x", "io")
        );
        assert!(has_word("futures_util::x", "futures_") && has_word("fn poll_next()", "poll_"));
    }

    #[test]
    fn crates_are_told_from_modules_of_their_name() {
        let names = |code: &str| Source::new("a.rs", code).names_crate("hyper");
        assert!(names("use hyper::rt;") && names("fn f() -> hyper::Result<()>;"));
        assert!(
            !names("use self::hyper::X;")
                && !names("use super::hyper::X;")
                && !names("my_hyper::X")
        );
    }

    #[test]
    fn areas_are_found_through_groups_and_super() {
        let named = |path: &str, code: &str| Source::new(path, code).areas_named();
        assert_eq!(
            named("sse/a.rs", "use crate::{rt::Timer, ws::{a, b}, BoxError};"),
            ["rt", "ws", "BoxError"]
        );
        assert_eq!(
            named("sse/client/a.rs", "use super::super::super::ws::X;"),
            ["ws"]
        );
        assert_eq!(
            named("sse/client/mod.rs", "use super::super::ws::X;"),
            ["ws"]
        );
        assert!(named("sse/client/a.rs", "use super::super::event::X;").is_empty());
    }

    #[test]
    fn functions_are_measured_by_their_code() {
        let code =
            "trait T { fn none(&self); }\nfn long() {\n  if a {\n\n    // why\n    b();\n  }\n}\n";
        let functions = Source::new("a.rs", code).functions();
        assert_eq!(functions.len(), 1);
        assert_eq!(
            (functions[0].name.as_str(), functions[0].lines),
            ("long", 5)
        );
    }

    #[test]
    fn declarations_are_told_from_logic() {
        assert!(
            is_declaration("pub(crate) mod a")
                && is_declaration("use a::b")
                && is_declaration("pub use a")
        );
        assert!(!is_declaration("pub fn a()") && !is_declaration("module!()"));
        assert_eq!(
            without_attributes("#![x]\n#[cfg(any(a, b = [1]))] mod a;").trim(),
            "mod a;"
        );
    }
}
