//! `kubectl apply`: makes objects what files say, and leaves alone what others set.

use resource::patch;
use serde_json::{Value, json};

use super::{
    Command,
    fault::Fault,
    manifests::{self, Placed},
    output::{self, Output},
    session::{Ask, Session},
    text,
};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("filename").short('f'),
    switch("recursive").short('R'),
    value("selector").short('l'),
    value("output").short('o'),
    value("template"),
    value("dry-run").or("client"),
    switch("server-side"),
    switch("force-conflicts"),
    value("field-manager"),
    value("validate").or("true"),
    switch("overwrite").idle(),
    switch("record").idle(),
    switch("show-managed-fields").idle(),
    switch("openapi-patch").idle(),
    // Nothing is deleted, so there is nothing to wait for.
    switch("wait").idle(),
    value("timeout").idle(),
    value("grace-period").idle(),
    value("cascade").or("background").idle(),
    value("kustomize").short('k'),
    switch("prune").refused("delete what is not wanted with `kubectl delete`"),
    value("prune-allowlist").refused("delete what is not wanted with `kubectl delete`"),
    value("applyset").refused("delete what is not wanted with `kubectl delete`"),
    switch("all").refused("name the objects with -f or -l"),
    switch("force").refused("delete the object first, then apply it"),
];

/// Where the manifest is kept that was applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// How often an object that others change meanwhile is tried again.
const TRIES: usize = 5;

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    No,
    /// Nothing is sent.
    Client,
    /// The server only says what would be.
    Server,
}

impl DryRun {
    pub fn of(line: &Parsed) -> Result<Self, Failure> {
        match line.last("dry-run") {
            None | Some("none" | "false") => Ok(Self::No),
            Some("client" | "true" | "unchanged") => Ok(Self::Client),
            Some("server") => Ok(Self::Server),
            Some(other) => Err(Failure::new(format!("error: Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\"."))),
        }
    }

    /// What is added to a message.
    pub fn note(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }

    /// What is added to a query that has something already.
    pub fn query(self) -> &'static str {
        match self {
            Self::No | Self::Client => "",
            Self::Server => "&dryRun=All",
        }
    }
}

/// How unknown fields are treated, as a query.
pub fn validation(line: &Parsed) -> Result<&'static str, Failure> {
    match line.last("validate") {
        None | Some("true" | "strict") => Ok("fieldValidation=Strict"),
        Some("warn") => Ok("fieldValidation=Warn"),
        Some("false" | "ignore") => Ok("fieldValidation=Ignore"),
        Some(other) => Err(Failure::new(format!("error: invalid - validate option {other}, must be one of strict/warn/ignore/true/false"))),
    }
}

struct Applier<'a> {
    session: Session,
    output: Output,
    dry_run: DryRun,
    validation: &'static str,
    line: &'a Parsed,
}

