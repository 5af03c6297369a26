//! The images of this machine as lists and documents, in the words of the `docker` command.

use api::ImageTag;
use names::{Digest, ImageRef, RunId, Tag, Timestamp};
use oci::View;
use serde_json::{Value, json};

use crate::images_http::{ImagesState, Refusal};

/// A tag that is here.
pub(crate) struct Known {
    /// As people write it.
    pub name: String,
    /// As the store keeps it.
    pub repository: String,
    pub tag: Tag,
    pub digest: Digest,
    pub pushed: Timestamp,
    pub run: Option<RunId>,
}

/// All tags that a view shows, the newest first.
pub(crate) async fn known(state: &ImagesState, view: &View) -> Result<Vec<Known>, Refusal> {
    let tags: Vec<ImageTag> = store::list(&*state.records, "").await?;
    let own = own_host(state);
    let mut known: Vec<Known> = tags
        .into_iter()
        .filter_map(|it| {
            let repository = view.shown(&it.repository)?.to_owned();
            Some(Known {
                name: format!("{}:{}", familiar(&repository, own.as_deref()), it.tag),
                repository,
                tag: it.tag,
                digest: it.digest,
                pushed: it.pushed,
                run: it.run,
            })
        })
        .collect();
    known.sort_by_key(|it| std::cmp::Reverse(it.pushed));
    Ok(known)
}

fn own_host(state: &ImagesState) -> Option<String> {
    let any: ImageRef = "scratch".parse().ok()?;
    state.images.served_as(&any).map(|it| it.registry)
}

/// The name by which people know a repository of the store.
fn familiar(repository: &str, own_host: Option<&str>) -> String {
    let (first, rest) = repository.split_once('/').unwrap_or((repository, ""));
    let port = first.rsplit_once('_').filter(|(_, port)| !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit()));
    if rest.is_empty() || (!first.contains('.') && first != "localhost" && port.is_none()) {
        return own_host.map_or_else(|| repository.to_owned(), |host| format!("{host}/{repository}"));
    }
    if first == "docker.io" {
        return rest.strip_prefix("library/").unwrap_or(rest).to_owned();
    }
    match port {
        Some((host, port)) => format!("{host}:{port}/{rest}"),
        None => repository.to_owned(),
    }
}

/// One line of a list. An image whose blobs are gone is still listed, without size and age.
pub(crate) async fn summary(state: &ImagesState, known: &Known) -> Value {
    let image = state.images.image(known.digest).await.ok();
    let size: u64 = image.iter().flat_map(|it| &it.layers).map(|it| it.size).sum();
    let repository = known.name.rsplit_once(':').map_or(known.name.as_str(), |(name, _)| name);
    json!({
        "repository": repository,
        "tag": known.tag,
        "digest": known.digest,
        "created": image.and_then(|it| it.config.created),
        "pushed": known.pushed,
        "size_bytes": size,
        "run": known.run,
    })
}

/// What `docker image inspect` shows.
pub(crate) async fn details(state: &ImagesState, view: &View, digest: Digest) -> Result<Value, Refusal> {
    let image = state.images.image(digest).await.map_err(Refusal::broken)?;
    let known = known(state, view).await?;
    let names = || known.iter().filter(|it| it.digest == digest);
    let mut digests: Vec<String> = names()
        .map(|it| format!("{}@{digest}", it.name.rsplit_once(':').map_or(it.name.as_str(), |(name, _)| name)))
        .collect();
    digests.sort();
    digests.dedup();
    let run = serde_json::to_value(&image.config.config).map_err(Refusal::broken)?;
    Ok(json!({
        "Id": digest,
        "RepoTags": names().map(|it| it.name.clone()).collect::<Vec<_>>(),
        "RepoDigests": digests,
        "Comment": "buildkit.dockerfile.v0",
        "Created": image.config.created,
        "Author": image.config.author.clone().unwrap_or_default(),
        "Config": run,
        "Architecture": image.config.architecture,
        "Os": image.config.os,
        "Size": image.layers.iter().map(|it| it.size).sum::<u64>(),
        "RootFS": {
            "Type": image.config.rootfs.kind,
            "Layers": image.config.rootfs.diff_ids,
        },
        "Metadata": { "LastTagTime": names().map(|it| it.pushed).max() },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_as_people_name_them() {
        check("docker.io/library/myapp", "myapp");
        check("docker.io/team/myapp", "team/myapp");
        check("ghcr.io/o/r", "ghcr.io/o/r");
        check("registry.example_5000/a/b", "registry.example:5000/a/b");
        check("localhost_5000/a", "localhost:5000/a");
        check("shop/web", "127.0.0.1:4100/shop/web");
        check("web", "127.0.0.1:4100/web");
    }

    #[track_caller]
    fn check(repository: &str, expected: &str) {
        assert_eq!(familiar(repository, Some("127.0.0.1:4100")), expected);
    }
}
