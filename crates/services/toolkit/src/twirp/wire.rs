//! The messages of the calls as Protocol Buffers, read from and written to their JSON form.
//!
//! Cache clients outside JavaScript (sccache, BuildKit) speak this form. The
//! messages are few and flat, so a table of their fields is all that is needed.

use serde_json::{Map, Value};

/// The fields of a message.
pub type Shape = &'static [Field];

/// One field: its number, its name, and what is in it.
pub struct Field(u32, &'static str, Kind);

enum Kind {
    Text,
    /// Repeated texts.
    Texts,
    Number,
    Truth,
    /// A text in a message of its own, so that empty and absent differ.
    WrappedText,
    WrappedNumber,
    /// Seconds and nanoseconds since 1970.
    Time,
    /// Repeated messages.
    Messages(Shape),
}

/// The messages of one method.
pub struct Method {
    pub request: Shape,
    pub answer: Shape,
}

/// Why bytes are no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the message ends in the middle of a field")]
    Truncated,
    #[error("field {0} has an unknown form")]
    UnknownForm(u64),
    #[error("field `{0}` is no text")]
    NotText(&'static str),
}

use Kind::{Messages, Number, Text, Texts, Time, Truth, WrappedNumber, WrappedText};

const RUN_AND_JOB_AND_NAME: Shape = &[
    Field(1, "workflow_run_backend_id", Text),
    Field(2, "workflow_job_run_backend_id", Text),
    Field(3, "name", Text),
];
const OK_AND_ARTIFACT: Shape = &[Field(1, "ok", Truth), Field(2, "artifact_id", Number)];
const LISTED: Shape = &[
    Field(1, "workflow_run_backend_id", Text),
    Field(2, "workflow_job_run_backend_id", Text),
    Field(3, "database_id", Number),
    Field(4, "name", Text),
    Field(5, "size", Number),
    Field(6, "created_at", Time),
    Field(7, "digest", WrappedText),
];

/// The messages of a method, if it is one of these services.
pub fn shape(service: &str, method: &str) -> Option<Method> {
    let (request, answer): (Shape, Shape) = match (service.rsplit('.').next()?, method) {
        ("CacheService", "CreateCacheEntry") => (
            &[Field(2, "key", Text), Field(3, "version", Text)],
            &[Field(1, "ok", Truth), Field(2, "signed_upload_url", Text), Field(3, "message", Text)],
        ),
        ("CacheService", "FinalizeCacheEntryUpload") => (
            &[Field(2, "key", Text), Field(3, "size_bytes", Number), Field(4, "version", Text)],
            &[Field(1, "ok", Truth), Field(2, "entry_id", Number), Field(3, "message", Text)],
        ),
        ("CacheService", "GetCacheEntryDownloadURL") => (
            &[Field(2, "key", Text), Field(3, "restore_keys", Texts), Field(4, "version", Text)],
            &[Field(1, "ok", Truth), Field(2, "signed_download_url", Text), Field(3, "matched_key", Text)],
        ),
        ("ArtifactService", "CreateArtifact") => (
            &[
                Field(1, "workflow_run_backend_id", Text),
                Field(2, "workflow_job_run_backend_id", Text),
                Field(3, "name", Text),
                Field(4, "expires_at", Time),
                Field(5, "version", Number),
                Field(6, "mime_type", WrappedText),
            ],
            &[Field(1, "ok", Truth), Field(2, "signed_upload_url", Text)],
        ),
        ("ArtifactService", "FinalizeArtifact") => (
            &[
                Field(1, "workflow_run_backend_id", Text),
                Field(2, "workflow_job_run_backend_id", Text),
                Field(3, "name", Text),
                Field(4, "size", Number),
                Field(5, "hash", WrappedText),
            ],
            OK_AND_ARTIFACT,
        ),
        ("ArtifactService", "ListArtifacts") => (
            &[
                Field(1, "workflow_run_backend_id", Text),
                Field(2, "workflow_job_run_backend_id", Text),
                Field(3, "name_filter", WrappedText),
                Field(4, "id_filter", WrappedNumber),
            ],
            &[Field(1, "artifacts", Messages(LISTED))],
        ),
        ("ArtifactService", "GetSignedArtifactURL") => (RUN_AND_JOB_AND_NAME, &[Field(1, "signed_url", Text)]),
        ("ArtifactService", "DeleteArtifact") => (RUN_AND_JOB_AND_NAME, OK_AND_ARTIFACT),
        _ => return None,
    };
    Some(Method { request, answer })
}

/// Reads a message into its JSON form; fields that the shape lacks are passed over.
pub fn read(shape: Shape, bytes: &[u8]) -> Result<Value, WireError> {
    let mut rest = bytes;
    let mut found = Map::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let field = shape.iter().find(|field| u64::from(field.0) == tag >> 3);
        match tag & 7 {
            0 => {
                let number = varint(&mut rest)?;
                match field {
                    Some(Field(_, name, Number)) => found.insert((*name).to_owned(), number.to_string().into()),
                    Some(Field(_, name, Truth)) => found.insert((*name).to_owned(), (number != 0).into()),
                    _ => None,
                };
            }
            1 => drop(take(&mut rest, 8)?),
            2 => {
                let length = varint(&mut rest)?;
                let content = take(&mut rest, usize::try_from(length).map_err(|_| WireError::Truncated)?)?;
                if let Some(Field(_, name, kind)) = field {
                    read_content(&mut found, name, kind, content)?;
                }
            }
            5 => drop(take(&mut rest, 4)?),
            _ => return Err(WireError::UnknownForm(tag >> 3)),
        }
    }
    Ok(Value::Object(found))
}