/// Runs `kubectl apply`.
pub async fn apply(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    match (line.last("filename"), line.last("kustomize")) {
        (None, None) => return Err(Failure::new("error: must specify one of -f and -k")),
        (Some(_), Some(_)) => return Err(Failure::new("error: only one of -f or -k can be specified")),
        _ => {}
    }
    if let Some(word) = line.words.first() {
        return Err(Failure::new(format!("error: Unexpected args: [{word}]\nSee 'kubectl apply -h' for help and examples")));
    }
    let (output, dry_run, validation) = (Output::of(&line)?, DryRun::of(&line)?, validation(&line)?);
    let selector = line.last("selector").map(resource::selector::LabelSelector::parse).transpose();
    let selector = selector.map_err(|error| Failure::new(format!("error: {error}")))?;
    let mut manifests = manifests::read(&line, console)?;
    if let Some(selector) = &selector {
        manifests.retain(|it| selector.matches_labels(&it.object["metadata"]["labels"]));
    }
    if manifests.is_empty() {
        return Err(Failure::new("error: no objects passed to apply"));
    }
    let session = Session::open(&line, console).await?;
    let applier = Applier { session, output, dry_run, validation, line: &line };
    // One that fails does not keep the others from being applied.
    let mut failures = Vec::new();
    for manifest in manifests {
        let done = match manifests::place(&applier.session, manifest).await {
            Ok(placed) => applier.one(placed, console).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = done {
            let unreachable = matches!(fault, Fault::Refused(_) | Fault::Unreachable(_));
            failures.push(Failure::from(fault).message);
            if unreachable {
                break;
            }
        }
    }
    console.flush();
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n"))) }
}

impl Applier<'_> {
    async fn one(&self, placed: Placed, console: &mut Console) -> Result<(), Fault> {
        if placed.name.is_empty() {
            let prefix = text(&placed.object["metadata"]["generateName"]);
            return Err(Fault::here(match prefix {
                "" => "resource name may not be empty".to_owned(),
                prefix => format!("from {prefix}: cannot use generate name with apply"),
            }));
        }
        if self.line.is_on("server-side") {
            return self.server_side(placed, console).await;
        }
        let path = placed.resource.object_path(&placed.namespace, &placed.name);
        let modified = with_last_applied(&placed.object);
        for left in (0..TRIES).rev() {
            let live = match self.session.json(Ask::get(&path)).await {
                Ok(live) => live,
                Err(fault) if fault.is_missing() => return self.create(&placed, &modified, console).await,
                Err(fault) => {
                    let what = format!("error when retrieving current configuration of:\nResource: \"{}\"\nName: \"{}\", Namespace: \"{}\"\nfrom server for: \"{}\"", placed.resource.plural, placed.name, placed.namespace, placed.source);
                    return Err(fault.while_doing(&what));
                }
            };
            match self.update(&placed, &path, &modified, live, console).await {
                Err(fault) if fault.is_conflict() && left > 0 => {}
                done => return done,
            }
        }
        Ok(())
    }

    async fn create(&self, placed: &Placed, modified: &Value, console: &mut Console) -> Result<(), Fault> {
        let mut created = modified.clone();
        if self.dry_run != DryRun::Client {
            let path = format!(
                "{}?fieldManager={}&{}{}",
                placed.resource.path(Some(&placed.namespace)),
                self.manager("kubectl-client-side-apply"),
                self.validation,
                self.dry_run.query()
            );
            let answer = self.session.json(Ask::post(path, modified)).await;
            created = answer.map_err(|it| it.while_doing(&format!("error when creating \"{}\"", placed.source)))?;
        }
        Ok(self.told(placed, &mut created, "created", console)?)
    }

    async fn update(&self, placed: &Placed, path: &str, modified: &Value, mut live: Value, console: &mut Console) -> Result<(), Fault> {
        let annotation = live["metadata"]["annotations"][LAST_APPLIED].as_str();
        if annotation.is_none() {
            console.err(format!(
                "Warning: resource {} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.",
                format_args!("{}/{}", placed.resource.plural, placed.name)
            ));
        }
        let original: Option<Value> = annotation.and_then(|it| serde_json::from_str(it).ok());
        let (patch, content_type) = difference(placed, original.as_ref(), modified, &live)?;
        if patch.as_object().is_some_and(|it| it.is_empty()) {
            return Ok(self.told(placed, &mut live, "unchanged", console)?);
        }
        if self.dry_run == DryRun::Client {
            let mut merged = modified.clone();
            return Ok(self.told(placed, &mut merged, "configured", console)?);
        }
        let path = format!("{path}?fieldManager={}&{}{}", self.manager("kubectl-client-side-apply"), self.validation, self.dry_run.query());
        let answer = self.session.json(Ask::patch(path, content_type, &patch)).await;
        let mut answer = answer.map_err(|it| {
            if it.is_conflict() {
                return it;
            }
            it.while_doing(&format!(
                "error when applying patch:\n{}\nto:\nResource: \"{}, Resource={}\", GroupVersionKind: \"{}, Kind={}\"\nName: \"{}\", Namespace: \"{}\"\nfor: \"{}\": error when patching \"{}\"",
                output::compact_json(&patch),
                placed.resource.api_version(),
                placed.resource.plural,
                placed.resource.api_version(),
                placed.resource.kind,
                placed.name,
                placed.namespace,
                placed.source,
                placed.source
            ))
        })?;
        // The server may find that nothing differs after all, defaults considered.
        Ok(self.told(placed, &mut answer, "configured", console)?)
    }

    async fn server_side(&self, placed: Placed, console: &mut Console) -> Result<(), Fault> {
        let path = format!(
            "{}?fieldManager={}&force={}&{}{}",
            placed.resource.object_path(&placed.namespace, &placed.name),
            self.manager("kubectl"),
            self.line.is_on("force-conflicts"),
            self.validation,
            self.dry_run.query()
        );
        let mut answer = self.session.json(Ask::patch(path, "application/apply-patch+yaml", &placed.object)).await?;
        Ok(self.told(&placed, &mut answer, "serverside-applied", console)?)
    }

    fn manager<'a>(&'a self, default: &'a str) -> String {
        super::discovery::encoded(self.line.last("field-manager").unwrap_or(default))
    }

    fn told(&self, placed: &Placed, object: &mut Value, done: &str, console: &mut Console) -> Result<(), Failure> {
        let done = format!("{done}{}", self.dry_run.note());
        output::told(&self.output, &placed.resource, object, &done, console)
    }
}

