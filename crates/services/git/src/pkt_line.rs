//! The lines of Git's protocol: four hex digits of length, then the bytes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use names::CommitId;

/// The end of a list of lines.
pub const FLUSH: &[u8] = b"0000";

/// A pack line holds at most this, with its length and its band.
const LINE_BYTES_MAX: usize = 65_520;

/// One ref that a push asks to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefUpdate {
    pub git_ref: String,
    pub before: CommitId,
    pub after: CommitId,
}

/// What stands before the pack of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushHead {
    pub updates: Vec<RefUpdate>,
    /// Whether the client shows what we say beside the answer.
    pub shows_progress: bool,
    /// What was given with `git push -o`.
    pub options: Vec<String>,
}

/// A line of `text`.
pub fn line(text: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(text.len() + 4);
    bytes.put_slice(format!("{:04x}", text.len() + 4).as_bytes());
    bytes.put_slice(text);
    bytes.freeze()
}

/// Lines that the client prints as `remote: …`.
pub fn remote_text(text: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    for chunk in text.as_bytes().chunks(LINE_BYTES_MAX - 5) {
        let mut banded = Vec::with_capacity(chunk.len() + 1);
        banded.push(2);
        banded.extend_from_slice(chunk);
        bytes.put(line(&banded));
    }
    bytes.freeze()
}

/// Reads the head of a push; `None` while `bytes` does not hold all of it.
pub fn push_head(mut bytes: &[u8]) -> Option<PushHead> {
    let mut head = PushHead::default();
    let mut capabilities = String::new();
    while let Some(line) = next(&mut bytes)? {
        let mut parts = line.splitn(2, |byte| *byte == 0);
        let command = String::from_utf8_lossy(parts.next().unwrap_or_default());
        if let Some(told) = parts.next() {
            capabilities = String::from_utf8_lossy(told).trim().to_owned();
        }
        let mut words = command.trim_end().splitn(3, ' ');
        let (before, after, git_ref) = (words.next(), words.next(), words.next());
        if let (Some(before), Some(after), Some(git_ref)) = (before, after, git_ref)
            && let (Ok(before), Ok(after)) = (before.parse(), after.parse())
        {
            head.updates.push(RefUpdate { git_ref: git_ref.to_owned(), before, after });
        }
    }
    let mut words = capabilities.split(' ');
    head.shows_progress = words.any(|word| word == "side-band-64k");
    if capabilities.split(' ').any(|word| word == "push-options") {
        while let Some(line) = next(&mut bytes)? {
            head.options.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    }
    Some(head)
}

/// The lines of a request that is all there, without the marks between them.
pub fn lines(mut bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    std::iter::from_fn(move || next(&mut bytes)).flatten()
}

/// The next line; the inner `None` is a flush, the outer one a line that is not all there.
fn next(bytes: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let length = std::str::from_utf8(bytes.get(..4)?).ok()?;
    let length = usize::from_str_radix(length, 16).ok()?;
    if length < 4 {
        bytes.advance(4);
        return Some(None);
    }
    let line = bytes.get(4..length)?.to_vec();
    bytes.advance(length);
    Some(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_push_is_read_once_it_is_whole() {
        let (old, new) = ("0".repeat(40), "1".repeat(40));
        let first = format!("{old} {new} refs/heads/main\0report-status side-band-64k push-options");
        let second = format!("{new} {old} refs/heads/gone\n");
        let mut sent = line(first.as_bytes()).to_vec();
        sent.extend_from_slice(&line(second.as_bytes()));
        sent.extend_from_slice(FLUSH);
        assert_eq!(push_head(&sent), None, "the options are still on their way");
        sent.extend_from_slice(&line(b"landfall.wait=5s\n"));
        sent.extend_from_slice(FLUSH);
        sent.extend_from_slice(b"PACK");
        let head = push_head(&sent).expect("a head");
        assert_eq!(head.options, ["landfall.wait=5s"]);
        assert!(head.shows_progress);
        let refs: Vec<_> = head.updates.iter().map(|it| it.git_ref.as_str()).collect();
        assert_eq!(refs, ["refs/heads/main", "refs/heads/gone"]);
    }

    #[test]
    fn progress_travels_in_the_second_band() {
        assert_eq!(remote_text("hi\n").as_ref(), b"0008\x02hi\n");
    }
}
