//! Reads shell scripts just well enough to see which commands they name.
//!
//! Whatever is not plain (substitutions, arithmetic, unknown variables) makes a
//! word dynamic; checks then stay silent rather than guess.

use std::ops::Range;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// `$NAME`, `${NAME}` or `${{ env.NAME }}`.
    Variable(String),
    /// Known only when it runs.
    Dynamic,
}

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub pieces: Vec<Piece>,
    /// In bytes of the script.
    pub range: Range<usize>,
}

/// A simple command: its words, and where its output is redirected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    pub words: Vec<Word>,
    pub redirects: Vec<Word>,
}

/// The simple commands of a script, in its order.
pub(crate) fn commands(script: &str) -> Vec<Command> {
    let mut reader = Reader { script, at: 0, done: Vec::new(), current: Command::default(), heredocs: Vec::new(), redirect: false };
    reader.read();
    reader.done
}

struct Reader<'a> {
    script: &'a str,
    at: usize,
    done: Vec<Command>,
    current: Command,
    /// The ends of here-documents that begin at the next line.
    heredocs: Vec<String>,
    /// The next word is where a redirection leads.
    redirect: bool,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.script.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn read(&mut self) {
        while let Some(here) = self.peek() {
            match here {
                '\n' => {
                    self.at += 1;
                    self.end_command();
                    self.skip_heredocs();
                }
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                ' ' | '\t' | '\r' => self.at += 1,
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                ';' | '&' | '|' | '(' | ')' => {
                    self.at += 1;
                    self.end_command();
                }
                '<' if self.rest().starts_with("<<") && !self.rest().starts_with("<<<") => self.heredoc(),
                '>' | '<' => self.redirection(here),
                _ => self.word(),
            }
        }
        self.end_command();
    }

    fn end_command(&mut self) {
        let command = std::mem::take(&mut self.current);
        self.redirect = false;
        if !command.words.is_empty() || !command.redirects.is_empty() {
            self.done.push(command);
        }
    }

    fn redirection(&mut self, first: char) {
        let target = self.rest().trim_start_matches(['>', '<', '&', '|']);
        let operator = self.rest().len() - target.len();
        let is_stream = self.rest().get(..operator).is_some_and(|it| it.ends_with('&'));
        // `2>&1` leads to a stream and not to a file.
        let stream = if is_stream { target.len() - target.trim_start_matches(|it: char| it.is_ascii_digit() || it == '-').len() } else { 0 };
        self.at += operator + stream;
        self.redirect = first == '>' && stream == 0;
    }

    fn heredoc(&mut self) {
        self.at += 2;
        let text = self.rest().trim_start_matches('-').trim_start_matches([' ', '\t']);
        let skipped = self.rest().len() - text.len();
        let end = text.find(|it: char| it.is_whitespace() || ";&|<>()".contains(it)).unwrap_or(text.len());
        let mark = text.get(..end).unwrap_or_default().trim_matches(['\'', '"', '\\']).to_owned();
        self.at += skipped + end;
        self.heredocs.push(mark);
    }

    fn skip_heredocs(&mut self) {
        for mark in std::mem::take(&mut self.heredocs) {
            while self.at < self.script.len() {
                let line = self.rest().lines().next().unwrap_or_default();
                let is_end = line.trim() == mark;
                self.at = (self.at + line.len() + 1).min(self.script.len());
                if is_end {
                    break;
                }
            }
        }
    }

    fn word(&mut self) {
        let start = self.at;
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut quoted = false;
        while let Some(here) = self.peek() {
            match here {
                '"' => {
                    quoted = !quoted;
                    self.at += 1;
                }
                '\'' if !quoted => {
                    let inner = self.rest().get(1..).unwrap_or_default();
                    let end = inner.find('\'').unwrap_or(inner.len());
                    text.push_str(&inner[..end]);
                    self.at = (self.at + end + 2).min(self.script.len());
                }
                '\\' => {
                    self.at += 1;
                    let Some(escaped) = self.peek() else { break };
                    self.at += escaped.len_utf8();
                    if escaped != '\n' {
                        text.push(escaped);
                    }
                }
                '$' | '`' => {
                    let piece = self.substitution();
                    match piece {
                        Piece::Text(dollar) => text.push_str(&dollar),
                        piece => {
                            if !text.is_empty() {
                                pieces.push(Piece::Text(std::mem::take(&mut text)));
                            }
                            pieces.push(piece);
                        }
                    }
                }
                '*' | '?' if !quoted => {
                    pieces.push(Piece::Dynamic);
                    self.at += 1;
                }
                _ if !quoted && (here.is_ascii_whitespace() || ";&|()<>".contains(here)) => break,
                _ => {
                    text.push(here);
                    self.at += here.len_utf8();
                }
            }
        }
        if !text.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(text));
        }
        // `2>` names a stream, not a word.
        if self.peek().is_some_and(|it| it == '>' || it == '<')
            && self.script.get(start..self.at).is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()))
        {
            return;
        }
        let word = Word { pieces, range: start..self.at };
        if std::mem::take(&mut self.redirect) {
            self.current.redirects.push(word);
        } else {
            self.current.words.push(word);
        }
    }

    /// At `$` or a backtick.
    fn substitution(&mut self) -> Piece {
        let rest = self.rest();
        if rest.starts_with("${{") {
            let length = rest.find("}}").map_or(rest.len(), |at| at + 2);
            let inner = rest.get(3..length).unwrap_or_default().trim_end_matches('}').trim();
            let name = inner.strip_prefix("env.").map(str::to_owned);
            self.at += length;
            return name.filter(|it| is_name(it)).map_or(Piece::Dynamic, Piece::Variable);
        }
        if let Some(inner) = rest.strip_prefix("${") {
            let length = inner.find('}').unwrap_or(inner.len());
            let name = inner.get(..length).unwrap_or_default().to_owned();
            self.at = (self.at + length + 3).min(self.script.len());
            return if is_name(&name) { Piece::Variable(name) } else { Piece::Dynamic };
        }
        if rest.starts_with("$(") {
            self.at += balanced(rest);
            return Piece::Dynamic;
        }
        if let Some(inner) = rest.strip_prefix('`') {
            let length = inner.find('`').map_or(inner.len(), |at| at + 1);
            self.at += 1 + length;
            return Piece::Dynamic;
        }
        let inner = rest.get(1..).unwrap_or_default();
        let length = inner.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(inner.len());
        let name = inner.get(..length).unwrap_or_default().to_owned();
        if is_name(&name) {
            self.at += 1 + length;
            return Piece::Variable(name);
        }
        self.at += 1;
        match self.peek() {
            Some(special) if "?!#@*-$0123456789".contains(special) => {
                self.at += 1;
                Piece::Dynamic
            }
            _ => Piece::Text("$".to_owned()),
        }
    }
}

