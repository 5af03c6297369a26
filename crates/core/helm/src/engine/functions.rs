//! The functions that belong to whoever renders charts: `include`, `tpl`, `required`, `fail`, `lookup`.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use gotemplate::{
    ANY_MAP, Answer, Call, Entries, Error, FunctionError, Functions, Signature, Template,
    TemplateSet, Text, Type, Value, quoted,
};

use crate::values::tree::from_plain;

/// How often one name may be included within itself. Helm's own number.
const MAX_NESTED_INCLUDES: u32 = 1000;
/// Marks the message of `required` and `fail` on its way through the templates that called them.
pub(super) const MARK_START: &str = "HELM_ERR_START";
pub(super) const MARK_END: &str = "HELM_ERR_END";
/// The name of the set of templates, which is what `tpl` calls its text.
pub(super) const SET_NAME: &str = "gotpl";

/// Answers `lookup` from a cluster.
pub trait Lookup {
    /// The object of that name, or the list of all where the name is empty; `None` when there is none.
    ///
    /// # Errors
    ///
    /// A text for the user when the cluster did not answer.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<serde_json::Value>, String>;
}

/// How `required` and `fail` behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// They stop the render.
    #[default]
    Render,
    /// They are noted and passed over, as `lint` does.
    Lint,
}

/// What the functions of one render share.
pub(super) struct Shared {
    pub lookup: Option<Rc<dyn Lookup>>,
    pub strictness: Strictness,
    nested: RefCell<HashMap<Text, u32>>,
    /// Charts call `tpl` with the same text for every release of a loop.
    parsed: RefCell<HashMap<Text, Rc<[Arc<Template>]>>>,
}

impl Shared {
    pub fn new(
        lookup: Option<Rc<dyn Lookup>>,
        strictness: Strictness,
    ) -> Rc<Self> {
        Rc::new(Self {
            lookup,
            strictness,
            nested: RefCell::default(),
            parsed: RefCell::default(),
        })
    }
}

/// Adds the functions of one render.
pub(super) fn add(functions: &mut Functions, shared: &Rc<Shared>) {
    let it = Rc::clone(shared);
    functions.add(
        "include",
        Signature::new(&[Type::String, Type::Any], Type::String),
        move |call, arguments| include(&it, call, arguments),
    );
    let it = Rc::clone(shared);
    functions.add(
        "tpl",
        Signature::new(&[Type::String, Type::Any], Type::String),
        move |call, arguments| tpl(&it, call, arguments),
    );
    let it = Rc::clone(shared);
    functions.add(
        "required",
        Signature::new(&[Type::String, Type::Any], Type::Any),
        move |_, arguments| required(&it, arguments),
    );
    let it = Rc::clone(shared);
    functions.add(
        "fail",
        Signature::new(&[Type::String], Type::String),
        move |_, arguments| fail(&it, arguments),
    );
    let it = Rc::clone(shared);
    functions.add(
        "lookup",
        Signature::new(&[Type::String, Type::String, Type::String, Type::String], ANY_MAP),
        move |_, arguments| lookup(&it, arguments),
    );
    // Names of hosts are never resolved: what is rendered must not depend on the network.
    functions.add(
        "getHostByName",
        Signature::new(&[Type::String], Type::String),
        |_, _| Ok(Value::text("")),
    );
    for name in ["env", "expandenv"] {
        functions.remove(name);
    }
}

fn text(arguments: &[Value], index: usize) -> Text {
    let argument = arguments.get(index).and_then(Value::as_text);
    argument.cloned().unwrap_or_default()
}

fn include(shared: &Shared, call: &mut Call<'_>, arguments: &[Value]) -> Answer {
    let name = text(arguments, 0);
    let data = arguments.get(1).cloned().unwrap_or_default();
    {
        let mut nested = shared.nested.borrow_mut();
        let depth = nested.entry(name.clone()).or_insert(0);
        if *depth > MAX_NESTED_INCLUDES {
            return Err(FunctionError::new(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )));
        }
        *depth += 1;
    }
    let result = call.execute(&name.to_str(), &data);
    if let Some(depth) = shared.nested.borrow_mut().get_mut(&name) {
        *depth -= 1;
    }
    Ok(Value::String(result?))
}

