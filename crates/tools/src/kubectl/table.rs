//! Tables: aligned columns, and the server's tables as text.

use serde_json::Value;

use super::{list, text};

/// Columns are at least this wide, gap included.
const WIDTH_MIN: usize = 6;
const GAP: usize = 3;

/// Lines of cells one below the other; the last cell of a line is not padded.
pub fn aligned(lines: &[Vec<String>]) -> Vec<String> {
    aligned_with(lines, GAP, WIDTH_MIN)
}

/// As [`aligned`], with another gap.
pub fn aligned_with(lines: &[Vec<String>], gap: usize, width_min: usize) -> Vec<String> {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| lines.iter().filter(|it| column + 1 < it.len()).map(|it| it[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|it| (widest(it) + gap).max(width_min)).collect();
    let padded = lines.iter().map(|cells| {
        let last = cells.len().saturating_sub(1);
        let cells = cells.iter().enumerate().map(|(at, cell)| {
            let pad = if at == last { 0 } else { widths[at] - cell.chars().count() };
            format!("{cell}{}", " ".repeat(pad))
        });
        cells.collect::<String>()
    });
    padded.collect()
}

/// What is added to a server's table.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// Columns that are shown on request only.
    pub wide: bool,
    pub namespaces: bool,
    pub labels: bool,
    pub label_columns: Vec<String>,
    /// Put before names when several kinds are shown.
    pub prefix: Option<String>,
}

impl Style {
    fn shown(&self, table: &Value) -> Vec<usize> {
        let columns = list(&table["columnDefinitions"]);
        (0..columns.len()).filter(|at| self.wide || columns[*at]["priority"].as_i64().unwrap_or(0) == 0).collect()
    }

    /// The titles of the columns.
    pub fn titles(&self, table: &Value) -> Vec<String> {
        let columns = list(&table["columnDefinitions"]);
        let mut titles: Vec<String> = self.namespaces.then(|| "NAMESPACE".to_owned()).into_iter().collect();
        titles.extend(self.shown(table).into_iter().map(|at| text(&columns[at]["name"]).to_uppercase()));
        titles.extend(self.label_columns.iter().map(|it| it.rsplit('/').next().unwrap_or(it).to_uppercase()));
        titles.extend(self.labels.then(|| "LABELS".to_owned()));
        titles
    }

    /// The cells of all rows. The columns are those of `head`, as later tables of a watch leave them out.
    pub fn rows(&self, head: &Value, table: &Value) -> Vec<Vec<String>> {
        let shown = self.shown(head);
        let columns = list(&head["columnDefinitions"]);
        let rows = list(&table["rows"]).iter().map(|row| {
            let metadata = &row["object"]["metadata"];
            let mut cells: Vec<String> = self.namespaces.then(|| text(&metadata["namespace"]).to_owned()).into_iter().collect();
            for at in &shown {
                let shown = cell(&row["cells"][*at]);
                let is_name = columns[*at]["format"] == "name" || (*at == 0 && columns[*at]["name"] == "Name");
                cells.push(match &self.prefix {
                    Some(prefix) if is_name => format!("{prefix}/{shown}"),
                    _ => shown,
                });
            }
            let labels = metadata["labels"].as_object();
            for label in &self.label_columns {
                cells.push(labels.and_then(|it| it.get(label)).map_or_else(String::new, cell));
            }
            if self.labels {
                let mut all: Vec<String> = labels.into_iter().flatten().map(|(name, value)| format!("{name}={}", text(value))).collect();
                all.sort();
                cells.push(if all.is_empty() { "<none>".to_owned() } else { all.join(",") });
            }
            cells
        });
        rows.collect()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "<none>".to_owned(),
        Value::String(it) => it.lines().next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let lines = [vec!["NAME", "READY", "AGE"], vec!["a-long-name", "1/1", "3s"]];
        let lines: Vec<Vec<String>> = lines.iter().map(|it| it.iter().map(|it| (*it).to_owned()).collect()).collect();
        assert_eq!(aligned(&lines).join("\n"), "NAME          READY   AGE\na-long-name   1/1     3s");
    }
}
