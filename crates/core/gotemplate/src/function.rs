//! Functions and methods: signatures, the registry that templates are parsed and run with.

use std::{collections::HashMap, fmt, rc::Rc, sync::Arc};

use crate::{error::FunctionError, exec::Call, gotype::Type, value::Value};

/// What a function answers.
pub type Answer = Result<Value, FunctionError>;

/// Go's signature of a function; arguments are checked and converted against it before the call.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The parameters; of a variadic function the last one is the type of each further argument.
    pub params: &'static [Type],
    pub variadic: bool,
    /// The type of the first result.
    pub result: Type,
    /// Go's text of the type, e.g. `func(string) string`; needed only for `%T`.
    pub text: &'static str,
}

impl Signature {
    pub const fn new(params: &'static [Type], result: Type) -> Self {
        Self {
            params,
            variadic: false,
            result,
            text: "func()",
        }
    }

    /// As [`new`](Self::new), with the last parameter any number of times.
    pub const fn variadic(params: &'static [Type], result: Type) -> Self {
        Self {
            params,
            variadic: true,
            result,
            text: "func()",
        }
    }

    /// Adds Go's text of the type.
    pub const fn with_text(self, text: &'static str) -> Self {
        Self { text, ..self }
    }
}

/// Built-in functions that evaluate their arguments in a way of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    And,
    Or,
    Call,
    /// Tells a nil interface from no value.
    Len,
    /// Takes no index out of an interface.
    Slice,
    /// `printf` writes straight to the output where it can.
    Printf,
}

type Body = dyn Fn(&mut Call<'_>, &[Value]) -> Answer;

/// A function that templates can call.
///
/// When it runs, the number of its arguments is right and each has its parameter's type
/// ([`Type::Any`] takes all; an explicit nil comes as [`Value::Nil`], or as a nil list or map
/// where the parameter is one).
pub struct Function {
    name: Arc<str>,
    signature: Signature,
    body: Rc<Body>,
    pub(crate) builtin: Option<Builtin>,
}

impl Function {
    /// A function as a value of its own, e.g. for `call`.
    pub fn new(
        name: &str,
        signature: Signature,
        body: impl Fn(&mut Call<'_>, &[Value]) -> Answer + 'static,
    ) -> Self {
        Self::boxed(name, signature, Rc::new(body))
    }

    /// Apart from [`new`](Self::new), which the compiler writes out for each of hundreds of functions.
    fn boxed(name: &str, signature: Signature, body: Rc<Body>) -> Self {
        Self {
            name: name.into(),
            signature,
            body,
            builtin: None,
        }
    }

    pub(crate) fn builtin(
        builtin: Builtin,
        name: &str,
        signature: Signature,
        body: impl Fn(&mut Call<'_>, &[Value]) -> Answer + 'static,
    ) -> Self {
        Self {
            builtin: Some(builtin),
            ..Self::new(name, signature, body)
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Go's text of its type.
    pub fn type_text(&self) -> &'static str {
        self.signature.text
    }

    /// Runs it; the arguments must fit the signature.
    pub fn call(&self, call: &mut Call<'_>, arguments: &[Value]) -> Answer {
        (self.body)(call, arguments)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name)
    }
}

/// A method of a type.
pub struct Method {
    pub name: &'static str,
    pub signature: Signature,
    /// Gets the receiver, then the arguments.
    pub call: fn(&mut Call<'_>, &Value, &[Value]) -> Answer,
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({})", self.name)
    }
}

/// All functions that templates may call, by name; the built-in ones are always among them.
///
/// Templates remember the place of each function they name, so a template runs fastest with a registry
/// in which functions were added in the same order as in the one it was parsed with; any other works too.
#[derive(Clone, Debug)]
pub struct Functions {
    slots: Vec<Rc<Function>>,
    index: Rc<HashMap<Arc<str>, u32>>,
}

impl Functions {
    /// Go's built-in functions only.
    pub fn builtins() -> Self {
        let mut functions = Self {
            slots: Vec::new(),
            index: Rc::default(),
        };
        for function in crate::builtin::all() {
            functions.insert(function);
        }
        functions
    }

    /// Adds a function, or replaces the one of that name.
    pub fn add(
        &mut self,
        name: &str,
        signature: Signature,
        body: impl Fn(&mut Call<'_>, &[Value]) -> Answer + 'static,
    ) -> &mut Self {
        self.insert(Function::boxed(name, signature, Rc::new(body)));
        self
    }

    /// Adds a function under its own name, or replaces the one of that name.
    pub fn insert(&mut self, function: Function) {
        match self.index.get(function.name.as_ref()) {
            Some(slot) => self.slots[*slot as usize] = Rc::new(function),
            None => {
                let slot = u32::try_from(self.slots.len()).expect("few functions");
                Rc::make_mut(&mut self.index).insert(function.name.clone(), slot);
                self.slots.push(Rc::new(function));
            }
        }
    }

    /// Takes the function of that name away; its place stays taken.
    pub fn remove(&mut self, name: &str) {
        // Copies share one index; one that has to change is copied as a whole.
        if self.index.contains_key(name) {
            Rc::make_mut(&mut self.index).remove(name);
        }
    }

    pub fn get(&self, name: &str) -> Option<&Rc<Function>> {
        self.slots.get(*self.index.get(name)? as usize)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(AsRef::as_ref)
    }

    /// The place of a function, and its name to be shared.
    pub(crate) fn slot(&self, name: &str) -> Option<(u32, Arc<str>)> {
        let (name, slot) = self.index.get_key_value(name)?;
        Some((*slot, Arc::clone(name)))
    }

    pub(crate) fn at(&self, slot: u32, name: &str) -> Option<&Rc<Function>> {
        match self.slots.get(slot as usize) {
            Some(function) if &*function.name == name => Some(function),
            _ => self.get(name),
        }
    }
}
