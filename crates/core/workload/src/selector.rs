//! Which labels a selector chooses.

use serde::{Deserialize, Serialize};

use crate::Labels;

/// `matchLabels` and `matchExpressions`; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub match_labels: Labels,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// One expression over one label; node affinity uses the same form with two operators more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Requirement {
    pub key: String,
    pub operator: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl LabelSelector {
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.holds(labels.get(&requirement.key)))
    }
}

impl Requirement {
    /// An operator that nobody knows never holds, so it can only keep things apart.
    pub fn holds(&self, value: Option<&String>) -> bool {
        let number = |text: &String| text.parse::<i64>().ok();
        let bound = self.values.first().and_then(number);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => matches!((value.and_then(number), bound), (Some(value), Some(bound)) if value > bound),
            "Lt" => matches!((value.and_then(number), bound), (Some(value), Some(bound)) if value < bound),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_must_hold() {
        check(r#"{"matchLabels":{"app":"web"}}"#, "web");
        check(r#"{"matchExpressions":[{"key":"app","operator":"In","values":["web","db"]}]}"#, "web db");
        check(r#"{"matchExpressions":[{"key":"app","operator":"NotIn","values":["web"]}]}"#, "db -");
        check(r#"{"matchExpressions":[{"key":"app","operator":"Exists"}]}"#, "web db");
        check(r#"{"matchExpressions":[{"key":"app","operator":"DoesNotExist"}]}"#, "-");
        check(r#"{"matchLabels":{"app":"db"},"matchExpressions":[{"key":"app","operator":"Gt","values":["1"]}]}"#, "");
    }

    #[track_caller]
    fn check(selector: &str, expected: &str) {
        let selector: LabelSelector = serde_json::from_str(selector).expect("a selector");
        let chosen: Vec<&str> = ["web", "db", "-"]
            .into_iter()
            .filter(|app| {
                let labels = (*app != "-").then(|| ("app".to_owned(), (*app).to_owned()));
                selector.matches(&labels.into_iter().collect())
            })
            .collect();
        assert_eq!(chosen.join(" "), expected);
    }
}
