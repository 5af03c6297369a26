//! `docker push` and `docker pull`.

use names::{Digest, ImageRef};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    credentials,
    server::{Complaint, Refused, Server},
    usage, wrong_count,
};
use crate::{
    Console,
    failure::Failure,
    flags::{self, Flag, Until, switch, value},
};

const FLAGS: &[Flag] = &[
    switch("all-tags").short('a'),
    switch("quiet").short('q'),
    value("platform").idle(),
    switch("disable-content-trust").idle(),
];

/// Digits of a layer's digest that are shown.
const SHORT: usize = 12;

/// How much is said about a push that succeeds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// As `docker push` does.
    Fully,
    /// Only where the image went.
    Briefly,
    /// The name alone.
    Name,
}

#[derive(Deserialize)]
struct Pushed {
    digest: Digest,
    size_bytes: u64,
    layers: Vec<Digest>,
    place: String,
    registry: Option<String>,
    commit_tag: Option<CommitTag>,
}

#[derive(Deserialize)]
struct CommitTag {
    tag: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct Pulled {
    name: String,
    familiar: String,
    digest: Digest,
    fetched: bool,
}

/// Runs `docker push`.
pub async fn push(args: &[String], config: Option<String>, console: &mut Console) -> Result<(), Failure> {
    let line = flags::parse("docker", args, &[FLAGS], Until::End).map_err(|it| usage(&it, "push"))?;
    let [name] = line.words.as_slice() else {
        return Err(wrong_count("push", "1 argument", "NAME[:TAG]"));
    };
    let auth = credentials::load(config.as_deref(), console)?;
    let server = Server::of(console)?;
    let told = if line.is_on("quiet") { Told::Name } else { Told::Fully };
    if !line.is_on("all-tags") {
        return push_one(&server, name, auth, told, console).await;
    }
    let wanted = reference(name)?;
    if name.rsplit('/').next().is_some_and(|it| it.contains(':')) {
        return Err(Failure::new("tag can't be used with --all-tags/-a"));
    }
    let tags = server.images().await?.into_iter().filter_map(|it| {
        let named = format!("{}:{}", it.repository, it.tag);
        named.parse::<ImageRef>().is_ok_and(|it| it.name() == wanted.name()).then_some(named)
    });
    // A tag of a commit was pushed with the tag it was made for.
    let tags: Vec<String> = tags.filter(|it| !it.contains(":sha-")).collect();
    if tags.is_empty() {
        return Err(Failure::new(format!("An image does not exist locally with the tag: {}", wanted.name())));
    }
    for tag in tags {
        push_one(&server, &tag, auth.clone(), told, console).await?;
    }
    Ok(())
}

/// Pushes one name.
pub async fn push_one(server: &Server, name: &str, auth: Option<Value>, told: Told, console: &mut Console) -> Result<(), Failure> {
    let reference = reference(name)?;
    if told == Told::Fully {
        if reference.tag.is_some() && !name.rsplit('/').next().is_some_and(|it| it.contains(':')) {
            console.out("Using default tag: latest");
        }
        console.out(format!("The push refers to repository [{}]", reference.name()));
    }
    let body = json!({ "name": name, "registry_auth": auth });
    let pushed: Pushed = match server.post("/landfall/v1/images/push", &body).await {
        Ok(pushed) => pushed,
        Err(Refused::Complaint(complaint)) if complaint.code == "never-tagged" => return Err(never_tagged(&complaint, name, &reference)),
        Err(Refused::Complaint(complaint)) if complaint.code == "registry" => return Err(Failure::new(complaint.message)),
        Err(refused) => return Err(refused.into()),
    };
    match told {
        Told::Name => console.out(reference.to_string()),
        Told::Briefly => {}
        Told::Fully => {
            for layer in &pushed.layers {
                console.out(format!("{}: Pushed", &layer.hex()[..SHORT]));
            }
            let tag = reference.tag.as_ref().map_or_else(|| pushed.digest.to_string(), ToString::to_string);
            console.out(format!("{tag}: digest: {} size: {}", pushed.digest, pushed.size_bytes));
        }
    }
    match (pushed.place.as_str(), &pushed.registry) {
        ("registry", Some(registry)) => console.err(format!("landfall: sent to {registry}")),
        ("kept", _) => console.err(format!(
            "landfall: no credentials for {}, so `{}` stays in Landfall's registry, from which the cluster pulls it",
            reference.registry,
            reference.familiar()
        )),
        _ => {}
    }
    if let Some(commit) = pushed.commit_tag {
        if commit.digest == pushed.digest {
            console.err(format!("landfall: also tagged {}", commit.tag));
        } else {
            console.err(format!("landfall: {} stays at {}, which this commit pushed before", commit.tag, commit.digest));
        }
    }
    Ok(())
}

/// Docker's words, then the image that was probably meant and the two ways to mend it.
fn never_tagged(complaint: &Complaint, name: &str, reference: &ImageRef) -> Failure {
    let mut message = complaint.message.clone();
    let target = if reference.tag.is_some() && !name.contains('@') { reference.familiar() } else { name.to_owned() };
    if let Some(candidate) = complaint.help.candidates.first() {
        let made = if candidate.by_this_run { "was built in this run" } else { "is here" };
        message.push_str(&format!(
            "\n  `{}` {made}, but nothing was tagged `{target}`\n  help: docker tag {} {target}\n  help: or build it under that name: docker build -t {target} .",
            candidate.name, candidate.name
        ));
    } else {
        message.push_str(&format!("\n  help: build it under that name first: docker build -t {target} ."));
    }
    Failure::new(message)
}

/// Runs `docker pull`.
pub async fn pull(args: &[String], config: Option<String>, console: &mut Console) -> Result<(), Failure> {
    let line = flags::parse("docker", args, &[FLAGS], Until::End).map_err(|it| usage(&it, "pull"))?;
    let [name] = line.words.as_slice() else {
        return Err(wrong_count("pull", "1 argument", "NAME[:TAG|@DIGEST]"));
    };
    if line.is_on("all-tags") {
        return Err(Failure::new("docker: --all-tags is not supported by this docker: pull the tags you need one by one").with_code(125));
    }
    let reference = reference(name)?;
    let auth = credentials::load(config.as_deref(), console)?;
    let server = Server::of(console)?;
    let quiet = line.is_on("quiet");
    if let Some(tag) = reference.tag.as_ref().filter(|_| !quiet) {
        if !name.rsplit('/').next().is_some_and(|it| it.contains(':')) {
            console.out("Using default tag: latest");
        }
        console.out(format!("{tag}: Pulling from {}", reference.repository));
    }
    let body = json!({ "name": name, "registry_auth": auth });
    let pulled: Pulled = server.post("/landfall/v1/images/pull", &body).await?;
    if !quiet {
        console.out(format!("Digest: {}", pulled.digest));
        let status = if pulled.fetched { "Downloaded newer image" } else { "Image is up to date" };
        console.out(format!("Status: {status} for {}", pulled.familiar));
    }
    console.out(pulled.name);
    Ok(())
}

fn reference(name: &str) -> Result<ImageRef, Failure> {
    name.parse().map_err(|error: names::ParseImageRefError| Failure::new(format!("invalid reference format: {error}")))
}
