//! The problem matchers that setup actions bring: what compilers and linters print becomes annotations.

use serde_json::{Value, json};

use super::{
    package_cache::Tool,
    step::{Failed, Step, failed},
};

/// Lets the steps after this one be read with the matchers of a tool.
pub fn announce(step: &Step, tool: Tool) -> Result<(), Failed> {
    let folder = step.temp().join("_landfall_matchers");
    std::fs::create_dir_all(&folder).map_err(failed(folder.display()))?;
    let (name, matchers) = known(tool);
    let file = folder.join(format!("{name}.json"));
    let text = json!({"problemMatcher": matchers}).to_string();
    std::fs::write(&file, text).map_err(failed(file.display()))?;
    step.say(format_args!("::add-matcher::{}", file.display()));
    Ok(())
}

fn known(tool: Tool) -> (&'static str, Vec<Value>) {
    match tool {
        Tool::Node => ("node", vec![tsc(), eslint_stylish(), eslint_compact()]),
        Tool::Python => ("python", vec![python()]),
        Tool::Go => ("go", vec![go()]),
        Tool::Java => ("java", vec![javac()]),
    }
}

fn tsc() -> Value {
    json!({"owner": "tsc", "pattern": [{
        "regexp": r"^(?:\s*\d+>)?(\S.*?)[(:](\d+)[,:](\d+)\)?\s*[:-]\s+(error|warning|info)\s+(TS\d+)\s*:\s*(.*)$",
        "file": 1, "line": 2, "column": 3, "severity": 4, "code": 5, "message": 6,
    }]})
}

fn eslint_stylish() -> Value {
    json!({"owner": "eslint-stylish", "pattern": [
        {"regexp": r"^(\S.*)$", "file": 1},
        {
            "regexp": r"^\s+(\d+):(\d+)\s+(error|warning|info)\s+(.*?)\s\s+(\S+)$",
            "line": 1, "column": 2, "severity": 3, "message": 4, "code": 5, "loop": true,
        },
    ]})
}

fn eslint_compact() -> Value {
    json!({"owner": "eslint-compact", "pattern": [{
        "regexp": r"^(.+): line (\d+), col (\d+), (Error|Warning|Info) - (.+) \((.+)\)$",
        "file": 1, "line": 2, "column": 3, "severity": 4, "message": 5, "code": 6,
    }]})
}

fn python() -> Value {
    json!({"owner": "python", "pattern": [
        {"regexp": r#"^\s*File\s"(.*)",\sline\s(\d+),\sin\s.*$"#, "file": 1, "line": 2},
        {"regexp": r"^\s*raise\s.*\('(.*)'\)$", "message": 1},
    ]})
}

fn go() -> Value {
    json!({"owner": "go", "pattern": [{
        "regexp": r"^\s*(\.{0,2}[/\\]?\S+\.go):(\d+):(?:(\d+):)? (.*)$",
        "file": 1, "line": 2, "column": 3, "message": 4,
    }]})
}

fn javac() -> Value {
    json!({"owner": "javac", "pattern": [{
        "regexp": r"^(\S.*\.java):(\d+): (error|warning): (.+)$",
        "file": 1, "line": 2, "severity": 3, "message": 4,
    }]})
}

#[cfg(test)]
mod tests {
    use workflow::matcher::Matchers;

    use super::*;

    #[track_caller]
    fn check(tool: Tool, lines: &[&str], expected: &str) {
        let mut matchers = Matchers::default();
        matchers.add(&json!({"problemMatcher": known(tool).1}).to_string()).expect("matchers");
        let found = lines.iter().filter_map(|line| matchers.read(line));
        let found: Vec<_> = found
            .map(|it| {
                let it = it.annotation;
                let number = |it: Option<u64>| it.map(|it| it.to_string()).unwrap_or_default();
                format!("{:?} {}:{}:{} {}", it.level, it.file.unwrap_or_default(), number(it.line), number(it.column), it.message)
            })
            .collect();
        assert_eq!(found.join("\n"), expected);
    }

    #[test]
    fn tools_are_understood() {
        check(Tool::Node, &["src/a.ts(1,2): error TS2304: no name", "src/b.ts:3:4 - warning TS6133: not used"], "Error src/a.ts:1:2 no name\nWarning src/b.ts:3:4 not used");
        check(Tool::Node, &["/w/a.js", "  3:5  error  Unexpected var  no-var", "  4:1  warning  Long line  max-len"], "Error /w/a.js:3:5 Unexpected var\nWarning /w/a.js:4:1 Long line");
        check(Tool::Node, &["/w/a.js: line 3, col 5, Error - Missing (semi)"], "Error /w/a.js:3:5 Missing");
        check(Tool::Python, &["  File \"a.py\", line 3, in f", "    raise ValueError('bad')"], "Error a.py:3: bad");
        check(Tool::Go, &["x/a.go:3:4: undefined: y", "./b.go:7: missing return", "ok  pkg 0.1s"], "Error x/a.go:3:4 undefined: y\nError ./b.go:7: missing return");
        check(Tool::Java, &["src/A.java:12: error: ';' expected"], "Error src/A.java:12: ';' expected");
    }
}
