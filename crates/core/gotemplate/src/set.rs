//! Sets of parsed templates that can call one another.

use std::{collections::HashMap, fmt, sync::Arc};

use crate::{
    budget::Budget,
    error::{Error, ParseError},
    exec::{Context, Options, run},
    function::Functions,
    node::{List, Node, Source},
    parse::parse,
    text::Text,
    value::Value,
};

/// One parsed template. Templates can be shared between threads and sets.
pub struct Template {
    name: Arc<str>,
    pub(crate) root: List,
    pub(crate) source: Arc<Source>,
    empty: bool,
}

impl Template {
    pub(crate) fn new(name: Arc<str>, root: List, source: Arc<Source>) -> Self {
        let empty = root.nodes.iter().all(|node| match node {
            Node::Text(start, end) => source.text[*start as usize..*end as usize]
                .chars()
                .all(char::is_whitespace),
            _ => false,
        });
        Self {
            name,
            root,
            source,
            empty,
        }
    }

    /// The name it is called by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name under which its text was parsed: of a `define`, the file that holds it.
    pub fn file(&self) -> &str {
        &self.source.file
    }

    /// Whether it has nothing but white space and comments; such a definition replaces none.
    pub fn is_empty(&self) -> bool {
        self.empty
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({} of {})", self.name, self.source.file)
    }
}

/// Templates by name. Cloning is cheap, and what is parsed into a clone stays in the clone.
#[derive(Clone, Debug)]
pub struct TemplateSet {
    name: Arc<str>,
    base: Option<Arc<TemplateSet>>,
    own: HashMap<Arc<str>, Arc<Template>>,
}

impl Default for TemplateSet {
    fn default() -> Self {
        Self::new("gotpl")
    }
}

impl TemplateSet {
    /// An empty set. The name is that of Go's root template; only one error names it.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            base: None,
            own: HashMap::new(),
        }
    }

    /// Parses a text under a name and adds it and all that it defines.
    ///
    /// A definition replaces an earlier one of its name, unless it is empty and there is one.
    ///
    /// # Errors
    ///
    /// When Go would not parse it, with Go's text.
    pub fn parse(
        &mut self,
        name: &str,
        text: &str,
        functions: &Functions,
    ) -> Result<(), ParseError> {
        self.add(Self::parse_only(name, text, functions)?);
        Ok(())
    }

    /// Parses a text without adding it, so that the result can be kept and added often.
    ///
    /// # Errors
    ///
    /// When Go would not parse it, with Go's text.
    pub fn parse_only(
        name: &str,
        text: &str,
        functions: &Functions,
    ) -> Result<Vec<Arc<Template>>, ParseError> {
        Ok(parse(name, text, functions)?
            .into_iter()
            .map(Arc::new)
            .collect())
    }

    /// Adds parsed templates.
    pub fn add(&mut self, templates: impl IntoIterator<Item = Arc<Template>>) {
        for template in templates {
            if !template.is_empty() || self.get(template.name()).is_none() {
                self.own.insert(template.name.clone(), template);
            }
        }
    }

    /// An empty set on top of this one: it finds all of these, and what it adds stays its own.
    pub fn child(self: &Arc<Self>) -> Self {
        Self {
            name: self.name.clone(),
            base: Some(self.clone()),
            own: HashMap::new(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Template>> {
        let mut set = self;
        loop {
            match (set.own.get(name), &set.base) {
                (Some(template), _) => return Some(template),
                (None, Some(base)) => set = base,
                (None, None) => return None,
            }
        }
    }

    /// The names of all templates, in no order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.own.keys().map(AsRef::as_ref).collect();
        if let Some(base) = &self.base {
            names.extend(
                base.names()
                    .into_iter()
                    .filter(|name| !self.own.contains_key(*name)),
            );
        }
        names
    }

    /// Go's name of the whole set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a template and returns what it wrote.
    ///
    /// # Errors
    ///
    /// When there is no such template, when it fails as it would in Go, or when the budget ends.
    pub fn execute(
        &self,
        name: &str,
        data: &Value,
        functions: &Functions,
        options: Options,
        budget: &mut Budget,
    ) -> Result<Text, Error> {
        let mut context = Context::new(std::mem::take(budget), options);
        let result = run(&mut context, self, functions, name, data);
        *budget = context.budget;
        result
    }
}
