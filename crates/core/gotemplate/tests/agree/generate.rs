//! Makes templates and their data: mostly such that run, some that fail, some that do not parse.

use gotemplate::MissingKey;

use super::{random::Random, referee::Case, values::values};

struct Writer<'r> {
    random: &'r mut Random,
    text: String,
    variables: Vec<String>,
    next_variable: usize,
    in_range: usize,
}

const FIELDS: [&str; 44] = [
    "Values.name",
    "Values.name",
    "Values.name",
    "Values.empty",
    "Values.n",
    "Values.i",
    "Values.i",
    "Values.i",
    "Values.big",
    "Values.u",
    "Values.yes",
    "Values.yes",
    "Values.no",
    "Values.nil",
    "Values.list",
    "Values.list",
    "Values.strings",
    "Values.ints",
    "Values.none",
    "Values.bytes",
    "Values.m",
    "Values.m.a",
    "Values.m.b.c",
    "Values.m.b.c",
    "Values.m.b.d",
    "Values.m.b",
    "Values.labels",
    "Values.labels.app",
    "Values.named",
    "Values.named.k",
    "Values.named.Keys",
    "Values.server.Name",
    "Values.server",
    "Values.server.Port",
    "Values.server.Tags",
    "Values.pointer.Name",
    "Values.pointer",
    "Values.level",
    "Values.any",
    "Values.missing",
    "Values.missing.deep",
    "Name",
    "Values.labels.nope",
    "Values.m.b.c.d",
];

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn pick(&mut self, from: &[&str]) {
        let text = self.random.pick(from);
        self.text.push_str(text);
    }

    fn body(&mut self, depth: usize) {
        for _ in 0..=self.random.below(3) {
            self.node(depth);
        }
    }

    fn open(&mut self) {
        self.pick(&["{{", "{{", "{{ ", "{{- ", "{{-\n  ", "{{\t"]);
    }

    fn close(&mut self) {
        self.pick(&["}}", "}}", " }}", " -}}", "\n-}}"]);
    }

    fn node(&mut self, depth: usize) {
        let kinds = if depth > 2 { 6 } else { 15 };
        match self.random.below(kinds) {
            0 => self.pick(&["text", " \n ", "a: b\n", "\n\n", "-", "{ {", "é "]),
            1..=4 => self.simple(depth),
            5 => self.declare(depth),
            6..=8 => self.control("if", depth),
            9 => self.control("with", depth),
            10..=12 => self.control("range", depth),
            13 => {
                self.open();
                self.pick(&[
                    "template \"part\" ",
                    "template \"loop\" ",
                    "template \"missing\" ",
                    "template `part`",
                ]);
                if self.random.one_in(4) {
                    self.push(".");
                } else {
                    self.push(" ");
                    self.pipeline(depth + 1);
                }
                self.close();
            }
            _ => {
                self.pick(&["{{/* c */}}", "{{- /* c */ -}}", "{{/* a\nb */}}"]);
            }
        }
    }

    fn simple(&mut self, depth: usize) {
        if self.in_range > 0 && self.random.one_in(12) {
            self.pick(&["{{break}}", "{{ continue }}", "{{- break -}}"]);
            return;
        }
        self.open();
        self.pipeline(depth);
        self.close();
    }

    fn declare(&mut self, depth: usize) {
        self.open();
        if !self.variables.is_empty() && self.random.one_in(2) {
            let variable = self.variable();
            self.push(&variable);
            self.push(" = ");
        } else {
            let name = self.fresh();
            self.push(&name);
            self.pick(&[" := ", ":=", " :="]);
            self.pipeline(depth);
            self.variables.push(name);
            self.close();
            return;
        }
        self.pipeline(depth);
        self.close();
    }

    fn fresh(&mut self) -> String {
        self.next_variable += 1;
        format!("$v{}", self.next_variable)
    }

    fn variable(&mut self) -> String {
        self.variables[self.random.below(self.variables.len())].clone()
    }

    fn control(&mut self, keyword: &str, depth: usize) {
        let scope = self.variables.len();
        self.open();
        self.push(keyword);
        self.push(" ");
        if keyword == "range" && self.random.one_in(2) {
            let (first, second) = (self.fresh(), self.fresh());
            match self.random.below(8) {
                0 | 1 => {
                    self.push(&format!("{first} := "));
                    self.range_subject(depth);
                    self.variables.push(first);
                }
                2 if !self.variables.is_empty() => {
                    let old = self.variable();
                    self.push(&format!("{old} = "));
                    self.range_subject(depth);
                }
                3 => {
                    self.push(&format!("{first}, := "));
                    self.range_subject(depth);
                    self.variables.push(first);
                }
                _ => {
                    self.push(&format!("{first}, {second} := "));
                    self.range_subject(depth);
                    self.variables.push(first);
                    self.variables.push(second);
                }
            }
        } else if keyword == "range" {
            self.range_subject(depth);
        } else if self.random.one_in(6) {
            let name = self.fresh();
            self.push(&format!("{name} := "));
            self.pipeline(depth);
            self.variables.push(name);
        } else {
            self.pipeline(depth);
        }
        self.close();
        self.in_range += usize::from(keyword == "range");
        self.body(depth + 1);
        self.in_range -= usize::from(keyword == "range");
        if self.random.one_in(3) && keyword != "range" {
            self.push("{{else ");
            self.push(keyword);
            self.push(" ");
            self.pipeline(depth);
            self.close();
            self.body(depth + 1);
        }
        if self.random.one_in(2) {
            self.pick(&["{{else}}", "{{- else -}}", "{{ else }}"]);
            self.body(depth + 1);
        }
        self.pick(&["{{end}}", "{{- end }}", "{{ end -}}"]);
        self.variables.truncate(scope);
    }

    fn range_subject(&mut self, depth: usize) {
        match self.random.below(6) {
            0 => self.pipeline(depth),
            1 => self.pick(&[
                "3",
                "0",
                "-2",
                "(list 1 2)",
                "(list)",
                "nil",
                "1.5",
                "\"text\"",
                "$.Values.u",
                "$.Values.i",
            ]),
            _ => self.pick(&[
                "$.Values.list",
                "$.Values.m",
                "$.Values.labels",
                "$.Values.strings",
                "$.Values.none",
                "$.Values.missing",
                "$.Values.ints",
                "$.Values.named",
                "$.Values.bytes",
                "$.Values.any",
                "$.Values.m.z",
            ]),
        }
    }

    fn pipeline(&mut self, depth: usize) {
        self.command(depth);
        for _ in 0..self.random.below(3) {
            if self.random.one_in(2) {
                self.pick(&[" | ", "|", " |"]);
                self.pick(&[
                    "printf \"%v\"",
                    "printf \"%s-%d\" \"a\"",
                    "print",
                    "len",
                    "not",
                    "upper",
                    "kind",
                    "html",
                    "js",
                    "urlquery",
                    "eq 5",
                    "same",
                    "index .Values.list",
                    "list",
                    "println 1",
                    "and true",
                    "or false",
                    "printf \"%q\"",
                    "ne \"a\"",
                    "add 1",
                    "dict \"k\"",
                    "half",
                    "lt 2",
                    "ge 3.5",
                    ".Values.server.Greet",
                    "$.Values.named.Pick \"k\"",
                    "yes",
                    "byte",
                    "call .Values.upper",
                    "sum",
                ]);
            }
        }
    }

    fn command(&mut self, depth: usize) {
        if depth > 3 || self.random.one_in(2) {
            return self.operand(depth);
        }
        let name = self.random.pick(&[
            "eq",
            "eq",
            "ne",
            "lt",
            "le",
            "gt",
            "ge",
            "and",
            "or",
            "and",
            "or",
            "not",
            "len",
            "index",
            "index",
            "slice",
            "print",
            "printf",
            "println",
            "html",
            "js",
            "urlquery",
            "call",
            "upper",
            "add",
            "half",
            "big",
            "byte",
            "yes",
            "list",
            "count",
            "size",
            "sum",
            "same",
            "none",
            "fail",
            "wrap",
            "kind",
            "dict",
            "include",
            ".Values.server.Greet",
            "$.Values.pointer.Greet",
            "$.Values.named.Pick",
            ".Values.named.Keys",
            ".Values.server.Fail",
            ".Values.server.Name",
            ".Name",
            "true",
            "nil",
            "$.Values.pointer.Fail",
        ]);
        self.push(name);
        let count = match name {
            "not" | "len" | "upper" | "half" | "big" | "byte" | "yes" | "count" | "size"
            | "same" | "fail" | "wrap" | "kind" => 1,
            "none"
            | ".Values.named.Keys"
            | ".Values.server.Fail"
            | "$.Values.pointer.Fail"
            | ".Values.server.Name"
            | ".Name" => 0,
            "include" => {
                self.pick(&[
                    " \"part\"",
                    " \"loop\"",
                    " \"missing\"",
                    " (print \"pa\" \"rt\")",
                ]);
                1
            }
            "printf" => {
                self.pick(&[
                    " \"%v\"",
                    " \"%s %d\"",
                    " \"%5.1f|%x\"",
                    " \"%#v\"",
                    " \"%T\"",
                    " \"%[2]v\"",
                ]);
                1
            }
            "call" => {
                self.pick(&[
                    " .Values.upper",
                    " $.Values.sum",
                    " .Values.name",
                    " nil",
                    " $.Values.missing",
                ]);
                1
            }
            _ => 2,
        };
        let count = if self.random.one_in(10) {
            self.random.below(4)
        } else {
            count
        };
        for _ in 0..count {
            self.push(" ");
            self.operand(depth + 1);
        }
    }

    fn operand(&mut self, depth: usize) {
        match self.random.below(16) {
            0 => self.push("."),
            1 => self.pick(&[
                "1",
                "0",
                "5",
                "-3",
                "3.5",
                "1e3",
                "0x1F",
                "'a'",
                "1_2",
                "0b101",
                "017",
                "2i",
                "1+2i",
                "18446744073709551615",
            ]),
            2 | 3 => self.pick(&[
                "\"web\"",
                "\"a\\tb\"",
                "`raw`",
                "\"\"",
                "\"k\"",
                "\"é\"",
                "\"5\"",
                "\"x\\xffy\"",
                "\"part\"",
            ]),
            4 => self.pick(&["true", "false", "nil"]),
            5 => self.pick(&["$", "$.Name", "$.Values.i"]),
            6 if !self.variables.is_empty() => {
                let variable = self.variable();
                self.push(&variable);
                if self.random.one_in(4) {
                    self.pick(&[".name", ".a.b", ".c"]);
                }
            }
            7 if depth < 4 => {
                self.push("(");
                self.pipeline(depth + 1);
                self.push(")");
                if self.random.one_in(4) {
                    self.pick(&[".a", ".Name", ".b.c", ".missing"]);
                }
            }
            8 => {
                let field = self.random.pick(&FIELDS);
                self.push(".");
                self.push(field);
            }
            _ => {
                let field = self.random.pick(&FIELDS);
                self.push("$.");
                self.push(field);
            }
        }
    }
}

