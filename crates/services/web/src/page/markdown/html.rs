//! Writes tags that always close, and reads those in the text that are harmless.

use super::inline;

/// Tags that stand for themselves.
const BLOCKS: [&str; 22] = [
    "blockquote", "dd", "details", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ol", "p", "pre", "summary", "table",
    "tbody", "thead", "tr", "ul",
];

/// Tags within a line, and cells.
const INLINES: [&str; 19] = [
    "a", "b", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "td", "th", "u",
];

const VOID: [&str; 2] = ["br", "hr"];

/// Tags and marks that are not closed within so many bytes are text: else a text full of them takes for ever.
const REACH_BYTES: usize = 4096;

/// After so many marks that are none, all the rest is text.
const FAILED_MAX: usize = 5_000;

/// More open tags than this are a trick.
const OPEN_MAX: usize = 64;

/// HTML on its way.
#[derive(Default)]
pub struct Html {
    text: String,
    open: Vec<&'static str>,
    /// Tags of the text close none that were open below this.
    floor: usize,
    /// Marks that turned out to be none.
    failed: usize,
}

/// The beginning of a text, as far as an end is looked for.
pub fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(REACH_BYTES)]
}

/// The name as it is in one of the lists.
fn known(name: &str, list: &[&'static str]) -> Option<&'static str> {
    list.iter().copied().find(|it| it.eq_ignore_ascii_case(name))
}

fn name_of(name: &str) -> Option<&'static str> {
    known(name, &BLOCKS).or_else(|| known(name, &INLINES))
}

impl Html {
    pub fn finish(mut self) -> String {
        self.close_to(0);
        self.text
    }

    /// Text, escaped.
    pub fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&#39;"),
                letter => self.text.push(letter),
            }
        }
    }

    pub fn void(&mut self, name: &str) {
        if let Some(name) = known(name, &VOID) {
            self.text.push_str(&format!("<{name}>"));
        }
    }

    /// An element; whatever is opened inside is closed with it.
    pub fn block(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        let level = self.open.len();
        if !self.open(name, None) {
            return inside(self);
        }
        self.within(level, inside);
    }

    fn within(&mut self, level: usize, inside: impl FnOnce(&mut Self)) {
        let floor = std::mem::replace(&mut self.floor, self.open.len());
        inside(self);
        self.floor = floor;
        self.close_to(level);
    }

    pub fn code_block(&mut self, code: &str) {
        self.block("pre", |html| html.block("code", |html| html.text(code)));
    }

    /// A link, if it leads to where a link may lead.
    pub fn link(&mut self, address: &str, inside: impl FnOnce(&mut Self)) {
        let level = self.open.len();
        if self.open("a", Some(address)) {
            self.within(level, inside);
        } else {
            inside(self);
        }
    }

    fn open(&mut self, name: &str, address: Option<&str>) -> bool {
        let Some(name) = name_of(name).filter(|_| self.open.len() < OPEN_MAX) else { return false };
        // A link in a link would end the first.
        if name == "a" && (self.open.contains(&"a") || !address.is_some_and(is_safe)) {
            return false;
        }
        self.text.push('<');
        self.text.push_str(name);
        if let Some(address) = address.filter(|_| name == "a") {
            self.text.push_str(" rel=\"noopener noreferrer nofollow\" href=\"");
            self.text(address);
            self.text.push('"');
        }
        self.text.push('>');
        self.open.push(name);
        true
    }

    /// Closes a tag of the text, if one of this name is open.
    fn close(&mut self, name: &str) {
        if let Some(at) = self.open.iter().rposition(|it| it.eq_ignore_ascii_case(name)).filter(|at| *at >= self.floor) {
            self.close_to(at);
        }
    }

    pub fn close_to(&mut self, level: usize) {
        while self.open.len() > level {
            if let Some(name) = self.open.pop() {
                self.text.push_str(&format!("</{name}>"));
            }
        }
    }

    /// Whether marks are still looked for.
    pub fn is_patient(&self) -> bool {
        self.failed < FAILED_MAX
    }

    /// Notes a mark that was none.
    pub fn fail(&mut self) {
        self.failed += 1;
    }

    pub fn level(&self) -> usize {
        self.open.len()
    }

    /// Writes the tag at the start of `text` anew; gives what follows it, or nothing if it is no known tag.
    pub fn tag<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if let Some(comment) = text.strip_prefix("<!--") {
            let end = head(comment).find("-->")?;
            return Some(&comment[end + 3..]);
        }
        let inside = text.strip_prefix('<')?;
        let end = head(inside).find('>')?;
        let (tag, rest) = (&inside[..end], &inside[end + 1..]);
        let (closes, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let end = tag.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let (name, attributes) = tag.split_at(end);
        if tag.contains('<') {
            return None;
        }
        if known(name, &VOID).is_some() {
            self.void(name);
            return Some(rest);
        }
        if name.eq_ignore_ascii_case("img") {
            // The page shows nothing that others could watch; the words stay.
            let words = attribute(attributes, "alt").unwrap_or_default();
            let address = attribute(attributes, "src").unwrap_or_default();
            self.link(&address, |html| html.text(if words.is_empty() { "image" } else { &words }));
            return Some(rest);
        }
        name_of(name)?;
        if closes {
            self.close(name);
        } else if !self.open(name, attribute(attributes, "href").as_deref()) && !name.eq_ignore_ascii_case("a") {
            return None;
        }
        Some(rest)
    }
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let lower = attributes.to_ascii_lowercase();
    let at = lower.find(&format!("{name}="))?;
    let before = lower[..at].chars().next_back();
    let value = &attributes[at + name.len() + 1..];
    let quote = value.chars().next().filter(|it| matches!(it, '"' | '\''));
    let value = match quote {
        Some(quote) => value[1..].split(quote).next()?,
        None => value.split_whitespace().next()?,
    };
    before.is_none_or(char::is_whitespace).then(|| value.replace("&amp;", "&").replace("&quot;", "\""))
}

/// Addresses that a link may have: no scheme that runs anything.
fn is_safe(address: &str) -> bool {
    let address = address.trim();
    let lower = address.to_ascii_lowercase();
    ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)) && !address.contains(char::is_control)
}

/// Whether a line begins with a tag that stands for itself.
pub fn begins_block(line: &str) -> bool {
    let Some(tag) = line.strip_prefix('<') else { return false };
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let end = tag.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(tag.len());
    let name = &tag[..end];
    line.starts_with("<!--") || known(name, &BLOCKS).is_some() || known(name, &["hr", "img", "td", "th"]).is_some()
}

/// A piece of HTML: known tags anew, all else as text. Its tags may close later.
pub fn raw(html: &mut Html, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        html.text(&rest[..at]);
        rest = &rest[at..];
        let next = if html.is_patient() { html.tag(rest).or_else(|| inline::entity(html, rest)) } else { None };
        rest = next.unwrap_or_else(|| {
            html.fail();
            html.text(&rest[..1]);
            &rest[1..]
        });
    }
    html.text(rest);
    html.text("\n");
}
