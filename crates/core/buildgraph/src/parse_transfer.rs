//! Reads the instructions with the richest flags: RUN, COPY, ADD, HEALTHCHECK.

use std::time::Duration;

use crate::{
    instruction::{
        Command, Copy, Healthcheck, Kind, MountFlag, MountType, Run, RunNetwork, Source, Transfer,
    },
    parse::{Part, Reader},
    problem::nearest,
    words::{self, Flag},
};

impl<'a> Reader<'a> {
    pub(crate) fn run(&mut self, rest: Part<'a>) -> Option<Kind> {
        let (flags, at) = words::flags(rest.text, self.escape);
        let mut run = Run {
            command: Command::Shell(String::new()),
            mounts: Vec::new(),
            network: RunNetwork::Default,
            heredocs: self.logical.heredocs.clone(),
        };
        for flag in &flags {
            let range = rest.start + flag.range.start..rest.start + flag.range.end;
            match (flag.name.as_str(), flag.value.as_deref()) {
                ("mount", Some(value)) => run.mounts.extend(self.mount(value, range)),
                ("network", Some("default")) => run.network = RunNetwork::Default,
                ("network", Some("host")) => run.network = RunNetwork::Host,
                ("network", Some("none")) => run.network = RunNetwork::None,
                ("network", _) => {
                    self.wrong::<()>(range, "bad-flag", "expected default, host or none after `--network=`", "leave the flag out for the default");
                }
                ("security", Some("sandbox")) => {}
                ("security", _) => {
                    self.wrong::<()>(range, "unsupported", "`--security=insecure` is not supported", "RUN has Docker's default capabilities");
                }
                ("device", _) => {
                    self.wrong::<()>(range, "unsupported", "`--device` is not supported", "leave the flag out");
                }
                _ => self.unknown_flag(rest.start, flag, &["mount", "network", "security", "device"]),
            }
        }
        let rest = rest.from(at);
        if rest.text.is_empty() {
            return self.wrong(rest.range(), "no-arguments", "expected a command after the flags of RUN", "write a command");
        }
        run.command = self.command(rest);
        Some(Kind::Run(run))
    }

