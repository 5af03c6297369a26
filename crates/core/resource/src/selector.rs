//! Label selectors and field selectors.

use std::fmt;

use serde_json::Value;

use crate::kinds::Kind;

/// Why a selector cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    #[error("unable to parse requirement: {0}")]
    Labels(String),
    #[error("invalid selector: '{0}'; can't understand '{1}'")]
    Fields(String, String),
    #[error("field label not supported: {0}")]
    UnsupportedField(String),
    #[error("\"{0}\" is not a valid label selector operator")]
    Operator(String),
}

/// A condition on labels; the default matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    Is(String),
    IsNot(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

impl LabelSelector {
    /// Reads the `labelSelector` query parameter, e.g. `app=web,tier in (a, b),!old`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for part in split_outside_brackets(text) {
            if part.is_empty() && text.trim().is_empty() {
                continue;
            }
            requirements.push(parse_requirement(part)?);
        }
        requirements.sort();
        Ok(Self { requirements })
    }

    /// Reads `{matchLabels, matchExpressions}` of a workload.
    pub fn from_value(selector: &Value) -> Result<Self, SelectorError> {
        let mut result = Self::from_map(&selector["matchLabels"]);
        for expression in selector["matchExpressions"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let values = || -> Vec<String> {
                expression["values"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(text)
                    .collect()
            };
            let test = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Test::In(values()),
                "NotIn" => Test::NotIn(values()),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::Missing,
                other => return Err(SelectorError::Operator(other.to_owned())),
            };
            result.requirements.push(Requirement {
                key: text(&expression["key"]),
                test,
            });
        }
        result.requirements.sort();
        Ok(result)
    }

    /// Reads a plain map of labels, as a Service has it.
    pub fn from_map(labels: &Value) -> Self {
        let mut requirements: Vec<Requirement> = labels
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| {
                let value = value.as_str().unwrap_or_default().to_owned();
                Requirement {
                    key: key.clone(),
                    test: Test::Is(value),
                }
            })
            .collect();
        requirements.sort();
        Self { requirements }
    }

    /// Whether the object's `metadata.labels` fit.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(&object["metadata"]["labels"])
    }

    /// Whether a map of labels fits.
    pub fn matches_labels(&self, labels: &Value) -> bool {
        self.requirements
            .iter()
            .all(|it| it.test.holds(labels[&it.key].as_str()))
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl Test {
    fn holds(&self, label: Option<&str>) -> bool {
        let number = || label.and_then(|it| it.parse::<i64>().ok());
        match self {
            Self::Is(value) => label == Some(value),
            Self::IsNot(value) => label != Some(value),
            Self::In(values) => label.is_some_and(|it| values.iter().any(|value| value == it)),
            Self::NotIn(values) => !label.is_some_and(|it| values.iter().any(|value| value == it)),
            Self::Exists => label.is_some(),
            Self::Missing => label.is_none(),
            Self::Greater(bound) => number().is_some_and(|it| it > *bound),
            Self::Less(bound) => number().is_some_and(|it| it < *bound),
        }
    }
}

impl fmt::Display for LabelSelector {
    /// As the real server prints it: `app=web,tier in (a,b),!old`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Requirement { key, test }) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let sorted = |values: &[String]| {
                let mut values = values.to_vec();
                values.sort();
                values.join(",")
            };
            match test {
                Test::Is(value) => write!(f, "{key}={value}")?,
                Test::IsNot(value) => write!(f, "{key}!={value}")?,
                Test::In(values) => write!(f, "{key} in ({})", sorted(values))?,
                Test::NotIn(values) => write!(f, "{key} notin ({})", sorted(values))?,
                Test::Exists => write!(f, "{key}")?,
                Test::Missing => write!(f, "!{key}")?,
                Test::Greater(bound) => write!(f, "{key}>{bound}")?,
                Test::Less(bound) => write!(f, "{key}<{bound}")?,
            }
        }
        Ok(())
    }
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (index, symbol) in text.char_indices() {
        match symbol {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn parse_requirement(text: &str) -> Result<Requirement, SelectorError> {
    let build = |key: &str, test: Test| {
        let key = key.trim();
        if let Some(message) = crate::validate::qualified_name(key).into_iter().next() {
            return Err(SelectorError::Labels(format!(
                "key: Invalid value: \"{key}\": {message}"
            )));
        }
        Ok(Requirement {
            key: key.to_owned(),
            test,
        })
    };
    let value = |text: &str| {
        let text = text.trim();
        match crate::validate::label_value(text).into_iter().next() {
            Some(message) => Err(SelectorError::Labels(format!(
                "values[0]: Invalid value: \"{text}\": {message}"
            ))),
            None => Ok(text.to_owned()),
        }
    };
    if let Some(key) = text.strip_prefix('!') {
        return build(key, Test::Missing);
    }
    if let Some(found) = parse_set(text) {
        let (key, negated, values) = found?;
        let values = values
            .iter()
            .map(|it| value(it))
            .collect::<Result<_, _>>()?;
        return build(
            key,
            if negated {
                Test::NotIn(values)
            } else {
                Test::In(values)
            },
        );
    }
    if let Some((key, rest)) = text.split_once("!=") {
        return build(key, Test::IsNot(value(rest)?));
    }
    if let Some((key, rest)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return build(key, Test::Is(value(rest)?));
    }
    for (symbol, test) in [('>', Test::Greater as fn(i64) -> Test), ('<', Test::Less)] {
        if let Some((key, bound)) = text.split_once(symbol) {
            let wrong = |_| {
                let found = bound.trim();
                SelectorError::Labels(format!(
                    "values[0]: Invalid value: \"{found}\": for 'Gt', 'Lt' operators, the value must be an integer"
                ))
            };
            return build(key, test(bound.trim().parse().map_err(wrong)?));
        }
    }
    build(text, Test::Exists)
}

type SetParts<'a> = (&'a str, bool, Vec<&'a str>);

/// Splits `key in (a, b)` and `key notin (a, b)`; `None` for other forms.
fn parse_set(text: &str) -> Option<Result<SetParts<'_>, SelectorError>> {
    let (key, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (negated, list) = match (rest.strip_prefix("notin"), rest.strip_prefix("in")) {
        (Some(list), _) => (true, list),
        (None, Some(list)) => (false, list),
        (None, None) => return None,
    };
    let list = list.trim();
    Some(
        match list.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
            Some(inner) => Ok((key, negated, inner.split(',').map(str::trim).collect())),
            None => {
                let message = format!("found '{list}' expected: '('");
                Err(SelectorError::Labels(message))
            }
        },
    )
}

/// A condition on a few fields; the default matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: String,
    value: String,
    wanted: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Equal,
    Different,
}

