//! Merging one map into another, with the rules of the library that sprig uses.

use std::rc::Rc;

use gotemplate::{Call, FunctionError, Kind, Map, Value};

use crate::{arguments::room_for, default::is_empty, yaml_text::DEPTH_MAX};

/// Who wins when both maps have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overwrite {
    /// The source, unless both have maps: those are merged.
    Yes,
    /// The target, unless its value is empty.
    No,
}

/// Puts what `source` has into `target`. Maps that only `source` has are shared, not copied.
pub(crate) fn merge(
    call: &mut Call<'_>,
    target: &Rc<Map>,
    source: &Rc<Map>,
    overwrite: Overwrite,
) -> Result<(), FunctionError> {
    merge_at(call, target, source, overwrite, 0)
}

fn merge_at(
    call: &mut Call<'_>,
    target: &Rc<Map>,
    source: &Rc<Map>,
    overwrite: Overwrite,
    depth: usize,
) -> Result<(), FunctionError> {
    if depth > DEPTH_MAX {
        return Err("the maps to merge are nested too deeply".into());
    }
    for (key, given) in source.snapshot() {
        call.budget().take_steps(1)?;
        let old = target.get(&key);
        if given.is_nil() {
            if overwrite == Overwrite::Yes {
                target.insert(key, Value::Nil);
            }
            continue;
        }
        if let (Value::Map(given), Some(Value::Map(old))) = (&given, &old)
            && !(old.is_nil() || Rc::ptr_eq(given, old))
        {
            merge_at(call, old, given, overwrite, depth + 1)?;
        }
        let kept = match &old {
            None => false,
            Some(old) if is_empty(old) => false,
            // Slices were put where they belong before this question is asked.
            Some(_) if overwrite == Overwrite::No => true,
            Some(old) => given.kind() == Kind::Map && old.kind() == Kind::Map,
        };
        if !kept {
            room_for(call, 1)?;
            target.insert(key, given);
        }
    }
    Ok(())
}
