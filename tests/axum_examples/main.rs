//! axum's handlers move over by a change of imports: each file of `handlers/` is compiled twice, as `before` with the
//! imports of axum and as `after` with those of this crate, and both have to pass the same checks.
#![allow(
    clippy::duplicate_mod,
    clippy::unwrap_used,
    reason = "compiled twice is the point; and these are tests"
)]

mod after;
mod before;
mod ours;
mod same_events;
mod same_sockets;
mod support;

/// What differs between the two is one line: the imports.
#[test]
fn ok_only_the_imports_differ() {
    let [before, after] = [include_str!("before.rs"), include_str!("after.rs")];
    let imports = |line: &&str| line.starts_with("use ") || line.starts_with("//!");
    let rest = |file: &'static str| {
        file.lines()
            .filter(|line| !imports(line))
            .collect::<Vec<_>>()
    };
    assert_eq!(rest(before), rest(after));
}
