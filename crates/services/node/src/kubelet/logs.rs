//! `GET /containerLogs/{namespace}/{pod}/{container}`: the output of a container as text.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Query as RawQuery, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use names::Timestamp;
use sandbox::{
    Attached, ProcessName,
    log::{self, Follow, Followed, Line},
};

use super::{FoundRun, Query, Refusal, Target, Which, find};
use crate::{api::now, context::Context};

/// Bytes that are handed on at once at most.
const CHUNK_BYTES: usize = 64 * 1024;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Options {
    follow: bool,
    tail: Option<usize>,
    since: Option<Timestamp>,
    timestamps: bool,
    limit: Option<usize>,
}

pub async fn logs(
    State(context): State<Arc<Context>>,
    Path(target): Path<Target>,
    RawQuery(query): RawQuery<Vec<(String, String)>>,
) -> Response {
    match answer(&context, &target, &Query(query)).await {
        Ok(body) => ([(CONTENT_TYPE, "text/plain")], body).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(context: &Context, target: &Target, query: &Query) -> Result<Body, Refusal> {
    let options = options(query)?;
    let which = if query.flag(&["previous"]) {
        Which::Previous
    } else {
        Which::Newest
    };
    let FoundRun {
        id, name, running, ..
    } = find(context, target, which)?;
    let attached = match context.sandbox.attach(&id, &ProcessName::main()).await {
        Ok(attached) => attached,
        // It could not be started, or its log is gone with it.
        Err(sandbox::Error::NoSandbox(_) | sandbox::Error::NoProcess(..)) => {
            return Ok(Body::empty());
        }
        Err(error) => return Err(Refusal::internal(&error)),
    };
    tracing::debug!(container = %name.container, running, "reading a log");
    let Some(path) = attached.log.clone() else {
        return Ok(Body::empty());
    };
    let tail = options.tail;
    let read = move || match tail {
        // A long line lies in several pieces; more of them are read and cut later.
        Some(0) => end_of(&path).map(|end| (Vec::new(), end)),
        Some(count) => {
            log::tail(&path, count.saturating_mul(2).max(count)).map(|lines| with_end(lines, 0))
        }
        None => log::read_from(&path, 0).map(|lines| with_end(lines, 0)),
    };
    let read = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| Refusal::internal(&error))?;
    let (lines, end) = match read {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Vec::new(), 0),
        Err(error) => return Err(Refusal::internal(&error)),
    };
    Ok(stream_lines(options, lines, attached, end))
}

fn with_end(lines: Vec<Line>, from: u64) -> (Vec<Line>, u64) {
    let end = lines.last().map_or(from, |line| line.end);
    (lines, end)
}

fn end_of(path: &std::path::Path) -> std::io::Result<u64> {
    Ok(log::tail(path, 1)?.last().map_or(0, |line| line.end))
}

fn stream_lines(options: Options, lines: Vec<Line>, attached: Attached, end: u64) -> Body {
    let lines = last_lines(lines, options.tail);
    let mut printer = Printer::new(&options);
    let first: Vec<_> = lines.iter().map(|line| printer.print(line)).collect();
    let follow = (options.follow && !printer.is_full()).then(|| attached.follow(end));
    let first = stream::iter(chunks(first));
    let rest = stream::unfold((follow, printer), |(follow, mut printer)| async move {
        let mut follow: Follow = follow?;
        if printer.is_full() {
            return None;
        }
        match follow.next().await {
            Ok(Some(Followed::Line(line))) => Some((printer.print(&line), (Some(follow), printer))),
            Ok(Some(Followed::Exit(_)) | None) => None,
            Err(error) => {
                tracing::debug!(%error, "a log could not be followed");
                None
            }
        }
    });
    use futures_util::StreamExt as _;
    Body::from_stream(first.chain(rest).map(Ok::<_, std::convert::Infallible>))
}

