//! Random templates: actions around expressions.

use super::{
    chance::Chance,
    expression::{Expressions, Kind},
    values::Tree,
};

/// What generated expressions include.
pub const HELPERS: &str = r#"{{- define "h.text" -}}
{{- kindOf . }}:{{ . | toString -}}
{{- end -}}
{{- define "h.yaml" -}}
it:
  {{- toYaml . | nindent 2 }}
{{- end -}}
"#;

/// Actions and how often charts use them.
const ACTIONS: [(Action, u32); 11] = [
    (Action::Print, 90_000),
    (Action::If, 92_798),
    (Action::IfElse, 18_059),
    (Action::With, 16_766),
    (Action::RangeList, 4_061),
    (Action::RangePairs, 3_306),
    (Action::RangeValue, 1_124),
    (Action::Declare, 25_487),
    (Action::Assign, 2_801),
    (Action::Comment, 16_936),
    (Action::Template, 23_480),
];

#[derive(Clone, Copy)]
enum Action {
    Print,
    If,
    IfElse,
    With,
    RangeList,
    RangePairs,
    RangeValue,
    Declare,
    Assign,
    Comment,
    Template,
}

/// Makes the body of one template.
pub struct Maker<'a> {
    expressions: Expressions<'a>,
    names: usize,
}

impl<'a> Maker<'a> {
    pub fn new(chance: &'a mut Chance, values: &Tree) -> Self {
        Self {
            expressions: Expressions::new(chance, values),
            names: 0,
        }
    }

    pub fn body(&mut self) -> String {
        self.block(2)
    }

    fn chance(&mut self) -> &mut Chance {
        self.expressions.chance
    }

    fn block(&mut self, depth: usize) -> String {
        let known = self.expressions.variables.len();
        let count = 1 + self.chance().below(if depth == 2 { 4 } else { 2 });
        let text = (0..count).map(|_| self.action(depth)).collect();
        self.expressions.variables.truncate(known);
        text
    }

    fn action(&mut self, depth: usize) -> String {
        let (action, _) = *self.chance().weighted(&ACTIONS, |entry| entry.1);
        let action = if depth == 0 { Action::Print } else { action };
        match action {
            Action::Print => {
                let pipeline = self.expressions.pipeline(Kind::Any, 3);
                let key = *self.chance().pick(&["k: ", "name: \"x\"\nv: ", "- ", "  ", ""]);
                format!("{key}{}\n", self.delimited(&pipeline))
            }
            Action::If => {
                let condition = self.expressions.pipeline(Kind::Any, 2);
                let inner = self.block(depth - 1);
                self.control("if", &condition, &inner)
            }
            Action::IfElse => {
                let condition = self.expressions.pipeline(Kind::Bool, 2);
                let (first, second) = (self.block(depth - 1), self.block(depth - 1));
                let other = self.expressions.pipeline(Kind::Any, 1);
                let otherwise = match self.chance().one_in(2) {
                    true => "else".to_owned(),
                    false => format!("else if {other}"),
                };
                let otherwise = self.delimited(&otherwise);
                self.control("if", &condition, &format!("{first}{otherwise}\n{second}"))
            }
            Action::With => {
                let value = self.expressions.pipeline(Kind::Any, 2);
                let inner = self.block(depth - 1);
                self.control("with", &value, &format!("{inner}dot: {{{{ . | toJson }}}}\n"))
            }
            Action::RangeList => {
                let list = self.expressions.pipeline(Kind::List, 2);
                let inner = self.block(depth - 1);
                self.control("range", &list, &format!("- {{{{ . }}}}\n{inner}"))
            }
            Action::RangePairs => {
                let map = self.expressions.pipeline(Kind::Map, 2);
                let (key, value) = (self.fresh(), self.fresh());
                self.expressions.variables.push((key.clone(), Kind::Text));
                self.expressions.variables.push((value.clone(), Kind::Any));
                let inner = self.block(depth - 1);
                let known = self.expressions.variables.len();
                self.expressions.variables.truncate(known - 2);
                let inner = format!("{{{{ {key} }}}}: {{{{ {value} | toJson }}}}\n{inner}");
                self.control("range", &format!("{key}, {value} := {map}"), &inner)
            }
            Action::RangeValue => {
                let list = self.expressions.pipeline(Kind::List, 2);
                let value = self.fresh();
                let inner = format!("- {{{{ {value} | quote }}}}\n");
                self.control("range", &format!("{value} := {list}"), &inner)
            }
            Action::Declare => {
                let kind = *self.chance().pick(&[Kind::Text, Kind::Int, Kind::Map, Kind::List, Kind::Any]);
                let pipeline = self.expressions.pipeline(kind, 2);
                let name = self.fresh();
                let text = self.delimited(&format!("{name} := {pipeline}"));
                self.expressions.variables.push((name, kind));
                format!("{text}\n")
            }
            Action::Assign => {
                let Some((name, kind)) = self.expressions.variables.last().cloned() else {
                    return "plain\n".to_owned();
                };
                let pipeline = self.expressions.pipeline(kind, 2);
                format!("{}\n", self.delimited(&format!("{name} = {pipeline}")))
            }
            Action::Comment => "{{- /* a comment */ -}}\ntext after\n".to_owned(),
            Action::Template => {
                let value = self.expressions.pipeline(Kind::Any, 1);
                let name = *self.chance().pick(&["h.text", "h.yaml"]);
                format!("{}\n", self.delimited(&format!("template \"{name}\" {value}")))
            }
        }
    }

    fn control(&mut self, word: &str, subject: &str, inner: &str) -> String {
        let start = self.delimited(&format!("{word} {subject}"));
        let end = self.delimited("end");
        format!("{start}\n{inner}{end}\n")
    }

    /// The action between its delimiters, which trim as often as in charts.
    fn delimited(&mut self, inner: &str) -> String {
        let open = if self.chance().one_in(3) { "{{ " } else { "{{- " };
        let close = if self.chance().one_in(5) { " -}}" } else { " }}" };
        format!("{open}{inner}{close}")
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("$v{}", self.names)
    }
}
