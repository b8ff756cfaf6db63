//! Splits Rust source into what is code, what is comment and what is the text of literals, so
//! that a rule about one is not fooled by the others. Columns and lines stay where they were:
//! whatever does not belong to a layer is a space there.

/// The three layers of one file.
pub(crate) struct Layers {
    /// Code with literals reduced to their quotes.
    pub(crate) code: String,
    /// The text of comments, doc comments included.
    pub(crate) comments: String,
    /// String literals with their quotes.
    pub(crate) strings: String,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    LineComment,
    BlockComment {
        depth: u32,
    },
    /// `hashes` is `None` for a literal with escapes.
    Text {
        hashes: Option<usize>,
    },
}

/// Reads `source` once from start to end.
pub(crate) fn layers(source: &str) -> Layers {
    let chars: Vec<char> = source.chars().collect();
    let mut reader = Reader { chars: &chars, at: 0, state: State::Code, out: Default::default() };
    while reader.at < chars.len() {
        reader.step();
    }
    let [code, comments, strings] = reader.out;
    Layers { code, comments, strings }
}

const CODE: usize = 0;
const COMMENTS: usize = 1;
const STRINGS: usize = 2;

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
    state: State,
    out: [String; 3],
}

impl Reader<'_> {
    fn step(&mut self) {
        match self.state {
            State::Code => self.code(),
            State::LineComment => {
                if self.peek(0) == '\n' {
                    self.state = State::Code;
                }
                self.take(1, &[COMMENTS]);
            }
            State::BlockComment { depth } => self.block_comment(depth),
            State::Text { hashes } => self.text(hashes),
        }
    }

    fn code(&mut self) {
        let (here, next) = (self.peek(0), self.peek(1));
        if here == '/' && next == '/' {
            self.state = State::LineComment;
            self.take(2, &[COMMENTS]);
        } else if here == '/' && next == '*' {
            self.state = State::BlockComment { depth: 1 };
            self.take(2, &[COMMENTS]);
        } else if here == '"' {
            self.state = State::Text { hashes: self.raw_hashes() };
            self.take(1, &[CODE, STRINGS]);
        } else if here == '\'' && next == '\\' {
            // A character literal with an escape; skip to its closing quote.
            let rest = &self.chars[(self.at + 3).min(self.chars.len())..];
            let length = rest.iter().position(|&c| c == '\'').unwrap_or(0);
            self.take(length + 4, &[]);
        } else if here == '\'' && self.peek(2) == '\'' {
            self.take(3, &[]);
        } else {
            self.take(1, &[CODE]);
        }
    }

    fn block_comment(&mut self, depth: u32) {
        let pair = (self.peek(0), self.peek(1));
        let depth = match pair {
            ('/', '*') => depth + 1,
            ('*', '/') => depth - 1,
            _ => return self.take(1, &[COMMENTS]),
        };
        self.state = if depth == 0 { State::Code } else { State::BlockComment { depth } };
        self.take(2, &[COMMENTS]);
    }

    fn text(&mut self, hashes: Option<usize>) {
        if hashes.is_none() && self.peek(0) == '\\' {
            return self.take(2, &[STRINGS]);
        }
        let closing = (1..=hashes.unwrap_or(0)).all(|offset| self.peek(offset) == '#');
        if self.peek(0) == '"' && closing {
            self.state = State::Code;
            return self.take(1, &[CODE, STRINGS]);
        }
        self.take(1, &[STRINGS]);
    }

    /// How many hashes open the literal whose quote is here, if it is a raw one.
    fn raw_hashes(&self) -> Option<usize> {
        let before = &self.chars[..self.at];
        let hashes = before.iter().rev().take_while(|&&c| c == '#').count();
        let mut rest = before[..self.at - hashes].iter().rev();
        let letter = rest.next() == Some(&'r');
        let before_letter = rest.find(|&&c| c != 'b' && c != 'c').copied().unwrap_or(' ');
        let raw = letter && !before_letter.is_alphanumeric() && before_letter != '_';
        raw.then_some(hashes)
    }

    fn peek(&self, offset: usize) -> char {
        self.chars.get(self.at + offset).copied().unwrap_or('\0')
    }

    fn take(&mut self, count: usize, into: &[usize]) {
        for _ in 0..count {
            let Some(&here) = self.chars.get(self.at) else { return };
            for (layer, out) in self.out.iter_mut().enumerate() {
                out.push(if here == '\n' || into.contains(&layer) { here } else { ' ' });
            }
            self.at += 1;
        }
    }
}

#[test]
fn code_comments_and_literals_are_told_apart() {
    let layers =
        layers("let a = \"in \\\" text\"; // in comment\nb(r#\"raw \" one\"#, '\"'); /* c */");
    assert_eq!(layers.code.split_whitespace().collect::<String>(), "leta=\"\";b(r#\"\"#,);");
    let comments: Vec<&str> = layers.comments.split_whitespace().collect();
    assert_eq!(comments, ["//", "in", "comment", "/*", "c", "*/"]);
    assert!(
        layers.strings.contains("\"in \\\" text\"") && layers.strings.contains("\"raw \" one\"")
    );
}

#[test]
fn lifetimes_and_nested_comments_do_not_confuse_the_reader() {
    let layers = layers("fn f<'a>(x: &'a str, c: char) { '\\''; 'x' } /* a /* b */ c */ done");
    assert!(layers.code.contains("fn f<'a>(x: &'a str, c: char)"), "{}", layers.code);
    assert!(layers.code.trim_end().ends_with("done"));
    assert!(layers.comments.contains("a /* b */ c"));
}
