//! Hand-written cases: each a rule of the language that a chart may lean on.

use gotemplate::MissingKey;

use super::{
    data::{Data, Element},
    referee::Case,
};

fn values() -> Data {
    Data::map([(
        "Values",
        Data::map([
            ("name", Data::text("web")),
            ("zero", Data::Float64(0.0)),
            ("f", Data::Float64(5.0)),
            ("million", Data::Float64(1_000_000.0)),
            ("small", Data::Float64(0.000_001)),
            ("i", Data::Int("int64", 5)),
            ("nil", Data::Nil),
            (
                "list",
                Data::List(
                    Element::Any,
                    vec![Data::text("a"), Data::Nil, Data::Int("int", 2)],
                ),
            ),
            ("none", Data::List(Element::Any, Vec::new())),
            ("nillist", Data::List(Element::Nil, Vec::new())),
            ("nilmap", Data::Map(Element::Nil, Vec::new())),
            (
                "keys",
                Data::map([
                    ("", Data::Int("int", 0)),
                    ("1.5", Data::Int("int", 1)),
                    ("10", Data::Int("int", 2)),
                    ("9", Data::Int("int", 3)),
                    ("A", Data::Int("int", 4)),
                    ("a10", Data::Int("int", 5)),
                    ("a9", Data::Nil),
                ]),
            ),
            ("server", Data::Server("s".to_owned())),
            ("pointer", Data::Pointer("p".to_owned())),
            ("level", Data::Level(3)),
            (
                "named",
                Data::Map(Element::Values, vec![("k".to_owned(), Data::text("v"))]),
            ),
            ("upper", Data::Function("upper")),
            ("binary", Data::String(vec![0x61, 0xFF, 0xE4, 0xB8])),
        ]),
    )])
}

