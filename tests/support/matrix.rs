//! The tables of `docs/conformance/`, and the document that they become.

use std::{collections::BTreeMap, fmt, fmt::Write as _, fs};

/// One rule of a specification.
#[derive(Clone)]
pub(crate) struct Clause {
    pub(crate) spec: String,
    pub(crate) clause: String,
    pub(crate) word: String,
    pub(crate) rule: String,
    /// Tests, as `file::name`, and cases, as `suite pattern`.
    pub(crate) shown_by: Vec<String>,
    pub(crate) remark: String,
}

impl Clause {
    pub(crate) fn all(table: &str) -> Vec<Self> {
        table.lines().skip(1).map(Self::parse).collect()
    }

    fn parse(line: &str) -> Self {
        let fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [spec, clause, word, rule, shown_by, remark] = fields
            .try_into()
            .unwrap_or_else(|fields| panic!("six fields: {fields:?}"));
        let shown_by = shown_by
            .split("; ")
            .filter(|test| !test.is_empty())
            .map(str::to_owned)
            .collect();
        Self {
            spec,
            clause,
            word,
            rule,
            shown_by,
            remark,
        }
    }

    fn status(&self) -> &str {
        self.remark
            .split_once(':')
            .map_or("kept", |(status, _)| status)
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.spec, self.clause, self.rule)
    }
}

/// What a suite said about one case.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) verdict: String,
    pub(crate) note: String,
}

impl Case {
    pub(crate) fn is_good(&self) -> bool {
        matches!(self.verdict.as_str(), "PASS" | "INFO")
    }

    fn mark(&self) -> &str {
        match self.verdict.as_str() {
            "PASS" | "INFO" => "✓",
            "WARN" => "~",
            "SKIP" => "–",
            _ => "✗",
        }
    }
}

/// One contestant in one suite.
pub(crate) struct Contestant {
    /// Its name and version.
    title: String,
    cases: Vec<Case>,
}

impl Contestant {
    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default().to_owned();
        let cases = lines
            .map(|line| {
                let mut fields = line.split('\t').map(str::to_owned);
                let mut next = || fields.next().unwrap_or_default();
                Case {
                    name: next(),
                    verdict: next(),
                    note: next(),
                }
            })
            .collect();
        Self { title, cases }
    }

    /// Without the browser that looked at it.
    fn name(&self) -> &str {
        self.title.split(" seen by ").next().unwrap_or_default()
    }

    fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }

    fn count(&self, verdicts: &[&str]) -> usize {
        let counted = |case: &&Case| verdicts.contains(&case.verdict.as_str());
        self.cases.iter().filter(counted).count()
    }

    /// `296 of 301, 2 lax, 3 failed`.
    fn cell(&self) -> String {
        let good = self.count(&["PASS", "INFO"]);
        let rest = [
            ("lax", self.count(&["WARN"])),
            ("failed", self.count(&["FAIL"])),
        ];
        let total = good + rest.iter().map(|(_, count)| count).sum::<usize>();
        let mut cell = if good == total {
            format!("**{good}** of {total}")
        } else {
            format!("{good} of {total}")
        };
        for (what, count) in rest
            .into_iter()
            .chain([("left out", self.count(&["SKIP"]))])
        {
            if count > 0 {
                write!(cell, ", {count} {what}").expect("a string");
            }
        }
        cell
    }
}

