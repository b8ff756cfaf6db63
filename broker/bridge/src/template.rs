//! Templates of one store: what is missing is an error, and values are escaped for the place that
//! they stand in, so that no value can leave it.

use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value};

/// Steps that one template may take.
const FUEL: u64 = 200_000;

/// Where a text ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Url,
    Header,
    Json,
    Xml,
    /// `application/x-www-form-urlencoded`
    Form,
    Plain,
}

impl Place {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Header => "header",
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Form => "form",
            Self::Plain => "txt",
        }
    }

    /// Of a body of this content type.
    pub(crate) fn of_content_type(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        if essence.ends_with("json") {
            Self::Json
        } else if essence.ends_with("xml") {
            Self::Xml
        } else if essence == "application/x-www-form-urlencoded" {
            Self::Form
        } else {
            Self::Plain
        }
    }
}

/// A template that was read; its text is kept by [`Templates`].
#[derive(Debug, Clone)]
pub(crate) struct Template(String);

/// All templates of one store.
pub(crate) struct Templates(Environment<'static>);

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Templates")
    }
}

impl Templates {
    pub(crate) fn new() -> Self {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        env.set_auto_escape_callback(|name| match name.rsplit_once('.').map(|(_, end)| end) {
            Some("json") => AutoEscape::Json,
            Some("xml") => AutoEscape::Html,
            Some("url" | "form") => AutoEscape::Custom("url".into()),
            Some("header") => AutoEscape::Custom("header".into()),
            _ => AutoEscape::None,
        });
        env.set_formatter(write_value);
        Self(env)
    }

    /// Reads `text`, which is called `key` in messages.
    pub(crate) fn add(&mut self, key: &str, text: &str, place: Place) -> Result<Template, String> {
        let name = format!("{key}.{}", place.suffix());
        let added = self.0.add_template_owned(name.clone(), text.to_owned());
        added.map_err(|error| explain(&error))?;
        Ok(Template(name))
    }

    pub(crate) fn render(
        &self,
        template: &Template,
        values: &serde_json::Value,
    ) -> Result<String, String> {
        let found = self.0.get_template(&template.0).map_err(|error| explain(&error))?;
        found.render(Value::from(minijinja::value::Serde(values))).map_err(|error| {
            let known = values.as_object().map(|values| values.keys().cloned().collect::<Vec<_>>());
            match error.kind() {
                minijinja::ErrorKind::UndefinedError => format!(
                    "{}; there is {}",
                    explain(&error),
                    known.unwrap_or_default().join(", ")
                ),
                _ => explain(&error),
            }
        })
    }
}

fn write_value(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    let custom = match state.auto_escape() {
        AutoEscape::Custom(name) => name.to_string(),
        _ => return minijinja::escape_formatter(out, state, value),
    };
    if value.is_undefined() {
        return Err(minijinja::Error::from(minijinja::ErrorKind::UndefinedError));
    }
    let text = value.to_string();
    let written = if custom == "url" {
        out.write_str(&percent_encoded(&text))
    } else if text.contains(char::is_control) {
        let why = "a header cannot have control characters";
        return Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, why));
    } else {
        out.write_str(&text)
    };
    written.map_err(minijinja::Error::from)
}

/// All but the unreserved characters of RFC 3986: a value never adds a path step or a parameter.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    encoded
}

fn explain(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{line}{}{detail}", error.kind())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(text: &str, place: Place, values: serde_json::Value) -> Result<String, String> {
        let mut templates = Templates::new();
        let template = templates.add("test", text, place)?;
        templates.render(&template, &values)
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        let evil = json!({ "v": "a\"b</x>&c/../d?e=f\r\n" });
        let url = rendered("/books/{{ v }}", Place::Url, evil.clone()).unwrap();
        assert_eq!(url, "/books/a%22b%3C%2Fx%3E%26c%2F..%2Fd%3Fe%3Df%0D%0A");
        let body = rendered("{\"v\": {{ v }}}", Place::Json, evil.clone()).unwrap();
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read, evil);
        let body = rendered("<v>{{ v }}</v>", Place::Xml, evil.clone()).unwrap();
        assert!(!body.contains("</x>") && body.contains("&lt;"), "{body}");
        assert!(rendered("{{ v }}", Place::Header, evil).is_err());
    }

    #[test]
    fn what_is_not_there_is_an_error_that_says_what_is() {
        for place in [Place::Url, Place::Header, Place::Json, Place::Xml, Place::Plain] {
            let error = rendered("{{ isbn13 }}", place, json!({ "isbn": "x" })).unwrap_err();
            assert!(error.contains("undefined") && error.contains("there is isbn"), "{error}");
        }
        let error = rendered("{% if %}", Place::Json, json!({})).unwrap_err();
        assert!(error.contains("line 1"), "{error}");
    }

    #[test]
    fn a_template_without_end_runs_out() {
        let text = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(rendered(text, Place::Plain, json!({})).is_err());
    }
}
