//! Generators and transformers that are objects of their own: the built-in ones; programs are refused.

use serde_json::Value;

use crate::{
    config::field_specs,
    decode::{Decode, records},
    error::{BuildError, nearest},
    generate,
    kustomization::{
        FieldSpec, GeneratorArgs, HelmChart, HelmGlobals, Image, ObjectMeta, Patch,
        ReplacementField, Replica, SecretArgs,
    },
    patch, read, replacement,
    resource::{Configured, Origin, Resource},
    set::ResourceSet,
    target::{Accumulated, Target},
    transform::{self, Affix, Namespace, Subjects},
    value_add, write,
};

const GENERATORS: [&str; 3] = [
    "ConfigMapGenerator",
    "SecretGenerator",
    "HelmChartInflationGenerator",
];
const TRANSFORMERS: [&str; 14] = [
    "AnnotationsTransformer",
    "HashTransformer",
    "ImageTagTransformer",
    "LabelTransformer",
    "NamespaceTransformer",
    "PatchJson6902Transformer",
    "PatchStrategicMergeTransformer",
    "PatchTransformer",
    "PrefixTransformer",
    "SuffixTransformer",
    "PrefixSuffixTransformer",
    "ReplacementTransformer",
    "ReplicaCountTransformer",
    "ValueAddTransformer",
];

/// Runs the generators of a kustomization.
///
/// # Errors
///
/// A generator that is not built in, or what it says.
pub fn generate(target: &Target<'_>, state: &mut Accumulated) -> Result<(), BuildError> {
    for plugin in load(target, &target.kustomization.generators, "generator")? {
        let origin = Origin {
            file: plugin.file.clone(),
            configured_by: Some(plugin.by.clone()),
        };
        for made in plugin
            .generate(target)
            .map_err(|error| error.in_file(&plugin.file))?
        {
            target.absorb_from(state, made, origin.clone())?;
        }
    }
    Ok(())
}

/// Runs the transformers of a kustomization.
///
/// # Errors
///
/// A transformer that is not built in, or what it says.
pub fn transform(target: &Target<'_>, state: &mut Accumulated) -> Result<(), BuildError> {
    for plugin in load(target, &target.kustomization.transformers, "transformer")? {
        plugin
            .transform(target, &mut state.set)
            .map_err(|error| error.in_file(&plugin.file))?;
        state.set.drop_empty();
        target
            .shared
            .metadata
            .transformed_by(&mut state.set, &plugin.file, &plugin.by);
    }
    Ok(())
}

/// A plugin's object.
struct Plugin {
    file: String,
    by: Configured,
    value: Value,
}

/// The objects that configure plugins: inline, from files, from folders.
fn load(target: &Target<'_>, entries: &[String], word: &str) -> Result<Vec<Plugin>, BuildError> {
    let mut state = Accumulated::default();
    let mut paths = Vec::new();
    for entry in entries {
        match entry
            .contains('\n')
            .then(|| read::objects(entry, &target.file()))
        {
            Some(Ok(objects)) => {
                for object in objects {
                    let mut resource = Resource::new(std::sync::Arc::new(object));
                    resource.origin = Some(Origin {
                        file: target.file(),
                        configured_by: None,
                    });
                    state.set.add(resource)?;
                }
            }
            Some(Err(error)) => return Err(error.during(format_args!("inline {word}"))),
            None => paths.push(entry.clone()),
        }
    }
    target.resources(&mut state, &paths)?;
    state.set.items.iter().map(|it| plugin(it, word)).collect()
}

fn plugin(resource: &Resource, word: &str) -> Result<Plugin, BuildError> {
    let id = resource.id();
    let file = resource
        .origin
        .as_ref()
        .map(|it| it.file.clone())
        .unwrap_or_default();
    let refused = |message: String| Err(BuildError::new(message).in_file(&file));
    if !id.gvk.group.is_empty() || id.gvk.version != "builtin" {
        return refused(format!(
            "{word} {id} is not built in: programs, containers and Go plugins are not run"
        ));
    }
    let kind = id.gvk.kind.as_str();
    let known: &[&str] = if word == "generator" {
        &GENERATORS
    } else {
        &TRANSFORMERS
    };
    if !known.contains(&kind) {
        let error = BuildError::new(format!("there is no built-in {word} `{kind}`")).in_file(&file);
        return Err(match nearest(kind, known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        });
    }
    Ok(Plugin {
        by: Configured {
            api_version: id.gvk.api_version(),
            kind: kind.to_owned(),
            name: id.name.clone(),
            namespace: id.namespace.clone(),
        },
        value: write::json(resource.node())
            .map_err(|error| BuildError::new(error).in_file(&file))?,
        file,
    })
}

records! {
    ConfigMapConfig { metadata: ObjectMeta = "metadata"; args: GeneratorArgs }
    SecretConfig { metadata: ObjectMeta = "metadata"; args: SecretArgs }
    ChartConfig { globals: HelmGlobals = "helmGlobals"; chart: HelmChart, home: HelmGlobals }
}

impl Plugin {
    fn kind(&self) -> &str {
        &self.by.kind
    }

    /// One field of the configuration; fields that a plugin does not have are passed over.
    fn field<T: Decode>(&self, name: &str) -> Result<T, BuildError> {
        let map = self.value.as_object();
        let found = map.and_then(|map| {
            map.get(name).or_else(|| {
                map.iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            })
        });
        found.map_or_else(|| Ok(T::default()), |it| T::decode(it, name))
    }

