//! `docs/conformance.md` is what `docs/conformance/` says, and that names only tests that are there and pass.
//!
//! `CONFORMANCE_WRITE=1 cargo test --test conformance_matrix` writes the document; `scripts/conformance matrix` runs
//! the suites first.

#[path = "support/matrix.rs"]
mod matrix;

use std::{env, fs};

use matrix::{Clause, Results, render};

/// Every rule is shown, or the row says why not.
fn unfounded(clauses: &[Clause]) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, clause) in clauses.iter().enumerate() {
        if !["MUST", "SHOULD", "MAY"].contains(&clause.word.as_str()) {
            faults.push(format!("{clause}: the word is {:?}", clause.word));
        }
        if clause.shown_by.is_empty() && clause.remark.is_empty() {
            faults.push(format!("{clause}: neither a test nor a remark"));
        }
        let kinds = ["not kept: ", "elsewhere: ", "no test: "];
        if !clause.remark.is_empty() && !kinds.iter().any(|kind| clause.remark.starts_with(kind)) {
            faults.push(format!(
                "{clause}: the remark starts with none of {kinds:?}"
            ));
        }
        if clauses[..at]
            .iter()
            .any(|other| other.to_string() == clause.to_string())
        {
            faults.push(format!("{clause}: stands twice"));
        }
    }
    faults
}

/// Tests that no source has.
fn missing_tests(clauses: &[Clause], read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for clause in clauses {
        for test in clause.shown_by.iter().filter(|test| test.contains("::")) {
            if !has_test(test, &read) {
                faults.push(format!("{clause}: there is no test {test}"));
            }
        }
    }
    faults
}

/// `ws_socket::name` is in `tests/ws_socket.rs`, `src::ws::close::name` in `src/ws/close.rs`.
fn has_test(test: &str, read: &impl Fn(&str) -> Option<String>) -> bool {
    let (module, name) = test.rsplit_once("::").expect("a path");
    let folder = if module.starts_with("src::") {
        ""
    } else {
        "tests/"
    };
    let Some(source) = read(&format!("{folder}{}.rs", module.replace("::", "/"))) else {
        return false;
    };
    source.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let before: Vec<_> = source[..at].lines().rev().take(6).collect();
        before
            .iter()
            .take_while(|line| !line.starts_with('}'))
            .any(|line| {
                let line = line.trim_start();
                line.starts_with("#[test]") || line.starts_with("#[tokio::test")
            })
    })
}

/// Cases that no suite has, and cases that we fail.
fn failing_cases(clauses: &[Clause], results: &Results) -> Vec<String> {
    let mut faults = Vec::new();
    for clause in clauses {
        for token in clause.shown_by.iter().filter(|test| !test.contains("::")) {
            let Some(cases) = results.ours(token) else {
                faults.push(format!("{clause}: no suite for {token:?}"));
                continue;
            };
            // A suite that was never run says nothing, and the document tells so.
            if results.was_run(token) && cases.is_empty() {
                faults.push(format!("{clause}: no case fits {token:?}"));
            }
            for case in cases.iter().filter(|case| !case.is_good()) {
                faults.push(format!(
                    "{clause}: {token:?}: {} is {}: {}",
                    case.name, case.verdict, case.note
                ));
            }
        }
    }
    faults
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).ok()
}

fn clauses() -> Vec<Clause> {
    Clause::all(&read("docs/conformance/clauses.tsv").expect("the table"))
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn each_clause_is_shown_or_says_why_not() {
    let clauses = clauses();
    assert!(clauses.len() > 250);
    none(&unfounded(&clauses));
}

#[test]
fn each_test_of_a_clause_is_there() {
    none(&missing_tests(&clauses(), read));
}

#[test]
fn each_case_of_a_clause_is_there_and_passes() {
    none(&failing_cases(&clauses(), &Results::all()));
}

#[test]
fn the_document_is_what_the_tables_say() {
    let want = render(&clauses(), &Results::all());
    let path = "docs/conformance.md";
    if env::var_os("CONFORMANCE_WRITE").is_some() {
        fs::write(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")), want).expect("a file");
        return;
    }
    let got = read(path).unwrap_or_default();
    let differs = got
        .lines()
        .zip(want.lines())
        .find(|(got, want)| got != want);
    assert!(
        got == want,
        "{path} is not what docs/conformance/ says (CONFORMANCE_WRITE=1 writes it): {differs:?}"
    );
}

#[test]
fn what_is_wrong_is_found() {
    let row = |shown_by: &str, remark: &str| {
        Clause::all(&format!(
            "head\nHTML\t9.2.6\tMUST\tthe rule\t{shown_by}\t{remark}\n"
        ))
    };
    assert_eq!(unfounded(&row("", "")).len(), 1);
    assert_eq!(unfounded(&row("", "because")).len(), 1);
    assert_eq!(
        unfounded(&[row("a::b", ""), row("a::b", "")].concat()).len(),
        1
    );
    none(&unfounded(&row("", "no test: yet")));

    let source = |path: &str| {
        (path == "tests/a.rs").then(|| {
            "#[test]\nfn good() {\n}\n\nfn helper() {}\n\n#[tokio::test]\nasync fn waits() {}\n"
                .to_owned()
        })
    };
    let missing = |shown_by| missing_tests(&row(shown_by, ""), source).len();
    assert_eq!(missing("a::good; a::waits"), 0);
    assert_eq!(missing("a::helper; a::gone; b::good; src::a::good"), 4);

    let results = Results::of([(
        "frames",
        "ours 1\ngood-1\tPASS\ngood-2\tINFO\nbad-1\tFAIL\tit hangs\nlax\tWARN\tmay be\n",
    )]);
    let failing = |shown_by| failing_cases(&row(shown_by, ""), &results).len();
    assert_eq!(failing("frames good-*; deflate 12.*"), 0);
    assert_eq!(
        failing("frames bad-*; frames lax; frames gone; frame good-1"),
        4
    );

    let text = render(&row("a::good; frames good-*", ""), &results);
    assert!(
        text.contains("| `a::good` · frames `good-*` 2 | kept |"),
        "{text}"
    );
    assert_ne!(text, render(&row("a::good", ""), &results));
}
