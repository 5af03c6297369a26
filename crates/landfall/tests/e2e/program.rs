//! Runs programs to their end, within a time.

use std::{
    fmt,
    io::Read,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A program that takes longer hangs; on a busy machine the slowest takes a minute.
const PATIENCE: Duration = Duration::from_secs(240);

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub line: String,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Its standard output, if it ended well.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.out
    }

    /// Itself, if it ended with this exit code.
    #[track_caller]
    pub fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Its standard output as JSON, if it ended well.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let line = self.line.clone();
        let text = self.succeeded();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{line}` prints no JSON: {error}\n{text}"))
    }

    /// Checks that it told `text`, on either stream.
    #[track_caller]
    pub fn told(&self, text: &str) -> &Self {
        assert!(self.out.contains(text) || self.err.contains(text), "`{text}` is not told by\n{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.line)?;
        writeln!(f, "exit code {:?}", self.code)?;
        writeln!(f, "--- standard output\n{}--- standard error\n{}", self.out, self.err)
    }
}

/// Runs a command to its end.
///
/// # Panics
///
/// If the program is not there or takes too long.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    let line = line_of(command);
    let began = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("`{line}` cannot be started: {error}"));
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let code = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status.code();
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("`{line}` does not end within {PATIENCE:?}\n{}\n{}", text_of(out), text_of(err));
        }
        thread::sleep(Duration::from_millis(5));
    };
    Ran { line, code, out: text_of(out), err: text_of(err) }
}

fn reader(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    let mut stream = stream.expect("the stream is piped");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until an error is still worth telling.
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn text_of(reader: JoinHandle<String>) -> String {
    reader.join().expect("a reader does not panic")
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Whether there is such a program on the search path.
pub fn is_there(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
