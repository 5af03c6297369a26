//! Builds images from Dockerfiles.
//!
//! `buildgraph` decides what the steps are; here they are carried out. A COPY
//! writes straight into the new layer's folder, looking at the layers below
//! through [`view::View`]; only a RUN needs a sandbox. Results are remembered
//! under their keys, so an equal step is done once, in this build or another.

mod base;
mod build;
mod cache;
mod context;
mod copy;
mod error;
mod http;
mod images_http;
mod images_view;
mod place;
mod progress;
mod run;
mod run_mounts;
mod select;
mod stage;
mod surroundings;
mod unpack;
mod users;
mod view;

pub use build::{BuildRequest, BuildResult, Builder, Cache, Config, DockerfileSource, Pull};
pub use error::BuildError;
pub use http::{State, router};
pub use images_http::{ImagesState, images_router};
pub use progress::Progress;
pub use surroundings::Surroundings;
