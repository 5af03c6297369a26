//! What stands in a kustomization file.

use std::collections::BTreeMap;

use serde_json::Value;
use yaml::Flavor;

use crate::{
    decode::{Decode, Record, record, records},
    error::BuildError,
};

/// The names that a kustomization file may have; a folder has exactly one of them.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const KUSTOMIZATION: &str = "Kustomization";
const COMPONENT: &str = "Component";

records! {
    /// A kustomization file.
    Kustomization {
        api_version: String = "apiVersion",
        kind: String = "kind",
        metadata: ObjectMeta = "metadata",
        openapi: BTreeMap<String, String> = "openapi",
        name_prefix: String = "namePrefix",
        name_suffix: String = "nameSuffix",
        namespace: String = "namespace",
        common_labels: BTreeMap<String, String> = "commonLabels",
        labels: Vec<Label> = "labels",
        common_annotations: BTreeMap<String, String> = "commonAnnotations",
        patches_strategic_merge: Vec<String> = "patchesStrategicMerge",
        patches_json6902: Vec<Patch> = "patchesJson6902",
        patches: Vec<Patch> = "patches",
        images: Vec<Image> = "images",
        image_tags: Vec<Image> = "imageTags",
        replacements: Vec<ReplacementField> = "replacements",
        replicas: Vec<Replica> = "replicas",
        vars: Vec<Var> = "vars",
        sort_options: Option<SortOptions> = "sortOptions",
        resources: Vec<String> = "resources",
        components: Vec<String> = "components",
        crds: Vec<String> = "crds",
        bases: Vec<String> = "bases",
        config_map_generator: Vec<GeneratorArgs> = "configMapGenerator",
        secret_generator: Vec<SecretArgs> = "secretGenerator",
        helm_globals: Option<HelmGlobals> = "helmGlobals",
        helm_charts: Vec<HelmChart> = "helmCharts",
        helm_chart_inflation_generator: Vec<HelmChartArgs> = "helmChartInflationGenerator",
        generator_options: Option<GeneratorOptions> = "generatorOptions",
        configurations: Vec<String> = "configurations",
        generators: Vec<String> = "generators",
        transformers: Vec<String> = "transformers",
        validators: Vec<String> = "validators",
        build_metadata: Vec<String> = "buildMetadata",
    }

    ObjectMeta {
        name: String = "name",
        namespace: String = "namespace",
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
    }

    /// One entry of `labels`.
    Label {
        pairs: BTreeMap<String, String> = "pairs",
        include_selectors: bool = "includeSelectors",
        include_templates: bool = "includeTemplates",
        fields: Vec<FieldSpec> = "fields",
    }

    /// Where a transformer writes: a path in objects of some group, version and kind.
    FieldSpec {
        group: String = "group",
        version: String = "version",
        kind: String = "kind",
        path: String = "path",
        create: bool = "create",
    }

    /// One entry of `patches` and of `patchesJson6902`.
    Patch {
        path: String = "path",
        patch: String = "patch",
        target: Option<Selector> = "target",
        options: BTreeMap<String, bool> = "options",
    }

    /// Which objects are meant, by regular expressions.
    Selector {
        group: String = "group",
        version: String = "version",
        kind: String = "kind",
        name: String = "name",
        namespace: String = "namespace",
        annotation_selector: String = "annotationSelector",
        label_selector: String = "labelSelector",
    }

    Image {
        name: String = "name",
        new_name: String = "newName",
        tag_suffix: String = "tagSuffix",
        new_tag: String = "newTag",
        digest: String = "digest",
    }

    Replica {
        name: String = "name",
        count: i64 = "count",
    }

    /// One entry of `replacements`: written here or in a file.
    ReplacementField {
        path: String = "path";
        replacement: Replacement
    }

    Replacement {
        source: Option<SourceSelector> = "source",
        source_value: Option<String> = "sourceValue",
        targets: Option<Vec<TargetSelector>> = "targets",
    }

    SourceSelector {
        group: String = "group",
        version: String = "version",
        kind: String = "kind",
        name: String = "name",
        namespace: String = "namespace",
        field_path: String = "fieldPath",
        options: Option<FieldOptions> = "options",
    }

    TargetSelector {
        select: Option<Selector> = "select",
        reject: Vec<Selector> = "reject",
        field_paths: Vec<String> = "fieldPaths",
        options: Option<FieldOptions> = "options",
    }

    FieldOptions {
        delimiter: String = "delimiter",
        index: i64 = "index",
        encoding: String = "encoding",
        create: bool = "create",
    }

    Var {
        name: String = "name",
        object: VarTarget = "objref",
        field: FieldReference = "fieldref",
    }

    VarTarget {
        api_version: String = "apiVersion",
        group: String = "group",
        version: String = "version",
        kind: String = "kind",
        name: String = "name",
        namespace: String = "namespace",
    }

    FieldReference {
        field_path: String = "fieldPath",
    }

    SortOptions {
        order: String = "order",
        legacy: Option<LegacySortOptions> = "legacySortOptions",
    }

    LegacySortOptions {
        order_first: Vec<String> = "orderFirst",
        order_last: Vec<String> = "orderLast",
    }

    /// One entry of `configMapGenerator`.
    GeneratorArgs {
        namespace: String = "namespace",
        name: String = "name",
        behavior: String = "behavior",
        literals: Vec<String> = "literals",
        files: Vec<String> = "files",
        envs: Vec<String> = "envs",
        env: String = "env",
        options: Option<GeneratorOptions> = "options",
    }

    /// One entry of `secretGenerator`.
    SecretArgs {
        kind: String = "type";
        args: GeneratorArgs
    }

    GeneratorOptions {
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
        disable_name_suffix_hash: bool = "disableNameSuffixHash",
        immutable: bool = "immutable",
    }

    HelmGlobals {
        chart_home: String = "chartHome",
        config_home: String = "configHome",
    }

    /// One entry of `helmCharts`.
    HelmChart {
        name: String = "name",
        version: String = "version",
        repo: String = "repo",
        release_name: String = "releaseName",
        namespace: String = "namespace",
        additional_values_files: Vec<String> = "additionalValuesFiles",
        values_file: String = "valuesFile",
        values_inline: Option<Value> = "valuesInline",
        values_merge: String = "valuesMerge",
        include_crds: bool = "includeCRDs",
        skip_hooks: bool = "skipHooks",
        api_versions: Vec<String> = "apiVersions",
        kube_version: String = "kubeVersion",
        name_template: String = "nameTemplate",
        skip_tests: bool = "skipTests",
        debug: bool = "debug",
        devel: bool = "devel",
    }

    /// One entry of the older `helmChartInflationGenerator`.
    HelmChartArgs {
        chart_name: String = "chartName",
        chart_version: String = "chartVersion",
        chart_repo_url: String = "chartRepoUrl",
        chart_home: String = "chartHome",
        chart_repo_name: String = "chartRepoName",
        helm_bin: String = "helmBin",
        helm_home: String = "helmHome",
        values: String = "values",
        values_local: Option<Value> = "valuesLocal",
        values_merge: String = "valuesMerge",
        release_name: String = "releaseName",
        release_namespace: String = "releaseNamespace",
        extra_args: Vec<String> = "extraArgs",
    }
}

