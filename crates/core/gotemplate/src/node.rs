//! Parsed templates: the nodes, and how Go prints them in errors.
//!
//! Nodes hold nothing that is bound to a thread, so templates can be shared.

use std::sync::Arc;

use crate::{literal::Number, text::Literal};

/// A byte position in the text.
pub(crate) type Position = u32;

/// What was parsed: shared by a template and all that its text defines.
#[derive(Debug)]
pub(crate) struct Source {
    /// The name under which it was parsed; errors name it.
    pub(crate) file: Arc<str>,
    pub(crate) text: Box<str>,
}

#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug)]
pub(crate) enum Node {
    /// A range of the source's text.
    Text(Position, Position),
    Action(Action),
    Break,
    Continue,
    Branch(Box<Branch>),
    Template(Box<TemplateCall>),
}

#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) position: Position,
    pub(crate) pipe: Pipe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BranchKind {
    If,
    Range,
    With,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) kind: BranchKind,
    pub(crate) position: Position,
    pub(crate) pipe: Pipe,
    pub(crate) list: List,
    pub(crate) else_list: Option<List>,
    pub(crate) source: Arc<Source>,
}

#[derive(Debug)]
pub(crate) struct TemplateCall {
    pub(crate) position: Position,
    pub(crate) name: Box<str>,
    pub(crate) pipe: Option<Pipe>,
}

/// A variable by its number in the source; `$` is 0.
pub(crate) type VariableId = u32;

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) position: Position,
    pub(crate) assigns: bool,
    pub(crate) declared: Vec<(VariableId, Box<str>)>,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) position: Position,
    pub(crate) args: Vec<Arg>,
}

#[derive(Debug)]
pub(crate) struct Arg {
    pub(crate) position: Position,
    pub(crate) kind: ArgKind,
}

#[derive(Debug)]
pub(crate) enum ArgKind {
    Bool(bool),
    Dot,
    Nil,
    Number(Box<Number>),
    /// The literal as written, and its value.
    String(Box<str>, Literal),
    Field(Box<[Box<str>]>),
    /// The variable, its name, the fields after it.
    Variable(VariableId, Box<str>, Box<[Box<str>]>),
    Chain(Box<Arg>, Box<[Box<str>]>),
    /// A function: its name, its place in the registry of the parse.
    Identifier(Arc<str>, u32),
    Pipe(Box<Pipe>),
}

/// The node an error is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NodeRef<'t> {
    Text(Position, &'t str),
    Action(&'t Action),
    Branch(&'t Branch),
    Template(&'t TemplateCall),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Arg(&'t Arg),
}

impl NodeRef<'_> {
    pub(crate) fn position(self) -> usize {
        let position = match self {
            Self::Text(position, _) => position,
            Self::Action(action) => action.position,
            Self::Branch(branch) => branch.position,
            Self::Template(call) => call.position,
            Self::Pipe(pipe) => pipe.position,
            Self::Command(command) => command.position,
            Self::Arg(arg) => arg.position,
        };
        position as usize
    }

    /// The node as Go prints it.
    pub(crate) fn print(self) -> String {
        let mut out = String::new();
        match self {
            Self::Text(_, text) => out.push_str(text),
            Self::Action(action) => print_action(action, &mut out),
            Self::Branch(branch) => print_branch(branch, &mut out),
            Self::Template(call) => print_call(call, &mut out),
            Self::Pipe(pipe) => print_pipe(pipe, &mut out),
            Self::Command(command) => print_command(command, &mut out),
            Self::Arg(arg) => print_arg(arg, &mut out),
        }
        out
    }
}

fn print_action(action: &Action, out: &mut String) {
    out.push_str("{{");
    print_pipe(&action.pipe, out);
    out.push_str("}}");
}

fn print_list(list: &List, source: &Source, out: &mut String) {
    for node in &list.nodes {
        match node {
            Node::Text(start, end) => out.push_str(&source.text[*start as usize..*end as usize]),
            Node::Action(action) => print_action(action, out),
            Node::Break => out.push_str("{{break}}"),
            Node::Continue => out.push_str("{{continue}}"),
            Node::Branch(branch) => print_branch(branch, out),
            Node::Template(call) => print_call(call, out),
        }
    }
}

fn print_branch(branch: &Branch, out: &mut String) {
    out.push_str(match branch.kind {
        BranchKind::If => "{{if ",
        BranchKind::Range => "{{range ",
        BranchKind::With => "{{with ",
    });
    print_pipe(&branch.pipe, out);
    out.push_str("}}");
    print_list(&branch.list, &branch.source, out);
    if let Some(list) = &branch.else_list {
        out.push_str("{{else}}");
        print_list(list, &branch.source, out);
    }
    out.push_str("{{end}}");
}

fn print_call(call: &TemplateCall, out: &mut String) {
    out.push_str("{{template ");
    out.push_str(&crate::quote::quoted(call.name.as_bytes()));
    if let Some(pipe) = &call.pipe {
        out.push(' ');
        print_pipe(pipe, out);
    }
    out.push_str("}}");
}

fn print_pipe(pipe: &Pipe, out: &mut String) {
    for (index, (_, name)) in pipe.declared.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
    }
    if !pipe.declared.is_empty() {
        out.push_str(if pipe.assigns { " = " } else { " := " });
    }
    for (index, command) in pipe.commands.iter().enumerate() {
        if index > 0 {
            out.push_str(" | ");
        }
        print_command(command, out);
    }
}

fn print_command(command: &Command, out: &mut String) {
    for (index, arg) in command.args.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        print_operand(arg, out);
    }
}

/// A nested pipeline stands in parentheses.
fn print_operand(arg: &Arg, out: &mut String) {
    if let ArgKind::Pipe(pipe) = &arg.kind {
        out.push('(');
        print_pipe(pipe, out);
        out.push(')');
    } else {
        print_arg(arg, out);
    }
}

fn print_fields(fields: &[Box<str>], out: &mut String) {
    for field in fields {
        out.push('.');
        out.push_str(field);
    }
}

fn print_arg(arg: &Arg, out: &mut String) {
    match &arg.kind {
        ArgKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ArgKind::Dot => out.push('.'),
        ArgKind::Nil => out.push_str("nil"),
        ArgKind::Number(number) => out.push_str(&number.text),
        ArgKind::String(literal, _) => out.push_str(literal),
        ArgKind::Field(fields) => print_fields(fields, out),
        ArgKind::Variable(_, name, fields) => {
            out.push_str(name);
            print_fields(fields, out);
        }
        ArgKind::Chain(inner, fields) => {
            print_operand(inner, out);
            print_fields(fields, out);
        }
        ArgKind::Identifier(name, _) => out.push_str(name),
        ArgKind::Pipe(pipe) => print_pipe(pipe, out),
    }
}
