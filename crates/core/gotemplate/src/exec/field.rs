//! Fields of structs, keys of maps, methods.

use super::{MissingKey, Operand, Run, Runner, call::Callee};
use crate::{
    gotype::Type,
    node::{Arg, NodeRef},
    value::Value,
};

/// The common case: maps in maps, every key is there, no method has its name. Only what is found is cloned.
pub(super) fn through_maps(value: &Value, names: &[Box<str>]) -> Option<Operand> {
    let (name, rest) = names.split_first()?;
    let Value::Map(map) = value else { return None };
    let ty = map.go_type();
    if has_method(ty, name) {
        return None;
    }
    let entries = map.entries();
    let found = entries.get(name.as_bytes())?;
    if rest.is_empty() {
        return Some(Operand {
            value: found.clone(),
            any: ty.element() == Some(Type::Any),
        });
    }
    through_maps(found, rest)
}

/// As [`through_maps`], for one who only looks at what is found.
pub(super) fn with_found<T>(
    value: &Value,
    names: &[Box<str>],
    look: impl FnOnce(&Value) -> T,
) -> Option<T> {
    let Some((name, rest)) = names.split_first() else {
        return Some(look(value));
    };
    let Value::Map(map) = value else { return None };
    if has_method(map.go_type(), name) {
        return None;
    }
    with_found(map.entries().get(name.as_bytes())?, rest, look)
}

fn has_method(ty: Type, name: &str) -> bool {
    ty.methods().iter().any(|method| method.name == name)
}

impl<'t> Runner<'t, '_> {
    /// Walks `.X.Y.Z`; the last one gets the arguments.
    pub(super) fn eval_fields(
        &mut self,
        dot: &Operand,
        receiver: &Operand,
        node: &'t Arg,
        names: &'t [Box<str>],
        args: Option<&'t [Arg]>,
        last: Option<Operand>,
    ) -> Run<Operand> {
        if last.is_none()
            && args.is_none_or(|args| args.len() == 1)
            && let Some(found) = through_maps(&receiver.value, names)
        {
            return Ok(found);
        }
        let mut receiver = receiver.clone();
        let Some((final_name, names)) = names.split_last() else {
            return Ok(receiver);
        };
        for name in names {
            receiver = self.eval_field(dot, name, node, None, None, receiver)?;
        }
        self.eval_field(dot, final_name, node, args, last, receiver)
    }

    fn eval_field(
        &mut self,
        dot: &Operand,
        name: &'t str,
        node: &'t Arg,
        args: Option<&'t [Arg]>,
        last: Option<Operand>,
        receiver: Operand,
    ) -> Run<Operand> {
        let has_args = args.is_some_and(|args| args.len() > 1) || last.is_some();
        match &receiver.value {
            Value::Nil if receiver.any => {
                return Err(self.error(format!("nil pointer evaluating interface {{}}.{name}")));
            }
            Value::Nil => {
                if self.context.options.missing_key == MissingKey::Error {
                    return Err(self.error(format!(
                        "nil data; no entry for key {}",
                        crate::quoted(name.as_bytes())
                    )));
                }
                return Ok(Operand::INVALID);
            }
            Value::Map(map) => {
                let methods = map.go_type().methods();
                if let Some(method) = methods.iter().find(|method| method.name == name) {
                    let callee = Callee::Method(method, &receiver.value);
                    return self.eval_call(dot, callee, NodeRef::Arg(node), name, args, last);
                }
                if has_args {
                    return Err(self.error(format!("{name} is not a method but has arguments")));
                }
                let element = map.element();
                if let Some(value) = map.get(name) {
                    return Ok(Operand {
                        value,
                        any: element == Type::Any,
                    });
                }
                return match self.context.options.missing_key {
                    MissingKey::Invalid => Ok(Operand::INVALID),
                    MissingKey::Zero => Ok(Operand {
                        value: Value::zero(element),
                        any: element == Type::Any,
                    }),
                    MissingKey::Error => Err(self.error(format!(
                        "map has no entry for key {}",
                        crate::quoted(name.as_bytes())
                    ))),
                };
            }
            value => {
                if let Some(method) = value.methods().iter().find(|method| method.name == name) {
                    let callee = Callee::Method(method, value);
                    return self.eval_call(dot, callee, NodeRef::Arg(node), name, args, last);
                }
                if let Value::Object(object) = value
                    && let Some(field) = object.field(name)
                {
                    if name.starts_with(|c: char| !c.is_uppercase()) {
                        let ty = receiver.type_name();
                        return Err(self
                            .error(format!("{name} is an unexported field of struct type {ty}")));
                    }
                    if has_args {
                        return Err(self.error(format!(
                            "{name} has arguments but cannot be invoked as function"
                        )));
                    }
                    return Ok(Operand::concrete(field));
                }
            }
        }
        Err(self.error(format!(
            "can't evaluate field {name} in type {}",
            receiver.type_name()
        )))
    }
}
