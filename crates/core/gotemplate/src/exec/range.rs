//! `range`: over lists, maps and integers.

use super::{Operand, Run, Runner, walk::Flow};
use crate::{format::Printer, gotype::Type, node::Branch, text::Text, value::Value};

impl<'t> Runner<'t, '_> {
    pub(super) fn range(&mut self, dot: &Operand, branch: &'t Branch) -> Run<Flow> {
        let value = self.eval_pipeline(dot, &branch.pipe)?.value;
        let flow = match &value {
            Value::Nil => None,
            Value::List(list) => {
                let any = list.element() == Type::Any;
                let items = list.iter().enumerate().map(|(index, item)| {
                    (
                        Operand::concrete(index_value(index)),
                        Operand {
                            value: item.clone(),
                            any,
                        },
                    )
                });
                self.iterate(branch, items)?
            }
            Value::Bytes(bytes) => {
                let items = bytes.iter().enumerate().map(|(index, byte)| {
                    (
                        Operand::concrete(index_value(index)),
                        Operand::concrete(Value::Uint8(*byte)),
                    )
                });
                self.iterate(branch, items)?
            }
            Value::Map(map) => {
                let any = map.element() == Type::Any;
                let entries: Vec<(Text, Value)> = map.snapshot();
                let items = entries.into_iter().map(|(key, value)| {
                    (
                        Operand::concrete(Value::String(key)),
                        Operand { value, any },
                    )
                });
                self.iterate(branch, items)?
            }
            _ => self.range_integer(branch, &value)?,
        };
        match (flow, &branch.else_list) {
            // What a `break` or `continue` of the body did ends here.
            (Some(()), _) | (None, None) => Ok(Flow::Next),
            (None, Some(list)) => match self.walk_list(dot, list)? {
                // A `break` in the `else` part belongs to this loop too, a `continue` to the one around.
                Flow::Break => Ok(Flow::Next),
                flow => Ok(flow),
            },
        }
    }

    fn range_integer(&mut self, branch: &'t Branch, value: &Value) -> Run<Option<()>> {
        let plain = match value {
            Value::Object(object) => object.underlying().unwrap_or(Value::Nil),
            _ => value.clone(),
        };
        let (signed, unsigned) = (plain.as_signed(), plain.as_unsigned());
        if signed.is_none() && unsigned.is_none() {
            let shown = shown(value);
            return Err(self.error(format!("range can't iterate over {shown}")));
        }
        if branch.pipe.declared.len() > 1 {
            let shown = shown(value);
            return Err(self.error(format!(
                "can't use {shown} to iterate over more than one variable"
            )));
        }
        let count = signed.map_or(unsigned.unwrap_or(0), |signed| {
            u64::try_from(signed).unwrap_or(0)
        });
        let items = (0..count).map(|number| {
            (
                Operand::INVALID,
                Operand::concrete(same_kind(&plain, number)),
            )
        });
        self.iterate(branch, items)
    }

    /// Runs the body for each item; `None` when there was none.
    fn iterate(
        &mut self,
        branch: &'t Branch,
        items: impl Iterator<Item = (Operand, Operand)>,
    ) -> Run<Option<()>> {
        let mark = self.context.variables.len();
        let mut ran = None;
        let declared = &branch.pipe.declared;
        for (index, item) in items {
            ran = Some(());
            self.step()?;
            match (&declared[..], branch.pipe.assigns) {
                ([], _) => {}
                ([(id, name)], true) => self.set_variable(*id, name, item.clone())?,
                ([_], false) => self.set_top(1, item.clone()),
                ([(first, first_name), (second, second_name), ..], true) => {
                    self.set_variable(*first, first_name, index)?;
                    self.set_variable(*second, second_name, item.clone())?;
                }
                ([..], false) => {
                    self.set_top(1, item.clone());
                    self.set_top(2, index);
                }
            }
            let flow = self.walk_list(&item, &branch.list);
            self.context.variables.truncate(mark);
            if flow? == Flow::Break {
                break;
            }
        }
        Ok(ran)
    }
}

/// The value in an error; of a pointer, what it points to.
fn shown(value: &Value) -> Text {
    let mut out = Vec::new();
    Printer::new(&mut out, MOST_SHOWN)
        .follow_pointers()
        .print(std::slice::from_ref(value));
    out.into()
}

/// No error is longer than this.
const MOST_SHOWN: usize = 1 << 20;

fn index_value(index: usize) -> Value {
    Value::Int(i64::try_from(index).unwrap_or(i64::MAX))
}

/// The number as the kind of integer that is ranged over.
fn same_kind(model: &Value, number: u64) -> Value {
    let signed = i64::try_from(number).unwrap_or(i64::MAX);
    match model {
        Value::Int64(_) => Value::Int64(signed),
        Value::Int32(_) => Value::Int32(i32::try_from(number).unwrap_or(i32::MAX)),
        Value::Uint(_) => Value::Uint(number),
        Value::Uint8(_) => Value::Uint8(u8::try_from(number).unwrap_or(u8::MAX)),
        Value::Uint32(_) => Value::Uint32(u32::try_from(number).unwrap_or(u32::MAX)),
        Value::Uint64(_) => Value::Uint64(number),
        _ => Value::Int(signed),
    }
}
