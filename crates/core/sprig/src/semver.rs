//! Versions and what they are compared with, as Masterminds' library understands them.

mod constraint;
mod object;
mod version;

use gotemplate::{Functions, Signature, Type, Value};

pub use constraint::{Constraint, ConstraintError};
pub use version::{Version, VersionError};

use crate::{Edition, arguments::string};

pub(crate) fn add(all: &mut Functions, edition: Edition) {
    all.add(
        "semver",
        Signature::new(&[Type::String], object::POINTER),
        |_, arguments| {
            let version: Version = string(arguments, 0).parse().map_err(failed)?;
            Ok(object::pointer(version))
        },
    );
    all.add(
        "semverCompare",
        Signature::new(&[Type::String, Type::String], Type::Bool),
        move |_, arguments| {
            let constraint: Constraint =
                string(arguments, 0)
                    .parse()
                    .map_err(|it: ConstraintError| {
                        failed(match edition {
                            Edition::Helm3 => it.bare(),
                            Edition::Helm4 => it.to_string(),
                        })
                    })?;
            let version: Version = string(arguments, 1).parse().map_err(failed)?;
            Ok(Value::Bool(constraint.allows(&version)))
        },
    );
}

fn failed(error: impl std::fmt::Display) -> gotemplate::FunctionError {
    gotemplate::FunctionError::new(error.to_string())
}
