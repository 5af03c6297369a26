//! Makes a chart out of a flat list of files, as they come from a folder or an archive.

pub(crate) mod archive;
mod glob;
pub(crate) mod ignore;

use std::{collections::BTreeMap, sync::Arc};

use files::{FileKind, Files, join};
use serde_json::{Map, Value};

pub(crate) use glob::{Glob, path_matches};

use crate::{
    Compat,
    chart::{Chart, ChartError, ChartFile},
    decode::{DecodeError, Decoder},
    metadata::{Metadata, ValidationError},
    parsed::ParsedCache,
    values::{load_first, load_merged},
    yaml_text,
};

/// Helm's own limit for one file of a chart folder (5 MiB).
const MAX_FILE_BYTES: usize = 5 << 20;
/// Charts in charts in charts: far more than anyone needs, few enough for the stack.
const MAX_CHART_DEPTH: usize = 32;
const BOM: &[u8] = &[0xEF, 0xBB, 0xBF];

/// All files of a chart folder that .helmignore leaves, in the order of Go's walk.
pub(crate) fn folder(files: &dyn Files, root: &str) -> Result<Vec<ChartFile>, ChartError> {
    let ignore_path = join(root, ignore::FILE_NAME).map_err(outside)?;
    let mut rules = match files.read(&ignore_path)? {
        Some(bytes) => ignore::Rules::parse(&String::from_utf8_lossy(&bytes))?,
        None => ignore::Rules::default(),
    };
    rules.add_defaults();
    let mut found = Vec::new();
    walk(files, root, "", &rules, &mut found)?;
    Ok(found)
}

fn outside(error: files::OutsideRoot) -> ChartError {
    ChartError::Files(files::FilesError::OutsideRoot {
        path: error.relative,
    })
}

fn walk(
    files: &dyn Files,
    root: &str,
    relative: &str,
    rules: &ignore::Rules,
    found: &mut Vec<ChartFile>,
) -> Result<(), ChartError> {
    let folder = join(root, relative).map_err(outside)?;
    let entries = files.list(&folder)?.unwrap_or_default();
    for entry in entries {
        let name = if relative.is_empty() {
            entry.name
        } else {
            format!("{relative}/{}", entry.name)
        };
        if rules.ignores(&name, entry.kind) {
            continue;
        }
        if entry.kind == FileKind::Folder {
            walk(files, root, &name, rules, found)?;
            continue;
        }
        let path = join(root, &name).map_err(outside)?;
        let Some(bytes) = files.read(&path)? else {
            continue;
        };
        if bytes.len() > MAX_FILE_BYTES {
            let name = files::file_name(&name).to_owned();
            let limit = MAX_FILE_BYTES;
            return Err(ChartError::TooLarge { name, limit });
        }
        let data = without_bom(bytes);
        found.push(ChartFile { name, data });
    }
    Ok(())
}

pub(crate) fn without_bom(bytes: Arc<[u8]>) -> Arc<[u8]> {
    match bytes.strip_prefix(BOM) {
        Some(rest) => rest.into(),
        None => bytes,
    }
}

/// Makes a chart of its files.
pub(crate) fn chart(found: Vec<ChartFile>, compat: Compat) -> Result<Chart, ChartError> {
    chart_at(found, compat, 0)
}

fn chart_at(found: Vec<ChartFile>, compat: Compat, depth: usize) -> Result<Chart, ChartError> {
    if depth > MAX_CHART_DEPTH {
        return Err(ChartError::Document {
            file: "charts".to_owned(),
            reason: format!("subcharts nest deeper than {MAX_CHART_DEPTH} levels"),
        });
    }
    let mut chart = Chart {
        metadata: metadata(&found, compat)?,
        values: Map::new(),
        schema: None,
        templates: Vec::new(),
        files: Vec::new(),
        raw: found.clone(),
        lock: None,
        dependencies: Vec::new(),
        warnings: Vec::new(),
        compat,
        parsed: ParsedCache::default(),
    };
    let mut subcharts: BTreeMap<String, Vec<ChartFile>> = BTreeMap::new();
    for file in found {
        sort_file(&mut chart, &mut subcharts, file)?;
    }
    chart.metadata.validate()?;
    for (folder, found) in subcharts {
        if folder.starts_with(['_', '.']) {
            continue;
        }
        let loaded = subchart(&folder, found, compat, depth);
        let loaded = loaded.map_err(|source| ChartError::Subchart {
            folder,
            chart: chart.metadata.name.clone(),
            source: Box::new(source),
        })?;
        chart.dependencies.push(Arc::new(loaded));
    }
    Ok(chart)
}

