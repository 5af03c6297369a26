//! What stands within a paragraph: code, emphasis, links, and tags that are harmless.

use super::html::{Html, head};

/// Emphasis in emphasis goes no deeper.
const DEPTH_MAX: usize = 8;

/// So many marks are tried before an opening one counts as text.
const TRIES_MAX: usize = 16;

/// More ticks in a row mark no code.
const TICKS_MAX: usize = 16;

/// Nobody marks up a paragraph that is longer.
const PLAIN_BYTES: usize = 64 * 1024;

/// The entities that are read; they cannot become anything but letters.
const ENTITIES: [(&str, &str); 6] = [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", "\u{a0}")];

/// Renders a text; tags that it leaves open are closed.
pub fn render(html: &mut Html, text: &str) {
    if text.len() > PLAIN_BYTES {
        return html.text(text);
    }
    let level = html.level();
    spans(html, text, 0);
    html.close_to(level);
}

fn spans(html: &mut Html, text: &str, depth: usize) {
    let mut rest = text;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        // Within a word an underscore is a letter.
        let is_mark = matches!(letter, '`' | '<' | '[' | '*' | '~') || letter == '_' && !before.is_alphanumeric();
        let next = match letter {
            _ if is_mark && !html.is_patient() => None,
            '\\' => escape(html, rest),
            '`' => code(html, rest),
            '<' => autolink(html, rest).or_else(|| html.tag(rest)),
            '&' => entity(html, rest),
            '\n' => Some(line_break(html, rest)),
            '!' if rest.starts_with("![") => link(html, &rest[1..], depth, Shown::Words),
            '[' => link(html, rest, depth, Shown::Spans),
            '*' | '_' | '~' if depth < DEPTH_MAX => emphasis(html, rest, before, depth),
            'h' if !before.is_alphanumeric() => bare_link(html, rest),
            ' ' if rest.starts_with("  \n") => Some(rest.trim_start_matches(' ')).inspect(|_| html.void("br")),
            _ => None,
        };
        if is_mark && next.is_none() {
            html.fail();
        }
        let after = next.unwrap_or_else(|| {
            html.text(&rest[..letter.len_utf8()]);
            &rest[letter.len_utf8()..]
        });
        before = rest[..rest.len() - after.len()].chars().next_back().unwrap_or(' ');
        rest = after;
    }
}

fn escape<'a>(html: &mut Html, text: &'a str) -> Option<&'a str> {
    let letter = text[1..].chars().next().filter(char::is_ascii_punctuation)?;
    html.text(letter.encode_utf8(&mut [0; 4]));
    Some(&text[2..])
}

pub fn entity<'a>(html: &mut Html, text: &'a str) -> Option<&'a str> {
    let (entity, letter) = ENTITIES.iter().find(|(entity, _)| text.starts_with(entity))?;
    html.text(letter);
    Some(&text[entity.len()..])
}

fn line_break<'a>(html: &mut Html, text: &'a str) -> &'a str {
    html.text("\n");
    &text[1..]
}

fn code<'a>(html: &mut Html, text: &'a str) -> Option<&'a str> {
    let length = text.bytes().take(TICKS_MAX + 1).take_while(|it| *it == b'`').count();
    if length > TICKS_MAX {
        return None;
    }
    let (marks, inside) = text.split_at(length);
    let (mut from, mut found) = (0, None);
    for _ in 0..TRIES_MAX {
        let at = from + head(&inside[from..]).find(marks)?;
        let run = inside[at..].bytes().take(TICKS_MAX + 1).take_while(|it| *it == b'`').count();
        if run == length {
            found = Some(at);
            break;
        }
        from = at + run;
    }
    let end = found?;
    html.block("code", |html| html.text(inside[..end].trim().replace('\n', " ").as_str()));
    Some(&inside[end + length..])
}

/// `<https://…>`
fn autolink<'a>(html: &mut Html, text: &'a str) -> Option<&'a str> {
    let end = head(&text[1..]).find('>')?;
    let (address, rest) = (&text[1..=end], &text[end + 2..]);
    let is_address = address.starts_with("http://") || address.starts_with("https://");
    (is_address && !address.contains(char::is_whitespace)).then(|| {
        html.link(address, |html| html.text(address));
        rest
    })
}

/// An address that stands for itself.
fn bare_link<'a>(html: &mut Html, text: &'a str) -> Option<&'a str> {
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return None;
    }
    let end = text.find(|letter: char| letter.is_whitespace() || matches!(letter, '<' | '>' | '"' | '`' | '|')).unwrap_or(text.len());
    let address = text[..end].trim_end_matches(['.', ',', ':', ';', '!', '?', '*', '_', '~', '\'', ')']);
    html.link(address, |html| html.text(address));
    Some(&text[address.len()..])
}

/// How the words of a link are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Spans,
    /// Of an image, which is not loaded.
    Words,
}

/// `[words](address "title")`
fn link<'a>(html: &mut Html, text: &'a str, depth: usize, shown: Shown) -> Option<&'a str> {
    let mut open = 0;
    let end = head(text).char_indices().find_map(|(at, letter)| {
        match letter {
            '[' => open += 1,
            ']' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(at)
    })?;
    let (words, rest) = (&text[1..end], text[end + 1..].strip_prefix('(')?);
    let end = head(rest).find(')')?;
    let (inside, rest) = (&rest[..end], &rest[end + 1..]);
    let address = inside.split_whitespace().next().unwrap_or_default();
    let address = address.trim_start_matches('<').trim_end_matches('>');
    if depth >= DEPTH_MAX {
        return None;
    }
    html.link(address, |html| match shown {
        Shown::Spans => spans(html, words, depth + 1),
        Shown::Words => html.text(if words.is_empty() { "image" } else { words }),
    });
    Some(rest)
}

fn emphasis<'a>(html: &mut Html, text: &'a str, before: char, depth: usize) -> Option<&'a str> {
    let mark = text.chars().next()?;
    let (marks, name) = match (mark, text.bytes().take(3).take_while(|it| *it == mark as u8).count()) {
        ('~', 2) => ("~~", "del"),
        ('~', _) => return None,
        ('*', 1) => ("*", "em"),
        ('*', _) => ("**", "strong"),
        (_, 1) => ("_", "em"),
        _ => ("__", "strong"),
    };
    let inside = &text[marks.len()..];
    // Letters joined by underscores are names, not emphasis.
    if inside.starts_with(char::is_whitespace) || inside.is_empty() || (mark == '_' && before.is_alphanumeric()) {
        return None;
    }
    let (mut from, mut found) = (0, None);
    for _ in 0..TRIES_MAX {
        let mut at = from + head(&inside[from..]).find(marks)?;
        let run = inside[at..].bytes().take(8).take_while(|it| *it == mark as u8).count();
        // Of three marks the last two belong to the outer one.
        at += if marks.len() == 2 { run.saturating_sub(2) } else { 0 };
        let after = inside[at + marks.len()..].chars().next();
        let alone = marks.len() == 2 || (after != Some(mark) && !inside[..at].ends_with(mark));
        let joins = mark == '_' && after.is_some_and(char::is_alphanumeric);
        if at > 0 && alone && !joins && !inside[..at].ends_with(char::is_whitespace) {
            found = Some(at);
            break;
        }
        from = at + marks.len();
    }
    let end = found?;
    html.block(name, |html| spans(html, &inside[..end], depth + 1));
    Some(&inside[end + marks.len()..])
}
