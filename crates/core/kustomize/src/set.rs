//! The objects of a build in order, none of them twice.

use std::sync::Arc;

use crate::{
    error::BuildError,
    id::Id,
    node::{Map, Node},
    resource::{Behavior, Resource, texts},
};

/// The objects of a build in order.
#[derive(Clone, Debug, Default)]
pub struct ResourceSet {
    pub items: Vec<Resource>,
}

impl ResourceSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object that is not there yet.
    ///
    /// # Errors
    ///
    /// When an object of the same id is there.
    pub fn add(&mut self, resource: Resource) -> Result<(), BuildError> {
        let id = resource.id();
        if let Some(first) = self.items.iter().find(|it| it.id().same(id)) {
            let place = |it: &Resource| {
                it.origin
                    .as_ref()
                    .map_or_else(String::new, |it| format!(" (first from `{}`)", it.file))
            };
            return Err(BuildError::new(format!(
                "may not add resource with an already registered id: {id}{}",
                place(first)
            )));
        }
        self.items.push(resource);
        Ok(())
    }

    /// Adds all objects of another set.
    ///
    /// # Errors
    ///
    /// As [`ResourceSet::add`].
    pub fn add_all(&mut self, other: Self) -> Result<(), BuildError> {
        if self.items.is_empty() {
            self.items = other.items;
            return Ok(());
        }
        other.items.into_iter().try_for_each(|it| self.add(it))
    }

    /// Takes in what a generator made: new objects, or changes of objects that are there.
    ///
    /// # Errors
    ///
    /// A change without an object, a new object that is there already.
    pub fn absorb(&mut self, mut made: Resource) -> Result<(), BuildError> {
        let id = Arc::clone(made.id());
        let found: Vec<usize> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, it)| !it.is_empty() && it.is_or_was(&id))
            .map(|(index, _)| index)
            .collect();
        let changes = matches!(made.behavior, Behavior::Merge | Behavior::Replace);
        match found.as_slice() {
            [] if changes => Err(BuildError::new(format!(
                "id {id} does not exist; cannot merge or replace"
            ))),
            [] => self.add(made),
            [index] if changes => {
                let Some(old) = self.items.get_mut(*index) else {
                    return Ok(());
                };
                take_over(&mut made, old);
                if made.behavior == Behavior::Merge {
                    for field in ["data", "binaryData"] {
                        merge_data(&mut made, old, field);
                    }
                    if old.origin.is_some() {
                        made.origin.clone_from(&old.origin);
                    }
                }
                *old = made;
                Ok(())
            }
            [_] => Err(BuildError::new(format!(
                "id {id} exists; behavior must be merge or replace"
            ))),
            _ => Err(BuildError::new(format!(
                "found {} objects that could accept merge of {id}",
                found.len()
            ))),
        }
    }

    /// The one object that is or was `id`.
    ///
    /// # Errors
    ///
    /// When there is none, or more than one.
    pub fn one_that_was(&mut self, id: &Id) -> Result<&mut Resource, BuildError> {
        let mut found = self
            .items
            .iter_mut()
            .filter(|it| !it.is_empty() && it.is_or_was(id));
        let first = found.next();
        match (first, found.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(BuildError::new(format!(
                "multiple matches for Id {id}; failed to find unique target for patch {id}"
            ))),
            (None, _) => Err(BuildError::new(format!(
                "no matches for Id {id}; failed to find unique target for patch {id}"
            ))),
        }
    }

    pub fn drop_empty(&mut self) {
        self.items.retain(|it| !it.is_empty());
    }
}

/// Gives what was generated the name, labels, annotations and history of what it takes the place of.
fn take_over(made: &mut Resource, old: &Resource) {
    for field in ["labels", "annotations"] {
        let merged = merged(old.texts(field), made.texts(field));
        made.set_texts(field, merged);
    }
    made.set_meta("name", old.name());
    made.set_meta("namespace", old.namespace());
    made.inherit(old);
}

fn merged(
    mut base: Vec<(Arc<str>, Arc<str>)>,
    over: Vec<(Arc<str>, Arc<str>)>,
) -> Vec<(Arc<str>, Arc<str>)> {
    for (key, value) in over {
        match base.iter_mut().find(|(it, _)| *it == key) {
            Some(place) => place.1 = value,
            None => base.push((key, value)),
        }
    }
    base
}

fn merge_data(made: &mut Resource, old: &Resource, field: &str) {
    let mut merged = merged(texts(old.node().get(field)), texts(made.node().get(field)));
    merged.sort();
    if let Some(map) = made.body_mut().as_map_mut() {
        map.remove(field);
        if !merged.is_empty() {
            let data: Map = merged
                .into_iter()
                .map(|(key, value)| (key, Node::text(value)))
                .collect();
            map.set(field, Node::Map(data));
        }
    }
}
