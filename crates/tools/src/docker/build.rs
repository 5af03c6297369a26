//! `docker build`: sends the context, shows the progress, names the image.

use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::{Body, Method, RequestBuilder};

use super::{
    context::{self, Context},
    instruction::Source,
    plain::{Plain, Shown},
    push,
    request::Private,
    secrets,
    server::{Refused, Server},
    usage, wrong_count,
};
use crate::{
    Console,
    failure::Failure,
    flags::{self, Flag, Parsed, Until, switch, value},
    patience::Patience,
};

const NO_PLACE: &str = "the image goes to Landfall's store; give it a name with -t";

const FLAGS: &[Flag] = &[
    value("tag").short('t'),
    value("file").short('f'),
    value("build-arg"),
    value("target"),
    value("label"),
    switch("no-cache"),
    switch("pull"),
    value("progress"),
    value("platform"),
    value("secret"),
    switch("push"),
    switch("load"),
    switch("quiet").short('q'),
    value("iidfile"),
    value("metadata-file"),
    value("output").short('o').refused(NO_PLACE),
    value("ssh").refused("give keys with --secret and use them in `RUN --mount=type=secret`"),
    value("build-context").refused("put the files into the context, or build the other image first and name it in `FROM`"),
    value("add-host").refused("a `RUN` resolves names as the machine does"),
    switch("squash").refused("join the commands in one `RUN` or copy the result into a last stage"),
    value("network").refused("a `RUN` has the network of the machine; take it away with `RUN --network=none`"),
    value("allow").refused("a `RUN` has no more rights than the sandbox gives"),
    value("call").refused("errors and warnings are shown by every build"),
    switch("check").refused("errors and warnings are shown by every build"),
    value("no-cache-filter").refused("use --no-cache"),
    // Results of all builds are kept in one cache, and nothing is attached to images.
    value("cache-from").idle(),
    value("cache-to").idle(),
    value("builder").idle(),
    value("provenance").or("true").idle(),
    value("sbom").or("true").idle(),
    value("attest").idle(),
    value("annotation").refused("use --label"),
    switch("rm").idle(),
    switch("force-rm").idle(),
    switch("compress").idle(),
    value("memory").short('m').idle(),
    value("shm-size").idle(),
    value("cpu-quota").idle(),
    value("cpu-shares").short('c').idle(),
    value("ulimit").idle(),
    value("isolation").idle(),
    switch("disable-content-trust").idle(),
];

/// How the progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Plain,
    Raw,
    Nothing,
}

/// Runs `docker build`.
pub async fn build(command: &str, args: &[String], config: Option<String>, console: &mut Console) -> Result<(), Failure> {
    let line = flags::parse("docker", args, &[FLAGS], Until::End).map_err(|it| usage(&it, command))?;
    let [place] = line.words.as_slice() else {
        return Err(wrong_count(command, "1 argument", "PATH | URL | -"));
    };
    let tags = tags(&line)?;
    platform(&line)?;
    let show = show(&line, console)?;
    let mut private = Private::new(&line, console)?;
    private.secrets = secrets::read(line.all("secret"), console)?;
    private.registry_auth = super::credentials::load(config.as_deref(), console)?;
    let server = Server::of(console)?;
    let (source, body) = source(place, line.last("file"), console)?;
    private.dockerfile = source.outside.clone();
    // Standard input can be read once.
    let can_repeat = place != "-" && line.last("file") != Some("-");

    let mut query: Vec<(&str, &str)> = tags.iter().map(|tag| ("tag", tag.as_str())).collect();
    let dockerfile = source.name.clone();
    query.push(("dockerfile", &dockerfile));
    query.extend(line.last("target").map(|it| ("target", it)));
    query.extend(line.all("label").map(|it| ("label", it)));
    query.extend(line.is_on("no-cache").then_some(("no-cache", "1")));
    query.extend(line.is_on("pull").then_some(("pull", "1")));
    let request = |body| {
        let request = server.request(Method::POST, "/landfall/v1/builds").query(&query);
        request.header("landfall-build-private", private.header()).body(body)
    };
    let mut patience = Patience::default();
    let mut told = carry_out(&server, request(body), source, show, console).await;
    while let Err(Refused::Away(failure)) = told {
        if !can_repeat || !patience.wait().await {
            return Err(failed(failure));
        }
        // What was built is in the cache, so the next server goes on where this one was killed.
        let (source, body) = self::source(place, line.last("file"), console)?;
        told = carry_out(&server, request(body), source, show, console).await;
    }
    let mut plain = told.map_err(|refused| failed(Failure::from(refused)))?;
    let Some(digest) = plain.result(console)? else {
        return Err(failed(Failure::new("the server ended the build without a result")));
    };
    if let Some(file) = line.last("iidfile") {
        write(console, file, &digest.to_string())?;
    }
    if let Some(file) = line.last("metadata-file") {
        let metadata = serde_json::json!({ "containerimage.digest": digest, "image.name": tags.join(",") });
        write(console, file, &format!("{metadata:#}\n"))?;
    }
    if show == Show::Nothing {
        console.out(digest.to_string());
    }
    if line.is_on("push") {
        if tags.is_empty() {
            return Err(failed(Failure::new("tag is needed when pushing to registry")));
        }
        for tag in &tags {
            push::push_one(&server, tag, private.registry_auth.clone(), push::Told::Briefly, console).await?;
        }
    }
    Ok(())
}

