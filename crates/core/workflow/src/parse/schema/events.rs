//! Checks `on` against the table of events.

use yaml::{Node, NodeValue, Span};

use super::{Shape, check::Walk, table};
use crate::{context::Access, events, parse::nearest::nearest};

const ON: Shape = Shape::mapping("events", &[]);
const FILTER: Shape = Shape::mapping("nothing or a mapping", &[]);

impl Walk<'_, '_> {
    pub(super) fn events(&mut self, node: &Node) {
        match &node.value {
            NodeValue::Mapping(entries) => {
                for entry in entries {
                    if let Some(event) = self.event(&entry.key, entry.key_span) {
                        self.event_value(event, &entry.value);
                    }
                }
            }
            NodeValue::Sequence(items) => items.iter().for_each(|it| self.event_name(it)),
            NodeValue::Scalar { .. } => self.event_name(node),
        }
    }

    fn event_name(&mut self, node: &Node) {
        match node.text() {
            Some(text) if text.contains("${{") => self.template(node, text, Access::NONE),
            Some(text) if !node.is_null() => {
                self.event(text, node.span);
            }
            Some(_) | None => self.expected(node, &ON),
        }
    }

    fn event(&mut self, name: &str, span: Span) -> Option<&'static events::Event> {
        if name.contains("${{") {
            self.error(span, "LF-W0010", "no expression may stand here");
            return None;
        }
        let found = events::find(name);
        if found.is_none() {
            let near = nearest(name, events::EVENTS.iter().map(|it| it.name));
            let found = self.error(span, "LF-W0006", format!("unknown event `{name}`"));
            if let Some(near) = near {
                found.help.push(format!("did you mean `{near}`?"));
                found.fixes.push(yaml::Fix {
                    range: span.start..span.end,
                    replacement: near.to_owned(),
                });
            }
        }
        found
    }

    fn event_value(&mut self, event: &'static events::Event, node: &Node) {
        let own = match event.name {
            "workflow_dispatch" => Some(&table::DISPATCH),
            "workflow_call" => Some(&table::CALL),
            "schedule" => Some(&table::SCHEDULE),
            _ => None,
        };
        if let Some(own) = own {
            self.value(node, own, Access::NONE);
            return;
        }
        if node.is_null() {
            return;
        }
        let NodeValue::Mapping(entries) = &node.value else {
            self.expected(node, &FILTER);
            return;
        };
        for entry in entries {
            match entry.key.as_str() {
                key if !event.keys.contains(&key) => {
                    self.unknown(
                        entry.key_span,
                        key,
                        event.keys,
                        &format!("`{}`", event.name),
                    );
                }
                "types" if event.name == "repository_dispatch" => {
                    self.value(&entry.value, &table::MORE, Access::NONE);
                }
                "types" => self.activities(event, &entry.value),
                _ => self.value(&entry.value, &table::ONE_OR_MORE, Access::NONE),
            }
        }
    }

    fn activities(&mut self, event: &events::Event, node: &Node) {
        let items = match &node.value {
            NodeValue::Sequence(items) => items.as_slice(),
            NodeValue::Scalar { .. } if !node.is_null() => std::slice::from_ref(node),
            NodeValue::Scalar { .. } | NodeValue::Mapping(_) => {
                self.expected(node, &table::ONE_OR_MORE);
                return;
            }
        };
        for item in items {
            let text = item.text().unwrap_or_default();
            if event.types.contains(&text) {
                continue;
            }
            if text.contains("${{") {
                self.template(item, text, Access::NONE);
                continue;
            }
            let near = nearest(text, event.types.iter().copied());
            let message = format!("`{}` has no activity `{text}`", event.name);
            let found = self.error(item.span, "LF-W0006", message);
            found.help.push(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", event.types.join(", ")),
            });
        }
    }
}
