//! Keeps secrets out of logs, in every form that tools are known to print them.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use loglines::Sieve;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Lines of a secret shorter than this are not masked: `{` and `}` of a JSON
/// secret would hide half of every log.
const SHORTEST_LINE: usize = 4;
/// So much of a secret must be left to look for it inside a longer text in base 64.
const INNER_BYTES_MIN: usize = 6;
/// A line is held back until it ends, but never more than this.
const LONGEST_LINE: usize = 64 << 10;
const MASK: &[u8] = b"***";

/// What a URI leaves as it is.
const URI: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// All secrets of a job; finding them takes one pass, however many there are. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Masker {
    values: Arc<BTreeSet<String>>,
    finder: Arc<Finder>,
    longest: usize,
}

/// Both are made when the first text needs them: most jobs of a large run never mask any.
#[derive(Default)]
struct Finder {
    sieve: OnceLock<Arc<Sieve>>,
    automaton: OnceLock<AhoCorasick>,
}

impl Masker {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut masker = Self::default();
        masker.add_all(secrets);
        masker
    }

    /// Masks `secret` from here on, whole and line by line, raw and encoded.
    pub fn add(&mut self, secret: &str) {
        self.add_all([secret]);
    }

    /// The same for many, which costs hardly more than for one.
    pub fn add_all<'a>(&mut self, secrets: impl IntoIterator<Item = &'a str>) {
        let before = self.values.len();
        let values = Arc::make_mut(&mut self.values);
        secrets.into_iter().for_each(|it| collect(it, values));
        if self.values.len() > before {
            self.longest = self.values.iter().map(String::len).max().unwrap_or(0);
            self.finder = Arc::default();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Tells texts that may hold a secret from those that hold none.
    pub fn sieve(&self) -> Arc<Sieve> {
        let made = || {
            let values: Vec<_> = self.values.iter().map(String::as_bytes).collect();
            Arc::new(Sieve::new(&values))
        };
        self.finder.sieve.get_or_init(made).clone()
    }

    fn automaton(&self) -> &AhoCorasick {
        let made = || {
            let mut builder = AhoCorasick::builder();
            // Others search faster, but take longer to make than most logs have lines with secrets.
            builder.kind(Some(AhoCorasickKind::ContiguousNFA));
            // It fails beyond four billion states only, which no set of secrets reaches.
            builder.build(self.values.iter()).expect("secrets fit into an automaton")
        };
        self.finder.automaton.get_or_init(made)
    }

    pub fn mask(&self, text: &str) -> String {
        match self.mask_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => text.to_owned(),
            Cow::Owned(masked) => String::from_utf8_lossy(&masked).into_owned(),
        }
    }

    /// Replaces every secret by `***`; hits that overlap or touch become one.
    pub fn mask_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let hits = self.hits(bytes);
        if hits.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for hit in hits {
            out.extend_from_slice(bytes.get(done..hit.start).unwrap_or_default());
            out.extend_from_slice(MASK);
            done = hit.end;
        }
        out.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    fn hits(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        // Nearly all lines hold nothing; this is the fastest way to know.
        if !self.sieve().catches(bytes) {
            return Vec::new();
        }
        let mut found: Vec<_> = self
            .automaton()
            .find_overlapping_iter(bytes)
            .map(|it| it.range())
            .collect();
        found.sort_by_key(|it| it.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for hit in found {
            match merged.last_mut() {
                Some(last) if hit.start <= last.end => last.end = last.end.max(hit.end),
                _ => merged.push(hit),
            }
        }
        merged
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({} values)", self.values.len())
    }
}

/// Masks output that comes in chunks; a secret may lie across two of them.
#[derive(Debug, Default)]
pub struct MaskStream {
    held: Vec<u8>,
}

impl MaskStream {
    /// Takes a chunk and gives what may be shown: whole lines, or the safe part of a very long one.
    pub fn push(&mut self, masker: &Masker, chunk: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(chunk);
        let lines = self
            .held
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let cut = if self.held.len() - lines <= LONGEST_LINE {
            lines
        } else {
            safe_cut(masker, &self.held, lines)
        };
        let rest = self.held.split_off(cut);
        let shown = masker.mask_bytes(&self.held).into_owned();
        self.held = rest;
        shown
    }

    /// What is left when the output ends.
    pub fn finish(self, masker: &Masker) -> Vec<u8> {
        masker.mask_bytes(&self.held).into_owned()
    }
}

/// Where a long line may be cut: no secret can reach over that place.
fn safe_cut(masker: &Masker, held: &[u8], lines: usize) -> usize {
    let mut cut = held.len().saturating_sub(masker.longest).max(lines);
    while let Some(hit) = masker
        .hits(held)
        .into_iter()
        .find(|it| it.start < cut && cut < it.end)
    {
        cut = hit.start;
    }
    cut
}

fn collect(secret: &str, values: &mut BTreeSet<String>) {
    if secret.trim().is_empty() {
        return;
    }
    values.extend(encodings(secret));
    for line in secret
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= SHORTEST_LINE && *line != secret)
    {
        values.extend(encodings(line));
    }
}

fn encodings(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let json = serde_json::Value::from(secret).to_string();
    let mut all = vec![
        secret.to_owned(),
        secret.replace('"', "\\\""),
        secret.replace('\'', "''"),
        json.trim_matches('"').to_owned(),
        utf8_percent_encode(secret, URI).to_string(),
        xml(secret),
    ];
    for shift in 0..3 {
        all.extend(base64(bytes.get(shift..).unwrap_or_default()));
    }
    // Git sends the token this way.
    all.push(STANDARD.encode(format!("x-access-token:{secret}")));
    let unquoted = secret.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    all.extend(unquoted.filter(|_| secret.len() > 8).map(str::to_owned));
    all.extend(powershell(secret));
    all.retain(|it| !it.trim().is_empty());
    all
}

/// A text in base 64: alone, and without its end as it stands inside a longer text.
fn base64(bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut forms = vec![STANDARD.encode(bytes)];
    let whole = bytes.len() - bytes.len() % 3;
    let inner = bytes.get(..whole).unwrap_or_default();
    if whole >= INNER_BYTES_MIN {
        forms.push(STANDARD.encode(inner));
        // Tokens and URLs use another alphabet, which differs in two letters only.
        let url = URL_SAFE_NO_PAD.encode(inner);
        if forms.last() != Some(&url) {
            forms.push(url);
        }
    }
    forms
}

fn xml(secret: &str) -> String {
    secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&apos;")
}

/// PowerShell colours the two sides of an ampersand on their own.
fn powershell(secret: &str) -> Vec<String> {
    let cut = secret
        .find("&+")
        .map(|at| at + 2)
        .or_else(|| secret.rfind('&').map(|at| at + 1));
    let Some((before, after)) = cut.map(|at| secret.split_at(at)) else {
        return Vec::new();
    };
    [before, after]
        .into_iter()
        .filter(|it| it.len() >= 6)
        .map(str::to_owned)
        .collect()
}
