//! `PATCH`: JSON, merge and strategic merge patches, and apply.
//!
//! Apply (`application/apply-patch+yaml`) creates the object or merges the sent
//! one into it by the ownership of fields, see [`resource::ownership`].

use resource::{
    Kind,
    ownership::{self, ApplyError, Force},
    patch::{self, PatchError},
    schema::{self, FieldProblem},
    status::{self, Status},
};
use serde_json::Value;

use crate::{
    answer::Warnings,
    author::Author,
    body::{self, Sent},
    object,
    path::Target,
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
                let wanted = body::yaml(&sent.bytes)?;
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
        applier: Applier<'_>,
        validation: FieldValidation,
    ) -> Result<(Value, Warnings), Status> {
        let applied = match &self.form {
            Form::Apply(wanted) => {
                let new = applier.apply(kind, Some(old), wanted)?;
                return body::checked(kind, new, self.duplicates.clone(), validation);
            }
            Form::Json(operations) => patch::json(old, operations),
            Form::Merge(members) => Ok(patch::merge(old, members)),
            Form::Strategic(members) => patch::strategic(kind, old, members),
        };
        let new = applied.map_err(refused)?;
        let new = body::typed(kind, new)?;
        body::checked(kind, new, self.duplicates.clone(), validation)
    }

    /// The object that an apply creates if there is none.
    pub fn first(
        &self,
        kind: &Kind,
        target: &Target,
        applier: Applier<'_>,
        validation: FieldValidation,
    ) -> Result<Option<(Value, Warnings)>, Status> {
        let Form::Apply(wanted) = &self.form else {
            return Ok(None);
        };
        let mut wanted = wanted.clone();
        object::set_metadata(&mut wanted, "name", Value::from(target.name()));
        if let Some(namespace) = target.namespace.as_deref().filter(|_| kind.namespaced) {
            object::set_metadata(&mut wanted, "namespace", Value::from(namespace));
        }
        let value = applier.apply(kind, None, &wanted)?;
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

/// Who applies, and what they do about the fields of others.
#[derive(Clone, Copy)]
pub struct Applier<'a> {
    pub author: &'a Author,
    pub force: Force,
}

impl Applier<'_> {
    fn apply(self, kind: &Kind, live: Option<&Value>, wanted: &Value) -> Result<Value, Status> {
        let wanted = body::typed(kind, wanted.clone())?;
        let applied = ownership::apply(kind, live, &wanted, self.author.writer(), self.force);
        applied.map_err(|error| match error {
            ApplyError::Conflict(conflicts) => status::apply_conflict(&conflicts),
            ApplyError::Malformed(why) => status::bad_request(why),
            ApplyError::Untyped(why) => status::untyped(why),
        })
    }
}

fn refused(error: PatchError) -> Status {
    match error {
        PatchError::Malformed(why) => status::bad_request(why),
        PatchError::TooLong(_) => {
            let mut status = status::too_large(body::BODY_BYTES_MAX);
            status.message = error.to_string();
            status
        }
        PatchError::DoesNotApply(_) => status::patch_rejected(),
    }
}
