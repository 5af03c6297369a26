//! Results as tables for people and as JSON for scripts.

use serde::Serialize;

/// How results are printed.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Columns for people
    #[default]
    #[value(alias = "text")]
    Table,
    /// JSON; fields are only ever added
    Json,
}

/// The flag that every read command has.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct OutputArgs {
    /// How to print the result
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Output,
}

/// Prints a value as JSON on standard output.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows under their headings, columns aligned.
pub fn print_table(headings: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|it| it.len())).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let headings: Vec<_> = headings.iter().map(|it| (*it).to_owned()).collect();
    println!("{}", line(&headings));
    for row in rows {
        println!("{}", line(row));
    }
}