const TEMPLATES: &[&str] = &[
    "",
    "plain",
    "a {{- 1 -}} b",
    "a {{-1}} b",
    "a {{- /* c */ -}} b",
    "a {{/* c */}} b",
    "{{/* unclosed",
    "{{/* c */ }}",
    "{{ 1 }}{{ 1.5 }}{{ 1e3 }}{{ 'a' }}{{ 0x10 }}{{ 0777 }}{{ 1_000 }}{{ 0b11 }}{{ 0o17 }}{{ 1i }}{{ 1+2i }}{{ -0.0 }}",
    "{{ .Values.million }} {{ .Values.small }} {{ .Values.f }} {{ .Values.zero }}",
    "{{ .Values.missing }}|{{ .Values.nil }}|{{ .Values.list }}|{{ .Values.keys }}",
    "{{ .Values.missing.deep }}",
    "{{ .Values.nil.deep }}",
    "{{ .Values.name.deep }}",
    "{{ .Values.list.deep }}",
    "{{ .nope.deep }}",
    "{{ $x := .Values.missing }}{{ $x.deep }}",
    "{{ range .Values.list }}{{ .deep }}{{ end }}",
    "{{ range $i, $v := .Values.list }}{{ $i }}={{ $v }};{{ end }}",
    "{{ range $v := .Values.list }}{{ $v }};{{ end }}",
    "{{ range $k, $v := .Values.keys }}{{ $k }}={{ $v }};{{ end }}",
    "{{ range .Values.none }}x{{ else }}empty{{ end }}",
    "{{ range .Values.nil }}x{{ else }}empty{{ end }}",
    "{{ range .Values.missing }}x{{ else }}empty{{ end }}",
    "{{ range 3 }}{{ . }}{{ end }}",
    "{{ range $i := 3 }}{{ $i }}{{ end }}",
    "{{ range $i, $j := 3 }}{{ $i }}{{ end }}",
    "{{ range .Values.i }}{{ kind . }}{{ end }}",
    "{{ range .Values.f }}{{ . }}{{ end }}",
    "{{ range .Values.name }}{{ . }}{{ end }}",
    "{{ range true }}{{ . }}{{ end }}",
    "{{ range nil }}{{ . }}{{ end }}",
    "{{ range .Values.server }}{{ . }}{{ end }}",
    "{{ range $x := .Values.level }}.{{ end }}",
    "{{ range $x := .Values.list }}{{ if eq $x nil }}{{ continue }}{{ end }}{{ $x }}{{ end }}",
    "{{ range .Values.list }}{{ . }}{{ break }}{{ end }}x",
    "{{ range 2 }}{{ range .Values }}{{ else }}{{ break }}{{ end }}{{ end }}",
    "{{ range 2 }}{{ range list }}{{ else }}{{ break }}{{ end }}y{{ end }}",
    "{{ range 2 }}{{ range list }}{{ else }}{{ continue }}{{ end }}y{{ end }}",
    "{{ break }}",
    "{{ range 1 }}{{ define \"x\" }}{{ end }}{{ end }}",
    "{{ with .Values.name }}{{ . }}{{ else }}no{{ end }}",
    "{{ with .Values.nil }}{{ . }}{{ else with .Values.name }}second {{ . }}{{ else }}no{{ end }}",
    "{{ with nil }}{{ end }}",
    "{{ if .Values.zero }}a{{ else if .Values.none }}b{{ else if .Values.name }}c{{ end }}",
    "{{ if .Values.server }}struct{{ end }}{{ if \"false\" }}text{{ end }}{{ if \" \" }}space{{ end }}",
    "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}",
    "{{ if $x := 1 }}{{ $x }}{{ end }}{{ $x }}",
    "{{ $x = 1 }}",
    "{{ and false ($x := 1) }}{{ $x }}",
    "{{ and 1 0 \"\" }}|{{ and 1 2 }}|{{ or 0 \"\" }}|{{ or 0 2 (fail \"no\") }}|{{ not 0 }}|{{ 1 | and 2 }}|{{ 1 | or 0 }}",
    "{{ and }}",
    "{{ eq .Values.f 5.0 }}",
    "{{ eq .Values.f 5 }}",
    "{{ eq .Values.i 5 }}{{ lt .Values.i 6 }}",
    "{{ lt .Values.f 6 }}",
    "{{ eq \"a\" \"b\" \"a\" }}{{ ne 1 2 }}{{ lt \"a\" \"b\" }}{{ le 1 1 }}{{ gt 1.5 1.0 }}{{ ge 1 2 }}",
    "{{ eq nil .Values.name }}{{ eq .Values.nil nil }}",
    "{{ gt nil 1 }}",
    "{{ lt true false }}",
    "{{ eq (list 1) (list 1) }}",
    "{{ eq .Values.keys .Values.keys }}",
    "{{ eq .Values.nilmap nil }}{{ eq .Values.nillist nil }}{{ eq .Values.none nil }}",
    "{{ eq .Values.server .Values.server }}",
    "{{ eq .Values.level 3 }}{{ lt .Values.level 4 }}{{ eq .Values.level .Values.level }}",
    "{{ eq .Values.list .Values.keys }}",
    "{{ eq .Values.list \"a\" }}",
    "{{ eq 1 }}",
    "{{ eq }}",
    "{{ lt 1 }}",
    "{{ index .Values.keys \"10\" }}{{ index .Values.keys \"nope\" }}|{{ index .Values.list 2 }}{{ index .Values.name 1 }}",
    "{{ index .Values.list 3 }}",
    "{{ index .Values.list 4 }}",
    "{{ index .Values.list -1 }}",
    "{{ index .Values.list \"a\" }}",
    "{{ index .Values.list nil }}",
    "{{ index .Values.keys 1 }}",
    "{{ index .Values.keys nil }}",
    "{{ index nil 1 }}",
    "{{ index .Values.nil 1 }}",
    "{{ index .Values.keys \"nope\" \"deep\" }}",
    "{{ index .Values.f 1 }}",
    "{{ index .Values.name 3 }}",
    "{{ slice .Values.name 1 }}{{ slice .Values.name 0 2 }}{{ slice .Values.list 1 2 }}",
    "{{ slice .Values.name 2 1 }}",
    "{{ slice .Values.name 1 2 3 }}",
    "{{ slice .Values.name 9 }}",
    "{{ slice .Values.f 1 }}",
    "{{ slice nil }}",
    "{{ len .Values.name }}{{ len .Values.list }}{{ len .Values.keys }}{{ len \"é\" }}{{ len .Values.nilmap }}",
    "{{ len nil }}",
    "{{ len .Values.missing }}",
    "{{ .Values.missing | len }}",
    "{{ len 3 }}",
    "{{ len .Values.server }}",
    "{{ len .Values.pointer }}",
    "{{ print \"a\" 1 2 \"b\" nil true }}|{{ println 1 nil }}|{{ printf \"%d\" 3.5 }}",
    "{{ printf .Values.name }}{{ printf 3 }}",
    "{{ printf \"%s %v\" .Values.nil .Values.list }}",
    "{{ html \"<a href='x'>&\\\"\" }}{{ js \"<'\\\"&=>é\\u0001\" }}{{ urlquery \"a b&c/é\" }}{{ html .Values.list 1 }}{{ js nil }}",
    "{{ call .Values.upper \"a\" }}",
    "{{ call .Values.upper 1 }}",
    "{{ call .Values.upper }}",
    "{{ call .Values.name }}",
    "{{ call nil }}",
    "{{ .Values.upper | call }}",
    "{{ .Values.upper }}",
    "{{ .Values.upper \"a\" }}",
    "{{ upper 1 }}",
    "{{ upper nil }}",
    "{{ upper .Values.i }}",
    "{{ upper .Values.missing }}",
    "{{ .Values.missing | upper }}",
    "{{ add 1.0 2 }}{{ add 1e0 '\\x01' }}",
    "{{ add 1.5 2 }}",
    "{{ add .Values.f 2 }}",
    "{{ half 3 }}{{ half 0x10 }}",
    "{{ half .Values.i }}",
    "{{ byte 300 }}{{ byte 5 }}",
    "{{ byte -1 }}",
    "{{ yes 1 }}",
    "{{ yes true }}",
    "{{ count (list 1) }}",
    "{{ count nil }}{{ size nil }}{{ size .Values.named }}",
    "{{ size \"a\" }}",
    "{{ size .Values.nil }}",
    "{{ sum \"a\" 1 2 }}{{ sum \"b\" }}",
    "{{ sum }}",
    "{{ sum \"a\" \"b\" }}",
    "{{ add 1 }}",
    "{{ 1 | add 1 2 }}",
    "{{ 1 | 2 }}",
    "{{ 1 2 }}",
    "{{ .Values.name 2 }}",
    "{{ 1 | .Values.name }}",
    "{{ (1) 2 }}",
    "{{ $x := 1 }}{{ $x 2 }}",
    "{{ nil }}",
    "{{ (nil) }}",
    "{{ (.Values).name }}{{ (index .Values \"keys\").A }}{{ (printf \"%s\" \"a\") }}",
    "{{ (none).x }}",
    "{{ none.x }}",
    "{{ same.x }}",
    "{{ (same .Values).name }}",
    "{{ true.x }}",
    "{{ \"a\".x }}",
    "{{ nil.x }}",
    "{{ 1.x }}",
    "{{ ..x }}",
    "{{ .Values.server.Name }}{{ .Values.server.Port }}{{ .Values.server.Extra.x }}{{ .Values.server.Greet \"you\" }}",
    "{{ .Values.server.hidden }}",
    "{{ .Values.server.Nope }}",
    "{{ .Values.pointer.Nope }}",
    "{{ .Values.server.Name \"x\" }}",
    "{{ .Values.server.Greet }}",
    "{{ .Values.server.Greet 1 }}",
    "{{ .Values.server.Fail }}",
    "{{ .Values.server.Fail.x }}",
    "{{ (.Values.server.Greet \"x\").y }}",
    "{{ \"me\" | .Values.pointer.Greet }}",
    "{{ .Values.pointer }}{{ .Values.server }}{{ .Values.level }}{{ list .Values.server .Values.level }}",
    "{{ printf \"%v %+v\" .Values.pointer .Values.server }}",
    "{{ .Values.named.Keys }}{{ .Values.named.Pick \"k\" 1 }}{{ .Values.named.Pick \"x\" 1 }}{{ .Values.named.k }}{{ kind .Values.named }}",
    "{{ .Values.named.k 1 }}",
    "{{ .Values.keys.A 1 }}",
    "{{ fail \"boom\" }}",
    "{{ wrap \"boom\" }}",
    "{{ if fail \"boom %d\" }}{{ end }}",
    "{{ include \"missing\" . }}",
    "{{ template \"missing\" . }}",
    "{{ define \"a\" }}[{{ . }}{{ $ }}]{{ end }}{{ template \"a\" 1 }}{{ template \"a\" }}{{ include \"a\" .Values.name }}",
    "{{ define \"a\" }}{{ .x.y }}{{ end }}{{ include \"a\" (dict \"x\" nil) }}",
    "{{ define \"a\" }}\n  {{ fail \"in a\" }}{{ end }}{{ template \"a\" . }}",
    "{{ define \"a\" }}1{{ end }}{{ define \"a\" }}2{{ end }}",
    "{{ define \"a\" }}1{{ end }}{{ define \"a\" }}  {{/* c */}}{{ end }}{{ template \"a\" }}",
    "{{ define \"a\" }} {{ end }}{{ define \"a\" }}2{{ end }}{{ template \"a\" }}",
    "{{ define a }}{{ end }}",
    "{{ define \"a\" 1 }}{{ end }}",
    "{{ define \"a\" }}{{ else }}{{ end }}",
    "{{ define \"\\q\" }}{{ end }}",
    "{{ block \"b\" .Values.name }}<{{ . }}>{{ end }}{{ block \"b2\" 1 }}{{ end }}",
    "{{ block \"b\" }}x{{ end }}",
    "{{ block \"b\" . }}x{{ else }}{{ end }}",
    "{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}",
    "{{ $v := 1 }}{{ define \"d\" }}{{ $v }}{{ end }}",
    "{{ if true }}x",
    "{{ if true }}x{{ else }}y{{ else }}z{{ end }}",
    "{{ else }}",
    "{{ end }}",
    "{{ if }}{{ end }}",
    "{{ }}",
    "{{ | 1 }}",
    "{{ 1 | }}",
    "{{ (1 }}",
    "{{ 1) }}",
    "{{ () }}",
    "{{ nope }}",
    "{{ nope 1 }}",
    "{{ $nope }}",
    "{{ $x, $y := 1 }}",
    "{{ range $x, $y, $z := 1 }}{{ end }}",
    "{{ range $x, 1 := 1 }}{{ end }}",
    "{{ $x : = 1 }}",
    "{{ \"open }}",
    "{{ `open }}",
    "{{ 'a }}",
    "{{ 'ab' }}",
    "{{ '' }}",
    "{{ \"\\q\" }}",
    "{{ 1a }}",
    "{{ 0x }}",
    "{{ 089 }}",
    "{{ 1__0 }}",
    "{{ 0x1p-2 }}{{ 1e-3 }}{{ 0x_F }}",
    "{{ 1.2.3 }}",
    "{{ 99999999999999999999 }}",
    "{{ 18446744073709551615 }}",
    "{{ 1e400 }}",
    "{{ a@b }}",
    "{{ @ }}",
    "{{ .a@b }}",
    "{{ .é }}{{ .a\u{301} }}",
    "{{ \u{1} }}",
    "{{ \u{1F600} }}",
    "{{ .Values\n.name }}",
    "\n\n{{ if true }}\n  {{ upper\n   1 }}",
    "\n\n  {{ upper \n   1 }}",
    "é {{ upper 1 }}",
    "{{ if true\n\n",
    "x\n{{ $x := \"a\n\" }}",
    "{{ .Values.binary }}{{ printf \"%q %x\" .Values.binary .Values.binary }}{{ len .Values.binary }}",
    "{{ `a\r\nb` }}",
    "{{ range $i, $x := .Values.list }}{{ $x.y }}{{ end }}",
    "{{ with $x := .Values.nil }}{{ else }}{{ $x }}{{ end }}",
    "{{ with .Values.keys }}{{ .A }}{{ $.Values.name }}{{ end }}",
    "{{template \"a\" .}}{{define \"a\"}}{{template \"b\" .}}{{end}}{{define \"b\"}}{{.Values.name.x}}{{end}}",
    "{{ and true }}{{ or false false }}{{ true | not }}{{ not }}",
    "{{ if and .Values.name (not .Values.zero) (or .Values.nil .Values.f) }}yes{{ end }}",
    "{{ ne .Values.missing \"x\" }}{{ ne .Values.nil nil }}",
    "{{ printf \"%*d|%-*d|%.*f\" 5 42 5 42 2 3.14159 }}",
    "{{- range $k, $v := .Values.keys -}}\n{{ $k | printf \"%q\" }}: {{ $v }}\n{{ end -}}",
    "{{ len (index .Values.list 0) }}",
    "{{ .Values.name | upper | printf \"%s-%s\" \"x\" }}",
    "{{ print (.Values.name) ( .Values.f ) }}",
    "{{ kind 1 }}{{ kind 1.0 }}{{ kind 'a' }}{{ kind nil }}{{ kind .Values.list }}{{ kind .Values }}{{ kind (index .Values.name 0) }}",
    "{{ print 1i 2.5 1e100 -7 }}",
];

