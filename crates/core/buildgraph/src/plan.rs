//! Turns a Dockerfile and its base images into the steps that the target needs.
//!
//! Only stages that the target reaches are looked at, so an image that no
//! needed stage names is never asked for. All expansion happens here: what
//! comes out depends on nothing but the options and the base images' configs.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config,
    expand::{Quotes, expand},
    instruction::{Dockerfile, Instruction, Kind},
    op::{From, Op},
    parse,
    problem::{Problem, Severity, nearest},
    scope::Scope,
};

mod stage;

/// What the user chose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name or number of a stage; the last one without.
    pub target: Option<String>,
    pub build_args: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub platform: image::Platform,
}

/// A base image that was asked for.
#[derive(Clone, Debug)]
pub struct Base {
    pub config: image::Config,
}

/// The answer of [`plan()`].
#[derive(Clone, Debug)]
pub enum Planned {
    /// Call again with these images, by the names they are written with.
    Needs(BTreeSet<String>),
    Ready(Plan),
}

/// The steps of all needed stages.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By their index in the file; stages that are not needed are absent.
    pub stages: BTreeMap<usize, Stage>,
    pub target: usize,
    /// Findings that show only once variables are known.
    pub warnings: Vec<Problem>,
}

/// One needed stage.
#[derive(Clone, Debug)]
pub struct Stage {
    pub index: usize,
    pub name: Option<String>,
    pub base: StageBase,
    pub steps: Vec<Step>,
    /// The config after the last step; layers and history are the caller's to fill in.
    pub config: image::Config,
    scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageBase {
    Scratch,
    Stage(usize),
    Image(String),
}

/// One instruction of a stage.
#[derive(Clone, Debug)]
pub struct Step {
    /// Metadata instructions have none.
    pub op: Option<Op>,
    /// As it was written, on one line.
    pub text: String,
    pub line: usize,
    pub column: usize,
    /// For the image's history; `None` for those that history does not tell.
    pub created_by: Option<String>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub Box<Problem>);

impl Plan {
    /// The stages that `index` waits for: its base and those it copies from.
    pub fn dependencies(&self, index: usize) -> BTreeSet<usize> {
        let Some(stage) = self.stages.get(&index) else { return BTreeSet::new() };
        let mut all: BTreeSet<usize> = stage.steps.iter().filter_map(|it| it.op.as_ref()).flat_map(Op::from_stages).collect();
        if let StageBase::Stage(base) = stage.base {
            all.insert(base);
        }
        all
    }

    /// Steps that do something, over all stages.
    pub fn step_count(&self) -> usize {
        self.stages.values().map(|it| it.steps.len()).sum()
    }
}

/// Plans the build of the target.
///
/// # Errors
///
/// [`PlanError`] at the instruction that cannot be planned.
pub fn plan(file: &Dockerfile, options: &Options, bases: &BTreeMap<String, Base>) -> Result<Planned, PlanError> {
    let mut planner = Planner {
        file,
        options,
        bases,
        globals: BTreeMap::new(),
        stages: BTreeMap::new(),
        needs: BTreeSet::new(),
        warnings: Vec::new(),
    };
    planner.read_globals()?;
    let target = planner.target()?;
    planner.stage(target)?;
    if !planner.needs.is_empty() {
        return Ok(Planned::Needs(planner.needs));
    }
    let mut stages: BTreeMap<usize, Stage> = planner.stages.into_iter().filter_map(|(i, it)| Some((i, it?))).collect();
    if let Some(stage) = stages.get_mut(&target) {
        stage.config.config.labels.extend(options.labels.clone());
    }
    Ok(Planned::Ready(Plan { stages, target, warnings: planner.warnings }))
}

pub(crate) struct Planner<'a> {
    file: &'a Dockerfile,
    options: &'a Options,
    bases: &'a BTreeMap<String, Base>,
    globals: BTreeMap<String, String>,
    /// `None` for those that wait for an image.
    stages: BTreeMap<usize, Option<Stage>>,
    needs: BTreeSet<String>,
    warnings: Vec<Problem>,
}

pub(crate) fn problem_at(
    at: &Instruction,
    severity: Severity,
    code: &'static str,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Problem {
    Problem {
        line: at.line,
        column: at.column,
        span: at.span.clone(),
        severity,
        code,
        message: message.into(),
        help: help.into(),
        fix: None,
    }
}