fn tpl(shared: &Shared, call: &mut Call<'_>, arguments: &[Value]) -> Answer {
    let source = text(arguments, 0);
    let data = arguments.get(1).cloned().unwrap_or_default();
    if !source.as_bytes().windows(2).any(|pair| pair[0] == b'{' && pair[1] == b'{') {
        // Nothing to run, which is most of what charts pass.
        return Ok(Value::String(without_no_value(source)));
    }
    let cached = shared.parsed.borrow().get(&source).cloned();
    let parsed = match cached {
        Some(parsed) => parsed,
        None => {
            let parsed = TemplateSet::parse_only(SET_NAME, &source.to_str(), call.functions());
            let parsed: Rc<[Arc<Template>]> = parsed
                .map_err(|error| {
                    let shown = quoted(source.as_bytes());
                    FunctionError::wrap(format!("cannot parse template {shown}: {error}"), error)
                })?
                .into();
            shared.parsed.borrow_mut().insert(source.clone(), Rc::clone(&parsed));
            parsed
        }
    };
    let mut set = call.set().clone();
    // In a `tpl` within a `tpl` an empty text would not replace the outer one of the same name.
    if parsed.iter().any(|it| it.name() == SET_NAME && it.is_empty()) {
        set = TemplateSet::new(SET_NAME);
    }
    set.add(parsed.iter().cloned());
    let functions = call.functions().clone();
    let result = call.execute_in(&set, &functions, SET_NAME, &data);
    let written = result.map_err(|error: Error| {
        let shown = quoted(source.as_bytes());
        FunctionError::wrap(
            format!("error during tpl function execution for {shown}: {error}"),
            error,
        )
    })?;
    Ok(Value::String(without_no_value(written)))
}

const NO_VALUE: &str = "<no value>";

/// Whether the words occur. Few texts have a `<` at all, so looking for one is quickest.
fn has_no_value(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|it| *it == b'<') {
        rest = &rest[at..];
        if rest.starts_with(NO_VALUE.as_bytes()) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Go prints `<no value>` for what is missing; Helm takes the words out of the whole text.
pub(super) fn without_no_value(text: Text) -> Text {
    match text.as_str() {
        Some(whole) if has_no_value(whole.as_bytes()) => Text::from(whole.replace(NO_VALUE, "")),
        Some(_) => text,
        None => {
            let bytes = text.as_bytes();
            let mut kept = Vec::with_capacity(bytes.len());
            let mut at = 0;
            while at < bytes.len() {
                if bytes[at..].starts_with(NO_VALUE.as_bytes()) {
                    at += NO_VALUE.len();
                } else {
                    kept.push(bytes[at]);
                    at += 1;
                }
            }
            Text::from_bytes(&kept)
        }
    }
}

fn required(shared: &Shared, arguments: &[Value]) -> Answer {
    let value = arguments.get(1).cloned().unwrap_or_default();
    let missing = value.is_nil() || value.as_text().is_some_and(Text::is_empty);
    match (missing, shared.strictness) {
        (false, _) => Ok(value),
        (true, Strictness::Lint) => Ok(Value::text("")),
        (true, Strictness::Render) => Err(marked(&text(arguments, 0))),
    }
}

fn fail(shared: &Shared, arguments: &[Value]) -> Answer {
    match shared.strictness {
        Strictness::Lint => Ok(Value::text("")),
        Strictness::Render => Err(marked(&text(arguments, 0))),
    }
}

fn marked(message: &Text) -> FunctionError {
    FunctionError::new(format!("{MARK_START}{message}{MARK_END}"))
}

fn lookup(shared: &Shared, arguments: &[Value]) -> Answer {
    let nothing = || Value::map(Entries::new());
    let Some(lookup) = shared.lookup.as_ref() else {
        return Ok(nothing());
    };
    let part = |index| text(arguments, index).to_string();
    let found = lookup
        .lookup(&part(0), &part(1), &part(2), &part(3))
        .map_err(FunctionError::new)?;
    Ok(found.map_or_else(nothing, |object| {
        from_plain(&object)
    }))
}
