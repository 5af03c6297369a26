//! GitHub Actions workflows: parse, expressions, triggers, plan, the state machine of a run.
//!
//! [`parse()`] turns a file into a [`Workflow`] or says all that is wrong with it;
//! [`Workflow::triggers`] decides whether a push starts it; [`Run`] is its life,
//! as a state machine without I/O. Around them stand pure readers of what steps
//! write: [`command`] for lines of output, [`file_command`] for the files behind
//! `GITHUB_OUTPUT` and its kin, and [`Masker`], which keeps secrets out of logs.

pub mod command;
mod context;
pub mod expr;
pub mod file_command;
mod glob;
mod mask;
mod matrix;
mod model;
mod parse;
mod run;
mod shell;
mod trigger;

pub use glob::{BadPattern, Pattern, PatternList};
pub use mask::{MaskStream, Masker};
pub use matrix::{Leg, MatrixError};
pub use model::{
    ActionRef, Concurrency, Defaults, Environment, Job, Matrix, NamedTemplates, Permissions, Step,
    StepAction, Strategy, Tree, Workflow,
};
pub use parse::{Parsed, parse};
pub use run::{
    ActionStep, CommandStep, Effect, Env, Event, File, JobEnd, JobKey, JobStart, JobView, Outside,
    Place, Reason, Run, Secrets, Start, StepEnd, StepFiles, StepKey, StepReport, StepStart,
    StepView, StepWork, StopReason,
};
pub use shell::{Shell, ShellError};
pub use trigger::{Decision, PushEvent, PushFilter, Triggers};
