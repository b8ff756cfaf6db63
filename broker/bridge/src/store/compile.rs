//! From the text of a store file to what is used: everything that could be wrong with it is found
//! here, with file, key and reason, and never when an order is under way.

use std::cell::RefCell;
use std::path::Path as FilePath;
use std::str::FromStr;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::StoreError;
use super::file::{PartnerSection, PriceSection, RequestSection};
use crate::read::amount::{self, Unit};
use crate::read::{Document, Format, Path};
use crate::template::{Place, Template, Templates};

/// Knows the file that is being read.
pub(crate) struct Compiler<'a> {
    file: &'a FilePath,
    partner: &'a PartnerSection,
    templates: RefCell<Templates>,
}

/// One call, ready to be filled in.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Template,
    pub(crate) headers: Vec<(HeaderName, Template)>,
    pub(crate) body: Option<(HeaderValue, Template)>,
    pub(crate) idempotency_header: Option<HeaderName>,
}

/// Where an amount comes from.
#[derive(Debug, Clone)]
pub(crate) struct Price {
    pub(crate) source: PriceSource,
    pub(crate) each: bool,
    pub(crate) at_most: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum PriceSource {
    Path(Path),
    Fixed(String),
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(file: &'a FilePath, partner: &'a PartnerSection) -> Self {
        Self { file, partner, templates: RefCell::new(Templates::new()) }
    }

    pub(crate) fn into_templates(self) -> Templates {
        self.templates.into_inner()
    }

    pub(crate) fn error(&self, key: &str, why: impl Into<String>) -> StoreError {
        StoreError::Key { file: self.file.to_owned(), key: key.to_owned(), why: why.into() }
    }

    pub(crate) fn path(&self, text: &str, key: &str) -> Result<Path, StoreError> {
        Path::compile(text, self.partner.format, &self.partner.namespaces)
            .map_err(|why| self.error(key, why))
    }

    pub(crate) fn maybe_path(
        &self,
        text: Option<&String>,
        key: &str,
    ) -> Result<Option<Path>, StoreError> {
        text.map(|text| self.path(text, key)).transpose()
    }

    pub(crate) fn price(&self, section: &PriceSection, key: &str) -> Result<Price, StoreError> {
        let source = match (&section.path, &section.fixed) {
            (Some(path), None) => PriceSource::Path(self.path(path, &format!("{key}.path"))?),
            (None, Some(fixed)) => {
                let read = amount::parse(fixed, self.unit(), self.partner.currency);
                read.map_err(|e| self.error(&format!("{key}.fixed"), e.to_string()))?;
                PriceSource::Fixed(fixed.clone())
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(self.error(key, "needs either `path` or `fixed`"));
            }
        };
        Ok(Price { source, each: section.each, at_most: section.at_most })
    }

    pub(crate) fn maybe_price(
        &self,
        section: Option<&PriceSection>,
        key: &str,
    ) -> Result<Option<Price>, StoreError> {
        section.map(|section| self.price(section, key)).transpose()
    }

    fn unit(&self) -> Unit {
        self.partner.unit
    }

    /// Reads the templates of a call and fills them in with every sample.
    pub(crate) fn call(
        &self,
        section: &RequestSection,
        key: &str,
        samples: &[Value],
    ) -> Result<Call, StoreError> {
        let key = |field: &str| format!("{key}.request.{field}");
        let method = Method::from_str(&section.method)
            .ok()
            .filter(|method| METHODS.contains(&method.as_str()))
            .ok_or_else(|| self.error(&key("method"), format!("must be one of {METHODS:?}")))?;
        if !section.url.starts_with('/') {
            let why = "must begin with `/`: it is relative to partner.base_url";
            return Err(self.error(&key("url"), why));
        }
        let url = self.template(&section.url, &key("url"), Place::Url, samples)?;
        let mut headers = Vec::new();
        for (name, text) in &section.headers {
            let key = key(&format!("headers.{name}"));
            let name = self.header_name(name, &key)?;
            headers.push((name, self.template(text, &key, Place::Header, samples)?));
        }
        let body = section.body.as_ref().map(|text| self.body(section, text, &key, samples));
        let idempotency_header = section.idempotency_header.as_ref();
        let idempotency_header = idempotency_header
            .map(|name| self.header_name(name, &key("idempotency_header")))
            .transpose()?;
        Ok(Call { method, url, headers, body: body.transpose()?, idempotency_header })
    }

    fn body(
        &self,
        section: &RequestSection,
        text: &str,
        key: &impl Fn(&str) -> String,
        samples: &[Value],
    ) -> Result<(HeaderValue, Template), StoreError> {
        let content_type = section.content_type.as_deref().unwrap_or(match self.partner.format {
            Format::Json => "application/json",
            Format::Xml => "application/xml",
        });
        let header = HeaderValue::from_str(content_type)
            .map_err(|e| self.error(&key("content_type"), e.to_string()))?;
        let place = Place::of_content_type(content_type);
        let template = self.template(text, &key("body"), place, samples)?;
        Ok((header, template))
    }

    pub(crate) fn header_name(&self, name: &str, key: &str) -> Result<HeaderName, StoreError> {
        HeaderName::from_str(name)
            .map_err(|_| self.error(key, format!("{name:?} is no header name")))
    }

    fn template(
        &self,
        text: &str,
        key: &str,
        place: Place,
        samples: &[Value],
    ) -> Result<Template, StoreError> {
        let mut templates = self.templates.borrow_mut();
        let template = templates.add(key, text, place).map_err(|why| self.error(key, why))?;
        for sample in samples {
            let filled = templates.render(&template, sample).map_err(|why| self.error(key, why))?;
            well_formed(place, &filled).map_err(|why| self.error(key, why))?;
        }
        Ok(template)
    }
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Whether a filled-in template is what its place needs.
fn well_formed(place: Place, filled: &str) -> Result<(), String> {
    let format = match place {
        Place::Json => Format::Json,
        Place::Xml => Format::Xml,
        Place::Url => {
            let plain = filled.bytes().all(|b| b.is_ascii_graphic());
            return if plain { Ok(()) } else { Err(format!("{filled:?} is no path")) };
        }
        Place::Header => {
            return HeaderValue::from_str(filled).map(drop).map_err(|e| e.to_string());
        }
        Place::Form | Place::Plain => return Ok(()),
    };
    Document::parse(format, filled.as_bytes()).map(drop).map_err(|error| {
        let quotes = match place {
            Place::Json => ", texts come with their quotes: write {{ isbn }}, not \"{{ isbn }}\"",
            _ => "",
        };
        format!("filled in with a sample it is not well-formed: {error}{quotes}")
    })
}
