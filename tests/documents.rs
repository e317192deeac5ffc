//! The documents hold together: their links lead somewhere, guides are rendered with the API, translations keep step.
//!
//! Links into the API (`crate::…`) are rustdoc's to check.

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    let whole = Path::new(ROOT).join(path);
    fs::read_to_string(whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Markdown files of a folder, relative to the root.
fn markdown(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    let names = names.map(|name| name.expect("a name in UTF-8"));
    let mut paths: Vec<_> = names
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("{folder}{name}"))
        .collect();
    paths.sort();
    paths
}

fn documents() -> Vec<String> {
    ["", "docs/", "docs/guide/"].map(markdown).concat()
}

/// `text` without its blocks of code and spans of code; line breaks stay.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        if !fenced && !fence {
            let mut in_code = false;
            out.extend(line.split('`').map(|part| {
                let kept = if in_code { "" } else { part };
                in_code = !in_code;
                kept
            }));
        }
        fenced ^= fence;
        out.push('\n');
    }
    out
}

/// Where the inline links and the link definitions of a document lead.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let inline = prose.split("](").skip(1);
    let inline = inline.filter_map(|rest| rest.split([')', ' ', '\n']).next());
    let definitions = text.lines().filter(|line| line.starts_with('['));
    let definitions = definitions.filter_map(|line| line.split_once("]: ")?.1.split(' ').next());
    inline.chain(definitions).map(str::to_owned).collect()
}

/// The anchors of a document: of its headings as GitHub makes them, and those that it sets by hand.
fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let times = found.iter().filter(|known| **known == slug).count();
        found.push(if times == 0 {
            slug
        } else {
            format!("{slug}-{times}")
        });
    }
    let by_hand = text.split("<a id=\"").skip(1);
    found.extend(by_hand.filter_map(|rest| rest.split('"').next().map(str::to_owned)));
    found
}

/// Links of the document at `path` that lead nowhere.
fn broken(path: &str, text: &str) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap_or_else(|| Path::new(""));
    let leads_nowhere = |link: &String| {
        if link.starts_with("https://") || link.starts_with("crate::") {
            return false;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target: PathBuf = Path::new(ROOT).join(folder).join(file);
        let target = if file.is_empty() {
            Path::new(ROOT).join(path)
        } else {
            target
        };
        let is_there = target.exists();
        let has_anchor = || {
            let text = if file.is_empty() {
                text.to_owned()
            } else {
                fs::read_to_string(&target).unwrap_or_default()
            };
            anchors(&text).iter().any(|known| known == anchor)
        };
        !is_there || !anchor.is_empty() && !has_anchor()
    };
    links(text).into_iter().filter(leads_nowhere).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut faults = Vec::new();
    let mut checked = 0;
    for path in documents() {
        let text = read(&path);
        checked += links(&text).len();
        let of_this = broken(&path, &text);
        faults.extend(of_this.into_iter().map(|link| format!("{path}: {link}")));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(checked > 100, "only {checked} links were found");
}

/// Each guide is a module of the API's documentation, which knows where all of them are.
#[test]
fn guides_are_rendered() {
    let modules = read("src/guide.rs");
    let definitions = read("src/guide_links.md");
    for path in markdown("docs/guide/") {
        let name = path.rsplit('/').next().expect("a name");
        let included = format!(
            "#[doc = include_str!(\"../{path}\")]\npub mod {} {{}}",
            module(name)
        );
        assert!(modules.contains(&included), "src/guide.rs has no {path}");
        let definition = format!("[{name}]: crate::guide::{}\n", module(name));
        assert!(definitions.contains(&definition), "no link to {name}");
    }
}

/// A guide that links to another one by its file, for readers of the repository, has the definitions in front that lead
/// readers of the rendered form to a module.
#[test]
fn guides_link_to_guides_in_both_forms() {
    let modules = read("src/guide.rs");
    let definitions = read("src/guide_links.md");
    for path in markdown("docs/guide/") {
        let links = links(&read(&path));
        let mut files = links
            .iter()
            .filter(|link| !link.contains("::") && !link.contains("://") && !link.starts_with('#'))
            .peekable();
        if files.peek().is_some() {
            let both = format!(
                "#[doc = include_str!(\"guide_links.md\")]\n#[doc = include_str!(\"../{path}\")]"
            );
            assert!(modules.contains(&both), "{path} links to files");
        }
        for file in files {
            let definition = format!("[{file}]: ");
            assert!(
                definitions.contains(&definition),
                "{path}: {file} is lost when rendered"
            );
        }
    }
}

fn module(name: &str) -> String {
    name.trim_end_matches(".md").replace('-', "_")
}

/// What a translation shares with its original: headings, programs, links, rows.
fn skeleton(text: &str) -> (Vec<usize>, String, Vec<String>, usize) {
    let mut fenced = false;
    let mut levels = Vec::new();
    let mut code = String::new();
    let mut rows = 0;
    for line in text.lines() {
        let fence = line.starts_with("```");
        fenced ^= fence;
        if fenced || fence {
            // Comments are translated.
            let bare = line
                .split(" //")
                .next()
                .and_then(|line| line.split(" # ").next());
            code.push_str(bare.unwrap_or_default().trim_end());
            code.push('\n');
        } else if line.starts_with('#') {
            levels.push(line.len() - line.trim_start_matches('#').len());
        } else if line.starts_with('|') {
            rows += 1;
        }
    }
    let mut links = links(text);
    links.retain(|link| !link.starts_with("README"));
    links.sort();
    links.dedup();
    (levels, code, links, rows)
}

#[test]
fn the_translation_keeps_step() {
    let (english, chinese) = (read("README.md"), read("README.zh-CN.md"));
    let (english, chinese) = (skeleton(&english), skeleton(&chinese));
    assert_eq!(english.0, chinese.0, "headings");
    assert_eq!(english.1, chinese.1, "programs");
    assert_eq!(english.2, chinese.2, "links");
    assert_eq!(english.3, chinese.3, "rows of tables");
}

#[test]
fn what_is_wrong_is_found() {
    let text = "# One two\n\n[a](#one-two) [b](#three) `[c](nowhere)` [d](README.md#features)\n\n\
        ```\n[e](nowhere)\n```\n\n[f]: gone.md\n[g](tests/documents.rs)";
    assert_eq!(broken("CHANGELOG.md", text), ["#three", "gone.md"]);
    assert_eq!(
        broken("docs/x.md", "[a](design.md) [b](README.md)"),
        ["README.md"]
    );
    assert_eq!(
        anchors("## `a` + B, 2\n## `a` + B, 2"),
        ["a--b-2", "a--b-2-1"]
    );
    assert_ne!(
        skeleton("```\nlet a = 1; // one\n```"),
        skeleton("```\nlet a = 2; // eins\n```")
    );
}