fn read_content(found: &mut Map<String, Value>, name: &'static str, kind: &Kind, content: &[u8]) -> Result<(), WireError> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| WireError::NotText(name));
    let value = match kind {
        Text => text(content)?.into(),
        WrappedText => read(&[Field(1, "value", Text)], content)?.get("value").cloned().unwrap_or_else(|| "".into()),
        WrappedNumber => read(&[Field(1, "value", Number)], content)?.get("value").cloned().unwrap_or_else(|| "0".into()),
        Time => {
            let read = read(&[Field(1, "seconds", Number)], content)?;
            let seconds = read.get("seconds").and_then(Value::as_str).and_then(|it| it.parse::<i64>().ok());
            let micros = seconds.unwrap_or_default().saturating_mul(1_000_000);
            names::Timestamp::from_micros(micros).to_string().into()
        }
        Texts => {
            push(found, name, text(content)?.into());
            return Ok(());
        }
        Messages(shape) => {
            push(found, name, read(shape, content)?);
            return Ok(());
        }
        // A number in the form of bytes is none.
        Number | Truth => return Ok(()),
    };
    found.insert(name.to_owned(), value);
    Ok(())
}

fn push(found: &mut Map<String, Value>, name: &str, value: Value) {
    if let Value::Array(list) = found.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
        list.push(value);
    }
}

/// Writes the JSON form of a message.
pub fn write(shape: Shape, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for Field(number, name, kind) in shape {
        let Some(value) = value.get(*name).filter(|it| !it.is_null()) else { continue };
        let text = value.as_str().unwrap_or_default();
        let written = || text.parse::<u64>().ok().or_else(|| value.as_u64()).unwrap_or_default();
        match kind {
            Text => put_bytes(&mut out, *number, text.as_bytes()),
            Texts => value.as_array().into_iter().flatten().for_each(|it| {
                put_bytes(&mut out, *number, it.as_str().unwrap_or_default().as_bytes());
            }),
            Number => put_number(&mut out, *number, written()),
            Truth => put_number(&mut out, *number, u64::from(value.as_bool().unwrap_or_default())),
            WrappedText => {
                let mut inner = Vec::new();
                put_bytes(&mut inner, 1, text.as_bytes());
                put_bytes(&mut out, *number, &inner);
            }
            WrappedNumber => {
                let mut inner = Vec::new();
                put_number(&mut inner, 1, written());
                put_bytes(&mut out, *number, &inner);
            }
            Time => {
                let time: Option<names::Timestamp> = text.parse().ok();
                let seconds = time.map_or(0, crate::token::seconds);
                let mut inner = Vec::new();
                put_number(&mut inner, 1, seconds.cast_unsigned());
                put_bytes(&mut out, *number, &inner);
            }
            Messages(shape) => value.as_array().into_iter().flatten().for_each(|it| {
                put_bytes(&mut out, *number, &write(shape, it));
            }),
        }
    }
    out
}

fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_varint(out, u64::from(field) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, field: u32, number: u64) {
    put_varint(out, u64::from(field) << 3);
    put_varint(out, number);
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The low seven bits, and that more follow.
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint(rest: &mut &[u8]) -> Result<u64, WireError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte, tail @ ..] = rest else { return Err(WireError::Truncated) };
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(WireError::Truncated)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], WireError> {
    let (taken, tail) = rest.split_at_checked(count).ok_or(WireError::Truncated)?;
    *rest = tail;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let listed = json!({ "artifacts": [
            { "workflow_run_backend_id": "r", "workflow_job_run_backend_id": "j", "database_id": "1795341600000000",
              "name": "é", "size": "300", "created_at": "2026-11-22T10:00:00Z", "digest": "sha256:00" },
            { "name": "b" },
        ]});
        check("ArtifactService", "ListArtifacts", &listed);
        check("CacheService", "CreateCacheEntry", &json!({ "ok": true, "signed_upload_url": "http://x", "message": "" }));
    }

    #[test]
    fn a_request_as_a_client_sends_it() {
        // Field 1 is metadata, which is passed over; then key, two restore keys, version.
        let bytes = b"\x0a\x02\x08\x07\x12\x01k\x1a\x02a-\x1a\x02b-\x22\x01v";
        let method = shape("x.CacheService", "GetCacheEntryDownloadURL").expect("a method");
        let read = read(method.request, bytes).expect("a message");
        assert_eq!(read, json!({ "key": "k", "restore_keys": ["a-", "b-"], "version": "v" }));
    }

    #[test]
    fn broken_messages_are_refused() {
        let shape: Shape = &[Field(1, "key", Text)];
        for (bytes, expected) in [
            (&b"\x0a\x05abc"[..], WireError::Truncated),
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", WireError::Truncated),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", WireError::Truncated),
            (b"\x0b", WireError::UnknownForm(1)),
            (b"\x0a\x01\xff", WireError::NotText("key")),
        ] {
            assert_eq!(read(shape, bytes), Err(expected));
        }
    }

    #[track_caller]
    fn check(service: &str, method: &str, answer: &Value) {
        let method = shape(service, method).expect("a method");
        assert_eq!(read(method.answer, &write(method.answer, answer)).as_ref(), Ok(answer));
    }
}