/// The suites, in the order of the document, and what they are.
const SUITES: &[(&str, &str)] = &[
    ("autobahn", "Autobahn's cases 1 to 10 against a server"),
    (
        "deflate",
        "Autobahn's cases 12 and 13, permessage-deflate, against a server",
    ),
    (
        "autobahn-client",
        "Autobahn's cases 1 to 10 against a client",
    ),
    (
        "deflate-client",
        "Autobahn's cases 12 and 13 against a client",
    ),
    (
        "autobahn-client-h2",
        "Autobahn's cases 1 to 10 over HTTP/2 against a client, through nghttpx",
    ),
    (
        "autobahn-h2",
        "Autobahn's cases 1 to 10 over HTTP/2, through nghttpx",
    ),
    (
        "handshake",
        "opening handshakes, right and wrong, byte by byte",
    ),
    ("frames", "hostile frames, half-closes and loads"),
    ("h2", "WebSockets over HTTP/2, with Python's h2 and wsproto"),
    (
        "browser-chromium",
        "what a page in Chromium sees, over HTTP/1.1, and over TLS with HTTP/2",
    ),
    ("browser-firefox", "the same in Firefox"),
    ("clients", "clients of other languages against a server"),
    (
        "decode",
        "event streams, whole, byte by byte and cut in two everywhere",
    ),
    (
        "behaviour",
        "what an `EventSource` asks and when it comes back",
    ),
];

/// What all contestants did in all suites.
#[derive(Default)]
pub(crate) struct Results(BTreeMap<String, BTreeMap<String, Contestant>>);

impl Results {
    /// Those of `docs/conformance/`.
    pub(crate) fn all() -> Self {
        let root = format!("{}/docs/conformance/results", env!("CARGO_MANIFEST_DIR"));
        let mut results = Self::default();
        for (suite, _) in SUITES {
            for entry in fs::read_dir(format!("{root}/{suite}"))
                .into_iter()
                .flatten()
                .flatten()
            {
                let name = entry.file_name().to_string_lossy().into_owned();
                let text = fs::read_to_string(entry.path()).expect("a UTF-8 file");
                results.insert(suite, name.trim_end_matches(".tsv"), &text);
            }
        }
        results
    }

    /// Ours alone, suite by suite.
    pub(crate) fn of<'a>(suites: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut results = Self::default();
        for (suite, text) in suites {
            results.insert(suite, "ours", text);
        }
        results
    }

    fn insert(&mut self, suite: &str, name: &str, text: &str) {
        let contestants = self.0.entry(suite.to_owned()).or_default();
        contestants.insert(name.to_owned(), Contestant::parse(text));
    }

    /// Our cases of `suite pattern`; `None` where there is no such suite. `browser` is both of them.
    pub(crate) fn ours(&self, token: &str) -> Option<Vec<&Case>> {
        let (suites, pattern) = suites(token)?;
        let ours = suites
            .iter()
            .filter_map(|suite| self.0.get(*suite)?.get("ours"));
        let cases = ours.flat_map(|ours| &ours.cases);
        Some(cases.filter(|case| fits(pattern, &case.name)).collect())
    }

    pub(crate) fn was_run(&self, token: &str) -> bool {
        let Some((suites, _)) = suites(token) else {
            return false;
        };
        let mut run = suites.iter().filter_map(|suite| self.0.get(*suite));
        run.any(|contestants| contestants.contains_key("ours"))
    }

    /// Ours first, then the others by name.
    fn contestants(&self, suite: &str) -> Vec<&Contestant> {
        let Some(all) = self.0.get(suite) else {
            return Vec::new();
        };
        let others = all.iter().filter(|(name, _)| *name != "ours");
        let others = others.map(|(_, contestant)| contestant);
        all.get("ours").into_iter().chain(others).collect()
    }
}

fn suites(token: &str) -> Option<(Vec<&'static str>, &str)> {
    let (name, pattern) = token.split_once(' ')?;
    let names = SUITES.iter().map(|(suite, _)| *suite);
    let of_it =
        names.filter(|suite| *suite == name || name == "browser" && suite.starts_with("browser-"));
    let found: Vec<_> = of_it.collect();
    (!found.is_empty()).then_some((found, pattern))
}

/// `*` is anything, `?` is one character.
fn fits(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => (0..=name.len())
            .filter(|&at| name.is_char_boundary(at))
            .any(|at| fits(rest.as_str(), &name[at..])),
        Some(wanted) => {
            let mut name = name.chars();
            let first = name.next();
            first.is_some_and(|c| wanted == '?' || c == wanted)
                && fits(rest.as_str(), name.as_str())
        }
    }
}

