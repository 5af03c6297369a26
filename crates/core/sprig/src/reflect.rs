//! Questions about Go's types and kinds.

use gotemplate::{Functions, Signature, Type, Value};

use crate::arguments::{any, text};

pub(crate) fn add(all: &mut Functions) {
    let named = Signature::new(&[Type::Any], Type::String);
    let asked = Signature::new(&[Type::String, Type::Any], Type::Bool);
    all.add("typeOf", named, |_, arguments| {
        Ok(any(arguments, 0).type_name().into_owned().into())
    });
    all.add("kindOf", named, |_, arguments| {
        Ok(Value::text(any(arguments, 0).kind().name()))
    });
    all.add("typeIs", asked, |_, arguments| {
        Ok(Value::Bool(
            *text(arguments, 0) == *any(arguments, 1).type_name(),
        ))
    });
    all.add("typeIsLike", asked, |_, arguments| {
        let name = any(arguments, 1).type_name();
        let like = name.strip_prefix('*').unwrap_or(&name);
        let target = text(arguments, 0);
        Ok(Value::Bool(*target == *name || *target == *like))
    });
    all.add("kindIs", asked, |_, arguments| {
        Ok(Value::Bool(
            *text(arguments, 0) == *any(arguments, 1).kind().name(),
        ))
    });
    all.add(
        "deepEqual",
        Signature::new(&[Type::Any, Type::Any], Type::Bool),
        |_, arguments| Ok(Value::Bool(any(arguments, 0).deep_equal(any(arguments, 1)))),
    );
}