pub fn templates() -> Vec<Case> {
    let data = values();
    let mut cases: Vec<Case> = TEMPLATES
        .iter()
        .map(|text| Case::template(text, &data))
        .collect();
    for missing_key in [MissingKey::Invalid, MissingKey::Error] {
        for text in [
            "{{ .Values.missing }}",
            "{{ .Values.missing.x }}",
            "{{ .Values.nil.x }}",
            "{{ $x := .Values.nil }}{{ $x.y }}",
            "{{ .Values.missing | print }}",
        ] {
            let mut case = Case::template(text, &data);
            if let Case::Template {
                missing_key: option,
                ..
            } = &mut case
            {
                *option = missing_key;
            }
            cases.push(case);
        }
    }
    let files = |files: &[(&str, &str)], execute: &str| Case::Template {
        templates: files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        execute: execute.to_owned(),
        data: data.clone(),
        missing_key: MissingKey::Zero,
    };
    cases.push(files(
        &[
            ("a", "{{define \"x\"}}1{{end}}"),
            ("b", "{{define \"x\"}}2{{end}}{{template \"x\"}}"),
        ],
        "b",
    ));
    cases.push(files(
        &[
            ("a", "{{define \"x\"}}1{{end}}"),
            ("b", "{{define \"x\"}} {{end}}{{template \"x\"}}"),
        ],
        "b",
    ));
    cases.push(files(&[("a", "text"), ("a", " ")], "a"));
    cases.push(files(&[("a", "text"), ("a", "other")], "a"));
    cases.push(files(&[("a", "text")], "nope"));
    cases.push(files(
        &[
            ("x/a.yaml", "\n{{ include \"t\" . }}"),
            (
                "_h.tpl",
                "\n\n{{ define \"t\" }}\n  {{ .Values.nil.x }}{{ end }}",
            ),
        ],
        "x/a.yaml",
    ));
    cases.push(files(&[("x/percent", "{{ fail \"100%d\" }}")], "x/percent"));
    cases
}

