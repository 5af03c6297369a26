//! Plans one stage: instructions in, operations and config out.

use std::collections::BTreeSet;

use super::{PlanError, Planner, Stage, StageBase, Step, error_at, problem_at};
use crate::{
    config,
    expand::{Quotes, expand},
    instruction::{self, Command, Instruction, Kind, RunNetwork, Source, Transfer},
    op::{self, Copy, CopySource, From, Op, Owner, Unpack, Workdir},
    problem::Severity,
    scope::{PROXY_ARGS, Scope},
};

pub(super) struct Builder<'a, 'b> {
    planner: &'a mut Planner<'b>,
    index: usize,
    pub(super) scope: Scope,
    config: image::Config,
    base: StageBase,
    steps: Vec<Step>,
    /// A CMD of this stage stays when ENTRYPOINT follows; an inherited one goes.
    own_cmd: bool,
}

impl<'a, 'b> Builder<'a, 'b> {
    pub fn new(planner: &'a mut Planner<'b>, index: usize, base: StageBase, mut config: image::Config, scope: Scope) -> Self {
        config.config.on_build.clear();
        Self { planner, index, scope, config, base, steps: Vec::new(), own_cmd: false }
    }

    pub fn build(mut self, triggers: &[Instruction]) -> Result<Stage, PlanError> {
        let file = self.planner.file;
        let stage = &file.stages[self.index];
        for instruction in triggers.iter().chain(&stage.instructions) {
            let (op, created_by) = self.instruction(instruction)?;
            self.steps.push(Step {
                op,
                text: instruction.text.clone(),
                line: instruction.line,
                column: instruction.column,
                created_by,
            });
        }
        self.config.config.env = self.scope.kept();
        Ok(Stage {
            index: self.index,
            name: stage.name.clone(),
            base: self.base,
            steps: self.steps,
            config: self.config,
            scope: self.scope,
        })
    }

    /// Expands `text` as the instruction sees the variables.
    pub(super) fn expand(&mut self, at: &Instruction, text: &str) -> Result<String, PlanError> {
        self.expand_with(at, text, Quotes::Removed)
    }

    fn expand_with(&mut self, at: &Instruction, text: &str, quotes: Quotes) -> Result<String, PlanError> {
        let lookup = |name: &str| self.scope.get(name);
        match expand(text, self.planner.file.directives.escape, quotes, &lookup) {
            Ok(expanded) => {
                for name in expanded.unset {
                    let message = format!("`{name}` is not set here, so it expands to nothing");
                    let help = if self.planner.globals.contains_key(&name) {
                        format!("an ARG before FROM must be named again in the stage: `ARG {name}`")
                    } else {
                        format!("declare it with `ARG {name}` or `ENV {name}=…`")
                    };
                    self.planner.warnings.push(problem_at(at, Severity::Warning, "undefined-variable", message, help));
                }
                Ok(expanded.text)
            }
            Err(error) => error_at(at, "bad-expansion", error.to_string(), "see the forms of expansion in the Dockerfile reference"),
        }
    }

    fn cwd(&self) -> &str {
        match self.config.config.working_dir.as_str() {
            "" => "/",
            path => path,
        }
    }