/// Reads YAML as `sigs.k8s.io/yaml` does, for the files that steer a build.
///
/// # Errors
///
/// Syntax, or a document that is missing.
pub(crate) fn steering_yaml(text: &str, file: &str) -> Result<Value, BuildError> {
    let documents = yaml::parse(text, file, Flavor::Go11).map_err(|problems| {
        let error = BuildError::new(
            problems
                .first()
                .map_or_else(|| "not YAML".to_owned(), |it| it.message.clone()),
        )
        .in_file(file);
        match problems.first() {
            Some(first) => error.at_line(first.span.line),
            None => error,
        }
    })?;
    Ok(documents
        .first()
        .map_or(Value::Null, |it| it.root.to_json()))
}

impl Kustomization {
    /// Reads a kustomization file and brings the older fields into the newer ones.
    ///
    /// # Errors
    ///
    /// Syntax, unknown fields, wrong types, an empty file, a wrong kind or version.
    pub fn parse(text: &str, file: &str) -> Result<Self, BuildError> {
        let value = steering_yaml(text, file)?;
        let mut it: Self = record(&value, "").map_err(|error| error.in_file(file))?;
        if is_empty(&value) {
            return Err(BuildError::new("kustomization is empty")
                .in_file(file)
                .hint("name at least one of its `resources`"));
        }
        it.normalize();
        it.check().map_err(|error| error.in_file(file))?;
        Ok(it)
    }

    pub fn is_component(&self) -> bool {
        self.kind == COMPONENT
    }

