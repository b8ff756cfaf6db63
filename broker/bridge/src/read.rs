//! What a store answered, as something that paths can be asked of: JSON by JSONPath (RFC 9535),
//! XML by XPath 1.0. Nothing here trusts the text: no DTD, bounded depth, and fractions of money
//! are never read as floats.

pub mod amount;
mod json;
mod xml;

use serde_json::Value;

pub use xml::Namespaces;

/// How a store writes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Json,
    Xml,
}

/// A path into an answer, compiled.
#[derive(Debug, Clone)]
pub enum Path {
    Json(Box<serde_json_path::JsonPath>),
    Xml(xml::XPath),
}

impl Path {
    /// # Errors
    /// What is wrong with the text, in the words of its language.
    pub fn compile(text: &str, format: Format, namespaces: &Namespaces) -> Result<Self, String> {
        match format {
            Format::Json => serde_json_path::JsonPath::parse(text)
                .map(|path| Self::Json(Box::new(path)))
                .map_err(|error| error.to_string()),
            Format::Xml => xml::XPath::compile(text, namespaces).map(Self::Xml),
        }
    }
}

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the answer is no JSON: {0}")]
    Json(String),
    #[error("the answer is no XML that is read here: {0}")]
    Xml(String),
    #[error("the answer is not UTF-8")]
    Encoding,
}

/// An answer.
#[derive(Debug)]
pub enum Document {
    Json(Value),
    Xml(xml::Xml),
    /// No body: a status may be all there is to say.
    Empty,
}

/// A place in an answer.
#[derive(Debug, Clone, Copy)]
pub enum Node<'d> {
    Json(&'d Value),
    Xml(uppsala::NodeId),
    Nowhere,
}

impl Document {
    /// # Errors
    /// When the body is not what its format says.
    pub fn parse(format: Format, body: &[u8]) -> Result<Self, ReadError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::Empty);
        }
        match format {
            Format::Json => json::parse(body).map(Self::Json),
            Format::Xml => xml::Xml::parse(body).map(Self::Xml),
        }
    }

    pub fn root(&self) -> Node<'_> {
        match self {
            Self::Json(value) => Node::Json(value),
            Self::Xml(xml) => Node::Xml(xml.root()),
            Self::Empty => Node::Nowhere,
        }
    }

    /// The places that `path` leads to from `at`.
    pub fn nodes<'d>(&'d self, at: Node<'d>, path: &Path) -> Vec<Node<'d>> {
        match (self, at, path) {
            (Self::Json(_), Node::Json(value), Path::Json(path)) => {
                path.query(value).all().into_iter().map(Node::Json).collect()
            }
            (Self::Xml(xml), Node::Xml(node), Path::Xml(path)) => {
                xml.nodes(node, path).into_iter().map(Node::Xml).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The text at the first place that `path` leads to; `None` if there is none, or only an
    /// object, a list or `null`.
    pub fn text(&self, at: Node<'_>, path: &Path) -> Option<String> {
        match (self, at, path) {
            (Self::Json(_), Node::Json(value), Path::Json(path)) => {
                json::text(path.query(value).first()?)
            }
            (Self::Xml(xml), Node::Xml(node), Path::Xml(path)) => xml.text(node, path),
            _ => None,
        }
    }

    /// Whether `path` leads anywhere; an XPath may also just be true.
    pub fn holds(&self, at: Node<'_>, path: &Path) -> bool {
        match (self, at, path) {
            (Self::Xml(xml), Node::Xml(node), Path::Xml(path)) => xml.holds(node, path),
            _ => !self.nodes(at, path).is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(path: &str) -> Path {
        Path::compile(path, Format::Json, &Namespaces::new()).unwrap()
    }

    fn xml(path: &str) -> Path {
        Path::compile(path, Format::Xml, &Namespaces::new()).unwrap()
    }

    #[test]
    fn a_fraction_in_json_keeps_the_digits_it_was_written_with() {
        let body = br#"{"total": 1234567890123.10, "n": 3, "e": 1e2}"#;
        let document = Document::parse(Format::Json, body).unwrap();
        let text = |path| document.text(document.root(), &json(path));
        assert_eq!(text("$.total").as_deref(), Some("1234567890123.10"));
        assert_eq!(text("$.n").as_deref(), Some("3"));
        assert_eq!(text("$.e").as_deref(), Some("1e2"));
        assert_eq!(text("$.missing"), None);
    }

    #[test]
    fn xml_is_read_by_xpath_from_any_place() {
        let body = b"<r><o id='1'><p>9.99</p></o><o id='2'><p>8.50</p></o></r>";
        let document = Document::parse(Format::Xml, body).unwrap();
        let orders = document.nodes(document.root(), &xml("/r/o"));
        let prices: Vec<_> = orders.iter().map(|o| document.text(*o, &xml("p"))).collect();
        assert_eq!(prices, [Some("9.99".to_owned()), Some("8.50".to_owned())]);
        assert_eq!(document.text(orders[1], &xml("@id")).as_deref(), Some("2"));
        assert!(document.holds(document.root(), &xml("/r/o[@id='2']")));
        assert!(!document.holds(document.root(), &xml("count(/r/o) = 3")));
    }

    #[test]
    fn a_document_type_is_refused_whatever_is_in_it() {
        let bomb = b"<!DOCTYPE lolz [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><r>&b;</r>";
        let outside = b"<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>";
        for body in [&bomb[..], &outside[..]] {
            let error = Document::parse(Format::Xml, body).unwrap_err();
            assert!(matches!(error, ReadError::Xml(_)), "{error}");
        }
    }

    #[test]
    fn what_is_nested_without_end_is_refused() {
        let deep = "<a>".repeat(10_000);
        assert!(Document::parse(Format::Xml, deep.as_bytes()).is_err());
        let deep = "[".repeat(10_000);
        assert!(Document::parse(Format::Json, deep.as_bytes()).is_err());
    }

    #[test]
    fn no_body_is_an_answer_without_places() {
        let document = Document::parse(Format::Json, b" \r\n").unwrap();
        assert!(document.nodes(document.root(), &json("$")).is_empty());
    }

    #[test]
    fn a_path_that_cannot_be_read_is_refused_before_it_is_used() {
        assert!(Path::compile("$.a[", Format::Json, &Namespaces::new()).is_err());
        assert!(Path::compile("/a[", Format::Xml, &Namespaces::new()).is_err());
        assert!(Path::compile("/x:a", Format::Xml, &Namespaces::new()).is_err());
        assert!(Path::compile("child::a[. = 'b:c']", Format::Xml, &Namespaces::new()).is_ok());
        let known = Namespaces::from([("x".to_owned(), "urn:x".to_owned())]);
        assert!(Path::compile("/x:a", Format::Xml, &known).is_ok());
    }
}
