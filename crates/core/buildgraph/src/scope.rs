//! What variables an instruction sees: ARG and ENV in the order they were given.

use std::collections::BTreeMap;

/// Build arguments that need no ARG; they reach commands and nothing else.
pub(crate) const PROXY_ARGS: [&str; 10] = [
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
];

/// The variables of a stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// What commands and expansions see: the last of ARG and ENV wins.
    seen: Vec<(String, String)>,
    /// What the image keeps: ENV alone.
    kept: Vec<(String, String)>,
    /// Declared ARGs for the history.
    args: Vec<(String, Option<String>)>,
}

impl Scope {
    pub fn from_env(env: &[String]) -> Self {
        let mut scope = Self::default();
        for pair in env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            scope.env(name, value.to_owned());
        }
        scope
    }

    pub fn env(&mut self, name: &str, value: String) {
        set(&mut self.kept, name, value.clone());
        set(&mut self.seen, name, value);
    }

    pub fn arg(&mut self, name: &str, value: Option<String>) {
        self.args.retain(|(known, _)| known != name);
        self.args.push((name.to_owned(), value.clone()));
        if let Some(value) = value {
            set(&mut self.seen, name, value);
        }
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.seen.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// For commands.
    pub fn seen(&self) -> &[(String, String)] {
        &self.seen
    }

    /// For the image's config.
    pub fn kept(&self) -> Vec<String> {
        self.kept.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// `|2 A=1 B= ` before a command in the history, or nothing.
    pub fn history_prefix(&self) -> String {
        if self.args.is_empty() {
            return String::new();
        }
        let mut text = format!("|{} ", self.args.len());
        for (name, value) in &self.args {
            let value = self.get(name).or_else(|| value.clone()).unwrap_or_default();
            text.push_str(&format!("{name}={value} "));
        }
        text
    }

    /// Proxy settings from the command line that no ARG declares.
    pub fn untraced(&self, build_args: &BTreeMap<String, String>) -> Vec<(String, String)> {
        let hidden = |name: &str| self.args.iter().all(|(known, _)| known != name) && self.get(name).is_none();
        let proxies = PROXY_ARGS.iter().filter(|name| hidden(name));
        proxies.filter_map(|name| Some(((*name).to_owned(), build_args.get(*name)?.clone()))).collect()
    }
}

fn set(list: &mut Vec<(String, String)>, name: &str, value: String) {
    match list.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => list.push((name.to_owned(), value)),
    }
}
