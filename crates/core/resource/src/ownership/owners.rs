//! `metadata.managedFields`: who set which fields, when, and how.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::set::FieldSet;

/// More entries of updates than this are merged into one, as in Kubernetes.
const UPDATERS_MAX: usize = 10;

/// In whose name the oldest updates are kept when there are too many.
const ANCIENT: &str = "ancient-changes";

/// How a manager came to own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Apply,
    Update,
}

/// Who owns fields. An applier keeps its entry when it changes the version, an updater does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    pub operation: Operation,
    pub name: String,
    /// Empty for appliers.
    pub api_version: String,
    /// Empty for the object itself.
    pub subresource: String,
}

/// What one manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub api_version: String,
    pub fields: FieldSet,
    /// RFC 3339 with whole seconds, if it is known.
    pub time: Option<String>,
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managers(pub BTreeMap<Manager, Owned>);

impl Managers {
    /// Reads `managedFields`; `None` when an entry is malformed.
    pub fn read(entries: &Value) -> Option<Self> {
        let mut managers = BTreeMap::new();
        for entry in entries.as_array().map(Vec::as_slice).unwrap_or_default() {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let operation = match entry["operation"].as_str()? {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            };
            let api_version = text("apiVersion");
            if api_version.is_empty() || entry["fieldsType"] != "FieldsV1" {
                return None;
            }
            let fields = match &entry["fieldsV1"] {
                Value::Null => FieldSet::default(),
                fields => FieldSet::read(fields)?,
            };
            let manager = Manager {
                operation,
                name: text("manager"),
                api_version: if operation == Operation::Apply { String::new() } else { api_version.clone() },
                subresource: text("subresource"),
            };
            managers.insert(manager, Owned { api_version, fields, time: entry["time"].as_str().map(str::to_owned) });
        }
        Some(Self(managers))
    }

    /// As `managedFields` holds them: appliers first, then by time.
    pub fn to_value(&self) -> Value {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by_key(|(manager, owned)| (manager.operation, owned.time.clone(), manager.name.clone(), owned.api_version.clone(), manager.subresource.clone()));
        let entry = |(manager, owned): &(&Manager, &Owned)| {
            let mut entry = Map::new();
            let operation = match manager.operation {
                Operation::Apply => "Apply",
                Operation::Update => "Update",
            };
            entry.insert("manager".to_owned(), json!(manager.name));
            entry.insert("operation".to_owned(), json!(operation));
            entry.insert("apiVersion".to_owned(), json!(owned.api_version));
            entry.extend(owned.time.as_ref().map(|time| ("time".to_owned(), json!(time))));
            entry.insert("fieldsType".to_owned(), json!("FieldsV1"));
            entry.insert("fieldsV1".to_owned(), owned.fields.to_value());
            if !manager.subresource.is_empty() {
                entry.insert("subresource".to_owned(), json!(manager.subresource));
            }
            Value::Object(entry)
        };
        entries.iter().map(entry).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that somebody owns.
    pub fn all_fields(&self) -> FieldSet {
        self.0.values().fold(FieldSet::default(), |all, owned| all.union(&owned.fields))
    }

    /// Merges the oldest updates until there are no more than Kubernetes keeps.
    pub fn cap_updaters(&mut self) {
        let mut updaters: Vec<_> = self.0.keys().filter(|it| it.operation == Operation::Update).cloned().collect();
        updaters.sort_by_key(|manager| (self.0[manager].time.clone(), manager.clone()));
        let mut count = updaters.len();
        let mut first_of = BTreeMap::<String, Manager>::new();
        for manager in updaters {
            if count <= UPDATERS_MAX {
                return;
            }
            let version = self.0[&manager].api_version.clone();
            let Some(first) = first_of.get(&version) else {
                first_of.insert(version, manager);
                continue;
            };
            let bucket = Manager {
                operation: Operation::Update,
                name: ANCIENT.to_owned(),
                api_version: version.clone(),
                subresource: String::new(),
            };
            if !self.0.contains_key(&bucket)
                && let Some(owned) = self.0.remove(first)
            {
                self.0.insert(bucket.clone(), owned);
            }
            if let (Some(owned), Some(kept)) = (self.0.remove(&manager), self.0.get_mut(&bucket)) {
                kept.fields = kept.fields.union(&owned.fields);
                kept.time = owned.time;
            }
            count -= 1;
        }
    }
}
