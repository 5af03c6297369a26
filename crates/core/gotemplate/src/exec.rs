//! Running templates: what a function sees of the run, and how it runs others.

mod call;
mod eval;
mod field;
mod range;
mod walk;

pub(crate) use call::can_be_nil;

use crate::{
    budget::Budget,
    error::{Error, ExecError, FunctionError, Place},
    format::Printer,
    function::Functions,
    node::NodeRef,
    set::{Template, TemplateSet},
    text::Text,
    value::Value,
};

/// What a missing key of a map gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value; printed as `<no value>`.
    #[default]
    Invalid,
    /// The zero value of the map's element type. Helm's way.
    Zero,
    /// An error.
    Error,
}

/// Which Go's texts and rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Go 1.27: Helm 4.3.
    #[default]
    Go127,
    /// Go 1.24: Helm 3.19.
    Go124,
}

/// How templates run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub missing_key: MissingKey,
    pub dialect: Dialect,
}

/// What lasts through a whole render.
pub(crate) struct Context {
    pub(crate) budget: Budget,
    pub(crate) options: Options,
    depth: u32,
    /// The variables of all templates that are running, as one stack.
    variables: Vec<Variable>,
    /// Vectors for arguments, to be used again.
    pool: Vec<Vec<Value>>,
    /// Buffers for output, to be used again.
    buffers: Vec<Vec<u8>>,
}

impl Context {
    pub(crate) fn new(budget: Budget, options: Options) -> Self {
        Self {
            budget,
            options,
            depth: 0,
            variables: Vec::new(),
            pool: Vec::new(),
            buffers: Vec::new(),
        }
    }

    /// Lets `write` fill a buffer, and makes a text of it.
    pub(crate) fn written<E>(
        &mut self,
        write: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Text, E> {
        let mut buffer = self.buffers.pop().unwrap_or_default();
        let result = write(self, &mut buffer).map(|()| Text::from_bytes(&buffer));
        buffer.clear();
        self.buffers.push(buffer);
        result
    }
}

/// A value and whether its static type is `interface {}`, which Go's errors tell.
///
/// Nil with it is a nil interface; nil without it is no value at all.
#[derive(Clone)]
struct Operand {
    value: Value,
    any: bool,
}

impl Operand {
    const INVALID: Self = Self {
        value: Value::Nil,
        any: false,
    };

    fn concrete(value: Value) -> Self {
        Self { value, any: false }
    }

    /// The name of the static type.
    fn type_name(&self) -> String {
        if self.any {
            "interface {}".to_owned()
        } else {
            self.value.type_name().into_owned()
        }
    }
}

struct Variable {
    id: u32,
    operand: Operand,
}

/// Boxed, because errors are rare and results are passed up often.
type Run<T> = Result<T, Box<ExecError>>;

/// One template that is running.
struct Runner<'t, 'c> {
    context: &'c mut Context,
    out: &'c mut Vec<u8>,
    set: &'t TemplateSet,
    functions: &'t Functions,
    template: &'t Template,
    /// The node that an error is about.
    node: NodeRef<'t>,
    /// Where the variables of this template begin.
    base: usize,
    /// How many `template` actions led here.
    depth: u32,
}

/// Go stops here, and says so.
const MOST_DEPTH: u32 = 100_000;

/// No value prints as more than this.
const MOST_PRINTED: usize = 1 << 30;

/// Before a template is run, so much stack must be left, or more is taken from the heap.
const RED_ZONE: usize = 256 << 10;
const MORE_STACK: usize = 4 << 20;

/// Runs the template of that name and returns what it wrote.
pub(crate) fn run(
    context: &mut Context,
    set: &TemplateSet,
    functions: &Functions,
    name: &str,
    data: &Value,
) -> Result<Text, Error> {
    let Some(template) = set.get(name) else {
        let (name, root) = (
            crate::quoted(name.as_bytes()),
            crate::quoted(set.name().as_bytes()),
        );
        return Err(FunctionError::new(format!(
            "template: no template {name} associated with template {root}"
        ))
        .into());
    };
    let base = context.variables.len();
    let node = NodeRef::Text(0, "");
    let result = context.written(|context, out| {
        let mut runner = Runner {
            context,
            out,
            set,
            functions,
            template,
            node,
            base,
            depth: 0,
        };
        runner.template_body(Operand::concrete(data.clone()))
    });
    context.variables.truncate(base);
    result.map_err(|error| Error::Exec(*error))
}

impl<'t> Runner<'t, '_> {
    /// An error at the current node.
    #[cold]
    fn error(&self, message: impl Into<String>) -> Box<ExecError> {
        self.error_with(message.into(), None)
    }