pub fn formats() -> Vec<Case> {
    let printf =
        |format: &str, operands: &[Data]| Case::Printf(format.to_owned(), operands.to_vec());
    let int = |value: i128| Data::Int("int", value);
    let mut cases = vec![
        printf("%!", &[]),
        printf("%z", &[int(1)]),
        printf("%d", &[Data::Float64(5.0)]),
        printf("%s", &[Data::Float64(5.0)]),
        printf("%s", &[]),
        printf("%s", &[Data::Nil]),
        printf("a", &[Data::text("b"), Data::Nil]),
        printf("%[2]d %[1]d", &[int(1), int(2)]),
        printf("%[3]*.[2]*[1]f|", &[Data::Float64(12.0), int(2), int(6)]),
        printf("%[5]d", &[int(1)]),
        printf(
            "%-10s|%10s|%010d|%+d|% d",
            &[Data::text("a"), Data::text("b"), int(5), int(5), int(5)],
        ),
        printf(
            "%#v",
            &[Data::map([
                ("a", int(2)),
                (
                    "b",
                    Data::List(Element::Any, vec![Data::Nil, Data::text("x")]),
                ),
            ])],
        ),
        printf(
            "%T %T %T",
            &[
                Data::map([]),
                Data::List(Element::String, Vec::new()),
                Data::Nil,
            ],
        ),
        printf(
            "%v %v",
            &[
                Data::List(Element::Any, vec![Data::text("a"), Data::Nil]),
                Data::map([("z", int(1)), ("a", int(2))]),
            ],
        ),
        printf(
            "%6.2f|%-8.3e|%g|%G",
            &[
                Data::Float64(2.71),
                Data::Float64(12345.678),
                Data::Float64(1e21),
                Data::Float64(1e-7),
            ],
        ),
        printf(
            "%x %X %#x % x",
            &[
                Data::text("hello"),
                Data::text("hello"),
                Data::text("hello"),
                Data::text("hello"),
            ],
        ),
        printf(
            "%c %U %#U %q",
            &[int(0x1F600), int(0x1F600), int(0x1F600), int(0x1F600)],
        ),
        printf("%t %t", &[Data::Bool(true), int(1)]),
        printf(
            "%d %s",
            &[
                Data::List(Element::Any, vec![int(1), Data::text("a")]),
                Data::List(Element::Any, vec![int(1), Data::Nil]),
            ],
        ),
        printf("%*d", &[Data::text("a"), int(1)]),
        printf("%.*d", &[int(-1), int(1)]),
        printf(
            "%v %d %s %x",
            &[
                Data::Bytes(b"hi".to_vec()),
                Data::Bytes(b"hi".to_vec()),
                Data::Bytes(b"hi".to_vec()),
                Data::Bytes(b"hi".to_vec()),
            ],
        ),
        printf(
            "%#v %#v",
            &[
                Data::Bytes(b"hi".to_vec()),
                Data::List(Element::Any, vec![Data::Bytes(b"hi".to_vec())]),
            ],
        ),
        printf(
            "%b %o %O %#b %#o",
            &[int(5), int(8), int(8), int(5), int(8)],
        ),
        printf(
            "%.3s|%.10s|%5.1s|",
            &[Data::text("héllo"), Data::text("ab"), Data::text("世界")],
        ),
        Case::Print(vec![
            int(1),
            int(2),
            Data::text("a"),
            int(3),
            Data::Nil,
            Data::Nil,
        ]),
        Case::Println(vec![int(1), Data::text("a"), Data::Nil]),
    ];
    for verb in ["v", "+v", "#v", "s", "d", "q", "x", "T"] {
        for operand in [
            Data::Server("n".to_owned()),
            Data::Pointer("n".to_owned()),
            Data::Level(4),
            Data::List(Element::Any, vec![Data::Level(4)]),
        ] {
            cases.push(printf(&format!("%{verb}"), &[operand]));
        }
    }
    cases
}
