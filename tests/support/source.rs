//! Reads Rust sources well enough to hold them to rules: no parser, a lexer that knows what is code.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file of `src/`.
pub(crate) struct Source {
    /// Relative to `src/`, with forward slashes.
    pub(crate) path: String,
    /// Production code: comments and the contents of literals are blanks, line breaks stay, inline tests are cut off.
    pub(crate) code: String,
    /// The inline tests, in the same form.
    pub(crate) tests: String,
}

/// A function with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) lines: usize,
}

/// All of `src/`, sorted by path.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(&root).expect("below src");
        let text = fs::read_to_string(&path).expect("a UTF-8 file");
        Source::new(&relative.to_string_lossy().replace('\\', "/"), &text)
    };
    paths.into_iter().map(read).collect()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let bare = blank_out(text);
        let at = bare.find("#[cfg(test)]\nmod ").unwrap_or(bare.len());
        Self {
            path: path.to_owned(),
            code: bare[..at].to_owned(),
            tests: bare[at..].to_owned(),
        }
    }

    /// The module's name at the top of the crate: `sse` for `sse/client/retry.rs`, `error` for `error.rs`.
    pub(crate) fn area(&self) -> &str {
        let end = self.path.find('/').unwrap_or(self.path.len());
        self.path[..end].trim_end_matches(".rs")
    }

    /// Is it a front page, of which only declarations are expected?
    pub(crate) fn is_front_page(&self) -> bool {
        matches!(self.path.as_str(), "lib.rs" | "guide.rs") || self.path.ends_with("mod.rs")
    }

    /// The areas that the code names, by `crate::` or by enough `super::`.
    pub(crate) fn areas_named(&self) -> Vec<String> {
        let depth = self.path.matches('/').count() + usize::from(!self.path.ends_with("mod.rs"));
        let up = "super::".repeat(depth);
        let mut found = Vec::new();
        for root in ["crate::", up.as_str()] {
            for (at, _) in self.code.match_indices(root) {
                let before = self.code[..at].chars().next_back();
                if !before.is_some_and(|c| is_word(c) || c == ':') {
                    found.extend(first_segments(&self.code[at + root.len()..]));
                }
            }
        }
        found
    }

    /// Is `name` in the code as a path that starts there, such as `hyper::`? `self::hyper::` is another thing.
    pub(crate) fn names_crate(&self, name: &str) -> bool {
        let path = format!("{name}::");
        self.code.match_indices(&path).any(|(at, _)| {
            let before = self.code[..at].chars().next_back();
            !before.is_some_and(|c| is_word(c) || c == ':')
        })
    }

    /// Every function that has a body, methods included.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let words = self.code.match_indices("fn ");
        let starts = words.filter(|(at, _)| !self.code[..*at].ends_with(is_word));
        starts
            .filter_map(|(at, _)| function(&self.code[at..]))
            .collect()
    }

    /// What the outside sees: each public declaration up to its body.
    pub(crate) fn public_heads(&self) -> impl Iterator<Item = &str> {
        let starts = self.code.match_indices("pub ");
        let starts = starts.filter(|(at, _)| !self.code[..*at].ends_with(is_word));
        starts.map(|(at, _)| {
            let rest = &self.code[at..];
            &rest[..rest.find(['{', ';']).unwrap_or(rest.len())]
        })
    }
}

/// Lines with something on them.
pub(crate) fn code_lines(code: &str) -> usize {
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

/// Is `word` in `code`, not as a part of another word? A word that ends in `_` is a prefix.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let starts = !code[..at].ends_with(is_word);
        let ends = word.ends_with('_') || !code[at + word.len()..].starts_with(is_word);
        starts && ends
    })
}

/// The words of `code`.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `a` of `a::b`, and `a`, `c` of `{a::{b}, c}`.
fn first_segments(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return words(path).take(1).map(str::to_owned).collect();
    };
    let (mut depth, mut found, mut wanted) = (1, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => wanted = true,
            c if wanted && is_word(c) => {
                found.extend(words(&group[at..]).next().map(str::to_owned));
                wanted = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

fn function(code: &str) -> Option<Function> {
    let open = code.find(['{', ';'])?;
    if code[open..].starts_with(';') {
        return None;
    }
    let mut depth = 0;
    let close = code[open..].find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    })?;
    let name = words(&code[2..]).next()?.to_owned();
    let lines = code_lines(&code[..=open + close]);
    Some(Function { name, lines })
}

/// Replaces comments and the contents of strings and characters by blanks.
pub(crate) fn blank_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' if !out.ends_with(is_word) => raw_string(rest).unwrap_or(0),
            'b' if rest.starts_with("br") && !out.ends_with(is_word) => {
                raw_string(&rest[1..]).map_or(0, |length| length + 1)
            }
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(
                rest[..length]
                    .chars()
                    .map(|c| if c == '\n' { c } else { ' ' }),
            );
            rest = &rest[length..];
        }
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let here = &text[at..];
        at += match here {
            "" => return text.len(),
            _ if here.starts_with("/*") => {
                depth += 1;
                2
            }
            _ if here.starts_with("*/") => {
                depth -= 1;
                2
            }
            _ => here.chars().next().map_or(1, char::len_utf8),
        };
        if depth == 0 {
            return at;
        }
    }
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

fn raw_string(text: &str) -> Option<usize> {
    let marks = text[1..].bytes().take_while(|&b| b == b'#').count();
    let body = text[1 + marks..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(marks));
    Some(2 + marks + body.find(&end)? + end.len())
}

/// A character, or nothing where the quote starts a lifetime.
fn character(text: &str) -> usize {
    let inner = &text[1..];
    if let Some(escape) = inner.strip_prefix('\\') {
        return escape[1..].find('\'').map_or(0, |end| end + 4);
    }
    let first = inner.chars().next().map_or(0, char::len_utf8);
    if inner[first..].starts_with('\'') {
        first + 2
    } else {
        0
    }
}