fn sort_file(
    chart: &mut Chart,
    subcharts: &mut BTreeMap<String, Vec<ChartFile>>,
    file: ChartFile,
) -> Result<(), ChartError> {
    let text = || String::from_utf8_lossy(&file.data);
    match file.name.as_str() {
        "Chart.yaml" => {}
        "Chart.lock" => chart.lock = Some(document(&file)?),
        "values.yaml" => {
            let loaded = match chart.compat {
                Compat::Helm4 => load_merged(&text()),
                Compat::Helm3 => load_first(&text()),
            };
            chart.values = loaded.map_err(ChartError::Values)?;
        }
        "values.schema.json" => chart.schema = Some(file.data),
        "requirements.yaml" => {
            let value = document(&file)?;
            let decoder = decoder(chart.compat, "chart.Metadata");
            decode(&file.name, &mut chart.metadata, &value, &decoder)?;
            keep_if_version_1(chart, file, "Dependencies are handled in Chart.yaml");
        }
        "requirements.lock" => {
            chart.lock = Some(document(&file)?);
            keep_if_version_1(chart, file, "Dependency locking is handled in Chart.lock");
        }
        name if name.starts_with("templates/") => chart.templates.push(file),
        name if name.starts_with("charts/") && !name.ends_with(".prov") => {
            let inner = name["charts/".len()..].to_owned();
            let folder = inner.split('/').next().unwrap_or_default().to_owned();
            let data = file.data;
            let file = ChartFile { name: inner, data };
            subcharts.entry(folder).or_default().push(file);
        }
        _ => chart.files.push(file),
    }
    Ok(())
}

fn keep_if_version_1(chart: &mut Chart, file: ChartFile, advice: &str) {
    if chart.metadata.api_version == "v1" {
        chart.files.push(file);
    } else {
        chart.warnings.push(format!(
            "Warning: {advice} since apiVersion \"v2\". Move the content of `{}` there.",
            file.name
        ));
    }
}

fn subchart(
    folder: &str,
    found: Vec<ChartFile>,
    compat: Compat,
    depth: usize,
) -> Result<Chart, ChartError> {
    if folder.ends_with(".tgz") {
        let mut found = found.into_iter();
        return match found.next() {
            Some(file) if file.name == folder => {
                chart_at(archive::read(&file.data)?, compat, depth + 1)
            }
            _ => Err(ChartError::NoChart {
                path: folder.to_owned(),
            }),
        };
    }
    let inner = found.into_iter().filter_map(|file| {
        let (_, name) = file.name.split_once('/')?;
        let name = name.to_owned();
        Some(ChartFile { name, ..file })
    });
    chart_at(inner.collect(), compat, depth + 1)
}

fn metadata(found: &[ChartFile], compat: Compat) -> Result<Metadata, ChartError> {
    let mut metadata = Metadata::default();
    let mut seen = false;
    for file in found.iter().filter(|file| file.name == "Chart.yaml") {
        seen = true;
        let value = document(file)?;
        if compat == Compat::Helm4 {
            let base = decoder(compat, "loader.chartBase");
            decode(&file.name, &mut Metadata::default(), &only_root(&value), &base)?;
            match value.get("apiVersion").and_then(Value::as_str) {
                None | Some("" | "v1" | "v2") => {}
                Some("v3") => return Err(ChartError::ApiVersion("invalid chart apiVersion")),
                Some(_) => return Err(ChartError::ApiVersion("unsupported chart version")),
            }
        }
        let decoder = decoder(compat, "chart.Metadata");
        decode(&file.name, &mut metadata, &value, &decoder)?;
        // Charts for Helm 2 do not say which version they are.
        if metadata.api_version.is_empty() {
            metadata.api_version = "v1".to_owned();
        }
    }
    if seen { Ok(metadata) } else { Err(ChartError::NoChartYaml) }
}

/// Keeps what is wrong about the root and nothing else: Helm 4 looks there first.
fn only_root(value: &Value) -> Value {
    match value {
        Value::Object(_) | Value::Null => Value::Null,
        other => other.clone(),
    }
}

fn decoder(compat: Compat, root_type: &'static str) -> Decoder {
    Decoder {
        compat,
        root_type,
        struct_name: "Metadata",
    }
}

fn decode(
    name: &str,
    metadata: &mut Metadata,
    value: &Value,
    decoder: &Decoder,
) -> Result<(), ChartError> {
    metadata.merge(value, decoder).map_err(|error| match error {
        DecodeError::Invalid(message) => ChartError::Invalid(ValidationError(message)),
        DecodeError::Type(_) => ChartError::Document {
            file: name.to_owned(),
            reason: error.to_string(),
        },
    })
}

fn document(file: &ChartFile) -> Result<Value, ChartError> {
    let text = String::from_utf8_lossy(&file.data);
    yaml_text::first_document(&text).map_err(|error| ChartError::Document {
        file: file.name.clone(),
        reason: error.to_string(),
    })
}
