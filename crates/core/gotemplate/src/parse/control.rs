//! Actions that control: `if`, `range`, `with`, `block`, `template`, `break`, `continue`, `else`, `end`.

use super::{Ending, Item, Parsed, Parser, Scope, at};
use crate::{
    lex::TokenKind,
    node::{Action, Branch, BranchKind, List, Node, TemplateCall},
};

impl BranchKind {
    fn keyword(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::Range => "range",
            Self::With => "with",
        }
    }
}

impl Parser<'_, '_> {
    /// What stands between the delimiters; the left one has been read.
    pub(super) fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        let node = match token.kind {
            TokenKind::Block => self.nested("blocks nest too deep", Self::block_control)?,
            TokenKind::Break => self.jump("{{break}}", Node::Break)?,
            TokenKind::Continue => self.jump("{{continue}}", Node::Continue)?,
            TokenKind::Else => return self.else_control(),
            TokenKind::End => {
                self.expect(TokenKind::RightDelim, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            TokenKind::If => self.branch(BranchKind::If)?,
            TokenKind::Range => self.branch(BranchKind::Range)?,
            TokenKind::With => self.branch(BranchKind::With)?,
            TokenKind::Template => self.template_control()?,
            _ => {
                self.backup();
                let position = at(&self.peek());
                Node::Action(Action {
                    position,
                    pipe: self.pipeline("command", TokenKind::RightDelim)?,
                })
            }
        };
        Ok(Item::Node(node))
    }

    fn jump(&mut self, name: &str, node: Node) -> Parsed<Node> {
        let token = self.next_non_space();
        if token.kind != TokenKind::RightDelim {
            return self.unexpected(&token, name);
        }
        if self.scope.range_depth == 0 {
            return self.fail(format!("{name} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    /// After `else`, an `if` or `with` is left to be read.
    fn else_control(&mut self) -> Parsed<Item> {
        let next = self.peek_non_space();
        if !matches!(next.kind, TokenKind::If | TokenKind::With) {
            self.expect(TokenKind::RightDelim, "else")?;
        }
        Ok(Item::Ending(Ending::Else))
    }

    fn branch(&mut self, kind: BranchKind) -> Parsed<Node> {
        self.nested("actions nest too deep", |parser| {
            parser.branch_control(kind)
        })
        .map(|branch| Node::Branch(Box::new(branch)))
    }

    fn branch_control(&mut self, kind: BranchKind) -> Parsed<Branch> {
        let declared = self.scope.variables.len();
        let pipe = self.pipeline(kind.keyword(), TokenKind::RightDelim)?;
        if kind == BranchKind::Range {
            self.scope.range_depth += 1;
        }
        let (list, ending) = self.item_list()?;
        if kind == BranchKind::Range {
            self.scope.range_depth -= 1;
        }
        let else_list = if ending == Ending::Else {
            Some(self.else_list(kind)?)
        } else {
            None
        };
        self.scope.variables.truncate(declared);
        Ok(Branch {
            kind,
            position: pipe.position,
            pipe,
            list,
            else_list,
            source: self.source.clone(),
        })
    }

    /// `else if` and `else with` are an `else` with a branch inside whose `end` closes both.
    fn else_list(&mut self, kind: BranchKind) -> Parsed<List> {
        let next = self.peek().kind;
        let chained = match kind {
            BranchKind::If => next == TokenKind::If,
            BranchKind::With => next == TokenKind::With,
            BranchKind::Range => false,
        };
        if chained {
            self.next();
            return Ok(List {
                nodes: vec![self.branch(kind)?],
            });
        }
        let (list, ending) = self.item_list()?;
        if ending == Ending::Else {
            return self.fail("expected end; found {{else}}");
        }
        Ok(list)
    }

    fn block_control(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, TokenKind::RightDelim)?;
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let action_line = std::mem::replace(&mut self.action_line, 0);
        self.finish_definition(name.clone(), CONTEXT)?;
        self.scope = outer;
        self.action_line = action_line;
        Ok(Node::Template(Box::new(TemplateCall {
            position: at(&token),
            name: name.into(),
            pipe: Some(pipe),
        })))
    }

    fn template_control(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = if self.next_non_space().kind == TokenKind::RightDelim {
            None
        } else {
            self.backup();
            Some(self.pipeline(CONTEXT, TokenKind::RightDelim)?)
        };
        Ok(Node::Template(Box::new(TemplateCall {
            position: at(&token),
            name: name.into(),
            pipe,
        })))
    }
}
