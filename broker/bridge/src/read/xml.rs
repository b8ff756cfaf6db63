//! XML by XPath 1.0, with the crate `uppsala`: Rust without C, kept, passes the W3C suites, and can
//! refuse every DTD. Without a DTD there are no entities but the five of XML itself.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use uppsala::xpath::XPathValue;
use uppsala::{NodeId, Parser, XPathEvaluator};

use super::ReadError;

/// Deepest nesting of an answer.
const DEPTH_MAX: u32 = 64;
/// Steps that one path may take through an answer.
const NODE_VISITS_MAX: usize = 1_000_000;

/// Prefixes that paths use, and the namespaces that they stand for.
pub type Namespaces = BTreeMap<String, String>;

/// An expression with its evaluator, which keeps it compiled.
#[derive(Clone)]
pub struct XPath {
    text: String,
    evaluator: Arc<XPathEvaluator>,
}

impl std::fmt::Debug for XPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl XPath {
    pub(super) fn compile(text: &str, namespaces: &Namespaces) -> Result<Self, String> {
        if let Some(prefix) = prefixes(text).find(|prefix| !namespaces.contains_key(*prefix)) {
            return Err(format!("the prefix {prefix:?} is not in partner.namespaces"));
        }
        let mut evaluator = XPathEvaluator::new().with_max_node_visits(NODE_VISITS_MAX);
        for (prefix, uri) in namespaces {
            evaluator.add_namespace(prefix, uri);
        }
        let path = Self { text: text.to_owned(), evaluator: Arc::new(evaluator) };
        // Evaluated once on something small: what is wrong with the text shows here.
        let sample = Xml::parse(b"<sample><sample/></sample>").map_err(|e| e.to_string())?;
        let tried = path.evaluator.evaluate(&sample.0, sample.root(), text);
        tried.map(|_| path).map_err(|error| error.to_string())
    }
}

/// The prefixes that an expression uses: names before one colon, outside of literals.
fn prefixes(text: &str) -> impl Iterator<Item = &str> {
    let literals = text.split(['\'', '"']).step_by(2);
    literals.flat_map(|code| {
        let colons = code.match_indices(':').map(|(at, _)| at);
        let single = colons
            .filter(move |at| !code[at + 1..].starts_with(':') && !code[..*at].ends_with(':'));
        single.map(move |at| {
            let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            let before = &code[..at];
            before.rfind(|c| !in_name(c)).map_or(before, |end| &before[end + 1..])
        })
    })
}

/// A parsed answer.
#[derive(Debug)]
pub struct Xml(uppsala::Document<'static>);

fn parser() -> &'static Parser {
    static PARSER: OnceLock<Parser> = OnceLock::new();
    PARSER.get_or_init(|| {
        let parser = Parser::new().with_max_depth(DEPTH_MAX);
        parser.with_max_entity_expansion(0).with_forbid_dtd(true).with_forbid_entities(true)
    })
}

impl Xml {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ReadError> {
        let text = std::str::from_utf8(body).map_err(|_| ReadError::Encoding)?;
        let parsed = parser().parse(text).map_err(|e| ReadError::Xml(e.to_string()))?;
        let mut document = parsed.into_static();
        document.prepare_xpath();
        Ok(Self(document))
    }

    pub(super) fn root(&self) -> NodeId {
        self.0.root()
    }

    fn evaluate(&self, at: NodeId, path: &XPath) -> Option<XPathValue> {
        // Running out of steps is as good as leading nowhere: nothing is made of it.
        path.evaluator.evaluate(&self.0, at, &path.text).ok()
    }

    pub(super) fn nodes(&self, at: NodeId, path: &XPath) -> Vec<NodeId> {
        match self.evaluate(at, path) {
            Some(XPathValue::NodeSet(nodes)) => nodes,
            _ => Vec::new(),
        }
    }

    pub(super) fn text(&self, at: NodeId, path: &XPath) -> Option<String> {
        let value = self.evaluate(at, path)?;
        match &value {
            XPathValue::NodeSet(nodes) if nodes.is_empty() => None,
            // XPath computes with floats; what is whole is exact.
            XPathValue::Number(number) if number.fract() != 0.0 => None,
            _ => Some(value.to_string_value(&self.0).trim().to_owned()),
        }
    }

    pub(super) fn holds(&self, at: NodeId, path: &XPath) -> bool {
        self.evaluate(at, path).is_some_and(|value| value.to_boolean())
    }
}