fn is_name(text: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    text.bytes().next().is_some_and(|it| plain(it) && !it.is_ascii_digit()) && text.bytes().all(plain)
}

/// The length of a `$(…)` with the parentheses inside it.
fn balanced(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, here) in text.char_indices() {
        match here {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        check("docker build -t a . && docker push a", "docker build -t a . | docker push a");
        check("docker build \\\n  -t 'a b' \"c\"\n# no\necho x # no", "docker build -t a_b c | echo x");
        check("A=1 make; (cd x && ls) | tee y", "A=1 make | cd x | ls | tee y");
        check("cat <<EOF > out\ndocker push x\nEOF\nls 2>&1 >log", "cat >out | ls >log");
    }

    #[test]
    fn what_is_known_later_is_dynamic() {
        check("docker push $IMAGE:${TAG}", "docker push {IMAGE}:{TAG}");
        check("docker push a:${{ github.sha }} ${{ env.X }}", "docker push a:? {X}");
        check("docker push $(cat name) `x y` ${A:-b} k8s/*.yaml", "docker push ? ? ? ?k8s/.yaml");
        check("echo '$A' \"$\"", "echo $A $");
    }

    #[track_caller]
    fn check(script: &str, expected: &str) {
        let piece = |it: &Piece| match it {
            Piece::Text(text) => text.replace(' ', "_"),
            Piece::Variable(name) => format!("{{{name}}}"),
            Piece::Dynamic => "?".to_owned(),
        };
        let word = |it: &Word| it.pieces.iter().map(piece).collect::<String>();
        let show = |it: &Command| {
            let redirects = it.redirects.iter().map(|it| format!(">{}", word(it)));
            it.words.iter().map(word).chain(redirects).collect::<Vec<_>>().join(" ")
        };
        let found: Vec<_> = commands(script).iter().map(show).collect();
        assert_eq!(found.join(" | "), expected);
    }
}
