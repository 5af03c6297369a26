//! One folder of a build: what it takes in, makes and changes, in the order of the original.

use std::sync::Arc;

use crate::{
    Options,
    config::{Config, merge_shared},
    crd,
    error::BuildError,
    generate,
    helm::Charts,
    kustomization::{
        FieldSpec, GeneratorOptions, HelmChart, HelmGlobals, Kustomization, Label, Patch,
        Replacement, ReplacementField, Var,
    },
    load::Folder,
    metadata, patch, plugin, read, replacement,
    resource::{Origin, Resource},
    schema::Schemas,
    selector::Matcher,
    set::ResourceSet,
    transform::{self, Affix, Namespace},
    vars,
};

/// What a folder and those below it have come to.
#[derive(Clone, Debug, Default)]
pub struct Accumulated {
    pub set: ResourceSet,
    pub config: Arc<Config>,
    pub vars: Vec<Var>,
}

/// What all folders of a build share.
pub struct Shared<'a> {
    pub options: &'a Options<'a>,
    /// The schema that the first folder with an `openapi` file set, for the rest of the build.
    pub schemas: std::cell::OnceCell<Schemas>,
    /// What the root wants to know about where things came from.
    pub metadata: metadata::Wanted,
    pub count: std::cell::Cell<usize>,
}

impl Shared<'_> {
    pub fn schemas(&self) -> &Schemas {
        self.schemas.get().unwrap_or_else(|| Schemas::built_in())
    }

    fn count(&self, more: usize) -> Result<(), BuildError> {
        self.count.set(self.count.get() + more);
        let most = self.options.limits.resources;
        if self.count.get() > most {
            return Err(BuildError::new(format!(
                "more than {most} objects are read"
            )));
        }
        Ok(())
    }
}

/// A folder with its kustomization.
pub struct Target<'a> {
    pub folder: Folder<'a>,
    pub file_name: &'static str,
    pub kustomization: Arc<Kustomization>,
    pub shared: &'a Shared<'a>,
    /// The namespace that folders above ask for; charts are told.
    namespace_above: String,
}

impl<'a> Target<'a> {
    /// Reads the kustomization of a folder.
    ///
    /// # Errors
    ///
    /// No kustomization, or what is wrong in it.
    pub fn open(folder: Folder<'a>, shared: &'a Shared<'a>) -> Result<Self, BuildError> {
        let (kustomization, file_name) = folder.kustomization()?;
        if let Some(path) = kustomization.openapi.get("path") {
            if kustomization.openapi.contains_key("version") {
                return Err(BuildError::new(
                    "builtin version and custom schema provided, cannot use both",
                ));
            }
            let text = folder.load_text(path)?;
            let schemas = Schemas::from_openapi(&text, &folder.path_of(path))?;
            // The first one stays: the original's schema is one for the whole process.
            let _ = shared.schemas.set(schemas);
        } else if let Some(version) = kustomization.openapi.get("version")
            && version != "v1.21.2"
            && version != "v1212"
        {
            return Err(BuildError::new(format!(
                "the specified OpenAPI version `{version}` is not built in"
            )));
        }
        Ok(Self {
            folder,
            file_name,
            kustomization,
            shared,
            namespace_above: String::new(),
        })
    }

    /// A base or component of this folder.
    fn open_below(&self, folder: Folder<'a>) -> Result<Self, BuildError> {
        let opened = Self::open(folder, self.shared).map_err(|error| error.below(&self.folder.path))?;
        Ok(Self { namespace_above: self.chart_namespace().to_owned(), ..opened })
    }

    /// The namespace for charts that say none.
    fn chart_namespace(&self) -> &str {
        match self.kustomization.namespace.as_str() {
            "" => &self.namespace_above,
            own => own,
        }
    }

    /// The path of the kustomization file, for diagnostics.
    pub fn file(&self) -> String {
        self.folder.path_of(self.file_name)
    }

    /// Takes in, makes and changes; a component gets what its parent has so far.
    ///
    /// # Errors
    ///
    /// Whatever fails first.
    pub fn accumulate(&self, before: Accumulated) -> Result<Accumulated, BuildError> {
        self.steps(before)
            .map_err(|error| error.below(&self.folder.path))
    }

