//! Fields that an applier wants otherwise than their owners.

use std::fmt;

use super::{
    owners::{Manager, Managers, Operation},
    path::{Step, show},
    set::FieldSet,
};

/// One field and who owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub manager: Manager,
    pub path: Vec<Step>,
}

impl Conflict {
    /// The field as messages spell it.
    pub fn field(&self) -> String {
        show(&self.path)
    }

    /// The sentence for one field.
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }
}

/// All conflicts of an apply, by manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl Conflicts {
    pub(super) fn between(managers: &Managers, taken: &FieldSet) -> Self {
        let of = |(manager, fields): (&Manager, FieldSet)| {
            let conflict = |path| Conflict { manager: manager.clone(), path };
            fields.paths().into_iter().map(conflict).collect::<Vec<_>>()
        };
        let owned = managers.0.iter().map(|(manager, owned)| (manager, owned.fields.intersection(taken)));
        let mut conflicts: Vec<_> = owned.flat_map(of).collect();
        conflicts.sort_by_key(|conflict| conflict.manager.to_string());
        Self(conflicts)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those outside of `allowed`; `None` if there are none.
    pub(super) fn except(&self, allowed: &FieldSet) -> Option<Self> {
        let left: Vec<_> = self.0.iter().filter(|conflict| !allowed.contains(&conflict.path)).cloned().collect();
        (!left.is_empty()).then_some(Self(left))
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource)?;
        }
        match self.operation {
            Operation::Update => write!(f, " using {}", self.api_version),
            Operation::Apply => Ok(()),
        }
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &self.0[..] {
            return write!(f, "Apply failed with 1 conflict: {}: {}", only.message(), only.field());
        }
        write!(f, "Apply failed with {} conflicts: ", self.0.len())?;
        let mut last: Option<&Manager> = None;
        for conflict in &self.0 {
            if last != Some(&conflict.manager) {
                write!(f, "{}conflicts with {}:", if last.is_some() { "\n" } else { "" }, conflict.manager)?;
                last = Some(&conflict.manager);
            }
            write!(f, "\n- {}", conflict.field())?;
        }
        Ok(())
    }
}
