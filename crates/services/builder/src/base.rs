//! Finds the base images of a build.

use std::collections::{BTreeMap, BTreeSet};

use buildgraph::{Base, Dockerfile, Options, Plan, PlanError, Planned, instruction::Kind};
use futures_util::future::{BoxFuture, try_join_all};
use names::ImageRef;
use oci::{Images, Keychain, StoredImage, View};

use crate::{
    BuildError, Pull,
    error::StepError,
    progress::{Progress, Reporter},
};

/// Every round of planning may name new images through triggers; nobody chains more.
const ROUNDS_MAX: usize = 16;

pub(crate) struct Finder<'a> {
    pub images: &'a Images,
    pub keychain: &'a Keychain,
    pub pull: Pull,
    pub view: &'a View,
    pub file_name: &'a str,
    pub file: &'a Dockerfile,
    pub report: &'a Reporter,
}

impl Finder<'_> {
    /// Plans the build and finds the images that the plan asks for.
    pub async fn plan(&self, options: &Options) -> Result<(Plan, BTreeMap<String, StoredImage>), BuildError> {
        let mut found: BTreeMap<String, StoredImage> = BTreeMap::new();
        for _ in 0..ROUNDS_MAX {
            let bases = found.iter().map(|(name, image)| (name.clone(), Base { config: image.config.clone() })).collect();
            let planned = buildgraph::plan(self.file, options, &bases);
            match planned.map_err(|PlanError(problem)| BuildError::Dockerfile { file: self.file_name.to_owned(), problems: vec![*problem] })? {
                Planned::Ready(plan) => return Ok((plan, found)),
                Planned::Needs(names) => self.find_all(names, &mut found).await?,
            }
        }
        Err(BuildError::Image("the triggers of the base images name ever more images".to_owned()))
    }

    async fn find_all(&self, names: BTreeSet<String>, found: &mut BTreeMap<String, StoredImage>) -> Result<(), BuildError> {
        let mut wanted: Vec<BoxFuture<'_, Result<(String, StoredImage), BuildError>>> = Vec::new();
        for name in names {
            wanted.push(Box::pin(async move {
                let image = self.find(&name).await.map_err(|reason| self.missing(&name, reason))?;
                Ok((name, image))
            }));
        }
        found.extend(try_join_all(wanted).await?);
        Ok(())
    }

    async fn find(&self, name: &str) -> Result<StoredImage, String> {
        let reference: ImageRef = name.parse().map_err(|it: names::ParseImageRefError| it.to_string())?;
        self.report.tell(Progress::Base { image: name.to_owned() }).await;
        let digest = match self.pull {
            // A pull changes what a name means for all.
            Pull::Always if *self.view == View::Shared && !self.images.is_own(&reference) => match self.images.pull(&reference, self.keychain).await {
                Ok(digest) => digest,
                // An imported image has no registry to ask; what is here is the newest there is.
                Err(error) => match self.images.find(&reference).await {
                    Ok(Some(digest)) => digest,
                    _ => return Err(error.to_string()),
                },
            },
            Pull::Always | Pull::IfMissing => {
                self.images.resolve_in(self.view, &reference, self.keychain).await.map_err(|it| it.to_string())?
            }
        };
        self.images.image(digest).await.map_err(|it| it.to_string())
    }

    /// Says at which line the image is named.
    fn missing(&self, name: &str, reason: String) -> BuildError {
        let from = self.file.stages.iter().map(|it| &it.from);
        let mut all = from.chain(self.file.stages.iter().flat_map(|it| &it.instructions));
        let named = all.clone().find(|it| match &it.kind {
            Kind::From { image, .. } => image == name,
            Kind::Copy(copy) => copy.from.as_deref() == Some(name),
            _ => false,
        });
        let at = named.or_else(|| all.find(|it| matches!(&it.kind, Kind::From { image, .. } if image.contains('$'))));
        let Some(at) = at else { return BuildError::Image(reason) };
        BuildError::Step(Box::new(StepError {
            file: self.file_name.to_owned(),
            line: at.line,
            column: at.column,
            instruction: at.text.clone(),
            reason,
            help: None,
            code: None,
            output: Vec::new(),
        }))
    }
}
