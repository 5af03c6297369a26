//! What differs between two renders.

use std::collections::BTreeMap;

use crate::Object;

/// How one object differs.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    Added { key: String, text: String },
    Removed { key: String, text: String },
    /// Both texts as lines with ` `, `-` and `+` before them.
    Changed { key: String, lines: Vec<String> },
}

/// Unchanged lines shown around changed ones.
const CONTEXT: usize = 3;

/// Longer texts are compared by their ends alone.
const LINES_MAX: usize = 4000;

/// The objects that differ, in the order of their names.
pub fn diff(before: &[Object], after: &[Object]) -> Vec<Difference> {
    let by_key = |objects: &[Object]| objects.iter().map(|it| (it.key(), yaml::to_string(&it.value))).collect::<BTreeMap<_, _>>();
    let (before, after) = (by_key(before), by_key(after));
    let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let difference = |key: String| match (before.get(&key), after.get(&key)) {
        (None, Some(text)) => Some(Difference::Added { key, text: text.clone() }),
        (Some(text), None) => Some(Difference::Removed { key, text: text.clone() }),
        (Some(old), Some(new)) if old != new => Some(Difference::Changed { lines: lines(old, new), key }),
        _ => None,
    };
    keys.into_iter().filter_map(difference).collect()
}

/// A unified comparison of two texts.
pub fn lines(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(left, right)| left == right).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(left, right)| left == right).count();
    let (left, right) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut marked: Vec<(char, &str)> = old[..head].iter().map(|line| (' ', *line)).collect();
    marked.extend(changed(left, right));
    marked.extend(old[old.len() - tail..].iter().map(|line| (' ', *line)));
    shorten(&marked)
}

/// The longest common lines stay, the others go or come.
fn changed<'a>(left: &[&'a str], right: &[&'a str]) -> Vec<(char, &'a str)> {
    if left.len() > LINES_MAX || right.len() > LINES_MAX {
        return left.iter().map(|line| ('-', *line)).chain(right.iter().map(|line| ('+', *line))).collect();
    }
    let width = right.len() + 1;
    let mut common = vec![0_u32; (left.len() + 1) * width];
    for row in (0..left.len()).rev() {
        for column in (0..right.len()).rev() {
            common[row * width + column] = if left[row] == right[column] {
                common[(row + 1) * width + column + 1] + 1
            } else {
                common[(row + 1) * width + column].max(common[row * width + column + 1])
            };
        }
    }
    let (mut row, mut column, mut marked) = (0, 0, Vec::new());
    while row < left.len() || column < right.len() {
        if row < left.len() && column < right.len() && left[row] == right[column] {
            marked.push((' ', left[row]));
            (row, column) = (row + 1, column + 1);
        } else if column == right.len() || row < left.len() && common[(row + 1) * width + column] >= common[row * width + column + 1] {
            marked.push(('-', left[row]));
            row += 1;
        } else {
            marked.push(('+', right[column]));
            column += 1;
        }
    }
    marked
}

/// Leaves out what lies far from every change.
fn shorten(marked: &[(char, &str)]) -> Vec<String> {
    let near = |index: usize| {
        let from = index.saturating_sub(CONTEXT);
        marked[from..(index + CONTEXT + 1).min(marked.len())].iter().any(|(mark, _)| *mark != ' ')
    };
    let (mut lines, mut gap) = (Vec::new(), false);
    for (index, (mark, line)) in marked.iter().enumerate() {
        if near(index) {
            if gap && !lines.is_empty() {
                lines.push("@@".to_owned());
            }
            gap = false;
            lines.push(format!("{mark}{line}"));
        } else {
            gap = true;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changed_lines_are_shown_with_their_neighbours() {
        let object = |replicas: u32| Object {
            value: json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": replicas}}),
            source: "a.yaml".into(),
        };
        let lines = [" metadata:", "   name: web", " spec:", "-  replicas: 1", "+  replicas: 2"];
        let expected = Difference::Changed { key: "apps/v1 Deployment web".into(), lines: lines.map(str::to_owned).into() };
        assert_eq!(diff(&[object(1)], &[object(2)]), [expected]);
        assert_eq!(diff(&[object(1)], &[object(1)]), []);
        assert!(matches!(&diff(&[], &[object(1)])[..], [Difference::Added { .. }]));
        assert!(matches!(&diff(&[object(1)], &[])[..], [Difference::Removed { .. }]));
    }
}