/// The last `count` whole lines, where pieces of a line that was too long count as one.
fn last_lines(lines: Vec<Line>, count: Option<usize>) -> Vec<Line> {
    let Some(count) = count else { return lines };
    let mut whole = 0;
    let mut from = lines.len();
    while let Some(line) = from.checked_sub(1).and_then(|index| lines.get(index)) {
        whole += usize::from(!line.partial || from == lines.len());
        if whole > count {
            break;
        }
        from -= 1;
    }
    lines.into_iter().skip(from).collect()
}

fn chunks(lines: Vec<Bytes>) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    let mut chunk = BytesMut::new();
    for line in lines {
        if chunk.len() + line.len() > CHUNK_BYTES && !chunk.is_empty() {
            chunks.push(chunk.split().freeze());
        }
        chunk.extend_from_slice(&line);
    }
    chunks.push(chunk.freeze());
    chunks
}

/// Turns lines of the log file into what is sent.
struct Printer {
    since: Option<Timestamp>,
    timestamps: bool,
    left: Option<usize>,
    within_line: bool,
}

impl Printer {
    fn new(options: &Options) -> Self {
        Self {
            since: options.since,
            timestamps: options.timestamps,
            left: options.limit,
            within_line: false,
        }
    }

    fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    fn print(&mut self, line: &Line) -> Bytes {
        let is_old = |since: Timestamp| {
            line.time
                .parse::<Timestamp>()
                .is_ok_and(|time| time < since)
        };
        if self.since.is_some_and(is_old) {
            return Bytes::new();
        }
        let mut text = BytesMut::with_capacity(line.bytes.len() + 40);
        if self.timestamps && !self.within_line {
            text.extend_from_slice(line.time.as_bytes());
            text.extend_from_slice(b" ");
        }
        text.extend_from_slice(&line.bytes);
        if !line.partial {
            text.extend_from_slice(b"\n");
        }
        self.within_line = line.partial;
        if let Some(left) = &mut self.left {
            text.truncate(*left);
            *left -= text.len();
        }
        text.freeze()
    }
}

fn options(query: &Query) -> Result<Options, Refusal> {
    let since_seconds = query.number::<u64>("sinceSeconds")?;
    let since_time = query.number::<Timestamp>("sinceTime")?;
    let ago = |seconds: u64| {
        let micros = i64::try_from(seconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000);
        Timestamp::from_micros(now().as_micros().saturating_sub(micros))
    };
    let limit = query.number::<usize>("limitBytes")?;
    if limit == Some(0) {
        return Err(Refusal::bad_request(
            "`limitBytes` must be greater than 0".to_owned(),
        ));
    }
    Ok(Options {
        follow: query.flag(&["follow"]),
        tail: query
            .number::<i64>("tailLines")?
            .and_then(|lines| usize::try_from(lines).ok()),
        since: since_time.or(since_seconds.map(ago)),
        timestamps: query.flag(&["timestamps"]),
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_printed_as_asked() {
        check("", "a\nbc\nd\n");
        check("tailLines=1", "d\n");
        check("tailLines=2", "bc\nd\n");
        check("limitBytes=3", "a\nb");
        check(
            "tailLines=2&timestamps=true",
            "2026-01-01T00:00:02Z bc\n2026-01-01T00:00:04Z d\n",
        );
        check("sinceTime=2026-01-01T00:00:04Z", "d\n");
    }

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = Query(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        );
        let options = options(&query).expect("options");
        let line = |second: u8, text: &str, partial| Line {
            time: format!("2026-01-01T00:00:0{second}Z"),
            stream: log::Stream::Stdout,
            partial,
            bytes: text.as_bytes().to_vec(),
            end: 0,
        };
        let lines = vec![
            line(1, "a", false),
            line(2, "b", true),
            line(3, "c", false),
            line(4, "d", false),
        ];
        let mut printer = Printer::new(&options);
        let printed: Vec<_> = last_lines(lines, options.tail)
            .iter()
            .map(|line| printer.print(line))
            .collect();
        assert_eq!(String::from_utf8_lossy(&printed.concat()), expected);
    }
}
