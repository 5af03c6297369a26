//! Pipelines: declarations, commands, operands, terms.

use super::{Parsed, Parser, at};
use crate::{
    lex::{Token, TokenKind},
    literal::{Number, NumberToken},
    node::{Arg, ArgKind, Command, Pipe, Position},
    quote::{quoted, unquote},
    text::Literal,
};

impl<'t> Parser<'t, '_> {
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Parsed<Pipe> {
        let position = at(&self.peek_non_space());
        let mut pipe = Pipe {
            position,
            assigns: false,
            declared: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                TokenKind::Bool
                | TokenKind::CharConstant
                | TokenKind::Complex
                | TokenKind::Dot
                | TokenKind::Field
                | TokenKind::Identifier
                | TokenKind::Number
                | TokenKind::Nil
                | TokenKind::RawString
                | TokenKind::String
                | TokenKind::Variable
                | TokenKind::LeftParen => {
                    self.backup();
                    pipe.commands.push(self.command()?);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != TokenKind::Variable {
                return Ok(());
            }
            self.next();
            // `$x foo` is an argument and not a declaration; only the token after the space tells.
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    pipe.assigns = next.kind == TokenKind::Assign;
                    self.next_non_space();
                    self.declare(pipe, &variable);
                    return Ok(());
                }
                TokenKind::Char if next.text == "," => {
                    self.next_non_space();
                    self.declare(pipe, &variable);
                    if context == "range" && pipe.declared.len() < 2 {
                        match self.peek_non_space().kind {
                            TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen => {
                                continue;
                            }
                            _ => return self.fail("range can only initialize variables"),
                        }
                    }
                    return self.fail(format!("too many declarations in {context}"));
                }
                _ if after.kind == TokenKind::Space => self.backup3(variable, after),
                _ => self.backup2(variable),
            }
            return Ok(());
        }
    }

    fn declare(&mut self, pipe: &mut Pipe, variable: &Token<'_>) {
        let id = self.variable_id(variable.text);
        pipe.declared.push((id, variable.text.into()));
        self.scope.variables.push(id);
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let constant = matches!(
                command.args[0].kind,
                ArgKind::Bool(_)
                    | ArgKind::Dot
                    | ArgKind::Nil
                    | ArgKind::Number(_)
                    | ArgKind::String(..)
            );
            if constant {
                return self.fail(format!(
                    "non executable command in pipeline stage {}",
                    index + 1
                ));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut command = Command {
            position: at(&self.peek_non_space()),
            args: Vec::new(),
        };
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.next();
            match token.kind {
                TokenKind::Space => continue,
                TokenKind::RightDelim | TokenKind::RightParen => self.backup(),
                TokenKind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() {
            return self.fail("empty command");
        }
        Ok(command)
    }

    /// A term with the fields after it.
    fn operand(&mut self) -> Parsed<Option<Arg>> {
        let Some(mut term) = self.term()? else {
            return Ok(None);
        };
        if self.peek().kind != TokenKind::Field {
            return Ok(Some(term));
        }
        let position = at(&self.peek());
        let mut fields = match &mut term.kind {
            ArgKind::Field(first) | ArgKind::Variable(_, _, first) => std::mem::take(first).into_vec(),
            _ => Vec::new(),
        };
        while self.peek().kind == TokenKind::Field {
            fields.push(self.next().text[1..].into());
        }
        let kind = match term.kind {
            ArgKind::Field(_) => ArgKind::Field(fields.into()),
            ArgKind::Variable(id, name, _) => ArgKind::Variable(id, name, fields.into()),
            ArgKind::Bool(value) => return self.no_fields(if value { "true" } else { "false" }),
            ArgKind::String(literal, _) => return self.no_fields(&literal),
            ArgKind::Number(number) => return self.no_fields(&number.text),
            ArgKind::Nil => return self.no_fields("nil"),
            ArgKind::Dot => return self.no_fields("."),
            ArgKind::Chain(..) | ArgKind::Identifier(..) | ArgKind::Pipe(_) => {
                ArgKind::Chain(Box::new(term), fields.into())
            }
        };
        Ok(Some(Arg { position, kind }))
    }

    fn no_fields<T>(&self, term: &str) -> Parsed<T> {
        self.fail(format!(
            "unexpected . after term {}",
            quoted(term.as_bytes())
        ))
    }

    fn term(&mut self) -> Parsed<Option<Arg>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            TokenKind::Identifier => match self.functions.slot(token.text) {
                Some((slot, name)) => ArgKind::Identifier(name, slot),
                None => {
                    return self.fail(format!(
                        "function {} not defined",
                        quoted(token.text.as_bytes())
                    ));
                }
            },
            TokenKind::Dot => ArgKind::Dot,
            TokenKind::Nil => ArgKind::Nil,
            TokenKind::Variable => self.use_variable(token.text)?,
            TokenKind::Field => ArgKind::Field(Box::new([token.text[1..].into()])),
            TokenKind::Bool => ArgKind::Bool(token.text == "true"),
            TokenKind::CharConstant => self.number(&token, NumberToken::Char)?,
            TokenKind::Complex => self.number(&token, NumberToken::Complex)?,
            TokenKind::Number => self.number(&token, NumberToken::Plain)?,
            TokenKind::LeftParen => return self.parenthesized().map(Some),
            TokenKind::String | TokenKind::RawString => match literal(token.text) {
                Some(value) => ArgKind::String(token.text.into(), value),
                None => return self.fail("invalid syntax"),
            },
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(Arg {
            position: at(&token),
            kind,
        }))
    }

    fn parenthesized(&mut self) -> Parsed<Arg> {
        let pipe = self.nested("max expression depth exceeded", |parser| {
            parser.pipeline("parenthesized pipeline", TokenKind::RightParen)
        })?;
        let position: Position = pipe.position;
        Ok(Arg {
            position,
            kind: ArgKind::Pipe(Box::new(pipe)),
        })
    }

    fn use_variable(&mut self, name: &str) -> Parsed<ArgKind> {
        let known = self.variable_ids.get(name).copied();
        match known.filter(|id| self.scope.variables.contains(id)) {
            Some(id) => Ok(ArgKind::Variable(id, name.into(), Box::default())),
            None => self.fail(format!("undefined variable {}", quoted(name.as_bytes()))),
        }
    }

    fn number(&self, token: &Token<'t>, kind: NumberToken) -> Parsed<ArgKind> {
        match Number::parse(token.text, kind) {
            Ok(number) => Ok(ArgKind::Number(Box::new(number))),
            Err(message) => self.fail(message),
        }
    }
}

/// The value of a quoted text.
fn literal(quoted: &str) -> Option<Literal> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1))?;
    // Without escapes, and without what raw texts lose, it stands there as it is.
    if inner.bytes().all(|it| it >= b' ' && it != b'\\') {
        return Some(Literal::Utf8(inner.into()));
    }
    unquote(quoted).ok().map(Literal::new)
}
