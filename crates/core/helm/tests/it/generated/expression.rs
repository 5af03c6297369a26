//! Random expressions, weighted as public charts call functions.

use serde_json::Value;

use super::{
    chance::Chance,
    values::{Tree, paths},
};

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Int,
    Bool,
    List,
    Map,
    Any,
}

use Kind::{Any, Bool, Int, List, Map, Text};

/// Name, how often charts use it, what it gives, what it takes.
type Entry = (&'static str, u32, Kind, &'static [Kind]);

const FUNCTIONS: &[Entry] = &[
    ("default", 14951, Text, &[Text, Text]),
    ("default", 4000, Any, &[Any, Any]),
    ("printf \"%s-%s\"", 10198, Text, &[Text, Text]),
    ("printf \"%v/%d\"", 438, Text, &[Any, Int]),
    ("printf \"%q %T\"", 60, Text, &[Text, Any]),
    ("printf \"%05.2f|%x|%t\"", 20, Text, &[Any, Text, Bool]),
    ("toYaml", 25102, Text, &[Any]),
    ("toYaml", 9000, Text, &[Map]),
    ("quote", 23089, Text, &[Any]),
    ("trunc 8", 5532, Text, &[Text]),
    ("trunc -3", 90, Text, &[Text]),
    ("trimSuffix \"-\"", 5612, Text, &[Text]),
    ("contains", 1956, Bool, &[Text, Text]),
    ("nindent 4", 50266, Text, &[Text]),
    ("indent 2", 9691, Text, &[Text]),
    ("replace \"a\" \"b\"", 1268, Text, &[Text]),
    ("and", 11506, Any, &[Any, Any]),
    ("or", 7334, Any, &[Any, Any]),
    ("not", 9682, Bool, &[Any]),
    ("eq", 9365, Bool, &[Text, Text]),
    ("ne", 1654, Bool, &[Text, Text]),
    ("eq", 900, Bool, &[Int, Int]),
    ("gt", 465, Bool, &[Int, Int]),
    ("lt", 73, Bool, &[Int, Int]),
    ("le", 30, Bool, &[Int, Int]),
    ("b64enc", 2730, Text, &[Text]),
    ("b64dec", 67, Text, &[Text]),
    ("print", 2176, Text, &[Any, Any]),
    ("println", 22, Text, &[Any]),
    ("sha256sum", 1140, Text, &[Text]),
    ("dict \"k\"", 20000, Map, &[Any]),
    ("dict \"a\" 1 \"b\"", 17000, Map, &[Any]),
    ("empty", 2660, Bool, &[Any]),
    ("list", 5638, List, &[Any, Any]),
    ("list 1 \"a\"", 600, List, &[Any]),
    ("index", 5361, Any, &[Map, Text]),
    ("int", 1149, Int, &[Any]),
    ("int64", 134, Int, &[Any]),
    ("float64", 65, Any, &[Any]),
    ("fromYaml", 1190, Map, &[Text]),
    ("fromJson", 24, Map, &[Text]),
    ("fromYamlArray", 22, List, &[Text]),
    ("join \",\"", 634, Text, &[List]),
    ("ternary", 1682, Any, &[Any, Any, Bool]),
    ("semverCompare \">=1.19-0\"", 1086, Bool, &[]),
    ("append", 1022, List, &[List, Any]),
    ("prepend", 37, List, &[List, Any]),
    ("toString", 992, Text, &[Any]),
    ("required \"needed\"", 200, Any, &[Any]),
    ("omit", 1086, Map, &[Map, Text]),
    ("pick", 80, Map, &[Map, Text]),
    ("hasKey", 1670, Bool, &[Map, Text]),
    ("set", 2207, Map, &[Map, Text, Any]),
    ("unset", 330, Map, &[Map, Text]),
    ("get", 349, Any, &[Map, Text]),
    ("trim", 1125, Text, &[Text]),
    ("trimPrefix \"a\"", 110, Text, &[Text]),
    ("trimAll \"-\"", 58, Text, &[Text]),
    ("mergeOverwrite", 654, Map, &[Map, Map]),
    ("merge", 444, Map, &[Map, Map]),
    ("mustMergeOverwrite", 142, Map, &[Map, Map]),
    ("deepCopy", 386, Map, &[Map]),
    ("kindIs \"map\"", 913, Bool, &[Any]),
    ("kindIs \"string\"", 300, Bool, &[Any]),
    ("typeIs \"string\"", 115, Bool, &[Any]),
    ("kindOf", 95, Text, &[Any]),
    ("typeOf", 90, Text, &[Any]),
    ("without", 114, List, &[List, Any]),
    ("len", 344, Int, &[List]),
    ("len", 100, Int, &[Text]),
    ("coalesce", 492, Any, &[Any, Any, Any]),
    ("toJson", 202, Text, &[Any]),
    ("toPrettyJson", 25, Text, &[Any]),
    ("toRawJson", 4, Text, &[Any]),
    ("has", 307, Bool, &[Any, List]),
    ("until", 183, List, &[]),
    ("upper", 229, Text, &[Text]),
    ("lower", 159, Text, &[Text]),
    ("title", 54, Text, &[Text]),
    ("untitle", 4, Text, &[Text]),
    ("snakecase", 9, Text, &[Text]),
    ("camelcase", 6, Text, &[Text]),
    ("kebabcase", 20, Text, &[Text]),
    ("squote", 32, Text, &[Any]),
    ("cat", 65, Text, &[Any, Any]),
    ("concat", 270, List, &[List, List]),
    ("first", 133, Any, &[List]),
    ("last", 24, Any, &[List]),
    ("rest", 10, List, &[List]),
    ("initial", 2, List, &[List]),
    ("compact", 43, List, &[List]),
    ("reverse", 4, List, &[List]),
    ("uniq", 123, List, &[List]),
    ("sortAlpha", 55, List, &[List]),
    ("slice", 18, List, &[List]),
    ("chunk 2", 2, List, &[List]),
    ("splitList \",\"", 121, List, &[Text]),
    ("split \".\"", 48, Map, &[Text]),
    ("splitn \"-\" 2", 8, Map, &[Text]),
    ("regexFind \"[a-z]+\"", 125, Text, &[Text]),
    ("regexMatch \"^[a-z]+$\"", 66, Bool, &[Text]),
    ("regexReplaceAll \"[^a-z]\"", 47, Text, &[Text, Text]),
    ("regexSplit \"-\"", 22, List, &[Text, Int]),
    ("dig \"a\" \"b\"", 754, Any, &[Any, Map]),
    ("add", 128, Int, &[Int, Int]),
    ("add1", 47, Int, &[Int]),
    ("sub", 94, Int, &[Int, Int]),
    ("mul", 72, Int, &[Int, Int]),
    ("mulf 1.5", 55, Any, &[Any]),
    ("div", 6, Int, &[Int, Int]),
    ("mod", 6, Int, &[Int, Int]),
    ("max", 15, Int, &[Int, Int]),
    ("min", 21, Int, &[Int, Int]),
    ("floor", 22, Any, &[Any]),
    ("ceil", 2, Any, &[Any]),
    ("round", 2, Any, &[Any, Int]),
    ("atoi", 7, Int, &[Text]),
    ("hasPrefix \"a\"", 126, Bool, &[Text]),
    ("hasSuffix \"b\"", 72, Bool, &[Text]),
    ("base", 33, Text, &[Text]),
    ("dir", 39, Text, &[Text]),
    ("ext", 6, Text, &[Text]),
    ("clean", 21, Text, &[Text]),
    ("urlParse", 19, Map, &[Text]),
    ("urlquery", 8, Text, &[Text]),
    ("html", 3, Text, &[Text]),
    ("repeat 2", 50, Text, &[Text]),
    ("substr 0 3", 19, Text, &[Text]),
    ("nospace", 5, Text, &[Text]),
    ("wrap 10", 2, Text, &[Text]),
    ("abbrev 8", 2, Text, &[Text]),
    ("deepEqual", 8, Bool, &[Any, Any]),
    ("sha1sum", 4, Text, &[Text]),
    ("adler32sum", 2, Text, &[Text]),
    ("toToml", 3, Text, &[Map]),
    ("include \"h.text\"", 40000, Text, &[Any]),
    ("include \"h.yaml\"", 20000, Text, &[Any]),
    ("tpl", 400, Text, &[Text]),
];