pub(crate) fn error_at<T>(
    at: &Instruction,
    code: &'static str,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Result<T, PlanError> {
    Err(PlanError(Box::new(problem_at(at, Severity::Error, code, message, help))))
}

impl Planner<'_> {
    fn read_globals(&mut self) -> Result<(), PlanError> {
        let platform = &self.options.platform;
        let variant = platform.variant.clone().unwrap_or_default();
        for prefix in ["BUILD", "TARGET"] {
            for (suffix, value) in [
                ("PLATFORM", platform.to_string()),
                ("OS", platform.os.clone()),
                ("OSVERSION", String::new()),
                ("ARCH", platform.architecture.clone()),
                ("VARIANT", variant.clone()),
            ] {
                self.globals.insert(format!("{prefix}{suffix}"), value);
            }
        }
        let target = self.options.target.clone().unwrap_or_else(|| "default".to_owned());
        self.globals.insert("TARGETSTAGE".to_owned(), target);
        for instruction in &self.file.globals {
            let Kind::Arg(args) = &instruction.kind else { continue };
            for arg in args {
                let value = match (self.options.build_args.get(&arg.name), &arg.default) {
                    (Some(value), _) => Some(value.clone()),
                    (None, Some(default)) => Some(self.expand_global(instruction, default)?),
                    (None, None) => None,
                };
                if let Some(value) = value {
                    self.globals.insert(arg.name.clone(), value);
                }
            }
        }
        Ok(())
    }

    fn expand_global(&mut self, at: &Instruction, text: &str) -> Result<String, PlanError> {
        let lookup = |name: &str| self.globals.get(name).cloned();
        match expand(text, self.file.directives.escape, Quotes::Removed, &lookup) {
            Ok(expanded) => {
                for name in expanded.unset {
                    let help = match nearest(&name, self.globals.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("declare it with `ARG {name}=…` before the first FROM"),
                    };
                    let message = format!("`{name}` is not set here");
                    self.warnings.push(problem_at(at, Severity::Warning, "undefined-variable", message, help));
                }
                Ok(expanded.text)
            }
            Err(error) => error_at(at, "bad-expansion", error.to_string(), "see the forms of expansion in the Dockerfile reference"),
        }
    }

    fn target(&self) -> Result<usize, PlanError> {
        let Some(target) = &self.options.target else { return Ok(self.file.stages.len().saturating_sub(1)) };
        let lower = target.to_ascii_lowercase();
        if let Some(index) = self.file.stages.iter().rposition(|it| it.name.as_deref() == Some(&lower)) {
            return Ok(index);
        }
        match target.parse::<usize>() {
            Ok(index) if index < self.file.stages.len() => Ok(index),
            _ => {
                let names: Vec<&str> = self.file.stages.iter().filter_map(|it| it.name.as_deref()).collect();
                let help = match nearest(&lower, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if names.is_empty() => "the stages of this file have no names".to_owned(),
                    None => format!("the stages are: {}", names.join(", ")),
                };
                let first = &self.file.stages[0].from;
                error_at(first, "no-such-stage", format!("there is no stage `{target}`"), help)
            }
        }
    }

    /// A name in `--from`: an earlier stage, else an image.
    fn from(&mut self, at: &Instruction, stage: usize, name: &str) -> Result<From, PlanError> {
        let lower = name.to_ascii_lowercase();
        let earlier = &self.file.stages[..stage];
        if let Some(index) = earlier.iter().rposition(|it| it.name.as_deref() == Some(&lower)) {
            return Ok(From::Stage(index));
        }
        if let Ok(index) = name.parse::<usize>() {
            if index < stage {
                return Ok(From::Stage(index));
            }
            return error_at(at, "no-such-stage", format!("there is no stage {index} before this one"), "stages are counted from 0");
        }
        if self.file.stages[stage].name.as_deref() == Some(&lower) {
            return error_at(at, "no-such-stage", format!("stage `{name}` cannot copy from itself"), "copy from an earlier stage");
        }
        if self.file.stages[stage..].iter().any(|it| it.name.as_deref() == Some(&lower)) {
            return error_at(at, "no-such-stage", format!("stage `{name}` comes later in the file"), "move it before this stage");
        }
        if let Err(error) = name.parse::<names::ImageRef>() {
            return error_at(at, "bad-image", error.to_string(), "name a stage above or an image");
        }
        Ok(From::Image(name.to_owned()))
    }

    /// Plans a stage and all it depends on.
    fn stage(&mut self, index: usize) -> Result<(), PlanError> {
        if self.stages.contains_key(&index) {
            return Ok(());
        }
        self.stages.insert(index, None);
        let stage = &self.file.stages[index];
        // What `--from` names is known before the base image is: ask for all of it at once.
        for instruction in &stage.instructions {
            self.visit_froms(instruction, index)?;
        }
        let Some((base, config, scope)) = self.base(index)? else { return Ok(()) };
        let mut triggers = Vec::new();
        for text in &config.config.on_build {
            match parse::parse_trigger(text, self.file.directives.escape) {
                Ok(instructions) => triggers.extend(instructions.into_iter().map(|it| Instruction {
                    line: stage.from.line,
                    column: stage.from.column,
                    span: stage.from.span.clone(),
                    ..it
                })),
                Err(problems) => {
                    let reason = problems.first().map_or_else(String::new, |it| it.message.clone());
                    return error_at(&stage.from, "bad-trigger", format!("the base has the trigger `{text}`: {reason}"), "build the base anew");
                }
            }
        }
        for trigger in &triggers {
            self.visit_froms(trigger, index)?;
        }
        let planned = stage::Builder::new(self, index, base, config, scope).build(&triggers)?;
        self.stages.insert(index, Some(planned));
        Ok(())
    }

    fn visit_froms(&mut self, instruction: &Instruction, index: usize) -> Result<(), PlanError> {
        let mut names: Vec<&str> = Vec::new();
        match &instruction.kind {
            Kind::Copy(copy) => names.extend(copy.from.as_deref()),
            Kind::Run(run) => {
                let options = run.mounts.iter().flat_map(|it| &it.options);
                names.extend(options.filter(|(name, _)| name == "from").map(|(_, value)| value.as_str()));
            }
            _ => {}
        }
        for name in names {
            match self.from(instruction, index, name)? {
                From::Stage(other) => self.stage(other)?,
                From::Image(name) => {
                    if !self.bases.contains_key(&name) {
                        self.needs.insert(name);
                    }
                }
                From::Context => {}
            }
        }
        Ok(())
    }

    fn base(&mut self, index: usize) -> Result<Option<(StageBase, image::Config, Scope)>, PlanError> {
        let stage = &self.file.stages[index];
        let name = self.expand_global(&stage.from, &stage.image)?;
        if let Some(platform) = &stage.platform {
            let platform = self.expand_global(&stage.from, platform)?;
            let own = &self.options.platform;
            if platform != own.to_string() && platform != format!("{}/{}", own.os, own.architecture) {
                return error_at(
                    &stage.from,
                    "unsupported",
                    format!("platform `{platform}` is not that of this machine, `{own}`"),
                    "leave `--platform` out, or write `--platform=$BUILDPLATFORM`",
                );
            }
        }
        if name.is_empty() {
            return error_at(&stage.from, "empty-image", format!("`{}` expands to nothing", stage.image), "give the ARG a default, or pass `--build-arg`");
        }
        let lower = name.to_ascii_lowercase();
        if let Some(base) = self.file.stages[..index].iter().rposition(|it| it.name.as_deref() == Some(&lower)) {
            self.stage(base)?;
            let Some(Some(planned)) = self.stages.get(&base) else { return Ok(None) };
            return Ok(Some((StageBase::Stage(base), planned.config.clone(), planned.scope.clone())));
        }
        let (base, mut config) = if name == "scratch" {
            (StageBase::Scratch, image::Config::scratch(&self.options.platform))
        } else if let Err(error) = name.parse::<names::ImageRef>() {
            return error_at(&stage.from, "bad-image", error.to_string(), "write `FROM name:tag`");
        } else if let Some(base) = self.bases.get(&name) {
            (StageBase::Image(name), base.config.clone())
        } else {
            self.needs.insert(name);
            return Ok(None);
        };
        config.created = None;
        if config.config.env("PATH").is_none() {
            config.config.env.push(format!("PATH={}", config::DEFAULT_PATH));
        }
        let scope = Scope::from_env(&config.config.env);
        Ok(Some((base, config, scope)))
    }
}

#[cfg(test)]
mod tests;
