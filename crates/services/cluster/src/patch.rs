//! `PATCH`: JSON, merge and strategic merge patches, and apply.
//!
//! Apply (`application/apply-patch+yaml`) creates the object or merges the sent
//! one into it by the merge keys of the schema. Owners of fields are not recorded,
//! so a field that a later apply leaves out stays, and there are no conflicts
//! between appliers.

use resource::{
    Kind,
    patch::{self, PatchError},
    schema::{self, FieldProblem},
    status::{self, Status},
};
use serde_json::Value;

use crate::{
    answer::Warnings,
    body::{self, Sent},
    object,
    query::FieldValidation,
};

const MEDIA_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// A patch, read once and applied as often as needed.
pub struct Patch {
    pub form: Form,
    /// Keys that stand twice in it.
    duplicates: Vec<FieldProblem>,
}

/// What a patch says.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    Json(Value),
    Merge(Value),
    Strategic(Value),
    /// The object as the applier wants it.
    Apply(Value),
}

impl Patch {
    pub fn read(sent: &Sent) -> Result<Self, Status> {
        let form = match sent.media_type.as_str() {
            "application/json-patch+json" => Form::Json(body::json(&sent.bytes)?),
            "application/merge-patch+json" => Form::Merge(body::json(&sent.bytes)?),
            "application/strategic-merge-patch+json" => Form::Strategic(body::json(&sent.bytes)?),
            "application/apply-patch+yaml" => {
                let mut wanted = body::yaml(&sent.bytes)?;
                object::remove_metadata(&mut wanted, "managedFields");
                Form::Apply(wanted)
            }
            _ => return Err(status::unsupported_media_type(MEDIA_TYPES)),
        };
        Ok(Self {
            form,
            duplicates: schema::duplicates(&sent.bytes),
        })
    }

    /// What `old` becomes.
    pub fn apply(
        &self,
        kind: &Kind,
        old: &Value,
        validation: FieldValidation,
    ) -> Result<(Value, Warnings), Status> {
        let applied = match &self.form {
            Form::Json(operations) => patch::json(old, operations),
            Form::Merge(members) => Ok(patch::merge(old, members)),
            Form::Strategic(members) | Form::Apply(members) => patch::strategic(kind, old, members),
        };
        let new = applied.map_err(|error| refused(kind, object::name(old), error))?;
        let new = body::typed(kind, new)?;
        body::checked(kind, new, self.duplicates.clone(), validation)
    }

    /// The object that an apply creates if there is none.
    pub fn first(
        &self,
        kind: &Kind,
        name: &str,
        validation: FieldValidation,
    ) -> Result<Option<(Value, Warnings)>, Status> {
        let Form::Apply(wanted) = &self.form else {
            return Ok(None);
        };
        let mut value = body::typed(kind, wanted.clone())?;
        object::set_metadata(&mut value, "name", Value::from(name));
        body::checked(kind, value, self.duplicates.clone(), validation).map(Some)
    }

    /// What `old` becomes, for an object of which there is no schema: lists are replaced whole.
    pub fn apply_untyped(&self, old: &Value) -> Result<Value, Status> {
        match &self.form {
            Form::Json(operations) => {
                patch::json(old, operations).map_err(|error| status::bad_request(error.to_string()))
            }
            Form::Merge(members) | Form::Strategic(members) | Form::Apply(members) => {
                Ok(patch::merge(old, members))
            }
        }
    }
}

fn refused(kind: &Kind, name: &str, error: PatchError) -> Status {
    match error {
        PatchError::Malformed(why) => status::bad_request(why),
        PatchError::TooLong(_) => {
            let mut status = status::too_large(body::BODY_BYTES_MAX);
            status.message = error.to_string();
            status
        }
        PatchError::DoesNotApply(why) => {
            let mut status = status::invalid(kind, name, &[]);
            status.message = why;
            status
        }
    }
}