/// Sends a build and shows how it goes, until it ends or the server does.
async fn carry_out(server: &Server, request: RequestBuilder, source: Source, show: Show, console: &mut Console) -> Result<Plain, Refused> {
    let answer = server.send(request).await?;
    let shown = match show {
        Show::Nothing => Shown::OnlyErrors,
        Show::Plain | Show::Raw => Shown::All,
    };
    let mut plain = Plain::new(source, shown);
    let mut lines = Lines::default();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Refused::Away(Failure::new(format!("the server stopped answering: {error}"))))?;
        for text in lines.take(&chunk) {
            if show == Show::Raw {
                console.err(String::from_utf8_lossy(&text));
            }
            plain.tell(&text, console);
        }
    }
    Ok(plain)
}

/// An error in the form of the original.
fn failed(failure: Failure) -> Failure {
    Failure { message: format!("ERROR: failed to build: {}", failure.message), ..failure }
}

fn write(console: &Console, file: &str, text: &str) -> Result<(), Failure> {
    std::fs::write(console.path(file), text).map_err(|error| failed(Failure::new(format!("{file}: {error}"))))
}

fn tags(line: &Parsed) -> Result<Vec<String>, Failure> {
    let mut tags = Vec::new();
    // With buildx a comma parts names nowhere; each flag has one.
    for tag in line.all("tag") {
        let name: names::ImageRef = tag.parse().map_err(|error: names::ParseImageRefError| {
            let message = format!("invalid argument \"{tag}\" for \"-t, --tag\" flag: invalid reference format: {error}");
            Failure::new(message).with_code(125)
        })?;
        if name.digest.is_some() {
            return Err(Failure::new(format!("invalid argument \"{tag}\" for \"-t, --tag\" flag: a tag has no digest")).with_code(125));
        }
        tags.push(tag.to_owned());
    }
    Ok(tags)
}

/// Only what runs on this machine can be built on it.
fn platform(line: &Parsed) -> Result<(), Failure> {
    let machine = context::machine_arch();
    for platform in line.all("platform").flat_map(|it| it.split(',')) {
        let mut parts = platform.trim().split('/');
        let (os, arch) = (parts.next().unwrap_or_default(), parts.next());
        let fits = (os == "linux" || os == "local") && arch.is_none_or(|it| it == machine || it == std::env::consts::ARCH);
        if !fits {
            let message = format!("--platform {platform} is not supported by this docker: this machine builds linux/{machine} only");
            return Err(Failure::new(format!("docker: {message}")).with_code(125));
        }
    }
    Ok(())
}

fn show(line: &Parsed, console: &Console) -> Result<Show, Failure> {
    if line.is_on("quiet") {
        return Ok(Show::Nothing);
    }
    match line.last("progress").or(console.env("BUILDKIT_PROGRESS")).unwrap_or("auto") {
        "auto" | "plain" | "tty" => Ok(Show::Plain),
        "rawjson" => Ok(Show::Raw),
        "quiet" => Ok(Show::Nothing),
        other => Err(failed(Failure::new(format!("invalid progress mode: {other}")))),
    }
}

