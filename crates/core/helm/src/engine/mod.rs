//! Runs the templates of a chart and its subcharts, in Helm's order, with Helm's objects.

mod error;
mod files;
mod functions;
mod objects;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use gotemplate::{
    ANY_MAP, Budget, Dialect, Entries, Error, Functions, Limits, Map, MissingKey, Options, Place,
    TemplateSet, Text, Value,
};
use sprig::{Edition, Source};

pub use functions::{Lookup, Strictness};

use crate::{
    Compat,
    capabilities::KubeVersion,
    chart::Chart,
    render::Release,
    working::WorkingChart,
};

/// What the engine needs beside the charts.
pub(crate) struct Setting<'a> {
    pub compat: Compat,
    pub release: &'a Release,
    pub kube_version: &'a KubeVersion,
    pub api_versions: &'a [String],
    pub source: &'a Rc<dyn Source>,
    pub lookup: Option<&'a Rc<dyn Lookup>>,
    pub strictness: Strictness,
    pub limits: Limits,
}

/// A template that could not be parsed or did not run to its end.
#[derive(Debug)]
pub(crate) struct EngineError {
    /// The original's text.
    pub message: String,
    /// Where it happened, outermost first.
    pub places: Vec<Place>,
    /// What went wrong at the innermost place.
    pub reason: String,
    /// The values of the chart whose template failed.
    pub values: Value,
    /// Whether a limit of Landfall's stopped it.
    pub limit: bool,
    /// What may be meant.
    pub hint: Option<String>,
}

/// What the engine made.
pub(crate) struct Output {
    /// Rendered text by full template name.
    pub files: BTreeMap<String, Text>,
}

/// One file with templates and what it runs on.
struct Job {
    name: String,
    chart: Arc<Chart>,
    /// Position in the chart's list of templates.
    index: usize,
    /// The dot.
    data: Rc<Map>,
    base_path: String,
}

/// Runs all templates below `chart`, with `values` as those of the root.
pub(crate) fn run(
    chart: &WorkingChart,
    values: Rc<Map>,
    setting: &Setting<'_>,
) -> Result<Output, EngineError> {
    let capabilities =
        objects::capabilities(setting.kube_version, setting.api_versions, setting.compat);
    let collector = Collector {
        compat: setting.compat,
        release: release_value(setting.release),
        capabilities,
    };
    let mut jobs = Vec::new();
    let entries = std::mem::take(&mut *values.entries_mut());
    let values = Rc::new(Map::typed(objects::values_type(setting.compat), entries));
    collector.collect(chart, None, &values, &mut jobs);
    jobs.sort_by(|a, b| slashes(&b.name).cmp(&slashes(&a.name)).then_with(|| b.name.cmp(&a.name)));
    jobs.dedup_by(|later, earlier| later.name == earlier.name);
    let functions = functions_for(setting);
    let set = Arc::new(parse_all(&jobs, &functions)?).child();
    execute_all(&jobs, &set, &functions, setting)
}

fn slashes(name: &str) -> usize {
    name.bytes().filter(|byte| *byte == b'/').count()
}

fn release_value(release: &Release) -> Value {
    let entry = |key, value| (Text::from_static(key), value);
    let is_upgrade = release.is_upgrade();
    Value::map(Entries::from([
        entry("Name", release.name.as_str().into()),
        entry("Namespace", release.namespace.as_str().into()),
        entry("IsUpgrade", Value::Bool(is_upgrade)),
        entry("IsInstall", Value::Bool(!is_upgrade)),
        entry("Revision", Value::Int(release.revision)),
        entry("Service", Value::text("Helm")),
    ]))
}

struct Collector {
    compat: Compat,
    release: Value,
    capabilities: Value,
}

impl Collector {
    /// Makes the dot of `chart` and collects its templates and those of its subcharts.
    fn collect(
        &self,
        chart: &WorkingChart,
        parent: Option<(&str, &Rc<Map>)>,
        values: &Rc<Map>,
        jobs: &mut Vec<Job>,
    ) -> Rc<Map> {
        let path = match parent {
            None => chart.name().to_owned(),
            Some((parent, _)) => format!("{parent}/charts/{}", chart.name()),
        };
        let ty = objects::values_type(self.compat);
        let own = match parent {
            None => Value::Map(Rc::clone(values)),
            Some((_, above)) => match above.get(chart.name()) {
                Some(Value::Map(section)) => Value::Map(section.converted(ty)),
                _ => Value::typed_map(ty, Entries::new()),
            },
        };
        let own_map = match &own {
            Value::Map(map) => Rc::clone(map),
            _ => Rc::clone(values),
        };
        let mut subcharts = Entries::new();
        for child in &chart.dependencies {
            let child = child.borrow();
            let below = self.collect(&child, Some((&path, &own_map)), &own_map, jobs);
            subcharts.insert(Text::from(child.name()), Value::Map(below.converted(ANY_MAP)));
        }
        let entry = |key, value| (Text::from_static(key), value);
        let dot = Entries::from([
            entry("Chart", objects::chart(&chart.metadata, parent.is_none(), self.compat)),
            entry("Files", files::files(&chart.source.files, self.compat)),
            entry("Release", self.release.clone()),
            entry("Capabilities", self.capabilities.clone()),
            entry("Values", own),
            entry("Subcharts", Value::map(subcharts)),
        ]);
        let dot = Rc::new(Map::typed(ty, dot));
        let library = chart.metadata.is_library();
        for (index, template) in chart.source.templates.iter().enumerate() {
            if library && !files_name(&template.name).starts_with('_') {
                continue;
            }
            jobs.push(Job {
                name: format!("{path}/{}", template.name),
                chart: Arc::clone(&chart.source),
                index,
                data: Rc::clone(&dot),
                base_path: format!("{path}/templates"),
            });
        }
        dot
    }
}