    fn steps(&self, before: Accumulated) -> Result<Accumulated, BuildError> {
        let it = &*self.kustomization;
        let mut state = before;
        self.resources(&mut state, &it.resources)?;

        merge_shared(&mut state.config, &self.config()?)
            .map_err(|error| error.in_file(&self.file()))?;
        self.generate(&mut state)?;
        for path in &it.components {
            let folder = self.folder.enter(path)?;
            let target = self.open_below(folder)?;
            if !target.kustomization.is_component() {
                return Err(BuildError::new(format!(
                    "expected kind `Component` for path `{}` but got `{}`",
                    target.folder.path, target.kustomization.kind
                ))
                .hint("list it under `resources`"));
            }
            state = target.accumulate(state)?;
            // The original starts from nothing after each component.
            let mut config = Arc::new(Config::default());
            merge_shared(&mut config, &state.config)
                .map_err(|error| error.in_file(&self.file()))?;
            state.config = config;
        }
        self.transform(&mut state)?;
        plugin::transform(self, &mut state)?;
        if let Some(validator) = it.validators.first() {
            return Err(BuildError::new(format!(
                "validator `{validator}` is not run: `validators` need programs, which are refused"
            )));
        }
        vars::merge(&mut state, &it.vars)?;
        Ok(state)
    }

    /// The built-in configuration with that of the files over it.
    fn config(&self) -> Result<Arc<Config>, BuildError> {
        let it = &*self.kustomization;
        if it.configurations.is_empty() && it.crds.is_empty() {
            return Ok(Config::built_in());
        }
        let mut config = (*Config::built_in()).clone();
        for path in &it.configurations {
            config.merge(&if path.contains(['\n', '\r']) {
                Config::parse(path, &self.file())?
            } else {
                Config::parse(&self.folder.load_text(path)?, &self.folder.path_of(path))?
            })?;
        }
        for path in &it.crds {
            config.merge(&crd::config(
                &self.folder.load_text(path)?,
                &self.folder.path_of(path),
            )?)?;
        }
        Ok(Arc::new(config))
    }

    /// Files and folders, in order.
    pub fn resources(&self, state: &mut Accumulated, paths: &[String]) -> Result<(), BuildError> {
        for path in paths {
            if self.folder.is_folder(path)? {
                self.base(state, path)?;
                continue;
            }
            match self.folder.objects(path) {
                Ok(objects) => {
                    self.shared.count(objects.len())?;
                    let file = self.folder.path_of(path);
                    let mut set = ResourceSet::new();
                    for object in &*objects {
                        let mut resource = Resource::new(Arc::clone(object));
                        resource.origin = Some(Origin {
                            file: file.clone(),
                            configured_by: None,
                        });
                        set.add(resource).map_err(|error| error.in_file(&file))?;
                    }
                    state
                        .set
                        .add_all(set)
                        .map_err(|error| error.in_file(&file))?;
                }
                Err(error) if crate::load::is_remote(path) => return Err(error),
                Err(error) => return Err(error.during("accumulating resources")),
            }
        }
        Ok(())
    }

    fn base(&self, state: &mut Accumulated, path: &str) -> Result<(), BuildError> {
        let folder = self.folder.enter(path)?;
        let target = self.open_below(folder)?;
        if target.kustomization.is_component() {
            return Err(BuildError::new(format!(
                "expected kind != `Component` for path `{}`",
                target.folder.path
            ))
            .hint("list it under `components`"));
        }
        let below = target.accumulate(Accumulated::default())?;
        state.set.add_all(below.set)?;
        merge_shared(&mut state.config, &below.config)?;
        vars::merge_set(&mut state.vars, below.vars)
    }

