//! Markdown that strangers wrote, as HTML that can do nothing.
//!
//! Every letter is escaped; tags are written by [`Html`] alone, from a list of names without
//! attributes but the address of a link. Tags in the text that are on the list are written anew
//! (summaries of GitHub's toolkit hold tables and headings as HTML), all others show as text.

mod html;
mod inline;

use html::Html;

use super::text::plain;

/// Quotes and lists inside one another go no deeper; the rest is text.
const DEPTH_MAX: usize = 8;

/// Renders a text; whatever is in it, the result is well formed.
pub fn render(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| expand(&plain(line))).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut html = Html::default();
    blocks(&mut html, &lines, 0);
    html.finish()
}

/// Tabs count as four columns where indents matter.
fn expand(line: &str) -> String {
    line.replace('\t', "    ")
}

fn blocks(html: &mut Html, lines: &[&str], depth: usize) {
    let mut rest = lines;
    while let Some((line, after)) = rest.split_first() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if trimmed.is_empty() {
            rest = after;
        } else if indent >= 4 {
            rest = indented_code(html, rest);
        } else if let Some(fence) = fence(trimmed) {
            rest = fenced_code(html, after, fence, indent);
        } else if let Some((level, title)) = heading(trimmed) {
            html.block(&format!("h{level}"), |html| inline::render(html, title));
            rest = after;
        } else if is_rule(trimmed) {
            html.void("hr");
            rest = after;
        } else if trimmed.starts_with('>') && depth < DEPTH_MAX {
            rest = quote(html, rest, depth);
        } else if marker(line).is_some() && depth < DEPTH_MAX {
            rest = list(html, rest, depth);
        } else if html::begins_block(trimmed) {
            rest = raw_block(html, rest);
        } else if let Some(next) = table(html, rest) {
            rest = next;
        } else {
            rest = paragraph(html, rest, depth);
        }
    }
}

fn fence(line: &str) -> Option<(char, usize)> {
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = line.chars().take_while(|it| *it == mark).count();
    (length >= 3 && !(mark == '`' && line[length..].contains('`'))).then_some((mark, length))
}

fn fenced_code<'a, 'b>(html: &mut Html, rest: &'b [&'a str], (mark, length): (char, usize), indent: usize) -> &'b [&'a str] {
    let closes = |line: &&str| {
        let line = line.trim();
        line.chars().all(|it| it == mark) && line.len() >= length
    };
    let end = rest.iter().position(closes).unwrap_or(rest.len());
    let code: Vec<_> = rest[..end].iter().map(|line| line.get(..indent).filter(|it| it.trim().is_empty()).map_or(*line, |it| &line[it.len()..])).collect();
    html.code_block(&code.join("\n"));
    rest.get(end + 1..).unwrap_or_default()
}

fn indented_code<'a, 'b>(html: &mut Html, rest: &'b [&'a str]) -> &'b [&'a str] {
    let end = rest.iter().position(|line| !line.starts_with("    ") && !line.trim().is_empty()).unwrap_or(rest.len());
    let code: Vec<_> = rest[..end].iter().map(|line| line.get(4..).unwrap_or_default()).collect();
    html.code_block(code.join("\n").trim_end());
    &rest[end..]
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|it| *it == b'#').count();
    let title = &line[level..];
    let fits = (1..=6).contains(&level) && (title.is_empty() || title.starts_with(' '));
    fits.then(|| (level, title.trim().trim_end_matches('#').trim_end()))
}

fn is_rule(line: &str) -> bool {
    let marks: String = line.chars().filter(|it| *it != ' ').collect();
    marks.len() >= 3 && ["-", "*", "_"].iter().any(|mark| marks.replace(mark, "").is_empty())
}

fn quote<'a, 'b>(html: &mut Html, rest: &'b [&'a str], depth: usize) -> &'b [&'a str] {
    let end = rest.iter().position(|line| !line.trim_start().starts_with('>')).unwrap_or(rest.len());
    let inner: Vec<_> = rest[..end]
        .iter()
        .map(|line| {
            let line = line.trim_start().strip_prefix('>').unwrap_or_default();
            line.strip_prefix(' ').unwrap_or(line)
        })
        .collect();
    html.block("blockquote", |html| blocks(html, &inner, depth + 1));
    &rest[end..]
}

/// The mark of a list item: how far its text is indented, and the number if it has one.
fn marker(line: &str) -> Option<(usize, Option<&str>)> {
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let length = match trimmed.as_bytes().first()? {
        b'-' | b'*' | b'+' => 1,
        _ if (1..=9).contains(&digits) && matches!(trimmed.as_bytes().get(digits), Some(b'.' | b')')) => digits + 1,
        _ => return None,
    };
    let after = &trimmed[length..];
    if !after.is_empty() && !after.starts_with(' ') {
        return None;
    }
    let number = (digits > 0).then(|| &trimmed[..digits]);
    Some((indent + length + 1, number))
}