    #[cold]
    fn error_with(&self, message: String, cause: Option<Error>) -> Box<ExecError> {
        let source = &self.template.source;
        let before = &source.text[..self.node.position()];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Box::new(ExecError {
            template: self.template.name().to_owned(),
            place: Some(Place {
                file: source.file.to_string(),
                line: 1 + before.matches('\n').count(),
                column: before.len() - line_start,
                node: self.node.print(),
            }),
            message,
            cause: cause.map(Box::new),
        })
    }

    /// Goes on, or stops because a limit is reached.
    #[cold]
    fn limit(&self, error: FunctionError) -> Box<ExecError> {
        self.error_with(error.message.clone(), Some(Error::Function(error)))
    }

    fn step(&mut self) -> Run<()> {
        self.context
            .budget
            .take_steps(1)
            .map_err(|error| self.limit(error))
    }
}

/// The run that calls a function: the function may run templates in it and draw on its budget.
pub struct Call<'a> {
    context: &'a mut Context,
    set: &'a TemplateSet,
    functions: &'a Functions,
}

impl<'a> Call<'a> {
    /// The templates among which the caller runs.
    pub fn set(&self) -> &'a TemplateSet {
        self.set
    }

    /// The functions with which the caller runs.
    pub fn functions(&self) -> &'a Functions {
        self.functions
    }

    pub fn options(&self) -> Options {
        self.context.options
    }

    /// Prints within what memory is left, and takes what it used.
    ///
    /// # Errors
    ///
    /// When the text is too long, or a value contains itself.
    pub(crate) fn printed(
        &mut self,
        print: impl FnOnce(&mut Printer<'_>),
    ) -> Result<Text, FunctionError> {
        self.context.written(|context, out| {
            let left = usize::try_from(context.budget.memory_bytes).unwrap_or(usize::MAX);
            let mut printer = Printer::new(out, left.min(MOST_PRINTED));
            print(&mut printer);
            printer.finish()?;
            context.budget.take_memory(out.len())
        })
    }

    pub fn budget(&mut self) -> &mut Budget {
        &mut self.context.budget
    }

    /// How many templates are running within one another.
    pub fn depth(&self) -> u32 {
        self.context.depth
    }

    /// Runs a template of the caller's set and returns what it wrote, as `include` does.
    ///
    /// # Errors
    ///
    /// When there is no such template, or it fails.
    pub fn execute(&mut self, name: &str, data: &Value) -> Result<Text, Error> {
        self.execute_in(self.set, self.functions, name, data)
    }

    /// Runs a template of another set, with other functions, as `tpl` does.
    ///
    /// # Errors
    ///
    /// When there is no such template, or it fails.
    pub fn execute_in(
        &mut self,
        set: &TemplateSet,
        functions: &Functions,
        name: &str,
        data: &Value,
    ) -> Result<Text, Error> {
        let options = self.context.options;
        self.execute_with(set, functions, options, name, data)
    }

    /// As [`execute_in`](Self::execute_in), with other options.
    ///
    /// # Errors
    ///
    /// When there is no such template, or it fails.
    pub fn execute_with(
        &mut self,
        set: &TemplateSet,
        functions: &Functions,
        options: Options,
        name: &str,
        data: &Value,
    ) -> Result<Text, Error> {
        let outer = std::mem::replace(&mut self.context.options, options);
        let result = run(self.context, set, functions, name, data);
        self.context.options = outer;
        result
    }

    /// Calls a function value with arguments that templates computed: checks and converts them first.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit, with Go's text, or the function fails.
    pub fn apply(&mut self, function: &crate::Function, arguments: &[Value]) -> crate::Answer {
        crate::builtin::apply(self, function, arguments)
    }
}

/// A call outside any template: for tests, and for functions that are called without one.
pub fn call_outside<T>(
    set: &TemplateSet,
    functions: &Functions,
    options: Options,
    budget: &mut Budget,
    body: impl FnOnce(&mut Call<'_>) -> T,
) -> T {
    let mut context = Context::new(std::mem::take(budget), options);
    let result = body(&mut Call {
        context: &mut context,
        set,
        functions,
    });
    *budget = context.budget;
    result
}