/// These cut texts by bytes.
const CUTTING: [&str; 6] = ["trunc", "substr", "abbrev", "wrap", "trimAll", "b64dec"];

/// Makes expressions over the values of a chart.
pub struct Expressions<'a> {
    pub chance: &'a mut Chance,
    known: Vec<(String, Kind)>,
    /// Variables in reach.
    pub variables: Vec<(String, Kind)>,
}

impl<'a> Expressions<'a> {
    pub fn new(chance: &'a mut Chance, values: &Tree) -> Self {
        let mut all = Vec::new();
        paths(&values.0, String::new(), &mut all);
        let kind = |value: &Value| match value {
            Value::String(_) => Text,
            Value::Bool(_) => Bool,
            Value::Array(_) => List,
            Value::Object(_) => Map,
            Value::Null | Value::Number(_) => Any,
        };
        let known = all.iter().map(|(path, value)| (path.clone(), kind(value))).collect();
        Self {
            chance,
            known,
            variables: Vec::new(),
        }
    }

    /// An operand: a literal, a variable, a field or something in parentheses.
    pub fn operand(&mut self, kind: Kind, depth: usize) -> String {
        if depth == 0 || self.chance.one_in(3) {
            return self.leaf(kind);
        }
        format!("({})", self.pipeline(kind, depth))
    }