/// The document.
pub(crate) fn render(clauses: &[Clause], results: &Results) -> String {
    let mut out = String::from(HEAD);
    summary(&mut out, clauses);
    side_by_side(&mut out, results);
    for (spec, title) in SPECS {
        let rows: Vec<_> = clauses
            .iter()
            .filter(|clause| clause.spec == *spec)
            .collect();
        write!(
            out,
            "\n## {title}\n\n| clause | | rule | shown by | |\n|---|---|---|---|---|\n"
        )
        .expect("a string");
        for clause in rows {
            let shown: Vec<_> = clause
                .shown_by
                .iter()
                .map(|token| shown(token, results))
                .collect();
            let remark = match clause.remark.split_once(": ") {
                None => "kept".to_owned(),
                Some((status, why)) => format!("**{status}**: {why}"),
            };
            let cells = [
                &clause.clause,
                &clause.word,
                &clause.rule,
                &shown.join(" · "),
                &remark,
            ];
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            writeln!(out, "| {} |", cells.join(" | ")).expect("a string");
        }
    }
    differences(&mut out, results);
    out
}

/// A test by its name, a pattern with the number of its cases.
fn shown(token: &str, results: &Results) -> String {
    let Some(cases) = results.ours(token).filter(|_| !token.contains("::")) else {
        return format!("`{token}`");
    };
    let (suite, pattern) = token.split_once(' ').expect("a suite and a pattern");
    if results.was_run(token) {
        format!("{suite} `{pattern}` {}", cases.len())
    } else {
        format!("{suite} `{pattern}` (not in this run)")
    }
}

const SPECS: &[(&str, &str)] = &[
    ("HTML", "HTML, 9.2 Server-sent events"),
    ("RFC 6455", "RFC 6455, The WebSocket Protocol"),
    ("RFC 7692", "RFC 7692, Compression Extensions for WebSocket"),
    ("RFC 8441", "RFC 8441, Bootstrapping WebSockets with HTTP/2"),
];

const HEAD: &str = "\
# Conformance

What the specifications ask, what shows that it is kept, and how other crates do in the same suites.

This file is made of the tables in `conformance/`: `CONFORMANCE_WRITE=1 cargo test --test conformance_matrix`.
`tests/conformance_matrix.rs` fails when a test that is named here does not exist, when a case that is named here does
not pass, and when this file says something else than the tables.
`scripts/conformance matrix` runs the suites again, against this crate and against the others, and writes the tables;
`scripts/conformance matrix --suites deflate,deflate-client` adds the long ones.

- **kept**: the tests and the cases beside it fail if it is not.
- **elsewhere**: it is the part of what stands above or below this crate.
- **not kept**, **no test**: it says why.

A test is `file::name` below `tests/` (or a path that begins with `src`); a case is the name of a suite and a pattern,
with the number of cases that fit.
Clauses and words were compared with RFC 6455 and RFC 8441, with the HTML standard as of 2025, and with what others quote
of RFC 7692; what only follows from the text is a MUST here, too.
";

fn summary(out: &mut String, clauses: &[Clause]) {
    out.push_str(
        "\n| | rules | kept | elsewhere | not kept | no test |\n|---|---|---|---|---|---|\n",
    );
    for (spec, _) in SPECS {
        let of_it = || clauses.iter().filter(|clause| clause.spec == *spec);
        write!(out, "| {spec} | {}", of_it().count()).expect("a string");
        for status in ["kept", "elsewhere", "not kept", "no test"] {
            let count = of_it().filter(|clause| clause.status() == status).count();
            write!(out, " | {count}").expect("a string");
        }
        out.push_str(" |\n");
    }
}

