//! Makes templates of a text, and refuses what Go's parser refuses, with its words.

mod control;
mod pipeline;

use std::{collections::HashMap, sync::Arc};

use crate::{
    error::ParseError,
    function::Functions,
    lex::{Keywords, Lexer, Token, TokenKind},
    node::{List, Node, Source, VariableId},
    quote::{quoted, unquote},
    set::Template,
};

/// Deeper nesting of actions or parentheses is refused. Go's own limit for parentheses is 10,000.
const MOST_NESTED: usize = 1000;

/// What ends a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

/// A node of a list, or what ends the list.
enum Item {
    Node(Node),
    Ending(Ending),
}

/// What belongs to one template of the text: a definition has its own.
struct Scope {
    /// The variables that are declared, as a stack.
    variables: Vec<VariableId>,
    range_depth: usize,
}

impl Scope {
    fn new() -> Self {
        Self {
            variables: vec![0],
            range_depth: 0,
        }
    }
}

struct Parser<'t, 'f> {
    source: Arc<Source>,
    functions: &'f Functions,
    lexer: Lexer<'t>,
    /// Up to three tokens of look-ahead; the last one comes next.
    tokens: [Token<'t>; 3],
    peeked: usize,
    scope: Scope,
    depth: usize,
    /// The line of the action that is being read; 0 outside.
    action_line: usize,
    variable_ids: HashMap<Box<str>, VariableId>,
    templates: Vec<Template>,
}

type Parsed<T> = Result<T, ParseError>;

/// Parses `text`; gives the template itself and all it defines, one per name.
pub(crate) fn parse(name: &str, text: &str, functions: &Functions) -> Parsed<Vec<Template>> {
    let file: Arc<str> = name.into();
    let source = Arc::new(Source {
        file: file.clone(),
        text: text.into(),
    });
    if u32::try_from(text.len()).is_err() {
        return Err(ParseError {
            file: name.to_owned(),
            line: 1,
            message: "the template is larger than 4 GiB".to_owned(),
        });
    }
    let keywords = Keywords {
        break_: !functions.contains("break"),
        continue_: !functions.contains("continue"),
    };
    let mut parser = Parser {
        source,
        functions,
        lexer: Lexer::new(text, keywords),
        tokens: [Token::NONE; 3],
        peeked: 0,
        scope: Scope::new(),
        depth: 0,
        action_line: 0,
        variable_ids: HashMap::from([("$".into(), 0)]),
        templates: Vec::new(),
    };
    let root = parser.top_level()?;
    parser.define(file, root)?;
    Ok(parser.templates)
}

impl<'t> Parser<'t, '_> {
    fn next(&mut self) -> Token<'t> {
        if self.peeked > 0 {
            self.peeked -= 1;
        } else {
            self.tokens[0] = self.lexer.next_token();
        }
        self.tokens[self.peeked]
    }

    fn backup(&mut self) {
        self.peeked += 1;
    }

    /// Puts a token back before the one that was read last and put back already.
    fn backup2(&mut self, token: Token<'t>) {
        self.tokens[1] = token;
        self.peeked = 2;
    }

    fn backup3(&mut self, first: Token<'t>, second: Token<'t>) {
        self.tokens[1] = second;
        self.tokens[2] = first;
        self.peeked = 3;
    }

    fn peek(&mut self) -> Token<'t> {
        if self.peeked == 0 {
            self.peeked = 1;
            self.tokens[0] = self.lexer.next_token();
        }
        self.tokens[self.peeked - 1]
    }

    fn next_non_space(&mut self) -> Token<'t> {
        loop {
            let token = self.next();
            if token.kind != TokenKind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token<'t> {
        let token = self.next_non_space();
        self.backup();
        token
    }

    /// An error at the line of the token that the lexer gave last.
    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(ParseError {
            file: self.source.file.to_string(),
            line: self.tokens[0].line,
            message: message.into(),
        })
    }

    fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> Parsed<T> {
        if token.kind != TokenKind::Error {
            return self.fail(format!("unexpected {} in {context}", token.shown()));
        }
        let mut message = self.lexer.error().to_owned();
        if self.action_line != 0 && self.action_line != token.line {
            let extra = format!(
                " in action started at {}:{}",
                self.source.file, self.action_line
            );
            // Not `unclosed action in action`.
            message += if message.ends_with(" action") {
                &extra[" in action".len()..]
            } else {
                &extra
            };
        }
        self.fail(message)
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<Token<'t>> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }

    /// Remembers a template; of one name only one may have a body.
    fn define(&mut self, name: Arc<str>, root: List) -> Parsed<()> {
        let template = Template::new(name, root, self.source.clone());
        let known = self
            .templates
            .iter()
            .position(|known| known.name() == template.name());
        match known {
            None => self.templates.push(template),
            Some(index) if self.templates[index].is_empty() => self.templates[index] = template,
            Some(_) if template.is_empty() => {}
            Some(_) => {
                let name = quoted(template.name().as_bytes());
                return self.fail(format!("template: multiple definition of template {name}"));
            }
        }
        Ok(())
    }

    fn top_level(&mut self) -> Parsed<List> {
        let mut list = List::default();
        while self.peek().kind != TokenKind::Eof {
            if self.peek().kind == TokenKind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == TokenKind::Define {
                    self.definition()?;
                    continue;
                }
                self.backup2(delim);
            }
            match self.text_or_action()? {
                Item::Node(node) => list.nodes.push(node),
                Item::Ending(Ending::End) => return self.fail("unexpected {{end}}"),
                Item::Ending(Ending::Else) => return self.fail("unexpected {{else}}"),
            }
        }
        Ok(list)
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let action_line = std::mem::replace(&mut self.action_line, 0);
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(TokenKind::RightDelim, CONTEXT)?;
        self.finish_definition(name, CONTEXT)?;
        self.scope = outer;
        self.action_line = action_line;
        Ok(())
    }

    /// Reads a body up to its end, and defines it. The scope must be the body's own.
    fn finish_definition(&mut self, name: String, context: &str) -> Parsed<()> {
        let (list, ending) = self.item_list()?;
        if ending == Ending::Else {
            return self.fail(format!("unexpected {{{{else}}}} in {context}"));
        }
        self.define(name.into(), list)
    }

    /// Reads nodes up to an `end` or `else`.
    fn item_list(&mut self) -> Parsed<(List, Ending)> {
        let mut list = List::default();
        while self.peek_non_space().kind != TokenKind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => list.nodes.push(node),
                Item::Ending(ending) => return Ok((list, ending)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            TokenKind::Text => {
                let start = at(&token);
                Ok(Item::Node(Node::Text(
                    start,
                    start + u32::try_from(token.text.len()).expect("checked"),
                )))
            }
            TokenKind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action();
                if item.is_ok() {
                    self.action_line = 0;
                }
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    /// The name in a `define`, `block` or `template`.
    fn template_name(&self, token: &Token<'_>, context: &str) -> Parsed<String> {
        match token.kind {
            TokenKind::String | TokenKind::RawString => match unquote(token.text) {
                Ok(name) => Ok(crate::text::lossy(&name)),
                Err(_) => self.fail("invalid syntax"),
            },
            _ => self.unexpected(token, context),
        }
    }

    fn variable_id(&mut self, name: &str) -> VariableId {
        if let Some(id) = self.variable_ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.variable_ids.len()).expect("fewer variables than bytes");
        self.variable_ids.insert(name.into(), id);
        id
    }

    /// Runs a part of the parser one level deeper, on more stack if need be.
    fn nested<T>(
        &mut self,
        limit_message: &str,
        part: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        if self.depth >= MOST_NESTED {
            return self.fail(limit_message);
        }
        self.depth += 1;
        let result = stacker::maybe_grow(128 << 10, 2 << 20, || part(self));
        self.depth -= 1;
        result
    }
}

fn at(token: &Token<'_>) -> u32 {
    u32::try_from(token.position).expect("checked when the parser was made")
}
