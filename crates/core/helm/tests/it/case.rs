//! Charts as one text file each: `-- path --` starts a file, `# run: ARGUMENTS` asks for a render.
//!
//! Paths below `charts/NAME.tgz/` become an archive; paths that start with `../` lie beside the
//! chart, where `-f` finds them. Without a Chart.yaml there is a plain one.

use std::{fs, path::Path};

/// A chart and how it is to be rendered.
pub struct Case {
    pub name: String,
    /// Arguments of each render.
    pub runs: Vec<Vec<String>>,
    /// Whether both must fail, but not with the same words (`# words differ`).
    pub words_differ: bool,
    /// Path relative to the chart, and content.
    pub files: Vec<(String, Vec<u8>)>,
}

const PLAIN_CHART: &str = "apiVersion: v2\nname: demo\nversion: 0.1.0\nappVersion: 1.2.3\n";

impl Case {
    pub fn parse(name: &str, text: &str) -> Self {
        let mut runs = Vec::new();
        let mut words_differ = false;
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for line in text.split_inclusive('\n') {
            let marker = line
                .trim_end()
                .strip_prefix("-- ")
                .and_then(|it| it.strip_suffix(" --"));
            match (marker, files.last_mut()) {
                (Some(path), _) => files.push((path.to_owned(), Vec::new())),
                (None, Some((_, content))) => content.extend(line.as_bytes()),
                (None, None) => {
                    words_differ |= line.starts_with("# words differ");
                    if let Some(arguments) = line.strip_prefix("# run:") {
                        runs.push(words(arguments));
                    }
                }
            }
        }
        for (_, content) in &mut files {
            unescape(content);
        }
        if !files.iter().any(|(path, _)| path == "Chart.yaml" || path == "!Chart.yaml") {
            files.push(("Chart.yaml".to_owned(), PLAIN_CHART.into()));
        }
        files.retain(|(path, _)| !path.starts_with('!'));
        if runs.is_empty() {
            runs.push(Vec::new());
        }
        Self {
            name: name.to_owned(),
            runs,
            words_differ,
            files: crate::archive::pack_archives(files),
        }
    }

    /// Writes the chart to `folder/chart`.
    pub fn write(&self, folder: &Path) {
        for (path, content) in &self.files {
            let path = folder.join("chart").join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("make folders");
            fs::write(path, content).expect("write a file");
        }
    }
}

/// `\r`, a byte order mark and a cut line end cannot be seen in an editor, so they are written out.
fn unescape(content: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(content);
    if text.contains("\\x") {
        *content = text
            .replace("\\xCR", "\r")
            .replace("\\xBOM", "\u{feff}")
            .replace("\\xCUT\n", "")
            .into_bytes();
    }
}

/// Words of a command line; quotes keep blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for it in line.trim().chars() {
        match (quote, it) {
            (Some(open), _) if open == it => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(it),
            (None, '\'' | '"') => {
                quote = Some(it);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(it),
        }
    }
    words.extend(word);
    words
}