fn side_by_side(out: &mut String, results: &Results) {
    out.push_str(SIDE_BY_SIDE);
    for (group, names) in GROUPS {
        let suites: Vec<_> = SUITES
            .iter()
            .filter(|(suite, _)| names.contains(suite))
            .collect();
        let mut titles: Vec<&str> = Vec::new();
        for contestant in suites
            .iter()
            .flat_map(|(suite, _)| results.contestants(suite))
        {
            if !titles.contains(&contestant.name()) {
                titles.push(contestant.name());
            }
        }
        let line = "|---".repeat(titles.len() + 1);
        write!(
            out,
            "\n**{group}**\n\n| | {} |\n{line}|\n",
            titles.join(" | ")
        )
        .expect("a string");
        for (suite, what) in suites {
            let contestants = results.contestants(suite);
            let cells = titles.iter().map(|title| {
                let it = contestants.iter().find(|it| it.name() == *title);
                it.map_or_else(String::new, |it| it.cell())
            });
            let cells: Vec<_> = cells.collect();
            let told = if contestants.is_empty() {
                " (not in this run)"
            } else {
                ""
            };
            let by = contestants
                .iter()
                .find_map(|it| it.title.split_once(" seen by "));
            let by = by.map_or_else(String::new, |(_, browser)| format!(" ({browser})"));
            writeln!(out, "| {suite}: {what}{by}{told} | {} |", cells.join(" | "))
                .expect("a string");
        }
    }
}

/// Who can be compared with whom.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Servers",
        &[
            "autobahn",
            "deflate",
            "autobahn-h2",
            "handshake",
            "frames",
            "h2",
            "browser-chromium",
            "browser-firefox",
            "clients",
        ],
    ),
    (
        "WebSocket clients",
        &["autobahn-client", "autobahn-client-h2", "deflate-client"],
    ),
    ("Decoders of event streams", &["decode"]),
    ("Event sources", &["behaviour"]),
];

const SIDE_BY_SIDE: &str = "
## Side by side

Each suite treats all alike: the same cases, the same wait, a second try for what failed.
*Lax* are cases in which a MUST is kept and a SHOULD is not, or which Autobahn calls non-strict; *left out* are cases for
what a contestant does not have.
The servers of the others are small programs around each crate, written with its own means; where a crate has no
handshake of its own (tungstenite and tokio-websockets bring one that reads the stream, fastwebsockets and yawc stand on
hyper) faults of HTTP are those of what it stands on.
The cases of handshake, frames, decode and behaviour come from the texts of the specifications; this crate was developed
against them, and the others were not.

In *handshake* most differences are keys that nobody looks at, refusals of another version that do not say which one is
known, and methods other than GET.
In *frames*, *lax* is nearly always an end without a close frame that says why; tungstenite, and so axum and warp, leaves
that frame to the program.
Firefox 153 over HTTP/2 now and then loses a connection on which it sends 5000 messages at once, when the machine is
busy: with this crate, with axum and with yawc alike, and never over HTTP/1.1. The cause is not known.
";

fn differences(out: &mut String, results: &Results) {
    out.push_str(DIFFERENCES);
    for (suite, _) in SUITES {
        let contestants = results.contestants(suite);
        let mut names: Vec<&str> = Vec::new();
        for case in contestants.iter().flat_map(|contestant| &contestant.cases) {
            let fault = !case.is_good() && case.verdict != "SKIP";
            if fault && !names.contains(&case.name.as_str()) {
                names.push(&case.name);
            }
        }
        if names.is_empty() {
            continue;
        }
        let titles: Vec<_> = contestants
            .iter()
            .map(|contestant| contestant.title.as_str())
            .collect();
        let line = "|---".repeat(titles.len() + 1);
        write!(
            out,
            "\n### {suite}\n\n| case | {} |\n{line}|\n",
            titles.join(" | ")
        )
        .expect("a string");
        for name in names {
            let marks = contestants
                .iter()
                .map(|contestant| contestant.case(name).map_or("–", Case::mark));
            let marks: Vec<_> = marks.collect();
            writeln!(
                out,
                "| {} | {} |",
                name.replace('|', "\\|"),
                marks.join(" | ")
            )
            .expect("a string");
        }
    }
}

const DIFFERENCES: &str = "
## Case by case

Every case that somebody does not pass: ✓ passed, ~ lax, ✗ failed, – left out. What was seen is in
`conformance/results/`.
";