impl FieldSelector {
    /// Reads the `fieldSelector` query parameter for objects of `kind`.
    ///
    /// # Errors
    ///
    /// [`SelectorError::UnsupportedField`] for a field by which this kind cannot be selected: 400.
    pub fn parse(kind: &Kind, text: &str) -> Result<Self, SelectorError> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            let (field, value, wanted) = if let Some((field, value)) = part.split_once("!=") {
                (field, value, Wanted::Different)
            } else if let Some((field, value)) =
                part.split_once("==").or_else(|| part.split_once('='))
            {
                (field, value, Wanted::Equal)
            } else {
                return Err(SelectorError::Fields(text.to_owned(), part.to_owned()));
            };
            if !is_selectable(kind, field) {
                return Err(SelectorError::UnsupportedField(field.to_owned()));
            }
            terms.push(Term {
                field: field.to_owned(),
                value: value.to_owned(),
                wanted,
            });
        }
        Ok(Self { terms })
    }

    /// Whether the object's fields fit.
    pub fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|term| {
            let equal = field_text(object, &term.field) == term.value;
            equal == (term.wanted == Wanted::Equal)
        })
    }

    /// The value that `metadata.name` must have, if the selector names one.
    pub fn name(&self) -> Option<&str> {
        let term = self.terms.iter().find(|it| it.field == "metadata.name")?;
        (term.wanted == Wanted::Equal).then_some(term.value.as_str())
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

fn is_selectable(kind: &Kind, field: &str) -> bool {
    let more: &[&str] = match (kind.group, kind.kind) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("apps", "ReplicaSet") => &["status.replicas"],
        _ => &[],
    };
    let namespaced = kind.namespaced && field == "metadata.namespace";
    field == "metadata.name" || namespaced || more.contains(&field)
}

/// The field as text; what is absent reads as its zero value.
fn field_text(object: &Value, field: &str) -> String {
    let pointer = match field {
        "reportingComponent" if object.get("reportingComponent").is_none() => {
            "/source/component".to_owned()
        }
        "source" => "/source/component".to_owned(),
        _ => format!("/{}", field.replace('.', "/")),
    };
    match object.pointer(&pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => match field {
            "spec.unschedulable" | "spec.hostNetwork" => "false".to_owned(),
            "status.replicas" => "0".to_owned(),
            _ => String::new(),
        },
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    #[test]
    fn every_form_of_requirement() {
        let labels = json!({"app": "web", "tier": "front", "size": "5"});
        for (text, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=front", true),
            ("app!=web", false),
            ("none!=x", true),
            ("tier in (front, back)", true),
            ("tier notin (front)", false),
            ("none notin (a)", true),
            ("app", true),
            ("!app", false),
            ("!none", true),
            ("size>4,size<6", true),
            ("size>5", false),
        ] {
            let selector = LabelSelector::parse(text).expect(text);
            assert_eq!(selector.matches_labels(&labels), expected, "{text}");
        }
    }

    #[test]
    fn printed_form_is_sorted() {
        let selector = json!({
            "matchLabels": {"tier": "front", "app": "web"},
            "matchExpressions": [{"key": "env", "operator": "In", "values": ["b", "a"]}],
        });
        let selector = LabelSelector::from_value(&selector).expect("selector");
        assert_eq!(selector.to_string(), "app=web,env in (a,b),tier=front");
    }

    #[test]
    fn fields_of_pods() {
        let pods = kinds::by_kind("v1", "Pod").expect("served");
        let pod = json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}});
        for (text, expected) in [
            ("spec.nodeName=n1,status.phase!=Failed", true),
            ("spec.nodeName=", false),
            ("spec.hostNetwork=false", true),
            ("metadata.name=b", false),
        ] {
            let selector = FieldSelector::parse(pods, text).expect(text);
            assert_eq!(selector.matches(&pod), expected, "{text}");
        }
        assert_eq!(
            FieldSelector::parse(pods, "spec.foo=1"),
            Err(SelectorError::UnsupportedField("spec.foo".to_owned()))
        );
    }
}