    fn instruction(&mut self, at: &Instruction) -> Result<(Option<Op>, Option<String>), PlanError> {
        let told = |text: String| Ok((None, Some(text)));
        match &at.kind {
            Kind::Arg(args) => self.args(at, args),
            Kind::Env(pairs) => {
                let pairs = self.pairs(at, pairs)?;
                let text = pairs.iter().map(|(name, value)| format!(" {name}={value}")).collect::<String>();
                for (name, value) in pairs {
                    self.scope.env(&name, value);
                }
                told(format!("ENV{text}"))
            }
            Kind::Label(pairs) => {
                let pairs = self.pairs(at, pairs)?;
                let text = pairs.iter().map(|(name, value)| format!(" {name}={value}")).collect::<String>();
                self.config.config.labels.extend(pairs);
                told(format!("LABEL{text}"))
            }
            Kind::Run(run) => self.run(at, run),
            Kind::Copy(copy) => self.copy(at, copy),
            Kind::Cmd(command) => {
                let words = config::words(&self.config.config, command);
                self.own_cmd = true;
                let text = format!("CMD {}", config::quoted(&words));
                self.config.config.cmd = Some(words);
                told(text)
            }
            Kind::Entrypoint(command) => {
                let words = config::words(&self.config.config, command);
                if !self.own_cmd {
                    self.config.config.cmd = None;
                }
                let text = format!("ENTRYPOINT {}", config::quoted(&words));
                self.config.config.entrypoint = (!words.is_empty()).then_some(words);
                told(text)
            }
            Kind::Shell(words) => {
                self.config.config.shell = Some(words.clone());
                told(format!("SHELL [{}]", words.join(" ")))
            }
            Kind::Workdir(path) => {
                let path = self.expand(at, path)?;
                let path = config::absolute(self.cwd(), &path);
                self.config.config.working_dir = path.clone();
                let text = format!("WORKDIR {path}");
                let op = (path != "/").then(|| Op::Workdir(Workdir { path, user: self.config.config.user.clone() }));
                Ok((op, Some(text)))
            }
            Kind::User(user) => {
                let user = self.expand(at, user)?;
                let text = format!("USER {user}");
                self.config.config.user = user;
                told(text)
            }
            Kind::Expose(list) => {
                let mut all = BTreeSet::new();
                for text in list {
                    let text = self.expand(at, text)?;
                    for word in text.split_whitespace() {
                        match config::ports(word) {
                            Some(ports) => all.extend(ports),
                            None => return error_at(at, "bad-port", format!("expected a port such as `8080` or `53/udp`, found `{word}`"), "a range is written `8000-8010`"),
                        }
                    }
                }
                let text = all.iter().map(|it| format!("{it}:{{}}")).collect::<Vec<_>>().join(" ");
                self.config.config.exposed_ports.extend(all);
                told(format!("EXPOSE map[{text}]"))
            }
            Kind::Volume(list) => {
                let mut all = Vec::new();
                for text in list {
                    all.push(self.expand(at, text)?);
                }
                let text = format!("VOLUME [{}]", all.join(" "));
                self.config.config.volumes.extend(all);
                told(text)
            }
            Kind::Stopsignal(signal) => {
                let signal = self.expand(at, signal)?;
                if !config::is_signal(&signal) {
                    return error_at(at, "bad-signal", format!("`{signal}` is no signal"), "write for example `SIGTERM`");
                }
                self.config.config.stop_signal = Some(signal.clone());
                told(format!("STOPSIGNAL {signal}"))
            }
            Kind::Healthcheck(check) => {
                self.config.config.healthcheck = Some(config::healthcheck(check));
                told(at.text.clone())
            }
            Kind::Onbuild(trigger) => {
                self.config.config.on_build.push(trigger.clone());
                told(format!("ONBUILD {trigger}"))
            }
            Kind::Maintainer(name) => {
                self.config.author = Some(name.clone());
                told(format!("MAINTAINER {name}"))
            }
            Kind::From { .. } => Ok((None, None)),
        }
    }

    fn args(&mut self, at: &Instruction, args: &[instruction::Arg]) -> Result<(Option<Op>, Option<String>), PlanError> {
        let mut told = String::from("ARG");
        for arg in args {
            let default = match &arg.default {
                Some(text) => Some(self.expand(at, text)?),
                None => None,
            };
            let given = self.planner.options.build_args.get(&arg.name).cloned();
            let value = given.or_else(|| default.clone()).or_else(|| self.planner.globals.get(&arg.name).cloned());
            told.push_str(&match (&value, PROXY_ARGS.contains(&arg.name.as_str())) {
                (Some(value), false) => format!(" {}={value}", arg.name),
                _ => format!(" {}", arg.name),
            });
            self.scope.arg(&arg.name, value);
        }
        Ok((None, Some(told)))
    }

    /// All values see the variables as they were before the instruction.
    fn pairs(&mut self, at: &Instruction, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, PlanError> {
        let mut expanded = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            expanded.push((self.expand(at, name)?, self.expand(at, value)?));
        }
        Ok(expanded)
    }