fn text(random: &mut Random) -> String {
    let mut writer = Writer {
        random,
        text: String::new(),
        variables: Vec::new(),
        next_variable: 0,
        in_range: 0,
    };
    writer.body(0);
    writer.text
}

const HELPERS: &str = "{{define \"part\"}}<{{.}}>{{end}}\n{{- define \"loop\" }}{{range .}}[{{.}}]{{else}}none{{end}}{{ end -}}\n";

pub fn template(random: &mut Random) -> Case {
    let missing_key = match random.below(8) {
        0 => MissingKey::Invalid,
        1 => MissingKey::Error,
        _ => MissingKey::Zero,
    };
    let body = text(random);
    Case::Template {
        templates: vec![
            (
                "chart/templates/_helpers.tpl".to_owned(),
                HELPERS.to_owned(),
            ),
            ("chart/templates/a.yaml".to_owned(), body),
        ],
        execute: "chart/templates/a.yaml".to_owned(),
        data: values(random),
        missing_key,
    }
}

/// A template with something taken out, put in or doubled.
pub fn broken(random: &mut Random) -> Case {
    const BITS: [&str; 44] = [
        "{{",
        "}}",
        "{{end}}",
        "{{else}}",
        "(",
        ")",
        "|",
        "\"",
        "`",
        "'",
        ".",
        "..",
        "$",
        "$x",
        ":=",
        "=",
        ",",
        "{{define \"d\"}}",
        "{{block \"b\" .}}",
        "{{if}}",
        "{{range}}",
        "{{template}}",
        "{{break}}",
        "{{continue}}",
        "nope",
        "1x",
        "0x",
        "\\",
        "\n",
        " -}}",
        "{{- ",
        "/*",
        "*/",
        "{{else if .}}",
        "{{with}}",
        "é",
        "@",
        "!",
        "{{template \"t\"",
        "{{end",
        ".1",
        "nil",
        "1+2",
        "\u{1}",
    ];
    let mut body = text(random);
    if random.one_in(3) {
        body.push_str("{{define \"d\"}}x{{end}}\nz");
    }
    for _ in 0..=random.below(2) {
        let places: Vec<usize> = body
            .char_indices()
            .map(|(at, _)| at)
            .chain([body.len()])
            .collect();
        let (a, b) = (
            places[random.below(places.len())],
            places[random.below(places.len())],
        );
        match random.below(3) {
            0 => body.insert_str(a, random.pick(&BITS)),
            1 if b > a && b - a < 12 => body.replace_range(a..b, ""),
            1 => body.truncate(a),
            _ => body.insert_str(a, random.pick(&BITS)),
        }
    }
    Case::Template {
        templates: vec![
            (
                "chart/templates/_helpers.tpl".to_owned(),
                HELPERS.to_owned(),
            ),
            ("chart/templates/a.yaml".to_owned(), body),
        ],
        execute: "chart/templates/a.yaml".to_owned(),
        data: values(random),
        missing_key: MissingKey::Zero,
    }
}