/// The manifest that also carries itself, for the next apply.
pub fn with_last_applied(object: &Value) -> Value {
    let mut plain = object.clone();
    let annotations = &mut plain["metadata"]["annotations"];
    match annotations.as_object_mut() {
        Some(map) => {
            map.shift_remove(LAST_APPLIED);
        }
        None => *annotations = json!({}),
    }
    let text = format!("{}\n", output::compact_json(&plain));
    plain["metadata"]["annotations"][LAST_APPLIED] = text.into();
    plain
}

/// The patch from what is there to what is wanted; lists merge by their keys where the kind is known.
fn difference(placed: &Placed, original: Option<&Value>, modified: &Value, live: &Value) -> Result<(Value, &'static str), Fault> {
    let api_version = placed.resource.api_version();
    match resource::kinds::by_kind(&api_version, &placed.resource.kind) {
        Some(kind) => {
            let patch = patch::three_way(kind, original, modified, live).map_err(|it| Fault::here(it.to_string()))?;
            Ok((patch, "application/strategic-merge-patch+json"))
        }
        None => Ok((merge_patch(original, modified, live), "application/merge-patch+json")),
    }
}

/// The three-way difference where lists are replaced as a whole.
fn merge_patch(original: Option<&Value>, modified: &Value, live: &Value) -> Value {
    let mut patch = serde_json::Map::new();
    let empty = serde_json::Map::new();
    let wanted = modified.as_object().unwrap_or(&empty);
    for (name, value) in wanted {
        match (&live[name], value) {
            (Value::Object(_), Value::Object(_)) => {
                let below = merge_patch(original.map(|it| &it[name]), value, &live[name]);
                if below.as_object().is_some_and(|it| !it.is_empty()) {
                    patch.insert(name.clone(), below);
                }
            }
            (current, value) if current != value => {
                patch.insert(name.clone(), value.clone());
            }
            _ => {}
        }
    }
    for name in original.and_then(Value::as_object).unwrap_or(&empty).keys() {
        if !wanted.contains_key(name) && live.get(name).is_some() {
            patch.insert(name.clone(), Value::Null);
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_are_merged_map_by_map() {
        let original = json!({"spec": {"a": 1, "gone": 2, "list": [1]}});
        let modified = json!({"spec": {"a": 1, "list": [2], "new": {"x": 1}}});
        let live = json!({"spec": {"a": 1, "gone": 2, "list": [1], "other": 3}, "status": {}});
        let patch = merge_patch(Some(&original), &modified, &live);
        assert_eq!(patch, json!({"spec": {"list": [2], "new": {"x": 1}, "gone": null}}));
    }

    #[test]
    fn the_manifest_carries_itself_as_go_writes_it() {
        let object = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"x": "<&>"}});
        let expected = "{\"apiVersion\":\"v1\",\"data\":{\"x\":\"\\u003c\\u0026\\u003e\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\"}}\n";
        let carried = with_last_applied(&object);
        assert_eq!(carried["metadata"]["annotations"][LAST_APPLIED], expected);
        assert_eq!(with_last_applied(&carried), carried);
    }
}