    fn run(&mut self, at: &Instruction, run: &instruction::Run) -> Result<(Option<Op>, Option<String>), PlanError> {
        let mut scripts = Vec::new();
        let args = match (&run.command, run.heredocs.as_slice()) {
            (Command::Shell(text), [only]) if is_marker_alone(text) => {
                if only.content.starts_with("#!") {
                    scripts.push((only.name.clone(), only.content.clone()));
                    vec![format!("/dev/pipes/{}", only.name)]
                } else {
                    config::words(&self.config.config, &Command::Shell(only.content.clone()))
                }
            }
            (Command::Shell(text), heredocs) => {
                let mut text = text.clone();
                for heredoc in heredocs {
                    text.push_str(&format!("\n{}{}", heredoc.content, heredoc.name));
                }
                config::words(&self.config.config, &Command::Shell(text))
            }
            (command, _) => config::words(&self.config.config, command),
        };
        let mut mounts = Vec::new();
        for flag in &run.mounts {
            mounts.push(self.mount(at, flag)?);
        }
        let created_by = format!("RUN {}{} # buildkit", self.scope.history_prefix(), args.join(" "));
        let op = op::Run {
            args,
            env: self.scope.seen().to_vec(),
            untraced_env: self.scope.untraced(&self.planner.options.build_args),
            cwd: self.cwd().to_owned(),
            user: self.config.config.user.clone(),
            network: match run.network {
                RunNetwork::Default => op::Network::Default,
                RunNetwork::Host => op::Network::Host,
                RunNetwork::None => op::Network::None,
            },
            mounts,
            scripts,
            command: match &run.command {
                Command::Shell(text) => text.clone(),
                Command::Exec(words) => words.join(" "),
            },
        };
        Ok((Some(Op::Run(op)), Some(created_by)))
    }

    fn mount(&mut self, at: &Instruction, flag: &instruction::MountFlag) -> Result<op::Mount, PlanError> {
        let mut values = std::collections::BTreeMap::new();
        for (name, value) in &flag.options {
            let value = if name == "from" { value.clone() } else { self.expand(at, value)? };
            values.insert(name.as_str(), value);
        }
        let target = values.get("target").map(|it| config::absolute(self.cwd(), it));
        if target.as_deref() == Some("/") {
            return error_at(at, "bad-mount", "a mount cannot cover `/`", "choose a folder as its target");
        }
        let from = match values.get("from") {
            Some(name) => Some(self.planner.from(at, self.index, name)?),
            None => None,
        };
        let number = |name: &str, radix: u32, default: u32| match values.get(name) {
            Some(text) => match u32::from_str_radix(text, radix) {
                Ok(number) => Ok(number),
                Err(_) => error_at(at, "bad-mount", format!("expected a number for `{name}`, found `{text}`"), "see `RUN --mount`"),
            },
            None => Ok(default),
        };
        let on = |name: &str| values.get(name).is_some_and(|it| it != "false" && it != "0");
        let source = values.get("source").cloned().unwrap_or_else(|| "/".to_owned());
        let need_target = || match target.clone() {
            Some(target) => Ok(target),
            None => error_at(at, "bad-mount", "a mount needs a target", "add `target=/path`"),
        };
        match flag.kind {
            instruction::MountType::Bind => Ok(op::Mount::Bind {
                target: need_target()?,
                from: from.unwrap_or(From::Context),
                source,
                writable: on("readwrite") || values.get("readonly").is_some_and(|it| it == "false"),
            }),
            instruction::MountType::Cache => {
                let target = need_target()?;
                let sharing = match values.get("sharing").map(String::as_str) {
                    None | Some("shared") => op::Sharing::Shared,
                    Some("private") => op::Sharing::Private,
                    Some("locked") => op::Sharing::Locked,
                    Some(other) => return error_at(at, "bad-mount", format!("expected shared, private or locked, found `{other}`"), "leave `sharing` out for shared"),
                };
                Ok(op::Mount::Cache {
                    id: values.get("id").cloned().unwrap_or_else(|| target.clone()),
                    target,
                    sharing,
                    from,
                    source,
                    mode: number("mode", 8, 0o755)?,
                    uid: number("uid", 10, 0)?,
                    gid: number("gid", 10, 0)?,
                    writable: !on("readonly"),
                })
            }
            instruction::MountType::Tmpfs => {
                let size_bytes = match values.get("size") {
                    Some(text) => match size(text) {
                        Some(bytes) => Some(bytes),
                        None => return error_at(at, "bad-mount", format!("expected a size such as `64m`, found `{text}`"), "write bytes, or a number with k, m or g"),
                    },
                    None => None,
                };
                Ok(op::Mount::Tmpfs { target: need_target()?, size_bytes })
            }
            instruction::MountType::Secret => {
                let env = values.get("env").cloned();
                let base = target.as_deref().and_then(|it| it.rsplit('/').next()).map(str::to_owned);
                let id = values.get("id").or(values.get("source")).cloned().or(base).or_else(|| env.clone());
                let Some(id) = id else {
                    return error_at(at, "bad-mount", "a secret needs an id or a target", "add `id=name`");
                };
                let target = match (&env, target) {
                    (Some(_), None) => None,
                    (_, target) => Some(target.unwrap_or_else(|| format!("/run/secrets/{id}"))),
                };
                Ok(op::Mount::Secret {
                    target,
                    env,
                    mode: number("mode", 8, 0o400)?,
                    uid: number("uid", 10, 0)?,
                    gid: number("gid", 10, 0)?,
                    required: on("required"),
                    id,
                })
            }
        }
    }

