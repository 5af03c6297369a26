//! Programs that probes and hooks start inside the container.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sandbox::{Exit, Io, Process, ProcessName, Signal, Target};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

use super::Subject;
use crate::probe::Answer;

/// Output beyond this is read and dropped, as the kubelet does.
const OUTPUT_BYTES: usize = 10 * 1024;

pub async fn probe(subject: &Subject, command: &[String], limit: Duration) -> Answer {
    let name = fresh_name();
    match timeout(limit, run(subject, &name, command)).await {
        Ok(Ok((exit, _))) if exit.success() => Answer::Success,
        Ok(Ok((_, output))) => Answer::Failure(output),
        Ok(Err(text)) => Answer::Failure(text),
        Err(_) => {
            stop(subject, name).await;
            let seconds = limit.as_secs();
            Answer::Failure(format!(
                "command timed out: \"{}\" timed out after {seconds}s",
                command.join(" ")
            ))
        }
    }
}

pub async fn hook(subject: &Subject, command: &[String]) -> Result<(), String> {
    let name = fresh_name();
    let (exit, output) = run(subject, &name, command).await?;
    match exit.code {
        0 => Ok(()),
        code => Err(format!(
            "command '{}' exited with {code}: {output}",
            command.join(" ")
        )),
    }
}

/// A name that no process of this sandbox has, not even one that another life of this agent started.
pub fn fresh_name() -> ProcessName {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("x{:x}.{number:x}", crate::api::now().as_micros())
        .parse()
        .expect("hex digits, a dot and a letter")
}

async fn run(
    subject: &Subject,
    name: &ProcessName,
    command: &[String],
) -> Result<(Exit, String), String> {
    let process = Process {
        args: command.to_vec(),
        io: Io::Streams { terminal: None },
        ..Process::clone(&subject.process)
    };
    let text = |error: sandbox::Error| error.to_string();
    let streams = subject
        .sandbox
        .exec(&subject.id, name, &process)
        .await
        .map_err(text)?;
    let Some(streams) = streams else {
        return Err("the process has no output".to_owned());
    };
    drop(streams.stdin);
    let stderr = async {
        match streams.stderr {
            Some(stderr) => read(stderr).await,
            None => Vec::new(),
        }
    };
    let (mut output, errors) = tokio::join!(read(streams.stdout), stderr);
    output.extend(errors);
    let exit = subject
        .sandbox
        .attach(&subject.id, name)
        .await
        .map_err(text)?
        .wait()
        .await
        .map_err(text)?;
    output.truncate(OUTPUT_BYTES);
    Ok((exit, String::from_utf8_lossy(&output).into_owned()))
}

async fn read(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if kept.len() < OUTPUT_BYTES {
            kept.extend_from_slice(&buffer[..count]);
        }
    }
    kept
}

async fn stop(subject: &Subject, name: ProcessName) {
    if let Err(error) = subject
        .sandbox
        .stop(&subject.id, Target::Process(name, Signal::KILL))
        .await
    {
        tracing::debug!(%error, "a probe that timed out could not be stopped");
    }
}
