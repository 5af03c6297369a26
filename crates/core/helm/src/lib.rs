//! Helm natively: loads charts, lays values over each other, runs templates, orders what comes out.
//!
//! [`Chart::load`] reads a chart out of a tree of files; [`render`] is a pure function of the chart
//! and [`RenderOptions`] and gives [`Rendered`], whose [`text`](Rendered::text) is what
//! `helm template` prints. Two modes, [`Compat`], follow the two majors of Helm that people use.
#![expect(clippy::wildcard_enum_match_arm, reason = "a rule names the few kinds of values it holds for; all others fall under its last clause")]

mod capabilities;
mod chart;
mod decode;
mod dependencies;
mod engine;
mod explain;
mod lint;
mod load;
mod manifest;
mod metadata;
mod order;
mod output;
mod package;
mod parsed;
mod record;
mod render;
mod repository;
mod schema;
mod seed;
mod values;
mod version;
mod working;
mod yaml_text;

pub use capabilities::{KubeVersion, KubeVersionError, default_api_versions};
pub use chart::{Chart, ChartError, ChartFile};
pub use decode::DecodeError;
pub use engine::{Lookup, Strictness};
pub use explain::{Explanation, Step, UsedValue};
pub use gotemplate::Limits;
pub use lint::{LintFinding, LintSeverity, lint};
pub use load::{archive::ArchiveError, ignore::IgnoreError};
pub use manifest::{Detail, Hook, HookEvent, Manifest};
pub use metadata::{Dependency, Maintainer, Metadata, ValidationError};
pub use output::{Crds, Hooks, OutputError, OutputOptions};
pub use package::{CONFIG_MEDIA_TYPE, LAYER_MEDIA_TYPE, PackageError, repository_index};
pub use record::{RecordError, ReleaseRecord, Stamp, Status};
pub use render::{Action, Crd, RenderError, RenderErrorKind, RenderOptions, Rendered, Release, render};
pub use repository::{IndexedChart, Lock, LockedDependency, RepositoryError, RepositoryIndex, newest_in};
pub use schema::{SchemaCheck, SchemaFinding};
pub use seed::FixedSource;
pub use sprig::Source;
pub use values::{DocumentError, ValueSources, ValuesError, YamlError, set_file_names};

/// Which major of Helm is followed where they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compat {
    /// Helm 4.3.
    #[default]
    Helm4,
    /// Helm 3.19.
    Helm3,
}