    /// A call, or several joined by pipes.
    pub fn pipeline(&mut self, kind: Kind, depth: usize) -> String {
        if depth == 0 {
            return self.leaf(kind);
        }
        let beyond_ascii = self.chance.beyond_ascii;
        let cuts = |name: &str| CUTTING.iter().any(|it| name.starts_with(it));
        let fitting: Vec<&Entry> = FUNCTIONS
            .iter()
            .filter(|(_, _, gives, _)| kind == Any || *gives == kind)
            .filter(|(name, ..)| !(beyond_ascii && cuts(name)))
            .collect();
        let (name, _, _, takes) = **self.chance.weighted(&fitting, |entry| entry.1);
        match name {
            "tpl" => return format!("tpl {} $", self.operand(Text, depth - 1)),
            "until" => return format!("until {}", self.chance.below(5)),
            "slice" => {
                let list = self.operand(List, depth - 1);
                return format!("slice {list} {}", self.chance.below(2));
            }
            "semverCompare \">=1.19-0\"" => {
                return format!("{name} $.Capabilities.KubeVersion.Version");
            }
            "dig \"a\" \"b\"" => {
                let map = self.operand(Map, depth - 1);
                return format!("{name} {} {map}", self.leaf(Any));
            }
            _ => {}
        }
        let mut operands: Vec<String> = takes
            .iter()
            .enumerate()
            .map(|(index, kind)| match (name, index) {
                // Maps of the values stay as they are, or later templates would all differ.
                ("set" | "unset" | "merge" | "mergeOverwrite" | "mustMergeOverwrite", 0) => {
                    format!("(deepCopy {})", self.operand(*kind, depth - 1))
                }
                _ => self.operand(*kind, depth - 1),
            })
            .collect();
        if self.chance.one_in(2)
            && let Some(last) = operands.pop()
        {
            let last = last
                .strip_prefix('(')
                .and_then(|it| it.strip_suffix(')'))
                .filter(|it| balanced(it))
                .map(str::to_owned)
                .unwrap_or(last);
            return format!("{last} | {name} {}", operands.join(" ")).trim_end().to_owned();
        }
        format!("{name} {}", operands.join(" ")).trim_end().to_owned()
    }

    fn leaf(&mut self, kind: Kind) -> String {
        let fits = |found: Kind| kind == Any || found == kind;
        let variables: Vec<String> = self
            .variables
            .iter()
            .filter(|(_, kind)| fits(*kind))
            .map(|(name, _)| name.clone())
            .collect();
        if !variables.is_empty() && self.chance.one_in(3) {
            return self.chance.pick(&variables).clone();
        }
        let known: Vec<String> = self
            .known
            .iter()
            .filter(|(_, kind)| fits(*kind))
            .map(|(path, _)| format!("$.Values{path}"))
            .collect();
        if !known.is_empty() && !self.chance.one_in(3) {
            return self.chance.pick(&known).clone();
        }
        let literals: &[&str] = match kind {
            Text => &[
                "\"a\"", "\"\"", "\"a-b-\"", "\"k\"", "`raw`", "$.Release.Name", "$.Chart.Name",
                "$.Release.Namespace", "$.Chart.AppVersion", "\"a,b\"", "\"name\"", "\"e\\n\"",
                "$.Template.BasePath", "$.Release.Service", "\"a: {b: [1, x]}\"",
            ],
            Int => &["0", "1", "3", "-2", "10", "0x1F", "$.Release.Revision"],
            Bool => &["true", "false", "$.Release.IsInstall"],
            List => &["(list)", "(list \"a\" \"b\" \"a\")", "(list 3 1 2)", "(tuple 1 \"x\" true)"],
            Map => &["(dict)", "(dict \"a\" 1)", "(dict \"a\" (dict \"b\" \"x\"))", "$.Release", "$.Values.kid"],
            Any => &["1", "\"x\"", "true", "1.5", "$.Values.missing", "(list 1 2)", "(dict \"q\" nil)", "1e3", "'a'"],
        };
        (*self.chance.pick(literals)).to_owned()
    }
}

/// Whether no parenthesis closes that was not opened inside.
fn balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    for it in text.chars() {
        match it {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' | '`' | '\'' => return false,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}
