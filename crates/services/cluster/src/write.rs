//! Creates and changes objects.

use std::sync::Arc;

use resource::{Kind, defaults, status, status::Status, validate};
use serde_json::Value;

use crate::{
    admission,
    answer::Warnings,
    author::{self, Author},
    body::OBJECT_BYTES_MAX,
    object::{self, Key, Object},
    path::Target,
    prepare::{self, Part},
    server::{Server, kept, now, shelf, view},
    store::{Mode, Transaction},
};

/// Attempts to find a name that is not taken, as in Kubernetes.
const NAME_ATTEMPTS: u32 = 8;

/// Attempts to apply a change that others get ahead of, as in Kubernetes.
const CHANGE_ATTEMPTS: u32 = 5;

/// What a change did to an object.
pub struct Changed {
    pub object: Arc<Object>,
    pub warnings: Warnings,
}

/// How an object came to be what it is.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    /// By an apply, which knows the owners of all fields.
    Applied,
    /// By somebody who owns what they write.
    Written(&'a Author),
}

/// Stores a new object.
pub async fn create(
    server: &Server,
    target: &Target,
    value: Value,
    origin: Origin<'_>,
    mode: Mode,
) -> Result<Arc<Object>, Status> {
    let kind = target.kind;
    if kind.namespaced && target.namespace.is_none() {
        return Err(status::method_not_allowed());
    }
    let generates = object::name(&value).is_empty();
    let mut attempt = 1;
    loop {
        match create_once(server, target, value.clone(), origin, mode).await {
            Err(refused)
                if generates && refused.reason == "AlreadyExists" && attempt < NAME_ATTEMPTS =>
            {
                attempt += 1
            }
            result => return result,
        }
    }
}

async fn create_once(
    server: &Server,
    target: &Target,
    mut value: Value,
    origin: Origin<'_>,
    mode: Mode,
) -> Result<Arc<Object>, Status> {
    let kind = target.kind;
    let sent = author::take(&mut value);
    let owners = match origin {
        Origin::Applied => sent,
        Origin::Written(author) => {
            let mut meant = value.clone();
            admission::convert(kind, &mut meant);
            defaults::apply(kind, &mut meant);
            author.own(kind, None, &mut meant, sent);
            author::take(&mut meant)
        }
    };
    prepare::create(kind, &mut value, target.namespace.as_deref(), now())?;
    defaults::apply(kind, &mut value);
    admission::create(server, kind, &mut value)?;
    defaults::apply(kind, &mut value);
    author::set(&mut value, owners);
    let name = object::name(&value).to_owned();
    refuse_causes(kind, &name, &validate::create(kind, &value))?;
    refuse_size(&value)?;
    let key = Key::new(object::namespace(&value), name);
    let committed = server.store.commit(mode, |transaction| {
        if transaction.get(shelf(kind), &key).is_some() {
            return Err(status::already_exists(kind, &key.name));
        }
        admission::enter(server, kind, &mut value, transaction)?;
        // Last, so that it is found behind what came with it.
        transaction.put(shelf(kind), key, kept(kind, value));
        Ok(())
    })?;
    let (_, objects) = server.safe(committed).await?;
    last(objects)
}

/// Changes an object by `change`, which is given the object as it is and says how it shall be.
///
/// Asks again when somebody else was faster.
pub async fn change(
    server: &Server,
    target: &Target,
    part: Part,
    origin: Origin<'_>,
    mode: Mode,
    mut change: impl FnMut(&Value) -> Result<(Value, Warnings), Status>,
) -> Result<Changed, Status> {
    let kind = target.kind;
    let namespace = target.namespace.as_deref().unwrap_or_default();
    for _ in 0..CHANGE_ATTEMPTS {
        let current = server.get(kind, namespace, target.name())?;
        let old = view(kind, &current);
        let (mut new, warnings) = change(&old)?;
        let sent = author::take(&mut new);
        let mut next = successor(server, kind, part, new, &old)?;
        match origin {
            Origin::Applied => author::set(&mut next, sent),
            Origin::Written(author) => author.own(kind, Some(&old), &mut next, sent),
        }
        if author::is_same(&next, &old) {
            return Ok(Changed {
                object: Arc::clone(&current),
                warnings,
            });
        }
        refuse_size(&next)?;
        let key = current.key();
        let committed = server.store.commit(mode, |transaction| {
            replace(server, kind, &key, &current, kept(kind, next), transaction)
        })?;
        let (outcome, objects) = server.safe(committed).await?;
        if outcome == Replaced::Yes {
            return Ok(Changed {
                object: last(objects)?,
                warnings,
            });
        }
    }
    Err(status::modified(kind, target.name()))
}

/// The whole of what an object becomes.
fn successor(
    server: &Server,
    kind: &Kind,
    part: Part,
    new: Value,
    old: &Value,
) -> Result<Value, Status> {
    let mut next = prepare::update(kind, part, new, old)?;
    defaults::apply(kind, &mut next);
    if part == Part::Main {
        admission::update(server, kind, &mut next, old)?;
        refuse_causes(kind, object::name(old), &validate::update(kind, &next, old))?;
        prepare::raise_generation(kind, &mut next, old);
    }
    Ok(next)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replaced {
    Yes,
    /// Somebody else was faster.
    No,
}

fn replace(
    server: &Server,
    kind: &Kind,
    key: &Key,
    current: &Object,
    mut next: Value,
    transaction: &mut Transaction<'_>,
) -> Result<Replaced, Status> {
    let Some(there) = transaction.get(shelf(kind), key) else {
        return Err(status::not_found(kind, &key.name));
    };
    if there.revision != current.revision {
        return Ok(Replaced::No);
    }
    admission::stay(server, kind, &mut next, &current.value, transaction)?;
    if is_ready_to_go(kind, &next) {
        transaction.delete(shelf(kind), key.clone(), next);
    } else {
        transaction.put(shelf(kind), key.clone(), next);
    }
    Ok(Replaced::Yes)
}

/// Whether nothing keeps an object that is being deleted any more.
pub fn is_ready_to_go(kind: &Kind, value: &Value) -> bool {
    if !object::is_terminating(value) || !object::finalizers(value).is_empty() {
        return false;
    }
    match kind.kind {
        // The node's agent says when the pod's processes are gone.
        "Pod" => {
            value["metadata"]["deletionGracePeriodSeconds"]
                .as_i64()
                .unwrap_or_default()
                == 0
        }
        "Namespace" => value["spec"]["finalizers"]
            .as_array()
            .is_none_or(Vec::is_empty),
        _ => true,
    }
}

pub fn refuse_causes(kind: &Kind, name: &str, causes: &[validate::Cause]) -> Result<(), Status> {
    if causes.is_empty() {
        Ok(())
    } else {
        Err(status::invalid(kind, name, causes))
    }
}

fn refuse_size(value: &Value) -> Result<(), Status> {
    let size = value.to_string().len();
    if size > OBJECT_BYTES_MAX {
        Err(status::too_large(OBJECT_BYTES_MAX))
    } else {
        Ok(())
    }
}

/// The object a commit was about.
fn last(objects: Vec<Arc<Object>>) -> Result<Arc<Object>, Status> {
    objects
        .into_iter()
        .next_back()
        .ok_or_else(|| status::internal_error("a commit without an object"))
}
