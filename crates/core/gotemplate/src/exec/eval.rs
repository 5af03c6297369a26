//! Evaluates pipelines, commands, variables and constants.

use super::{MORE_STACK, Operand, RED_ZONE, Run, Runner, Variable};
use crate::{
    literal::Number,
    node::{Arg, ArgKind, Command, NodeRef, Pipe, VariableId},
    value::Value,
};

impl<'t> Runner<'t, '_> {
    pub(super) fn eval_pipeline(&mut self, dot: &Operand, pipe: &'t Pipe) -> Run<Operand> {
        let operand = self
            .eval_commands(dot, pipe, &pipe.commands)?
            .unwrap_or(Operand::INVALID);
        for (id, name) in &pipe.declared {
            if pipe.assigns {
                self.set_variable(*id, name, operand.clone())?;
            } else {
                self.context.variables.push(Variable {
                    id: *id,
                    operand: operand.clone(),
                });
            }
        }
        Ok(operand)
    }

    /// Runs commands of a pipeline, each with what the one before gave.
    pub(super) fn eval_commands(
        &mut self,
        dot: &Operand,
        pipe: &'t Pipe,
        commands: &'t [Command],
    ) -> Run<Option<Operand>> {
        self.node = NodeRef::Pipe(pipe);
        let mut last: Option<Operand> = None;
        for command in commands {
            let mut operand = self.eval_command(dot, command, last)?;
            // An interface gives what is in it.
            operand.any = false;
            last = Some(operand);
        }
        Ok(last)
    }

    /// A pipeline in parentheses: they can nest deep.
    pub(super) fn eval_nested(&mut self, dot: &Operand, pipe: &'t Pipe) -> Run<Operand> {
        stacker::maybe_grow(RED_ZONE, MORE_STACK, || self.eval_pipeline(dot, pipe))
    }

    fn eval_command(
        &mut self,
        dot: &Operand,
        command: &'t Command,
        last: Option<Operand>,
    ) -> Run<Operand> {
        self.step()?;
        let first = &command.args[0];
        match &first.kind {
            ArgKind::Field(names) => {
                self.node = NodeRef::Arg(first);
                return self.eval_fields(dot, dot, first, names, Some(&command.args), last);
            }
            ArgKind::Chain(..) => return self.eval_chain(dot, first, Some(&command.args), last),
            ArgKind::Identifier(name, slot) => {
                return self.eval_function(
                    dot,
                    first,
                    (name, *slot),
                    NodeRef::Command(command),
                    Some(&command.args),
                    last,
                );
            }
            ArgKind::Pipe(pipe) => {
                self.not_a_function(&command.args, last.as_ref())?;
                return self.eval_nested(dot, pipe);
            }
            ArgKind::Variable(..) => {
                return self.eval_variable(dot, first, Some(&command.args), last);
            }
            ArgKind::Bool(_)
            | ArgKind::Dot
            | ArgKind::Nil
            | ArgKind::Number(_)
            | ArgKind::String(..) => {}
        }
        self.node = NodeRef::Arg(first);
        self.not_a_function(&command.args, last.as_ref())?;
        match &first.kind {
            ArgKind::Bool(value) => Ok(Operand::concrete(Value::Bool(*value))),
            ArgKind::Dot => Ok(dot.clone()),
            ArgKind::Number(number) => self.constant(first, number),
            ArgKind::String(_, text) => Ok(Operand::concrete(Value::String(text.text()))),
            _ => Err(self.error("nil is not a command")),
        }
    }

    fn not_a_function(&self, args: &'t [Arg], last: Option<&Operand>) -> Run<()> {
        if args.len() > 1 || last.is_some() {
            let shown = NodeRef::Arg(&args[0]).print();
            return Err(self.error(format!("can't give argument to non-function {shown}")));
        }
        Ok(())
    }

    /// A number where nothing says its type: its syntax does.
    pub(super) fn constant(&mut self, arg: &'t Arg, number: &Number) -> Run<Operand> {
        self.node = NodeRef::Arg(arg);
        let value = if let Some((re, im)) = number.complex {
            Value::Complex128(re, im)
        } else if let Some(float) = number.float.filter(|_| number.looks_like_float()) {
            Value::Float64(float)
        } else if let Some(int) = number.int {
            Value::Int(int)
        } else {
            return Err(self.error(format!("{} overflows int", number.text)));
        };
        Ok(Operand::concrete(value))
    }

    pub(super) fn eval_variable(
        &mut self,
        dot: &Operand,
        arg: &'t Arg,
        args: Option<&'t [Arg]>,
        last: Option<Operand>,
    ) -> Run<Operand> {
        let ArgKind::Variable(id, name, fields) = &arg.kind else {
            unreachable!("called for variables only")
        };
        self.node = NodeRef::Arg(arg);
        if !fields.is_empty()
            && last.is_none()
            && args.is_none_or(|args| args.len() == 1)
            && let Some(found) = self
                .find(*id)
                .and_then(|operand| super::field::through_maps(&operand.value, fields))
        {
            return Ok(found);
        }
        let operand = self.variable(*id, name)?;
        if fields.is_empty() {
            if let Some(args) = args {
                self.not_a_function(args, last.as_ref())?;
            }
            return Ok(operand);
        }
        self.eval_fields(dot, &operand, arg, fields, args, last)
    }

    pub(super) fn eval_chain(
        &mut self,
        dot: &Operand,
        arg: &'t Arg,
        args: Option<&'t [Arg]>,
        last: Option<Operand>,
    ) -> Run<Operand> {
        let ArgKind::Chain(inner, fields) = &arg.kind else {
            unreachable!("called for chains only")
        };
        self.node = NodeRef::Arg(arg);
        let receiver = self.eval_arg(dot, None, inner)?;
        self.eval_fields(dot, &receiver, arg, fields, args, last)
    }

    fn find(&self, id: VariableId) -> Option<&Operand> {
        let variables = &self.context.variables[self.base..];
        variables
            .iter()
            .rev()
            .find(|variable| variable.id == id)
            .map(|variable| &variable.operand)
    }

    fn variable(&self, id: VariableId, name: &str) -> Run<Operand> {
        self.find(id)
            .cloned()
            .ok_or_else(|| self.error(format!("undefined variable: {name}")))
    }

    pub(super) fn set_variable(&mut self, id: VariableId, name: &str, operand: Operand) -> Run<()> {
        let found = self.context.variables[self.base..]
            .iter_mut()
            .rev()
            .find(|variable| variable.id == id);
        match found {
            Some(variable) => {
                variable.operand = operand;
                Ok(())
            }
            None => Err(self.error(format!("undefined variable: {name}"))),
        }
    }

    /// Sets the variable that is `place` below the top, from 1.
    pub(super) fn set_top(&mut self, place: usize, operand: Operand) {
        let top = self.context.variables.len();
        self.context.variables[top - place].operand = operand;
    }
}
