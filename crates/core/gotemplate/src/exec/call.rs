//! Calls functions and methods: evaluates arguments, fits them to the parameters.

use super::{Call, Operand, Run, Runner};
use crate::{
    error::{Error, FunctionError},
    format::Printer,
    function::{Builtin, Function, Method, Signature},
    gotype::{Kind, Type},
    node::{Arg, ArgKind, Command, NodeRef},
    object::Object,
    text::Text,
    value::Value,
};

/// What is called.
#[derive(Clone, Copy)]
pub(super) enum Callee<'r> {
    Function(&'r Function),
    Method(&'r Method, &'r Value),
}

impl Callee<'_> {
    fn signature(&self) -> &Signature {
        match self {
            Self::Function(function) => function.signature(),
            Self::Method(method, _) => &method.signature,
        }
    }

    fn builtin(&self) -> Option<Builtin> {
        match self {
            Self::Function(function) => function.builtin,
            Self::Method(..) => None,
        }
    }
}

impl<'t> Runner<'t, '_> {
    pub(super) fn eval_function(
        &mut self,
        dot: &Operand,
        arg: &'t Arg,
        (name, slot): (&'t str, u32),
        node: NodeRef<'t>,
        args: Option<&'t [Arg]>,
        last: Option<Operand>,
    ) -> Run<Operand> {
        self.node = NodeRef::Arg(arg);
        let functions = self.functions;
        let Some(function) = functions.at(slot, name) else {
            return Err(self.error(format!(
                "{} is not a defined function",
                crate::quoted(name.as_bytes())
            )));
        };
        self.eval_call(dot, Callee::Function(function), node, name, args, last)
    }

    /// `args` holds the function itself first, as in a shell.
    pub(super) fn eval_call(
        &mut self,
        dot: &Operand,
        callee: Callee<'_>,
        node: NodeRef<'t>,
        name: &str,
        args: Option<&'t [Arg]>,
        last: Option<Operand>,
    ) -> Run<Operand> {
        let args = args.map_or(&[][..], |args| &args[1..]);
        let signature = callee.signature();
        self.check_count(signature, name, args.len(), last.is_some())?;
        if let Some(builtin @ (Builtin::And | Builtin::Or)) = callee.builtin() {
            return self.and_or(dot, builtin, args, last);
        }
        let mut values = self.context.pool.pop().unwrap_or_default();
        let result = self
            .arguments(dot, callee, (node, name), args, last, &mut values)
            .and_then(|()| self.call(callee, node, name, &values));
        values.clear();
        self.context.pool.push(values);
        result
    }

    fn check_count(
        &self,
        signature: &Signature,
        name: &str,
        given: usize,
        has_last: bool,
    ) -> Run<()> {
        let count = given + usize::from(has_last);
        let params = signature.params.len();
        if signature.variadic {
            let least = params - 1;
            if count < least {
                return Err(self.error(format!(
                    "wrong number of args for {name}: want at least {least} got {given}"
                )));
            }
        } else if count != params {
            return Err(self.error(format!(
                "wrong number of args for {name}: want {params} got {count}"
            )));
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        dot: &Operand,
        callee: Callee<'_>,
        (node, name): (NodeRef<'t>, &str),
        args: &'t [Arg],
        last: Option<Operand>,
        values: &mut Vec<Value>,
    ) -> Run<()> {
        let signature = callee.signature();
        let is_len = callee.builtin() == Some(Builtin::Len);
        let is_slice = callee.builtin() == Some(Builtin::Slice);
        let is_call = callee.builtin() == Some(Builtin::Call);
        let mut nil_interface = false;
        for (index, arg) in args.iter().enumerate() {
            let operand = self.eval_arg(dot, Some(param(signature, index)), arg)?;
            nil_interface = operand.any && operand.value.is_nil();
            values.push(if is_slice && index > 0 && operand.any {
                Value::object(Interface)
            } else {
                operand.value
            });
        }
        if let Some(last) = last {
            let ty = param(signature, args.len());
            let operand = self.validate(last, Some(ty))?;
            nil_interface = operand.any && operand.value.is_nil();
            values.push(operand.value);
        }
        if is_call {
            // The name of what is called stands in its errors.
            let shown = match args.first() {
                Some(arg) => NodeRef::Arg(arg).print(),
                None => format!("<{} Value>", values[0].type_name()),
            };
            values.insert(0, Value::from(shown));
        }
        if is_len && nil_interface {
            self.node = node;
            return Err(self.call_error(name, FunctionError::new("len of nil pointer")));
        }
        Ok(())
    }

    fn call(
        &mut self,
        callee: Callee<'_>,
        node: NodeRef<'t>,
        name: &str,
        values: &[Value],
    ) -> Run<Operand> {
        let mut call = Call {
            context: &mut *self.context,
            set: self.set,
            functions: self.functions,
        };
        let answer = match callee {
            Callee::Function(function) => function.call(&mut call, values),
            Callee::Method(method, receiver) => (method.call)(&mut call, receiver, values),
        };
        match answer {
            Ok(value) => Ok(Operand {
                value,
                any: callee.signature().result == Type::Any,
            }),
            Err(error) => {
                self.node = node;
                Err(self.call_error(name, error))
            }
        }
    }

    /// `printf` as the end of an action: it writes straight to the output.
    pub(super) fn printf(
        &mut self,
        dot: &Operand,
        function: &Function,
        command: &'t Command,
        last: Option<Operand>,
    ) -> Run<()> {
        const NAME: &str = "printf";
        self.step()?;
        let (first, args) = command
            .args
            .split_first()
            .expect("a command has a first word");
        self.node = NodeRef::Arg(first);
        self.check_count(function.signature(), NAME, args.len(), last.is_some())?;
        let mut values = self.context.pool.pop().unwrap_or_default();
        let node = NodeRef::Command(command);
        let result = self
            .arguments(
                dot,
                Callee::Function(function),
                (node, NAME),
                args,
                last,
                &mut values,
            )
            .and_then(|()| {
                let before = self.out.len();
                let left = usize::try_from(self.context.budget.output_bytes).unwrap_or(usize::MAX);
                let mut printer = Printer::new(self.out, left);
                printer.printf(
                    values[0].as_text().map_or(&[][..], Text::as_bytes),
                    &values[1..],
                );
                let written = printer.finish();
                let bytes = self.out.len() - before;
                written
                    .and_then(|()| self.context.budget.take_output(bytes))
                    .map_err(|error| {
                        self.node = node;
                        self.call_error(NAME, error)
                    })
            });
        values.clear();
        self.context.pool.push(values);
        result
    }

    #[cold]
    fn call_error(&self, name: &str, error: FunctionError) -> Box<crate::ExecError> {
        let message = format!("error calling {name}: {error}");
        // An error that only passes on a template's error is that error.
        let cause = match error.cause {
            Some(cause) if !error.limit && cause.to_string() == error.message => *cause,
            _ => Error::Function(error),
        };
        self.error_with(message, Some(cause))
    }

    /// `and` and `or` stop at the argument that decides.
    fn and_or(
        &mut self,
        dot: &Operand,
        builtin: Builtin,
        args: &'t [Arg],
        last: Option<Operand>,
    ) -> Run<Operand> {
        let mut operand = Operand::INVALID;
        for arg in args {
            operand = self.eval_arg(dot, Some(Type::Reflect), arg)?;
            if operand.value.is_true() == (builtin == Builtin::Or) {
                return Ok(operand);
            }
        }
        Ok(last.unwrap_or(operand))
    }

    /// Evaluates an argument for a parameter; without a type, for the start of a chain.
    pub(super) fn eval_arg(
        &mut self,
        dot: &Operand,
        ty: Option<Type>,
        arg: &'t Arg,
    ) -> Run<Operand> {
        self.node = NodeRef::Arg(arg);
        let operand = match &arg.kind {
            ArgKind::Dot => dot.clone(),
            ArgKind::Nil => return self.eval_nil(ty),
            ArgKind::Field(names) => self.eval_fields(dot, dot, arg, names, None, None)?,
            ArgKind::Variable(..) => self.eval_variable(dot, arg, None, None)?,
            ArgKind::Pipe(pipe) => self.eval_nested(dot, pipe)?,
            ArgKind::Identifier(name, slot) => {
                self.eval_function(dot, arg, (name, *slot), NodeRef::Arg(arg), None, None)?
            }
            ArgKind::Chain(..) => self.eval_chain(dot, arg, None, None)?,
            ArgKind::Bool(_) | ArgKind::Number(_) | ArgKind::String(..) => {
                return self.eval_constant(ty.unwrap_or(Type::Any), arg);
            }
        };
        self.validate(operand, ty)
    }

    fn eval_nil(&self, ty: Option<Type>) -> Run<Operand> {
        let ty = ty.unwrap_or(Type::Any);
        if can_be_nil(ty) {
            return Ok(Operand::concrete(Value::zero(ty)));
        }
        Err(self.error(format!("cannot assign nil to {ty}")))
    }

    /// A constant takes the type of the parameter.
    fn eval_constant(&mut self, ty: Type, arg: &'t Arg) -> Run<Operand> {
        let expected = |what: &str| format!("expected {what}; found {}", NodeRef::Arg(arg).print());
        let number = match &arg.kind {
            ArgKind::Number(number) => Some(number),
            _ => None,
        };
        let value = match (ty, &arg.kind) {
            (Type::Any | Type::Reflect, ArgKind::Number(number)) => {
                return self.constant(arg, number);
            }
            (Type::Any | Type::Reflect | Type::Bool, ArgKind::Bool(value)) => Value::Bool(*value),
            (Type::Any | Type::Reflect | Type::String, ArgKind::String(_, text)) => {
                Value::String(text.text())
            }
            (Type::Bool, _) => return Err(self.error(expected("bool"))),
            (Type::String, _) => return Err(self.error(expected("string"))),
            (Type::Int | Type::Int32 | Type::Int64, _) => {
                match number.and_then(|number| number.int) {
                    Some(int) => signed(ty, int),
                    None => return Err(self.error(expected("integer"))),
                }
            }
            (Type::Uint | Type::Uint8 | Type::Uint32 | Type::Uint64, _) => {
                match number.and_then(|number| number.uint) {
                    Some(uint) => unsigned(ty, uint),
                    None => return Err(self.error(expected("unsigned integer"))),
                }
            }
            (Type::Float32 | Type::Float64, _) => match number.and_then(|number| number.float) {
                #[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
                Some(float) if ty == Type::Float32 => Value::Float32(float as f32),
                Some(float) => Value::Float64(float),
                None => return Err(self.error(expected("float"))),
            },
            (Type::Complex128, _) => match number.and_then(|number| number.complex) {
                Some((re, im)) => Value::Complex128(re, im),
                None => return Err(self.error(expected("complex"))),
            },
            _ => {
                let shown = NodeRef::Arg(arg).print();
                return Err(self.error(format!("can't handle {shown} for arg of type {ty}")));
            }
        };
        Ok(Operand::concrete(value))
    }

    /// Sees to it that the value can be assigned to the type.
    fn validate(&self, operand: Operand, ty: Option<Type>) -> Run<Operand> {
        let Some(ty) = ty else { return Ok(operand) };
        if matches!(ty, Type::Any | Type::Reflect) {
            return Ok(operand);
        }
        let Some(actual) = operand.value.go_type() else {
            if operand.any {
                return Err(self.error(format!(
                    "wrong type for value; expected {ty}; got interface {{}}"
                )));
            }
            if can_be_nil(ty) {
                return Ok(Operand::concrete(Value::zero(ty)));
            }
            return Err(self.error(format!("invalid value; expected {ty}")));
        };
        if actual.assignable_to(ty) {
            return Ok(operand);
        }
        if let (Type::Object(pointer), Type::Object(name)) = (actual, ty)
            && pointer.strip_prefix('*') == Some(name)
        {
            return Ok(operand);
        }
        Err(self.error(format!("wrong type for value; expected {ty}; got {actual}")))
    }
}

/// An index of `slice` whose static type is an interface: Go looks at that type and refuses it.
struct Interface;

impl Object for Interface {
    fn type_name(&self) -> &'static str {
        "interface {}"
    }
}

/// The type of the argument at `index`.
fn param(signature: &Signature, index: usize) -> Type {
    let last = signature.params.len().saturating_sub(1);
    signature
        .params
        .get(index.min(last))
        .copied()
        .unwrap_or(Type::Any)
}

/// Whether an untyped nil can be assigned to the type.
pub(crate) fn can_be_nil(ty: Type) -> bool {
    match ty {
        Type::Reflect => true,
        Type::Object(name) => name.starts_with('*'),
        _ => matches!(
            ty.kind(),
            Kind::Slice | Kind::Map | Kind::Func | Kind::Interface
        ),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
fn signed(ty: Type, int: i64) -> Value {
    match ty {
        Type::Int32 => Value::Int32(int as i32),
        Type::Int64 => Value::Int64(int),
        _ => Value::Int(int),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
fn unsigned(ty: Type, uint: u64) -> Value {
    match ty {
        Type::Uint8 => Value::Uint8(uint as u8),
        Type::Uint32 => Value::Uint32(uint as u32),
        Type::Uint64 => Value::Uint64(uint),
        _ => Value::Uint(uint),
    }
}
