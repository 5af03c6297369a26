//! Logs of jobs: one JSON line per line of output, a file while it grows and a blob once it is whole.
//!
//! Each line notes how far into its source it reaches, so a writer that was
//! killed goes on exactly behind the last line that was kept.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{Stream, StreamExt as _};
use names::{Digest, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::{
    fs,
    io::{AsyncBufReadExt as _, AsyncSeekExt as _, BufReader},
    sync::watch,
};

use crate::{BlobError, Blobs};

/// A file is read in pieces of this size, each of which another thread must read.
const READ_BYTES: usize = 128 * 1024;

/// Names the log of one job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogName {
    run: RunId,
    job: String,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    Stdout,
    Stderr,
    /// Said by Landfall itself.
    Landfall,
}

/// One line of a job's log, secrets already masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: Timestamp,
    /// Which start of the job the line is from; jobs whose sandbox was lost start again.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// The index of the step in its job.
    pub step: u32,
    pub stream: OutputStream,
    pub text: String,
    /// How many bytes of the step's raw output are told by this line and those before it.
    #[serde(default)]
    pub source_end_bytes: u64,
}

fn first_attempt() -> u32 {
    1
}

impl LogLine {
    /// Appends the line as it stands in the file of a log, with its line break.
    pub fn write(&self, into: &mut Vec<u8>) {
        let Self { at, attempt, step, stream, text, source_end_bytes } = self;
        let stream = match stream {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
            OutputStream::Landfall => "landfall",
        };
        let head = format!("{{\"at\":\"{at}\",\"attempt\":{attempt},\"step\":{step},\"stream\":\"{stream}\",\"text\":\"");
        into.extend_from_slice(head.as_bytes());
        loglines::push_text(into, text);
        into.extend_from_slice(format!("\",\"source_end_bytes\":{source_end_bytes}}}\n").as_bytes());
    }
}

/// Why a log could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the log could not be reached")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Lines as they come.
pub type LogLines = Pin<Box<dyn Stream<Item = Result<LogLine, LogError>> + Send>>;

/// The logs of all jobs.
#[derive(Clone)]
pub struct Logs {
    folder: PathBuf,
    blobs: Arc<dyn Blobs>,
    /// How many bytes of each log that is being written are readable.
    growing: Arc<Mutex<HashMap<LogName, watch::Receiver<u64>>>>,
}

/// Appends to one log; at most one exists per log.
pub struct LogWriter {
    name: LogName,
    last: Option<LogLine>,
    file: std::fs::File,
    length: watch::Sender<u64>,
    logs: Logs,
}

impl LogName {
    pub fn new(run: &RunId, job: &str) -> Self {
        Self { run: run.clone(), job: job.to_owned() }
    }

    /// The job's name is foreign text, so it enters a path only in hex.
    fn path(&self, folder: &Path) -> PathBuf {
        let job: String = self.job.bytes().map(|byte| format!("{byte:02x}")).collect();
        // File names end at 255 bytes; the digest keeps long names apart.
        let job = if job.len() > 180 { Digest::of(self.job.as_bytes()).hex() } else { job };
        folder.join(self.run.project.as_str()).join(format!("{}-{job}.jsonl", self.run.number))
    }
}

impl Logs {
    pub fn open(folder: impl Into<PathBuf>, blobs: Arc<dyn Blobs>) -> Self {
        Self { folder: folder.into(), blobs, growing: Arc::default() }
    }

