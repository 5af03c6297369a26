//! Walks the nodes of a template: text, actions, `if`, `with`, `template`.

use super::{MORE_STACK, MOST_DEPTH, Operand, RED_ZONE, Run, Runner, Variable, field::with_found};
use crate::{
    error::FunctionError,
    format::Printer,
    function::Builtin,
    gotype::Kind,
    node::{Action, ArgKind, Branch, BranchKind, List, Node, NodeRef, Pipe, TemplateCall},
    value::Value,
};

/// Where to go on after a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> Runner<'t, '_> {
    /// Runs the whole template with its own `$`.
    pub(super) fn template_body(&mut self, dot: Operand) -> Run<()> {
        let most = self.context.budget.limits().depth;
        if self.context.depth >= most {
            let message = format!("exceeded maximum template depth ({MOST_DEPTH})");
            return Err(self.limit(FunctionError {
                limit: true,
                ..FunctionError::new(message)
            }));
        }
        self.context.depth += 1;
        self.context.variables.push(Variable {
            id: 0,
            operand: dot.clone(),
        });
        let template = self.template;
        let result = stacker::maybe_grow(RED_ZONE, MORE_STACK, || {
            self.walk_list(&dot, &template.root)
        });
        self.context.variables.truncate(self.base);
        self.context.depth -= 1;
        result.map(|_| ())
    }

    pub(super) fn walk_list(&mut self, dot: &Operand, list: &'t List) -> Run<Flow> {
        for node in &list.nodes {
            match self.walk(dot, node)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn walk(&mut self, dot: &Operand, node: &'t Node) -> Run<Flow> {
        self.step()?;
        match node {
            Node::Text(start, end) => {
                let template = self.template;
                let text = &template.source.text[*start as usize..*end as usize];
                self.context
                    .budget
                    .take_output(text.len())
                    .map_err(|error| {
                        self.node = NodeRef::Text(*start, text);
                        self.limit(error)
                    })?;
                self.out.extend_from_slice(text.as_bytes());
            }
            Node::Action(action) => {
                self.node = NodeRef::Action(action);
                if action.pipe.declared.is_empty() {
                    self.print_pipeline(dot, action)?;
                } else {
                    self.eval_pipeline(dot, &action.pipe)?;
                }
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Branch(branch) => {
                return stacker::maybe_grow(RED_ZONE, MORE_STACK, || self.branch(dot, branch));
            }
            Node::Template(call) => self.call_template(dot, call)?,
        }
        Ok(Flow::Next)
    }

    fn branch(&mut self, dot: &Operand, branch: &'t Branch) -> Run<Flow> {
        self.node = NodeRef::Branch(branch);
        let mark = self.context.variables.len();
        let flow = match branch.kind {
            BranchKind::Range => self.range(dot, branch),
            BranchKind::If | BranchKind::With => self.if_or_with(dot, branch),
        };
        self.context.variables.truncate(mark);
        flow
    }

    fn if_or_with(&mut self, dot: &Operand, branch: &'t Branch) -> Run<Flow> {
        let operand = self.eval_pipeline(dot, &branch.pipe)?;
        if operand.value.is_true() {
            let dot = if branch.kind == BranchKind::With {
                &operand
            } else {
                dot
            };
            return self.walk_list(dot, &branch.list);
        }
        match &branch.else_list {
            Some(list) => self.walk_list(dot, list),
            None => Ok(Flow::Next),
        }
    }

    fn call_template(&mut self, dot: &Operand, call: &'t TemplateCall) -> Run<()> {
        self.node = NodeRef::Template(call);
        let set = self.set;
        let Some(template) = set.get(&call.name) else {
            return Err(self.error(format!(
                "template {} not defined",
                crate::quoted(call.name.as_bytes())
            )));
        };
        if self.depth >= MOST_DEPTH || self.context.depth >= self.context.budget.limits().depth {
            return Err(self.error(format!("exceeded maximum template depth ({MOST_DEPTH})")));
        }
        let dot = match &call.pipe {
            Some(pipe) => self.eval_pipeline(dot, pipe)?,
            None => Operand::INVALID,
        };
        let base = self.context.variables.len();
        let mut inner = Runner {
            context: &mut *self.context,
            out: &mut *self.out,
            set,
            functions: self.functions,
            template,
            node: NodeRef::Template(call),
            base,
            depth: self.depth + 1,
        };
        inner.template_body(dot)
    }

    /// Runs an action and writes what it gives; what it only looks up is not even cloned.
    fn print_pipeline(&mut self, dot: &Operand, action: &'t Action) -> Run<()> {
        if let [command] = &action.pipe.commands[..]
            && let [arg] = &command.args[..]
        {
            let found = match &arg.kind {
                ArgKind::Field(names) => {
                    with_found(&dot.value, names, |value| write_plain(self.out, value))
                }
                ArgKind::Variable(id, _, names) => {
                    let variables = &self.context.variables[self.base..];
                    let variable = variables.iter().rev().find(|variable| variable.id == *id);
                    variable.and_then(|variable| {
                        with_found(&variable.operand.value, names, |value| {
                            write_plain(self.out, value)
                        })
                    })
                }
                _ => None,
            };
            if let Some(Some(written)) = found {
                return self.take_output(written);
            }
        }
        if let Some((last, rest)) = action.pipe.commands.split_last()
            && let ArgKind::Identifier(name, slot) = &last.args[0].kind
            && let Some(function) = self.functions.at(*slot, name)
            && function.builtin == Some(Builtin::Printf)
        {
            let piped = self.eval_commands(dot, &action.pipe, rest)?;
            return self.printf(dot, function, last, piped);
        }
        let operand = self.eval_pipeline(dot, &action.pipe)?;
        if let Value::Object(object) = &operand.value
            && let Some(text) = object.pointer_display()
            && !ends_in_call(&action.pipe)
        {
            self.out.extend_from_slice(text.as_bytes());
            return self.take_output(text.len());
        }
        self.print(action, &operand.value)
    }

    fn take_output(&mut self, bytes: usize) -> Run<()> {
        self.context
            .budget
            .take_output(bytes)
            .map_err(|error| self.limit(error))
    }

    /// Writes what an action gave.
    fn print(&mut self, action: &'t Action, value: &Value) -> Run<()> {
        self.node = NodeRef::Action(action);
        if let Some(written) = write_plain(self.out, value) {
            return self.take_output(written);
        }
        let before = self.out.len();
        match value {
            _ if value.kind() == Kind::Func => {
                let node = NodeRef::Action(action).print();
                return Err(self.error(format!("can't print {node} of type {}", value.type_name())));
            }
            _ => {
                let left = usize::try_from(self.context.budget.output_bytes).unwrap_or(usize::MAX);
                let mut printer = Printer::new(self.out, left);
                printer.print_value(value);
                printer.finish().map_err(|error| self.limit(error))?;
            }
        }
        let written = self.out.len() - before;
        self.take_output(written)
    }
}

/// Whether what a pipeline gives is the answer of a function.
fn ends_in_call(pipe: &Pipe) -> bool {
    let last = pipe.commands.last().and_then(|it| it.args.first());
    match last.map(|it| &it.kind) {
        Some(ArgKind::Identifier(..)) => true,
        Some(ArgKind::Pipe(inner)) => ends_in_call(inner),
        _ => false,
    }
}

/// Writes a string or the lack of a value, and says how much; leaves all other kinds to the printer.
fn write_plain(out: &mut Vec<u8>, value: &Value) -> Option<usize> {
    let bytes = match value {
        Value::String(text) => text.as_bytes(),
        Value::Nil => b"<no value>",
        _ => return None,
    };
    out.extend_from_slice(bytes);
    Some(bytes.len())
}