/// Where the Dockerfile and the context are, and the body to send.
fn source(place: &str, file: Option<&str>, console: &mut Console) -> Result<(Source, Body), Failure> {
    if place.contains("://") || place.starts_with("git@") {
        let message = format!("the context `{place}` is a URL, which this docker does not fetch; check it out with `actions/checkout` and name the folder");
        return Err(failed(Failure::new(message)));
    }
    if place == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut console.input(), &mut bytes).map_err(|error| failed(Failure::new(format!("standard input: {error}"))))?;
        if bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(b"BZh") {
            return Err(failed(Failure::new("a compressed context on standard input is not supported; send a plain tar")));
        }
        // The magic of a tar stands at this place of its first header.
        if bytes.get(257..262) == Some(b"ustar".as_slice()) {
            let name = file.unwrap_or("Dockerfile").to_owned();
            return Ok((Source { name, text: String::new(), outside: None }, Body::from(bytes)));
        }
        let text = String::from_utf8(bytes).map_err(|_| failed(Failure::new("the Dockerfile on standard input is not UTF-8")))?;
        let source = Source { name: "Dockerfile".to_owned(), text: text.clone(), outside: Some(text) };
        return Ok((source, Body::from(empty_tar())));
    }
    let folder = console.path(place);
    let source = if file == Some("-") {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut console.input(), &mut text).map_err(|error| failed(Failure::new(format!("standard input: {error}"))))?;
        Source { name: "Dockerfile".to_owned(), text: text.clone(), outside: Some(text) }
    } else {
        dockerfile(&folder, place, file, console)?
    };
    let inside = source.outside.is_none().then_some(source.name.as_str());
    let context = Context::open(&folder, place, inside).map_err(|error| failed(Failure::new(error.to_string())))?;
    let chunks = context.send();
    let body = Body::wrap_stream(futures_util::stream::unfold(chunks, |mut it| async move { it.recv().await.map(|chunk| (chunk, it)) }));
    Ok((source, body))
}

/// Two empty blocks end a tar.
fn empty_tar() -> Bytes {
    Bytes::from_static(&[0; 1024])
}

fn dockerfile(folder: &Path, place: &str, file: Option<&str>, console: &Console) -> Result<Source, Failure> {
    if !folder.exists() {
        return Err(failed(Failure::new(format!("unable to prepare context: path \"{place}\" not found"))));
    }
    let (path, shown) = match file {
        // Relative to the working folder, not to the context.
        Some(file) => (console.path(file), file.to_owned()),
        None => {
            let names = ["Dockerfile", "dockerfile"];
            let name = names.into_iter().find(|it| folder.join(it).exists()).unwrap_or("Dockerfile");
            (folder.join(name), name.to_owned())
        }
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let is_missing = error.kind() == std::io::ErrorKind::NotFound;
        let reason = if is_missing { "no such file or directory".to_owned() } else { error.to_string() };
        failed(Failure::new(format!("failed to solve: failed to read dockerfile: open {shown}: {reason}")))
    })?;
    match within(folder, &path) {
        Some(name) => Ok(Source { name, text, outside: None }),
        None => {
            let name = path.file_name().map_or_else(|| "Dockerfile".to_owned(), |it| it.to_string_lossy().into_owned());
            Ok(Source { name, outside: Some(text.clone()), text })
        }
    }
}

/// The path of a file within a folder, if it lies there without a link on the way.
fn within(folder: &Path, file: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let real = file.canonicalize().ok()?;
    let rest: PathBuf = real.strip_prefix(folder).ok()?.to_owned();
    rest.components().all(|it| matches!(it, Component::Normal(_))).then(|| rest.to_str().map(str::to_owned))?
}

/// Lines out of chunks.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn take(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        self.rest.extend_from_slice(chunk);
        let mut lines: Vec<Vec<u8>> = self.rest.split(|it| *it == b'\n').map(<[u8]>::to_vec).collect();
        self.rest = lines.pop().unwrap_or_default();
        lines
    }
}