    /// Opens a log for appending; half a line that a crash left is cut off.
    pub async fn writer(&self, name: &LogName) -> Result<LogWriter, LogError> {
        let path = name.path(&self.folder);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).await?;
        }
        let (whole, last) = whole_lines(&path).await?;
        let mut options = fs::OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(false).mode(0o600).open(&path).await?;
        file.set_len(whole).await?;
        file.seek(io::SeekFrom::End(0)).await?;
        let file = file.into_std().await;
        let length = watch::Sender::new(whole);
        self.lock().insert(name.clone(), length.subscribe());
        Ok(LogWriter { name: name.clone(), last, file, length, logs: self.clone() })
    }

    /// The lines of a log from the first on; ends when the log is whole.
    ///
    /// `sealed` is the blob of a log that was already whole when the caller looked.
    pub async fn follow(&self, name: &LogName, sealed: Option<Digest>) -> Result<LogLines, LogError> {
        if let Some(digest) = sealed {
            return Ok(parse(self.blobs.get(digest, None).await?));
        }
        let growing = self.lock().get(name).cloned();
        self.read_file(name, growing).await
    }

    /// The lines that a log holds by now; `sealed` as for [`Logs::follow`].
    pub async fn so_far(&self, name: &LogName, sealed: Option<Digest>) -> Result<LogLines, LogError> {
        match sealed {
            Some(digest) => Ok(parse(self.blobs.get(digest, None).await?)),
            None => self.read_file(name, None).await,
        }
    }

    /// Without `growing` the lines end where the file does.
    async fn read_file(
        &self,
        name: &LogName,
        growing: Option<watch::Receiver<u64>>,
    ) -> Result<LogLines, LogError> {
        let file = match fs::File::open(name.path(&self.folder)).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Box::pin(futures_util::stream::empty()));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(follow_file(file, growing))
    }

    /// Removes the file of a log, after a record names its blob; none there is fine.
    pub async fn discard(&self, name: &LogName) -> Result<(), LogError> {
        self.lock().remove(name);
        match fs::remove_file(name.path(&self.folder)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LogName, watch::Receiver<u64>>> {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogWriter {
    /// The last line that the log held when it was opened.
    pub fn last(&self) -> Option<&LogLine> {
        self.last.as_ref()
    }

    /// Appends lines; followers see them when this returns.
    pub async fn append(&mut self, lines: &[LogLine]) -> Result<(), LogError> {
        let mut text = Vec::new();
        for line in lines {
            line.write(&mut text);
        }
        self.append_written(&text).await
    }

    /// The same for lines as [`LogLine::write`] writes them.
    pub async fn append_written(&mut self, text: &[u8]) -> Result<(), LogError> {
        // Into the page cache: to hand it to another thread would take longer.
        io::Write::write_all(&mut self.file, text)?;
        self.length.send_modify(|length| *length += text.len() as u64);
        Ok(())
    }

    /// Turns the log into a blob; the file stays until [`Logs::discard`].
    pub async fn seal(&mut self) -> Result<Digest, LogError> {
        // The blob is made durable; until a record names it, the file is what counts, and that
        // only has to outlive this process.
        let file = fs::File::open(self.name.path(&self.logs.folder)).await?;
        let stream = tokio_stream(file);
        let (digest, _) = self.logs.blobs.put(stream).await?;
        Ok(digest)
    }
}

fn tokio_stream(file: fs::File) -> crate::ByteStream {
    Box::pin(futures_util::stream::unfold(Some(file), |file| async move {
        use tokio::io::AsyncReadExt as _;
        let mut file = file?;
        let mut chunk = vec![0; READ_BYTES];
        match file.read(&mut chunk).await {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                Some((Ok(chunk.into()), Some(file)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// How many bytes of the file are whole lines, and the last of them.
async fn whole_lines(path: &Path) -> io::Result<(u64, Option<LogLine>)> {
    let file = match fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, None)),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::with_capacity(READ_BYTES, file);
    let (mut whole, mut last, mut line) = (0, None, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).await?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok((whole, last));
        }
        whole += read as u64;
        last = serde_json::from_slice(&line).ok().or(last);
    }
}

fn follow_file(file: fs::File, growing: Option<watch::Receiver<u64>>) -> LogLines {
    struct Place {
        reader: BufReader<fs::File>,
        read: u64,
        growing: Option<watch::Receiver<u64>>,
    }
    let place = Place { reader: BufReader::with_capacity(READ_BYTES, file), read: 0, growing };
    Box::pin(futures_util::stream::unfold(Some(place), |place| async move {
        let mut place = place?;
        loop {
            let readable = match &mut place.growing {
                Some(length) => *length.borrow_and_update(),
                None => u64::MAX,
            };
            if place.read < readable {
                let mut line = Vec::new();
                match place.reader.read_until(b'\n', &mut line).await {
                    Ok(0) => return None,
                    Ok(read) => place.read += read as u64,
                    Err(error) => return Some((Err(error.into()), None)),
                }
                if let Ok(line) = serde_json::from_slice(&line) {
                    return Some((Ok(line), Some(place)));
                }
                continue;
            }
            let growing = place.growing.as_mut()?;
            if growing.changed().await.is_err() {
                // The writer is gone: what is there is all there will be.
                place.growing = None;
            }
        }
    }))
}

/// What of a log was received and not yet told.
struct Received {
    bytes: crate::ByteStream,
    buffer: Vec<u8>,
    /// Where the next line begins; what lies before it was told.
    start: usize,
    ended: bool,
}

impl Received {
    /// The next line that can be read.
    fn line(&mut self) -> Option<LogLine> {
        while let Some(length) = self.buffer.get(self.start..)?.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.get(self.start..self.start + length).and_then(|line| serde_json::from_slice(line).ok());
            self.start += length + 1;
            if line.is_some() {
                return line;
            }
        }
        None
    }
}

fn parse(bytes: crate::ByteStream) -> LogLines {
    let received = Received { bytes, buffer: Vec::new(), start: 0, ended: false };
    Box::pin(futures_util::stream::unfold(Some(received), |received| async move {
        let mut received = received?;
        loop {
            if let Some(line) = received.line() {
                return Some((Ok(line), Some(received)));
            }
            if received.ended {
                return None;
            }
            received.buffer.drain(..received.start);
            received.start = 0;
            match received.bytes.next().await {
                Some(Ok(chunk)) => received.buffer.extend_from_slice(&chunk),
                Some(Err(error)) => return Some((Err(error.into()), None)),
                None => received.ended = true,
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        let at = Timestamp::from_micros(1);
        LogLine { at, attempt: 1, step: 0, stream: OutputStream::Stdout, text: text.into(), source_end_bytes: 7 }
    }

    #[test]
    fn lines_are_written_as_serde_writes_them() {
        let streams = [OutputStream::Stdout, OutputStream::Stderr, OutputStream::Landfall];
        for (stream, text) in streams.into_iter().zip(["one \"two\" \\", "\u{1b}[31mrot\u{1b}[0m \t€", ""]) {
            let line = LogLine { stream, ..line(text) };
            let mut written = Vec::new();
            line.write(&mut written);
            let expected = serde_json::to_string(&line).expect("a log line is JSON") + "\n";
            assert_eq!(String::from_utf8_lossy(&written), expected);
        }
    }

    #[tokio::test]
    async fn a_log_reads_the_same_live_and_after() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Arc::new(crate::MemoryBlobs::default());
        let logs = Logs::open(folder.path(), blobs);
        let name = LogName::new(&"shop#1".parse().expect("a run"), "build (1, ../x)");
        let mut writer = logs.writer(&name).await.expect("writer");
        assert_eq!(writer.last(), None);
        writer.append(&[line("one")]).await.expect("append");
        let so_far = logs.so_far(&name, None).await.expect("so far");
        let texts: Vec<_> = so_far.map(|line| line.expect("read").text).collect().await;
        assert_eq!(texts, ["one"]);

        let mut live = logs.follow(&name, None).await.expect("follow");
        assert_eq!(live.next().await.expect("a line").expect("read"), line("one"));
        writer.append(&[line("two")]).await.expect("append");
        assert_eq!(live.next().await.expect("a line").expect("read"), line("two"));

        let digest = writer.seal().await.expect("seal");
        drop(writer);
        logs.discard(&name).await.expect("discard");
        assert!(live.next().await.is_none());
        let after = logs.follow(&name, Some(digest)).await.expect("follow");
        let texts: Vec<_> = after.map(|line| line.expect("read").text).collect().await;
        assert_eq!(texts, ["one", "two"]);
    }

    #[tokio::test]
    async fn half_a_line_is_cut_and_the_last_whole_one_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = Logs::open(folder.path(), Arc::new(crate::MemoryBlobs::default()));
        let name = LogName::new(&"shop#1".parse().expect("a run"), "build");
        let mut writer = logs.writer(&name).await.expect("writer");
        writer.append(&[line("one")]).await.expect("append");
        drop(writer);
        let path = name.path(folder.path());
        let mut text = std::fs::read(&path).expect("read");
        text.extend_from_slice(b"{\"at\":\"2026");
        std::fs::write(&path, text).expect("write");
        let writer = logs.writer(&name).await.expect("writer");
        assert_eq!(writer.last(), Some(&line("one")));
    }
}