    fn generate(&self, state: &mut Accumulated) -> Result<(), BuildError> {
        let it = &*self.kustomization;
        let global = it.generator_options.as_ref();
        for args in &it.config_map_generator {
            let args = generate::with_global(args, global);
            self.absorb(
                state,
                generate::config_map(&args, &self.folder)?,
                "ConfigMapGenerator",
            )?;
        }
        for args in &it.secret_generator {
            let mut args = args.clone();
            args.args.options = GeneratorOptions::merged(args.args.options.as_ref(), global);
            self.absorb(
                state,
                generate::secret(&args, &self.folder)?,
                "SecretGenerator",
            )?;
        }
        if !it.helm_charts.is_empty() {
            self.charts(state)?;
        }
        plugin::generate(self, state)
    }

    fn absorb(
        &self,
        state: &mut Accumulated,
        made: Resource,
        generator: &str,
    ) -> Result<(), BuildError> {
        let origin = Origin {
            file: self.file(),
            configured_by: Some(metadata::built_in(generator)),
        };
        self.absorb_from(state, made, origin)
    }

    /// Takes in what a generator made.
    pub fn absorb_from(
        &self,
        state: &mut Accumulated,
        mut made: Resource,
        origin: Origin,
    ) -> Result<(), BuildError> {
        self.shared.count(1)?;
        made.origin = Some(origin);
        state
            .set
            .absorb(made)
            .map_err(|error| error.in_file(&self.file()))
    }

    fn charts(&self, state: &mut Accumulated) -> Result<(), BuildError> {
        let it = &*self.kustomization;
        let globals = it.helm_globals.clone().unwrap_or_default();
        for chart in &it.helm_charts {
            let mut chart = chart.clone();
            if chart.namespace.is_empty() {
                chart.namespace = self.chart_namespace().to_owned();
            }
            for made in self.chart(&chart, &globals)? {
                self.absorb(state, made, "HelmChartInflationGenerator")?;
            }
        }
        Ok(())
    }

    /// The objects of a chart.
    pub fn chart(
        &self,
        chart: &HelmChart,
        globals: &HelmGlobals,
    ) -> Result<Vec<Resource>, BuildError> {
        let charts = Charts {
            folder: &self.folder,
            engine: self.shared.options.charts,
        };
        let text = charts.inflate(chart, globals)?;
        Ok(read::objects(&text, &self.file())?
            .into_iter()
            .map(|object| {
                let mut made = Resource::new(Arc::new(object));
                made.from_chart = true;
                made
            })
            .collect())
    }

    fn transform(&self, state: &mut Accumulated) -> Result<(), BuildError> {
        let it = &*self.kustomization;
        let config = Arc::clone(&state.config);
        let set = &mut state.set;
        let note = |set: &mut ResourceSet, transformer: &str| {
            self.shared
                .metadata
                .transformed(set, &self.file(), transformer);
        };

        if !it.patches_strategic_merge.is_empty() {
            self.patch_strategic_merge(set, &it.patches_strategic_merge)?;
            set.drop_empty();
            note(set, "PatchStrategicMergeTransformer");
        }
        for patch in &it.patches {
            patch::transform(patch, &self.folder, self.shared.schemas(), set)?;
            set.drop_empty();
            note(set, "PatchTransformer");
        }
        Namespace {
            namespace: &it.namespace,
            specs: &config.namespace,
            ..Namespace::default()
        }
        .transform(set)?;
        if !it.namespace.is_empty() {
            note(set, "NamespaceTransformer");
        }
        transform::affix(set, Affix::Prefix, &it.name_prefix, &config.name_prefix)?;
        if !it.name_prefix.is_empty() {
            note(set, "PrefixTransformer");
        }
        transform::affix(set, Affix::Suffix, &it.name_suffix, &config.name_suffix)?;
        if !it.name_suffix.is_empty() {
            note(set, "SuffixTransformer");
        }
        for label in &it.labels {
            transform::texts(set, &label.pairs, &label_specs(label, &config)?)?;
            note(set, "LabelTransformer");
        }
        transform::texts(set, &it.common_labels, &config.common_labels)?;
        // The transformer for these is there as soon as either field is.
        if !it.common_labels.is_empty() || !it.labels.is_empty() {
            note(set, "LabelTransformer");
        }
        transform::texts(set, &it.common_annotations, &config.common_annotations)?;
        if !it.common_annotations.is_empty() {
            note(set, "AnnotationsTransformer");
        }
        for patch in &it.patches_json6902 {
            self.patch_json(set, patch)?;
            note(set, "PatchJson6902Transformer");
        }
        for replica in &it.replicas {
            transform::replicas(set, replica, &config.replicas)?;
            note(set, "ReplicaCountTransformer");
        }
        for image in &it.images {
            transform::images(set, image, &config.images)?;
            note(set, "ImageTagTransformer");
        }
        if !it.replacements.is_empty() {
            let all = self.replacements(&it.replacements)?;
            replacement::transform(set, &all).map_err(|error| error.in_file(&self.file()))?;
            note(set, "ReplacementTransformer");
        }
        Ok(())
    }