    fn mount(&mut self, value: &str, range: std::ops::Range<usize>) -> Option<MountFlag> {
        let mut kind = MountType::Bind;
        let mut options = Vec::new();
        for part in value.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, "true"));
            let name = name.trim().to_ascii_lowercase();
            if name == "type" {
                kind = match value {
                    "bind" => MountType::Bind,
                    "cache" => MountType::Cache,
                    "tmpfs" => MountType::Tmpfs,
                    "secret" => MountType::Secret,
                    "ssh" => {
                        return self.wrong(range, "unsupported", "`--mount=type=ssh` is not supported", "pass the key as a secret");
                    }
                    other => {
                        let known = ["bind", "cache", "tmpfs", "secret"];
                        let help = nearest(other, known).map_or("known: bind, cache, tmpfs, secret".to_owned(), |it| format!("did you mean `{it}`?"));
                        return self.wrong(range, "bad-mount", format!("`{other}` is no type of mount"), help);
                    }
                };
                continue;
            }
            let canonical = match name.as_str() {
                "dst" | "destination" | "target" => "target",
                "src" | "source" => "source",
                "ro" | "readonly" => "readonly",
                "rw" | "readwrite" => "readwrite",
                "from" => "from",
                "id" => "id",
                "sharing" => "sharing",
                "mode" => "mode",
                "uid" => "uid",
                "gid" => "gid",
                "size" => "size",
                "required" => "required",
                "env" => "env",
                _ => {
                    let known = ["type", "target", "source", "from", "id", "sharing", "mode", "uid", "gid", "size", "required", "readonly", "readwrite", "env"];
                    let help = nearest(&name, known).map_or(format!("known: {}", known.join(", ")), |it| format!("did you mean `{it}`?"));
                    return self.wrong(range, "bad-mount", format!("`{name}` is no option of `--mount`"), help);
                }
            };
            options.push((canonical.to_owned(), value.to_owned()));
        }
        for (name, _) in &options {
            let allowed = match name.as_str() {
                "mode" | "uid" | "gid" => matches!(kind, MountType::Cache | MountType::Secret),
                "required" | "env" => kind == MountType::Secret,
                "size" => kind == MountType::Tmpfs,
                "sharing" => kind == MountType::Cache,
                "from" | "readonly" | "readwrite" => matches!(kind, MountType::Bind | MountType::Cache),
                "source" => kind != MountType::Tmpfs,
                "id" => matches!(kind, MountType::Cache | MountType::Secret),
                _ => true,
            };
            if !allowed {
                let message = format!("`{name}` does not go with this type of mount");
                return self.wrong(range, "bad-mount", message, "leave the option out");
            }
        }
        Some(MountFlag { kind, options })
    }

    pub(crate) fn copy(&mut self, rest: Part<'a>, transfer: Transfer) -> Option<Kind> {
        let (flags, at) = words::flags(rest.text, self.escape);
        let mut copy = Copy {
            transfer,
            from: None,
            chown: None,
            chmod: None,
            link: false,
            parents: false,
            exclude: Vec::new(),
            checksum: None,
            unpack: None,
            sources: Vec::new(),
            destination: String::new(),
        };
        for flag in &flags {
            self.copy_flag(&mut copy, flag, rest.start);
        }
        let rest = rest.from(at);
        let mut paths = match words::json_strings(rest.text) {
            Some((paths, after)) if after.trim().is_empty() => paths,
            _ => words::split_plain(rest.text).into_iter().map(|(it, _)| it).collect(),
        };
        let Some(destination) = paths.pop() else {
            return self.wrong(rest.range(), "no-arguments", "expected sources and a destination", "write `COPY source destination`");
        };
        if paths.is_empty() {
            let message = format!("expected a destination after `{destination}`");
            return self.wrong(rest.range(), "no-destination", message, format!("write `COPY {destination} ./`"));
        }
        let heredocs = &self.logical.heredocs;
        let marks_heredoc = |word: &str| heredocs.iter().any(|it| is_marker_of(word, &it.name));
        if marks_heredoc(&destination) {
            return self.wrong(rest.range(), "no-destination", "a here-document cannot be the destination", "write the destination after it");
        }
        let mut heredocs = heredocs.iter();
        for path in paths {
            copy.sources.push(match heredocs.clone().next() {
                Some(heredoc) if is_marker_of(&path, &heredoc.name) => {
                    heredocs.next();
                    Source::Heredoc(heredoc.clone())
                }
                _ => Source::Path(path),
            });
        }
        copy.destination = destination;
        Some(Kind::Copy(copy))
    }

    fn copy_flag(&mut self, copy: &mut Copy, flag: &Flag, start: usize) {
        let range = start + flag.range.start..start + flag.range.end;
        let is_add = copy.transfer == Transfer::Add;
        let on = match flag.value.as_deref() {
            None | Some("true" | "1") => Some(true),
            Some("false" | "0") => Some(false),
            Some(_) => None,
        };
        match (flag.name.as_str(), flag.value.clone()) {
            ("from", Some(value)) if !is_add => {
                if value.contains('$') {
                    let message = "`--from` cannot contain variables";
                    self.wrong::<()>(range, "variable-in-from", message, "give the image a stage: `FROM $IMAGE AS name`, then `COPY --from=name`");
                }
                copy.from = Some(value);
            }
            ("chown", Some(value)) => copy.chown = Some(value),
            ("chmod", Some(value)) => {
                if !value.contains('$')
                    && let Err(error) = value.parse::<crate::mode::Mode>() {
                        self.wrong::<()>(range, "bad-chmod", error.to_string(), "write for example `--chmod=0755`");
                        return;
                    }
                copy.chmod = Some(value);
            }
            ("link", _) if on.is_some() => copy.link = on == Some(true),
            ("parents", _) if !is_add && on.is_some() => copy.parents = on == Some(true),
            ("exclude", Some(value)) => copy.exclude.push(value),
            ("checksum", Some(value)) if is_add => copy.checksum = Some(value),
            ("unpack", _) if is_add && on.is_some() => copy.unpack = on,
            ("keep-git-dir", _) if is_add => {}
            _ if is_add => self.unknown_flag(start, flag, &["chown", "chmod", "link", "exclude", "checksum", "unpack", "keep-git-dir"]),
            _ => self.unknown_flag(start, flag, &["from", "chown", "chmod", "link", "parents", "exclude"]),
        }
    }

    pub(crate) fn healthcheck(&mut self, rest: Part<'a>) -> Option<Kind> {
        let (flags, at) = words::flags(rest.text, self.escape);
        let (mut interval, mut timeout, mut start_period, mut start_interval, mut retries) = (None, None, None, None, None);
        for flag in &flags {
            let range = rest.start + flag.range.start..rest.start + flag.range.end;
            let value = flag.value.clone().unwrap_or_default();
            let slot = match flag.name.as_str() {
                "interval" => &mut interval,
                "timeout" => &mut timeout,
                "start-period" => &mut start_period,
                "start-interval" => &mut start_interval,
                "retries" => {
                    retries = value.parse::<u64>().ok();
                    if retries.is_none() {
                        self.wrong::<()>(range, "bad-flag", format!("expected a number of retries, found `{value}`"), "write for example `--retries=3`");
                    }
                    continue;
                }
                _ => {
                    self.unknown_flag(rest.start, flag, &["interval", "timeout", "start-period", "start-interval", "retries"]);
                    continue;
                }
            };
            match names::parse_duration(&value) {
                Ok(span) if span.is_zero() || span >= Duration::from_millis(1) => *slot = Some(span),
                _ => {
                    self.wrong::<()>(range, "bad-flag", format!("expected a duration of at least 1ms, found `{value}`"), "write for example `30s`");
                }
            }
        }
        let rest = rest.from(at);
        let end = rest.text.find(char::is_whitespace).unwrap_or(rest.text.len());
        let command = rest.from(end);
        match rest.text[..end].to_ascii_uppercase().as_str() {
            "NONE" if command.text.is_empty() => Some(Kind::Healthcheck(Healthcheck::None)),
            "NONE" => self.wrong(command.range(), "bad-healthcheck", "expected nothing after HEALTHCHECK NONE", "remove the rest"),
            "CMD" if !command.text.is_empty() => {
                let command = self.command(command);
                Some(Kind::Healthcheck(Healthcheck::Check { command, interval, timeout, start_period, start_interval, retries }))
            }
            _ => self.wrong(rest.range(), "bad-healthcheck", "expected `CMD command` or `NONE` after HEALTHCHECK", "write `HEALTHCHECK CMD command`"),
        }
    }
}

fn is_marker_of(word: &str, name: &str) -> bool {
    let plain: String = word.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let rest = plain.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix("<<").is_some_and(|it| it.strip_prefix('-').unwrap_or(it) == name)
}