    fn copy(&mut self, at: &Instruction, copy: &instruction::Copy) -> Result<(Option<Op>, Option<String>), PlanError> {
        let keyword = match copy.transfer {
            Transfer::Copy => "COPY",
            Transfer::Add => "ADD",
        };
        let mut told = keyword.to_owned();
        let from = match &copy.from {
            Some(name) => self.planner.from(at, self.index, name)?,
            None => From::Context,
        };
        let owner = match &copy.chown {
            Some(text) => {
                let text = self.expand(at, text)?;
                told.push_str(&format!(" --chown={text}"));
                Some(Owner::parse(&text))
            }
            None => None,
        };
        let mode = match &copy.chmod {
            Some(text) => {
                let text = self.expand(at, text)?;
                if let Err(error) = text.parse::<crate::mode::Mode>() {
                    return error_at(at, "bad-chmod", error.to_string(), "write for example `--chmod=0755`");
                }
                told.push_str(&format!(" --chmod={text}"));
                Some(text)
            }
            None => None,
        };
        let mut sources = Vec::new();
        for source in &copy.sources {
            match source {
                Source::Path(text) => {
                    let path = self.expand(at, text)?;
                    if copy.transfer == Transfer::Add {
                        refuse_remote(at, &path)?;
                    }
                    told.push_str(&format!(" {path}"));
                    sources.push(CopySource::Path(path));
                }
                Source::Heredoc(heredoc) => {
                    let content = if heredoc.expand {
                        self.expand_with(at, &heredoc.content, Quotes::Kept)?
                    } else {
                        heredoc.content.clone()
                    };
                    told.push_str(&format!(" <<{}", heredoc.name));
                    sources.push(CopySource::Inline { name: heredoc.name.clone(), content });
                }
            }
        }
        let mut exclude = Vec::new();
        for pattern in &copy.exclude {
            exclude.push(self.expand(at, pattern)?);
        }
        let written = self.expand(at, &copy.destination)?;
        told.push_str(&format!(" {written} # buildkit"));
        let op = Copy {
            from,
            sources,
            destination: config::absolute(self.cwd(), &written),
            into_folder: written.is_empty() || written == "." || written.ends_with('/') || written.ends_with("/."),
            owner,
            mode,
            link: copy.link,
            parents: copy.parents,
            exclude,
            unpack: match (copy.transfer, copy.unpack) {
                (Transfer::Copy, _) | (Transfer::Add, Some(false)) => Unpack::Never,
                (Transfer::Add, _) => Unpack::Archives,
            },
        };
        Ok((Some(Op::Copy(op)), Some(told)))
    }
}

fn refuse_remote(at: &Instruction, source: &str) -> Result<(), PlanError> {
    let url = ["http://", "https://"].iter().any(|it| source.starts_with(it));
    let git = ["git://", "git@", "ssh://"].iter().any(|it| source.starts_with(it)) || (url && source.contains(".git"));
    if git {
        return error_at(at, "unsupported", format!("ADD of the Git repository `{source}` is not supported"), "check it out before the build and COPY it");
    }
    if url {
        return error_at(at, "unsupported", format!("ADD of the address `{source}` is not supported"), "fetch it with a RUN, or before the build and COPY it");
    }
    Ok(())
}

/// Whether a command is nothing but `<<EOF`.
fn is_marker_alone(text: &str) -> bool {
    let text = text.trim();
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with("<<") && !rest.starts_with("<<<") && !text.contains(char::is_whitespace) && !rest.contains(['|', ';', '&', '>'])
}

/// Reads `1024`, `64m`, `1g`, `512KB`.
fn size(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}
