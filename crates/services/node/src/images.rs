//! Makes a container's image present, by its pull policy and with the pod's pull secrets.

use std::time::Instant;

use names::ImageRef;
use oci::{Keychain, Resolution};
use serde_json::json;

use crate::{
    context::Context,
    events::{Event, Level},
    pod::{Container, Pod, PullPolicy},
    seen::PulledImage,
    sources,
    task::Problem,
};

/// Finds or pulls the image and unpacks it; what happens is told in events.
pub async fn ensure(
    context: &Context,
    pod: &Pod,
    container: &Container,
) -> Result<PulledImage, Problem> {
    let ensured = Ensuring {
        context,
        pod,
        container,
    };
    match ensured.run().await {
        Ok(image) => Ok(image),
        Err(problem) => {
            ensured.tell(
                Level::Warning,
                "Failed",
                format!("Error: {}", problem.reason),
            );
            Err(problem)
        }
    }
}

struct Ensuring<'a> {
    context: &'a Context,
    pod: &'a Pod,
    container: &'a Container,
}

impl Ensuring<'_> {
    async fn run(&self) -> Result<PulledImage, Problem> {
        let image = &self.container.image;
        let name: ImageRef = image.parse().map_err(|error| {
            let message = format!("Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {error}");
            self.tell(Level::Warning, "InspectFailed", message.clone());
            Problem::new("InvalidImageName", message)
        })?;
        let found = self
            .context
            .images
            .find(&name)
            .await
            .map_err(|error| self.failed(&error))?;
        let digest = match (self.container.pull_policy(), found) {
            (PullPolicy::Never, None) => {
                let message =
                    format!("Container image \"{image}\" is not present with pull policy of Never");
                self.tell(Level::Warning, "ErrImageNeverPull", message.clone());
                return Err(Problem::new("ErrImageNeverPull", message));
            }
            (PullPolicy::Never | PullPolicy::IfNotPresent, Some(digest)) => self.present(digest),
            (PullPolicy::IfNotPresent, None) => self.pull(&name, &self.keychain().await).await?,
            (PullPolicy::Always, found) => {
                let keychain = self.keychain().await;
                // The local store is the mirror of registries to which this installation has no key.
                let is_mirrored =
                    self.context.images.is_own(&name) || keychain.find(&name).is_none();
                match found {
                    Some(digest) if is_mirrored => self.present(digest),
                    Some(_) | None => self.pull(&name, &keychain).await?,
                }
            }
        };
        let stored = self
            .context
            .images
            .image(digest)
            .await
            .map_err(|error| self.failed(&error))?;
        self.context
            .images
            .lower_dirs(&stored)
            .await
            .map_err(|error| self.failed(&error))?;
        Ok(PulledImage {
            id: format!("{}@{digest}", name.name()),
            digest,
        })
    }

    fn present(&self, digest: names::Digest) -> names::Digest {
        let message = format!(
            "Container image \"{}\" already present on machine",
            self.container.image
        );
        self.tell(Level::Normal, "Pulled", message);
        digest
    }

    async fn pull(&self, name: &ImageRef, keychain: &Keychain) -> Result<names::Digest, Problem> {
        let image = &self.container.image;
        self.tell(
            Level::Normal,
            "Pulling",
            format!("Pulling image \"{image}\""),
        );
        let begun = Instant::now();
        let resolved = match self.container.pull_policy() {
            PullPolicy::Always if !self.context.images.is_own(name) => self
                .context
                .images
                .pull(name, keychain)
                .await
                .map_err(|error| self.failed(&error))?,
            PullPolicy::Always | PullPolicy::IfNotPresent | PullPolicy::Never => {
                let resolved = self.context.images.resolve_telling(name, keychain).await;
                match resolved.map_err(|error| self.failed(&error))? {
                    Resolution::Local(digest) | Resolution::Pulled(digest) => digest,
                }
            }
        };
        let spent = begun.elapsed().as_secs_f64();
        let message = format!(
            "Successfully pulled image \"{image}\" in {spent:.3}s ({spent:.3}s including waiting)"
        );
        self.tell(Level::Normal, "Pulled", message);
        Ok(resolved)
    }

    fn failed(&self, error: &dyn std::error::Error) -> Problem {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        let message = format!("Failed to pull image \"{}\": {text}", self.container.image);
        self.tell(Level::Warning, "Failed", message);
        Problem::new("ErrImagePull", text)
    }

    async fn keychain(&self) -> Keychain {
        let mut keychain = Keychain::anonymous();
        for reference in &self.pod.spec.image_pull_secrets {
            let secret =
                sources::secret(self.context, &self.pod.metadata.namespace, &reference.name).await;
            let Ok(Some(secret)) = secret else {
                let message = format!(
                    "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.",
                    reference.name
                );
                self.tell(Level::Warning, "FailedToRetrieveImagePullSecret", message);
                continue;
            };
            let current = secret.files.get(".dockerconfigjson").cloned();
            // The older form is the inner object alone.
            let older = || {
                let auths: serde_json::Value =
                    serde_json::from_slice(secret.files.get(".dockercfg")?).ok()?;
                Some(json!({ "auths": auths }).to_string().into_bytes())
            };
            match current
                .or_else(older)
                .map(|config| Keychain::from_docker_config(&config))
            {
                Some(Ok(keys)) => keychain.merge(keys),
                Some(Err(error)) => {
                    self.tell(
                        Level::Warning,
                        "FailedToRetrieveImagePullSecret",
                        format!("{}: {error}", reference.name),
                    );
                }
                None => {}
            }
        }
        keychain
    }

    fn tell(&self, level: Level, reason: &'static str, message: String) {
        let field_path = Some(self.pod.field_path(&self.container.name));
        self.context.recorder.tell(
            &self.pod.metadata,
            Event {
                level,
                reason,
                message,
                field_path,
            },
        );
    }
}
