//! What a caller says, whatever its form: names and texts. Every shape calls a thing by the same
//! name somewhere in its query, form, JSON or XML, so one reader serves all of them.

use std::collections::BTreeMap;

use serde_json::Value;

/// Names and texts; a later one wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn set(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), text.to_owned());
    }

    /// `a=b&c=d`
    pub(super) fn form(&mut self, text: &str) {
        for pair in text.split('&') {
            if let Some((name, value)) = pair.split_once('=') {
                self.set(&decoded(name), &decoded(value));
            }
        }
    }

    pub(super) fn json(&mut self, value: &Value) {
        let Value::Object(object) = value else { return };
        for (name, value) in object {
            match value {
                Value::Object(_) => self.json(value),
                Value::String(text) => self.set(name, text),
                Value::Number(number) => self.set(name, &number.to_string()),
                Value::Bool(_) | Value::Null | Value::Array(_) => {}
            }
        }
    }

    /// Attributes, and the text of elements that have no children.
    pub(super) fn xml(&mut self, body: &str) -> Option<()> {
        let document = uppsala::parse(body).ok()?;
        for id in document.descendants(document.root()) {
            let Some(element) = document.element(id) else { continue };
            for attribute in &element.attributes {
                self.set(&attribute.name.local_name, &attribute.value);
            }
            let text = document.text_content_deep(id);
            self.set(&element.name.local_name, text.trim());
        }
        Some(())
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                let hex = String::from_utf8_lossy(&hex).to_string();
                u8::from_str_radix(&hex, 16).unwrap_or(b'?')
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_the_same_names_and_texts() {
        let mut form = Fields::default();
        form.form("isbn=978&city=New+York%21");
        let mut json = Fields::default();
        json.json(&serde_json::json!({ "book": { "isbn": 978 }, "city": "New York!" }));
        let mut xml = Fields::default();
        xml.xml("<r isbn='978'><city>New York!</city></r>").unwrap();
        for fields in [form, json, xml] {
            assert_eq!(fields.get("isbn"), Some("978"));
            assert_eq!(fields.get("city"), Some("New York!"));
        }
    }
}
