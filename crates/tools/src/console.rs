//! What a command sees of the process: output, input, environment, working folder.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The surroundings of one command; tests make their own.
pub struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    input: Option<Box<dyn Read + Send>>,
    env: BTreeMap<String, String>,
    folder: PathBuf,
}

impl Console {
    /// That of this process. Variables that are not UTF-8 are not seen.
    pub fn of_process() -> Self {
        let env = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self {
            out: Box::new(io::LineWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            input: Some(Box::new(io::stdin())),
            env: env.collect(),
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        }
    }

    /// One that is made up.
    pub fn new(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        input: Box<dyn Read + Send>,
        env: BTreeMap<String, String>,
        folder: PathBuf,
    ) -> Self {
        Self { out, err, input: Some(input), env, folder }
    }

    /// A line on standard output.
    pub fn out(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        self.write_out(line.as_bytes());
        self.write_out(b"\n");
    }

    /// Bytes on standard output.
    pub fn write_out(&mut self, bytes: &[u8]) {
        if self.out.write_all(bytes).is_err() {
            // Who reads has gone; the originals are ended by the signal of the pipe then.
            std::process::exit(141);
        }
    }

    /// A line on standard error.
    pub fn err(&mut self, line: impl AsRef<str>) {
        // Without standard error there is nobody left to tell.
        let _ = writeln!(self.err, "{}", line.as_ref());
    }

    pub fn flush(&mut self) {
        if self.out.flush().is_err() {
            std::process::exit(141);
        }
    }

    /// Standard input, for the first who asks.
    pub fn input(&mut self) -> Box<dyn Read + Send> {
        self.input.take().unwrap_or_else(|| Box::new(io::empty()))
    }

    /// A variable that is set and not empty.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `path` as the working folder makes it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}
