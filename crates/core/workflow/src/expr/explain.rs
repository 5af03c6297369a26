//! Writes a condition with its values filled in, to say why it did not hold.

use super::{
    Scope, Value,
    ast::{Expr, Expression},
    eval::evaluate,
};

impl Expression {
    /// The condition with every context access and call replaced by its value.
    pub fn explain(&self, scope: &Scope<'_>) -> String {
        expand(&self.root, scope, 0)
    }
}

fn expand(expr: &Expr, scope: &Scope<'_>, outer: u8) -> String {
    match expr {
        Expr::Null | Expr::Bool(_) | Expr::Number(_) | Expr::String(_) => shown(expr, scope),
        Expr::Context { .. } | Expr::Index { .. } | Expr::Wildcard(_) => shown(expr, scope),
        Expr::Call {
            name, arguments, ..
        } => {
            let arguments: Vec<_> = arguments.iter().map(|it| expand(it, scope, 0)).collect();
            format!("{name}({}) [{}]", arguments.join(", "), shown(expr, scope))
        }
        Expr::Not(inner) => format!("!{}", expand(inner, scope, u8::MAX)),
        Expr::Binary {
            operator,
            left,
            right,
        } => {
            let own = operator.precedence();
            let text = format!(
                "{} {operator} {}",
                expand(left, scope, own),
                expand(right, scope, own + 1)
            );
            if own < outer {
                format!("({text})")
            } else {
                text
            }
        }
    }
}

fn shown(expr: &Expr, scope: &Scope<'_>) -> String {
    /// Longer values are cut: a reason is read, not parsed.
    const LONGEST: usize = 60;
    match evaluate(expr, scope) {
        Ok(Value::Null) => "null".to_owned(),
        Ok(Value::String(text)) => {
            let mut short: String = text.chars().take(LONGEST).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            format!("'{}'", short.replace('\'', "''"))
        }
        Ok(value) => value.to_text(),
        Err(error) => format!("<{error}>"),
    }
}
