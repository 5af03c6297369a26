//! Parsed templates, kept with the chart so that it is parsed once and rendered often.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use gotemplate::{Functions, ParseError, Template, TemplateSet};

type Parsed = Arc<[Arc<Template>]>;

/// What the files of one chart were parsed into, by the full name under which they were:
/// an aliased chart is parsed under each of its names.
#[derive(Default)]
pub(crate) struct ParsedCache {
    by_name: Mutex<HashMap<String, Parsed>>,
}

impl ParsedCache {
    pub fn get_or_parse(
        &self,
        name: &str,
        text: &[u8],
        functions: &Functions,
    ) -> Result<Parsed, ParseError> {
        let found = self.locked().get(name).cloned();
        if let Some(parsed) = found {
            return Ok(parsed);
        }
        let parsed: Parsed = TemplateSet::parse_only(name, &readable(text), functions)?.into();
        self.locked().insert(name.to_owned(), Arc::clone(&parsed));
        Ok(parsed)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Parsed>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Text as it is; what is no text as Rust shows it.
fn readable(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(text),
    }
}

impl fmt::Debug for ParsedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} parsed files", self.locked().len())
    }
}