    /// A whole record, without what it does not know.
    fn record<T: crate::decode::Record + Default>(&self) -> Result<T, BuildError> {
        let mut value = self.value.clone();
        if let Some(map) = value.as_object_mut() {
            let names = T::names();
            map.retain(|key, _| names.iter().any(|it| it.eq_ignore_ascii_case(key)));
            if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace"));
            }
        }
        crate::decode::record(&value, "")
    }

    fn specs(&self) -> Result<Vec<FieldSpec>, BuildError> {
        field_specs(&self.field::<Value>("fieldSpecs")?, "fieldSpecs")
    }

    fn generate(&self, target: &Target<'_>) -> Result<Vec<Resource>, BuildError> {
        match self.kind() {
            "ConfigMapGenerator" => {
                let config: ConfigMapConfig = self.record()?;
                let args = named(config.args, &config.metadata);
                Ok(vec![generate::config_map(&args, &target.folder)?])
            }
            "SecretGenerator" => {
                let config: SecretConfig = self.record()?;
                let args = SecretArgs {
                    args: named(config.args.args, &config.metadata),
                    kind: config.args.kind,
                };
                Ok(vec![generate::secret(&args, &target.folder)?])
            }
            _ => {
                let config: ChartConfig = self.record()?;
                let globals = if config.home == HelmGlobals::default() {
                    config.globals
                } else {
                    config.home
                };
                target.chart(&config.chart, &globals)
            }
        }
    }

    fn transform(&self, target: &Target<'_>, set: &mut ResourceSet) -> Result<(), BuildError> {
        match self.kind() {
            "AnnotationsTransformer" => {
                transform::texts(set, &self.field("annotations")?, &self.specs()?)
            }
            "LabelTransformer" => transform::texts(set, &self.field("labels")?, &self.specs()?),
            "HashTransformer" => crate::add_hashes(set),
            "ImageTagTransformer" => {
                transform::images(set, &self.field::<Image>("imageTag")?, &self.specs()?)
            }
            "NamespaceTransformer" => self.namespace(set),
            "PatchJson6902Transformer" => {
                let patch = Patch {
                    path: self.field("path")?,
                    patch: self.field("jsonOp")?,
                    target: self.field("target")?,
                    ..Patch::default()
                };
                target.patch_json(set, &patch)
            }
            "PatchStrategicMergeTransformer" => {
                let mut entries: Vec<String> = self.field("paths")?;
                let inline: String = self.field("patches")?;
                if !inline.is_empty() {
                    entries.push(format!("{inline}\n"));
                }
                target.patch_strategic_merge(set, &entries)
            }
            "PatchTransformer" => {
                let patch = Patch {
                    path: self.field("path")?,
                    patch: self.field("patch")?,
                    target: self.field("target")?,
                    options: self.field("options")?,
                };
                patch::transform(&patch, &target.folder, target.shared.schemas(), set)
            }
            "PrefixTransformer" => self.affix(set, Affix::Prefix, "prefix"),
            "SuffixTransformer" => self.affix(set, Affix::Suffix, "suffix"),
            "PrefixSuffixTransformer" => {
                self.affix(set, Affix::Prefix, "prefix")?;
                self.affix(set, Affix::Suffix, "suffix")
            }
            "ReplacementTransformer" => {
                let entries: Vec<ReplacementField> = self.field("replacements")?;
                replacement::transform(set, &target.replacements(&entries)?)
            }
            "ReplicaCountTransformer" => {
                transform::replicas(set, &self.field::<Replica>("replica")?, &self.specs()?)
            }
            _ => {
                let value: String = self.field("value")?;
                let targets: Vec<value_add::Target> = self.field("targets")?;
                value_add::transform(set, &value, &targets)
            }
        }
    }

    fn affix(&self, set: &mut ResourceSet, affix: Affix, name: &str) -> Result<(), BuildError> {
        let text: String = self.field(name)?;
        transform::affix(set, affix, &text, &self.specs()?)
    }

    fn namespace(&self, set: &mut ResourceSet) -> Result<(), BuildError> {
        let subjects: String = self.field("setRoleBindingSubjects")?;
        let subjects = match subjects.as_str() {
            "" | "defaultOnly" => Subjects::DefaultOnly,
            "allServiceAccounts" => Subjects::AllServiceAccounts,
            "none" => Subjects::None,
            other => {
                return Err(BuildError::new(format!(
                    "invalid value `{other}` for `setRoleBindingSubjects`, expected one of defaultOnly, allServiceAccounts or none"
                )));
            }
        };
        Namespace {
            namespace: &self.by.namespace,
            specs: &self.specs()?,
            unset_only: self.field("unsetOnly")?,
            subjects,
        }
        .transform(set)
    }
}

fn named(mut args: GeneratorArgs, metadata: &ObjectMeta) -> GeneratorArgs {
    if !metadata.name.is_empty() {
        args.name.clone_from(&metadata.name);
    }
    if !metadata.namespace.is_empty() {
        args.namespace.clone_from(&metadata.namespace);
    }
    if !args.env.is_empty() {
        args.envs.push(std::mem::take(&mut args.env));
    }
    args
}
