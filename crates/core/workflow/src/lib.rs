//! GitHub Actions workflows: parse, expressions, triggers, plan, the state machine of a run.
//!
//! [`parse()`] turns a file into a [`Workflow`] or says all that is wrong with it;
//! [`Workflow::triggers`] decides whether a push starts it; [`Run`] is its life,
//! as a state machine without I/O. Around them stand pure readers of what steps
//! write: [`command`] for lines of output, [`matcher`] for problems that tools print,
//! [`file_command`] for the files behind `GITHUB_OUTPUT` and its kin, and [`Masker`],
//! which keeps secrets out of logs. [`Manifest`] is an action's `action.yml`.

mod action;
pub mod command;
mod context;
mod cron;
mod events;
pub mod expr;
pub mod file_command;
mod glob;
mod mask;
pub mod matcher;
mod matrix;
mod model;
mod parse;
pub mod plan;
mod reference;
mod run;
mod shell;
mod tree;
mod trigger;

pub use cron::{Cron, ParseCronError, Schedule};
pub use action::{
    ActionHome, ActionInput, ActionOutput, COMPOSITE_DEPTH_MAX, DockerImage, DockerRuns, Manifest,
    NativeRuns, NodeRuns, ParsedManifest, PhaseConditions, Runs,
};
pub use glob::{BadPattern, Pattern, PatternList};
pub use mask::{MaskStream, Masker};
pub use matrix::{Leg, MatrixError};
pub use model::{
    Call, CallSecrets, Concurrency, Defaults, Environment, Job, Matrix, Permissions, Queue,
    Snapshot, Step, StepAction, Strategy, Workflow,
};
pub use parse::{Parsed, Places, nearest, parse};
pub use run::{
    BuiltinStep, CalledFile, CommandStep, ContainerPlace, ContainerSpec, ContainerStep, Credentials, Effect,
    Env, Event, File, GroupHolder, GroupRequest, ImageSource, InProgress, JobEnd, JobKey, JobStart,
    JobView, LoadedWorkflow, NodeStep, Outside, Phase, Place, PreparedAction, Reason, Rerun, RerunError, ReuseAsk, ReuseFacts, Run,
    Secrets, Selection, ServicePlace, ServiceSpec, Start, StepEnd, StepFiles, StepKey, StepReport, StepStart,
    StepView, StepWork, StopReason, StoredGround, Trust, WorkflowHome,
};
pub use reference::{ActionRef, ParseActionError, ParseWorkflowRefError, Uses, WorkflowRef};
pub use shell::{Shell, ShellError};
pub use tree::{Mapping, NamedTemplates, Tree};
pub use trigger::{
    CallInput, CallInterface, CallSecret, Decision, DispatchInput, Filters, Happening, InputKind,
    PushEvent, Trigger, Triggers, told_inputs,
};