    fn normalize(&mut self) {
        if self.kind.is_empty() {
            self.kind = KUSTOMIZATION.to_owned();
        }
        self.resources.append(&mut self.bases);
        self.images.append(&mut self.image_tags);
        let generators = self.config_map_generator.iter_mut();
        let secrets = self.secret_generator.iter_mut().map(|it| &mut it.args);
        for args in generators.chain(secrets) {
            if !args.env.is_empty() {
                args.envs.push(std::mem::take(&mut args.env));
            }
        }
        for old in std::mem::take(&mut self.helm_chart_inflation_generator) {
            if self.helm_globals.is_none()
                && !(old.chart_home.is_empty() && old.helm_home.is_empty())
            {
                self.helm_globals = Some(HelmGlobals {
                    chart_home: old.chart_home.clone(),
                    config_home: old.helm_home.clone(),
                });
            }
            self.helm_charts.push(HelmChart {
                name: old.chart_name,
                version: old.chart_version,
                repo: old.chart_repo_url,
                release_name: old.release_name,
                namespace: old.release_namespace,
                values_file: old.values,
                values_inline: old.values_local,
                values_merge: old.values_merge,
                ..HelmChart::default()
            });
        }
    }

    fn check(&self) -> Result<(), BuildError> {
        if self.kind != KUSTOMIZATION && self.kind != COMPONENT {
            return Err(BuildError::new(format!(
                "kind should be `{KUSTOMIZATION}` or `{COMPONENT}`, found `{}`",
                self.kind
            )));
        }
        let version = if self.is_component() {
            "kustomize.config.k8s.io/v1alpha1"
        } else {
            "kustomize.config.k8s.io/v1beta1"
        };
        if !self.api_version.is_empty() && self.api_version != version {
            return Err(BuildError::new(format!(
                "apiVersion for {} should be `{version}`, found `{}`",
                self.kind, self.api_version
            )));
        }
        for option in &self.build_metadata {
            if ![
                "originAnnotations",
                "transformerAnnotations",
                "managedByLabel",
            ]
            .contains(&option.as_str())
            {
                return Err(BuildError::new(format!("unknown buildMetadata `{option}`"))
                    .hint("known are originAnnotations, transformerAnnotations, managedByLabel"));
            }
        }
        Ok(())
    }

    /// The fields that are older names of others, for warnings.
    pub fn deprecated(value: &Self) -> Vec<&'static str> {
        let mut found = Vec::new();
        if !value.patches_json6902.is_empty() {
            found.push("patchesJson6902");
        }
        if !value.patches_strategic_merge.is_empty() {
            found.push("patchesStrategicMerge");
        }
        if !value.vars.is_empty() {
            found.push("vars");
        }
        if !value.common_labels.is_empty() {
            found.push("commonLabels");
        }
        found
    }
}

impl Replacement {
    /// The replacements of a file: one, or a list of them.
    ///
    /// # Errors
    ///
    /// Syntax, unknown fields and wrong types.
    pub fn parse_file(text: &str, file: &str) -> Result<Vec<Self>, BuildError> {
        let value = steering_yaml(text, file)?;
        let read = match &value {
            Value::Array(_) => Vec::<Self>::decode(&value, ""),
            Value::Object(_) => Self::decode(&value, "").map(|it| vec![it]),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(
                BuildError::new("unsupported replacement type in a file, expected one or a list"),
            ),
        };
        read.map_err(|error| error.in_file(file))
    }
}

impl GeneratorOptions {
    /// Options of one generator over those of the whole file.
    pub fn merged(local: Option<&Self>, global: Option<&Self>) -> Option<Self> {
        match (local, global) {
            (None, None) => None,
            (Some(it), None) | (None, Some(it)) => Some(it.clone()),
            (Some(local), Some(global)) => {
                let mut merged = local.clone();
                for (key, value) in &global.labels {
                    merged
                        .labels
                        .entry(key.clone())
                        .or_insert_with(|| value.clone());
                }
                for (key, value) in &global.annotations {
                    merged
                        .annotations
                        .entry(key.clone())
                        .or_insert_with(|| value.clone());
                }
                merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
                merged.immutable |= global.immutable;
                Some(merged)
            }
        }
    }
}

/// Whether nothing but a kind is said; an empty list says something.
fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(|map| {
        map.iter().all(|(key, value)| {
            matches!(key.to_lowercase().as_str(), "kind" | "apiversion")
                || value.is_null()
                || value.as_str() == Some("")
        })
    })
}

/// Whether a name is one of a record's fields, for configuration that is read by hand.
pub(crate) fn is_field<T: Record>(name: &str) -> bool {
    T::names().iter().any(|it| it.eq_ignore_ascii_case(name))
}
