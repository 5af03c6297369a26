//! ConfigMaps and Secrets made from literals, files and env files.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    error::BuildError,
    kustomization::{GeneratorArgs, GeneratorOptions, SecretArgs},
    load::Folder,
    node::{Map, Node, Tag},
    resource::{Behavior, Resource},
};

/// Go's scanner gives up on longer lines without a word, and what follows is not read.
const ENV_LINE_BYTES_MAX: usize = 64 * 1024;
/// Base64 longer than this is broken into lines.
const BASE64_LINE_BYTES: usize = 70;

/// Makes a ConfigMap.
///
/// # Errors
///
/// Sources that cannot be read, keys that stand twice. Which letters a key may have is not asked here,
/// as in the original.
pub fn config_map(args: &GeneratorArgs, folder: &Folder<'_>) -> Result<Resource, BuildError> {
    let mut root = base("ConfigMap", args)?;
    let mut text = Map::new();
    let mut binary = Map::new();
    for (key, value) in pairs(args, folder)? {
        match String::from_utf8(value) {
            Ok(it) => text.set(key, Node::text(it)),
            Err(it) => binary.set(key, Node::text(base64(it.as_bytes()))),
        }
    }
    if !text.is_empty() {
        root.set("data", Node::Map(text));
    }
    if !binary.is_empty() {
        root.set("binaryData", Node::Map(binary));
    }
    Ok(finish(root, args))
}

/// Makes a Secret.
///
/// # Errors
///
/// As [`config_map`].
pub fn secret(secret: &SecretArgs, folder: &Folder<'_>) -> Result<Resource, BuildError> {
    let args = &secret.args;
    let mut root = base("Secret", args)?;
    let kind = if secret.kind.is_empty() {
        "Opaque"
    } else {
        &secret.kind
    };
    root.set("type", Node::text(kind));
    let mut data = Map::new();
    for (key, value) in pairs(args, folder)? {
        data.set(key, Node::text(base64(&value)));
    }
    root.set("data", Node::Map(data));
    Ok(finish(root, args))
}

fn base(kind: &str, args: &GeneratorArgs) -> Result<Map, BuildError> {
    if args.name.is_empty() {
        return Err(BuildError::new(format!(
            "a generated {kind} must have a name"
        )));
    }
    let mut metadata = Map::new();
    metadata.set("name", Node::text(args.name.as_str()));
    if !args.namespace.is_empty() {
        metadata.set("namespace", Node::text(args.namespace.as_str()));
    }
    if let Some(options) = &args.options {
        for (field, texts) in [
            ("labels", &options.labels),
            ("annotations", &options.annotations),
        ] {
            if !texts.is_empty() {
                let mut map = Map::new();
                for (key, value) in texts {
                    map.set(key.as_str(), Node::text(value.as_str()));
                }
                metadata.set(field, Node::Map(map));
            }
        }
    }
    let mut root = Map::new();
    root.set("apiVersion", Node::text("v1"));
    root.set("kind", Node::text(kind));
    root.set("metadata", Node::Map(metadata));
    Ok(root)
}

fn finish(mut root: Map, args: &GeneratorArgs) -> Resource {
    let options = args.options.clone().unwrap_or_default();
    if options.immutable {
        root.set("immutable", Node::tagged("true", Tag::Bool));
    }
    let mut made = Resource::new(Arc::new(Node::Map(root)));
    made.needs_hash = !options.disable_name_suffix_hash;
    made.behavior = Behavior::parse(&args.behavior);
    made
}

fn base64(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    if text.len() <= BASE64_LINE_BYTES {
        return text;
    }
    let mut wrapped = String::with_capacity(text.len() + text.len() / BASE64_LINE_BYTES + 1);
    for line in text.as_bytes().chunks(BASE64_LINE_BYTES) {
        wrapped.push_str(std::str::from_utf8(line).unwrap_or_default());
        wrapped.push('\n');
    }
    wrapped
}

/// All pairs: env files first, then literals, then files.
fn pairs(
    args: &GeneratorArgs,
    folder: &Folder<'_>,
) -> Result<BTreeMap<String, Vec<u8>>, BuildError> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for path in &args.envs {
        let content = folder.load(path)?;
        env_file(&content, &mut all).map_err(|error| error.in_file(&folder.path_of(path)))?;
    }
    for literal in &args.literals {
        let Some((key, value)) = literal.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(BuildError::new(format!(
                "invalid literal source `{literal}`, expected key=value"
            )));
        };
        all.push((key.to_owned(), unquoted(value).as_bytes().to_vec()));
    }
    for source in &args.files {
        let (key, path) = file_source(source)?;
        all.push((key, folder.load(&path)?.to_vec()));
    }
    let mut known = BTreeMap::new();
    for (key, value) in all {
        if known.insert(key.clone(), value).is_some() {
            return Err(BuildError::new(format!(
                "`{}` illegally repeats the key `{key}`",
                args.name
            )));
        }
    }
    Ok(known)
}

/// `path`, or `key=path`; the key of a path is its last part.
fn file_source(source: &str) -> Result<(String, String), BuildError> {
    match source.split_once('=') {
        None => {
            let name = source.trim_end_matches('/');
            let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
            Ok((name.to_owned(), source.to_owned()))
        }
        Some(("", path)) => Err(BuildError::new(format!(
            "missing key name for file path `{path}` in source `{source}`"
        ))),
        Some((key, "")) => Err(BuildError::new(format!(
            "missing file path for key name `{key}` in source `{source}`"
        ))),
        Some((_, path)) if path.contains('=') => Err(BuildError::new(format!(
            "source `{source}`: key name or file path contains `=`"
        ))),
        Some((key, path)) => Ok((key.to_owned(), path.to_owned())),
    }
}

fn env_file(content: &[u8], all: &mut Vec<(String, Vec<u8>)>) -> Result<(), BuildError> {
    for (number, line) in content.split(|it| *it == b'\n').enumerate() {
        if line.len() >= ENV_LINE_BYTES_MAX {
            break;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(BuildError::new("line is not UTF-8").at_line(number + 1));
        };
        let line = match number {
            0 => line.strip_prefix('\u{feff}').unwrap_or(line),
            _ => line,
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        all.push((key.to_owned(), value.as_bytes().to_vec()));
    }
    Ok(())
}

/// One pair of quotes around the whole is taken away.
fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner.strip_suffix(quote).unwrap_or(text);
        }
    }
    text
}

/// The options of a generator with those of the whole file under them.
pub fn with_global(args: &GeneratorArgs, global: Option<&GeneratorOptions>) -> GeneratorArgs {
    GeneratorArgs {
        options: GeneratorOptions::merged(args.options.as_ref(), global),
        ..args.clone()
    }
}