fn files_name(path: &str) -> &str {
    ::files::file_name(path)
}

fn parse_all(jobs: &[Job], functions: &Functions) -> Result<TemplateSet, EngineError> {
    let mut set = TemplateSet::new(functions::SET_NAME);
    for job in jobs {
        let text = &job.chart.templates[job.index].data;
        let parsed = job.chart.parsed.get_or_parse(&job.name, text, functions);
        let parsed = parsed.map_err(|error| EngineError {
            message: error::parse_text(&error),
            places: vec![Place {
                file: error.file.clone(),
                line: error.line,
                column: 0,
                node: String::new(),
            }],
            reason: error.message.clone(),
            values: Value::Nil,
            limit: false,
            hint: crate::explain::nearest_function(&error.message, functions),
        })?;
        set.add(parsed.iter().cloned());
    }
    Ok(set)
}

fn execute_all(
    jobs: &[Job],
    set: &TemplateSet,
    functions: &Functions,
    setting: &Setting<'_>,
) -> Result<Output, EngineError> {
    let options = Options {
        missing_key: MissingKey::Zero,
        dialect: match setting.compat {
            Compat::Helm4 => Dialect::Go127,
            Compat::Helm3 => Dialect::Go124,
        },
    };
    let ty = objects::values_type(setting.compat);
    let mut budget = Budget::new(setting.limits);
    let mut files = BTreeMap::new();
    for job in jobs {
        if files_name(&job.name).starts_with('_') {
            continue;
        }
        let template = Entries::from([
            (Text::from_static("Name"), job.name.as_str().into()),
            (Text::from_static("BasePath"), job.base_path.as_str().into()),
        ]);
        job.data
            .insert(Text::from_static("Template"), Value::typed_map(ty, template));
        let data = Value::Map(Rc::clone(&job.data));
        let written = set.execute(&job.name, &data, functions, options, &mut budget);
        let written = written.map_err(|error| failure(&error, job, setting.compat))?;
        let written = functions::without_no_value(written);
        files.insert(job.name.clone(), written);
    }
    Ok(Output { files })
}

fn failure(error: &Error, job: &Job, compat: Compat) -> EngineError {
    EngineError {
        message: error::exec_text(error, &job.name, compat),
        places: error::places(error),
        reason: error::reason(error),
        values: job.data.get("Values").unwrap_or_default(),
        limit: error.is_limit(),
        hint: None,
    }
}

thread_local! {
    /// Registries are costly to make and cheap to copy; time and chance come from the render that runs.
    static REGISTRIES: RefCell<[Option<Functions>; 2]> = const { RefCell::new([None, None]) };
    static CURRENT_SOURCE: RefCell<Option<Rc<dyn Source>>> = const { RefCell::new(None) };
}

/// Hands time and chance of the current render to functions that outlive it.
struct CurrentSource;

impl Source for CurrentSource {
    fn now(&self) -> i128 {
        let current = CURRENT_SOURCE.with_borrow(Clone::clone);
        current.map_or(0, |source| source.now())
    }

    fn fill(&self, bytes: &mut [u8]) {
        if let Some(source) = CURRENT_SOURCE.with_borrow(Clone::clone) {
            source.fill(bytes);
        }
    }
}

/// Makes `source` the one that functions of this thread ask.
pub(crate) fn functions_of(compat: Compat, source: &Rc<dyn Source>) -> Functions {
    CURRENT_SOURCE.set(Some(Rc::clone(source)));
    REGISTRIES.with_borrow_mut(|all| {
        let (slot, edition) = match compat {
            Compat::Helm3 => (0, Edition::Helm3),
            Compat::Helm4 => (1, Edition::Helm4),
        };
        let made = all[slot].get_or_insert_with(|| {
            let source: Rc<dyn Source> = Rc::new(CurrentSource);
            let mut made = sprig::functions(edition, &source);
            // Takes the places, so that the index is shared by all copies.
            functions::add(
                &mut made,
                &functions::Shared::new(None, Strictness::Render),
            );
            made
        });
        made.clone()
    })
}

fn functions_for(setting: &Setting<'_>) -> Functions {
    let mut all = functions_of(setting.compat, setting.source);
    let lookup = setting.lookup.cloned();
    let shared = functions::Shared::new(lookup, setting.strictness);
    functions::add(&mut all, &shared);
    all
}
