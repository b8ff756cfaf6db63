//! The Rust files of the workspace as the rules see them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::mask::{Layers, layers};

/// One Rust file, its path relative to the workspace and with forward slashes.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) layers: Layers,
    lines: usize,
    /// Lines from here on are unit tests: their module is the last item of a file.
    tests_from: usize,
}

/// One line of a layer with its number, counted from one.
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) text: &'a str,
    pub(crate) in_tests: bool,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let layers = layers(text);
        let tests_from = unit_tests_start(&layers.code);
        Self { path: path.to_owned(), lines: text.lines().count(), tests_from, layers }
    }

    pub(crate) fn line_count(&self) -> usize {
        self.lines
    }

    /// Lines of code, without comments and without the text of literals.
    pub(crate) fn code(&self) -> impl Iterator<Item = Line<'_>> {
        self.numbered(&self.layers.code)
    }

    /// Lines with nothing but comments.
    pub(crate) fn comments(&self) -> impl Iterator<Item = Line<'_>> {
        self.numbered(&self.layers.comments)
    }

    /// Lines with nothing but string literals.
    pub(crate) fn strings(&self) -> impl Iterator<Item = Line<'_>> {
        self.numbered(&self.layers.strings)
    }

    fn numbered<'a>(&'a self, layer: &'a str) -> impl Iterator<Item = Line<'a>> {
        layer.lines().zip(1..).map(|(text, number)| Line {
            number,
            text,
            in_tests: number >= self.tests_from || is_test_file(&self.path),
        })
    }
}

/// The line of the attribute that opens a module of unit tests, written out in this file.
fn unit_tests_start(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let opens = |pair: &[&str]| {
        pair[0].trim() == "#[cfg(test)]" && has_word(pair[1], "mod") && pair[1].contains('{')
    };
    lines.windows(2).position(opens).map_or(usize::MAX, |at| at + 1)
}

/// Whether everything in the file is there for tests.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_test.rs"))
}

/// Whether `text` holds `word` as a whole word, not as a part of a longer name.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let ends_open = word.ends_with(|c: char| !in_name(c));
        !before.is_some_and(in_name) && (ends_open || !after.is_some_and(in_name))
    })
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies in a directory of the workspace").to_owned()
}

/// Every Rust file of the workspace, in the order of their paths.
pub(crate) fn all() -> Vec<Source> {
    let root = workspace();
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 50, "only {} Rust files were found", sources.len());
    sources
}

fn collect(root: &Path, dir: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(root, &path, sources);
            }
        } else if name.ends_with(".rs") {
            let relative = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            sources.push(Source::new(&relative, &fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn a_word_is_found_only_as_a_whole() {
    assert!(has_word("use rand::Rng;", "rand::") && !has_word("operand::x", "rand::"));
    assert!(has_word("sleep(d)", "sleep") && !has_word("sleeper()", "sleep"));
}

#[test]
fn lines_from_the_test_module_on_count_as_tests() {
    let source = Source::new("a/src/b.rs", "#[cfg(test)]\nuse x;\n#[cfg(test)]\nmod tests {}\n");
    let in_tests: Vec<bool> = source.code().map(|line| line.in_tests).collect();
    assert_eq!(in_tests, [false, false, true, true]);
}