    /// Replacements with those of files in their places.
    pub fn replacements(
        &self,
        entries: &[ReplacementField],
    ) -> Result<Vec<Replacement>, BuildError> {
        let mut all = Vec::new();
        for entry in entries {
            if entry.path.is_empty() {
                all.push(entry.replacement.clone());
            } else if entry.replacement == Replacement::default() {
                let text = self.folder.load_text(&entry.path)?;
                all.extend(Replacement::parse_file(
                    &text,
                    &self.folder.path_of(&entry.path),
                )?);
            } else {
                return Err(BuildError::new(
                    "cannot specify both path and inline replacement",
                ));
            }
        }
        Ok(all)
    }

    /// Strategic merge patches: files, or their text.
    pub fn patch_strategic_merge(
        &self,
        set: &mut ResourceSet,
        entries: &[String],
    ) -> Result<(), BuildError> {
        for entry in entries {
            let inline = entry
                .contains('\n')
                .then(|| read::objects(entry, &self.file()));
            let (patches, file) = match inline {
                Some(Ok(patches)) => (patches, self.file()),
                _ => (
                    read::objects(&self.folder.load_text(entry)?, &self.folder.path_of(entry))?,
                    self.folder.path_of(entry),
                ),
            };
            for patch in patches {
                patch::merge_copy_by_id(&Arc::new(patch), self.shared.schemas(), set)
                    .map_err(|error| error.in_file(&file))?;
            }
        }
        Ok(())
    }

    /// One entry of `patchesJson6902`.
    pub fn patch_json(&self, set: &mut ResourceSet, patch: &Patch) -> Result<(), BuildError> {
        let Some(target) = patch.target.as_ref().filter(|it| !it.name.is_empty()) else {
            return Err(BuildError::new(
                "must specify the target name of a JSON patch",
            ));
        };
        let (text, file) = match (patch.patch.is_empty(), patch.path.is_empty()) {
            (true, true) => {
                return Err(BuildError::new(
                    "must specify a JSON patch or a path to one",
                ));
            }
            (false, false) => {
                return Err(BuildError::new(
                    "a JSON patch has both a path and inline operations",
                ));
            }
            (false, true) => (patch.patch.clone(), self.file()),
            (true, false) => (
                self.folder.load_text(&patch.path)?.to_owned(),
                self.folder.path_of(&patch.path),
            ),
        };
        let operations = crate::operations::parse(&text, &file)?;
        let matcher = Matcher::new(target)?;
        patch::json(&operations, &matcher, set).map_err(|error| error.in_file(&file))
    }
}

/// The fields that one entry of `labels` is written to.
pub fn label_specs(label: &Label, config: &Config) -> Result<Vec<FieldSpec>, BuildError> {
    let mut specs = label.fields.clone();
    if label.include_selectors {
        crate::field::merge_specs(&mut specs, &config.common_labels)?;
        return Ok(specs);
    }
    if label.include_templates {
        crate::field::merge_specs(&mut specs, &config.template_labels)?;
    }
    if config.labels.is_empty() {
        crate::field::merge_specs(&mut specs, &[FieldSpec::new("metadata/labels", true)])?;
    } else {
        crate::field::merge_specs(&mut specs, &config.labels)?;
    }
    Ok(specs)
}