fn list<'a, 'b>(html: &mut Html, mut rest: &'b [&'a str], depth: usize) -> &'b [&'a str] {
    let Some((_, first)) = rest.first().and_then(|line| marker(line)) else { return rest };
    let kind = if first.is_some() { "ol" } else { "ul" };
    let outer = rest[0].len() - rest[0].trim_start().len();
    html.block(kind, |html| {
        while let Some((line, after)) = rest.split_first() {
            let Some((width, number)) = marker(line) else { break };
            let indent = line.len() - line.trim_start().len();
            if number.is_some() != first.is_some() || indent + 1 < outer || indent > outer + 3 {
                break;
            }
            // What is indented as far as the text, and the lines that go on lazily.
            let (mut end, mut blank) = (0, false);
            for line in after {
                let is_blank = line.trim().is_empty();
                let is_indented = line.len() - line.trim_start().len() >= outer + 2;
                if !is_blank && !is_indented && (blank || interrupts(line)) {
                    break;
                }
                blank |= is_blank;
                end += 1;
            }
            while end > 0 && after[end - 1].trim().is_empty() {
                end -= 1;
            }
            let mut inner = vec![line.get(width..).unwrap_or_default()];
            inner.extend(after[..end].iter().map(|line| strip(line, width)));
            html.block("li", |html| item(html, inner, depth));
            rest = &after[end..];
            let blank = rest.iter().take_while(|line| line.trim().is_empty()).count();
            if rest.get(blank).is_some_and(|line| marker(line).is_some()) {
                rest = &rest[blank..];
            }
        }
    });
    rest
}

fn strip(line: &str, width: usize) -> &str {
    let indent = line.len() - line.trim_start().len();
    &line[indent.min(width)..]
}

/// One line stands without a paragraph around it, as in lists that are meant to be dense.
fn item(html: &mut Html, mut lines: Vec<&str>, depth: usize) {
    let first = lines.first().copied().unwrap_or_default();
    let (done, rest) = match first.get(..4) {
        Some("[ ] ") => (Some("☐ "), &first[4..]),
        Some("[x] " | "[X] ") => (Some("☑ "), &first[4..]),
        _ => (None, first),
    };
    html.text(done.unwrap_or_default());
    if fence(rest.trim_start()).is_some() || marker(rest).is_some() || heading(rest.trim_start()).is_some() {
        return blocks(html, &lines, depth + 1);
    }
    let end = lines.iter().skip(1).position(|line| line.trim().is_empty() || interrupts(line)).map_or(lines.len(), |at| at + 1);
    let text: Vec<_> = std::iter::once(rest).chain(lines[1.min(end)..end].iter().copied()).collect();
    inline::render(html, text.join("\n").trim());
    lines.drain(..end);
    blocks(html, &lines, depth + 1);
}

/// Whether a line ends the paragraph before it.
fn interrupts(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.is_empty()
        || fence(trimmed).is_some()
        || heading(trimmed).is_some()
        || is_rule(trimmed)
        || trimmed.starts_with('>')
        || marker(line).is_some()
        || html::begins_block(trimmed)
}

fn paragraph<'a, 'b>(html: &mut Html, rest: &'b [&'a str], depth: usize) -> &'b [&'a str] {
    let ends = |line: &&str| underline(line).is_some() || interrupts(line) && (depth < DEPTH_MAX || line.trim().is_empty());
    let end = rest.iter().skip(1).position(ends).map_or(rest.len(), |at| at + 1);
    let lines: Vec<_> = rest[..end].iter().map(|line| line.trim_start()).collect();
    let level = rest.get(end).and_then(|line| underline(line));
    html.block(level.unwrap_or("p"), |html| inline::render(html, lines.join("\n").trim_end()));
    &rest[end + usize::from(level.is_some())..]
}

/// Makes a heading of the lines before it.
fn underline(line: &str) -> Option<&'static str> {
    let line = line.trim_end();
    let of = |mark: &str| line.len() >= 2 && line.replace(mark, "").is_empty();
    if of("=") { Some("h1") } else { of("-").then_some("h2") }
}

/// Lines of HTML up to the next empty one; Markdown means nothing in them.
fn raw_block<'a, 'b>(html: &mut Html, rest: &'b [&'a str]) -> &'b [&'a str] {
    let end = rest.iter().position(|line| line.trim().is_empty()).unwrap_or(rest.len());
    html::raw(html, &rest[..end].join("\n"));
    &rest[end..]
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let line = line.strip_suffix('|').filter(|it| !it.ends_with('\\')).unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for letter in line.chars() {
        match letter {
            '|' if !escaped => cells.push(String::new()),
            letter => cells.iter_mut().next_back().into_iter().for_each(|cell| cell.push(letter)),
        }
        escaped = letter == '\\' && !escaped;
    }
    cells.iter().map(|cell| cell.trim().replace("\\|", "|")).collect()
}

/// `None` if the lines begin no table.
fn table<'a, 'b>(html: &mut Html, rest: &'b [&'a str]) -> Option<&'b [&'a str]> {
    let (head, rule) = (rest.first()?, rest.get(1)?);
    let is_rule = |cell: &String| cell.contains('-') && cell.chars().all(|it| matches!(it, '-' | ':'));
    if !head.contains('|') || !rule.contains('-') || !cells(rule).iter().all(is_rule) || cells(head).len() != cells(rule).len() {
        return None;
    }
    let width = cells(head).len();
    let end = rest.iter().skip(2).position(|line| line.trim().is_empty()).map_or(rest.len(), |at| at + 2);
    let row = |html: &mut Html, line: &str, tag: &str| {
        html.block("tr", |html| {
            for cell in cells(line).into_iter().chain(std::iter::repeat(String::new())).take(width) {
                html.block(tag, |html| inline::render(html, &cell));
            }
        });
    };
    html.block("table", |html| {
        html.block("thead", |html| row(html, head, "th"));
        html.block("tbody", |html| rest[2..end].iter().for_each(|line| row(html, line, "td")));
    });
    Some(&rest[end..])
}

#[cfg(test)]
mod tests;
