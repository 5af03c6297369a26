//! The library as its users see it: sets, errors with their chain, dialects.

use std::sync::Arc;

use gotemplate::{
    Budget, Dialect, Entries, Error, FunctionError, Functions, MissingKey, Options, Place,
    Signature, TemplateSet, Text, Type, Value, format,
};

fn functions() -> Functions {
    let mut functions = Functions::builtins();
    functions
        .add(
            "include",
            Signature::new(&[Type::String, Type::Any], Type::String),
            |call, arguments| {
                let name = arguments[0].as_text().cloned().unwrap_or_default();
                Ok(Value::String(call.execute(&name.to_str(), &arguments[1])?))
            },
        )
        .add(
            "tpl",
            Signature::new(&[Type::String, Type::Any], Type::String),
            |call, arguments| {
                let text = arguments[0].as_text().cloned().unwrap_or_default();
                let mut set = call.set().clone();
                let functions = call.functions();
                set.parse("inner", &text.to_str(), functions)
                    .map_err(|error| {
                        FunctionError::wrap(format!("cannot parse: {error}"), error)
                    })?;
                Ok(Value::String(call.execute_in(
                    &set,
                    functions,
                    "inner",
                    &arguments[1],
                )?))
            },
        )
        .add(
            "fail",
            Signature::new(&[Type::String], Type::String),
            |_, arguments| {
                Err(arguments[0]
                    .as_text()
                    .cloned()
                    .unwrap_or_default()
                    .to_str()
                    .as_ref()
                    .into())
            },
        );
    functions
}

fn run(set: &TemplateSet, name: &str, data: &Value, options: Options) -> Result<String, Error> {
    set.execute(name, data, &functions(), options, &mut Budget::default())
        .map(|text| text.to_str().into_owned())
}

fn check(text: &str, options: Options, expected: &str) {
    let mut set = TemplateSet::default();
    let data = Value::map(Entries::from([
        (Text::from("name"), Value::from("web")),
        (Text::from("f"), Value::Float64(5.0)),
    ]));
    let shown = match set.parse("t", text, &functions()) {
        Ok(()) => run(&set, "t", &data, options).unwrap_or_else(|error| error.to_string()),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expected, "{text}");
}

const HELM4: Options = Options {
    missing_key: MissingKey::Zero,
    dialect: Dialect::Go127,
};
const HELM3: Options = Options {
    missing_key: MissingKey::Zero,
    dialect: Dialect::Go124,
};

#[test]
fn templates_run() {
    check("a {{- /* c */ -}} b", HELM4, "ab");
    check("{{ .name }}-{{ .nope }}", HELM4, "web-<no value>");
    check(
        "{{ range $i, $x := tpl \"{{ .name }}\" . | printf \"%s%s\" \"a\" | len }}{{ end }}",
        HELM4,
        "template: t:1:61: executing \"t\" at <len>: can't use 4 to iterate over more than one variable",
    );
    check(
        "{{ tpl \"{{ define \\\"x\\\" }}1{{ end }}{{ include \\\"x\\\" . }}\" . }}",
        HELM4,
        "1",
    );
    check(
        "{{ .name.x }}",
        HELM4,
        "template: t:1:8: executing \"t\" at <.name.x>: can't evaluate field x in type interface {}",
    );
    check(
        "{{ nope }}",
        HELM4,
        "template: t:1: function \"nope\" not defined",
    );
}

#[test]
fn comparisons_speak_their_dialect() {
    let place = "template: t:1:3: executing \"t\" at <eq .f 5>: error calling eq: incompatible types for comparison";
    check("{{ eq .f 5 }}", HELM4, &format!("{place}: float64 and int"));
    check("{{ eq .f 5 }}", HELM3, place);
}

#[test]
fn errors_keep_their_chain() {
    let mut set = TemplateSet::default();
    set.parse(
        "h",
        "{{ define \"x\" }}\n  {{ fail \"no\" }}{{ end }}",
        &functions(),
    )
    .expect("it parses");
    set.parse("t", "{{ include \"x\" . }}", &functions())
        .expect("it parses");
    let error = run(&set, "t", &Value::Nil, HELM4).expect_err("it fails");
    let place = |file: &str, line, column, node: &str| {
        Some(Place {
            file: file.to_owned(),
            line,
            column,
            node: node.to_owned(),
        })
    };
    let Error::Exec(outer) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (outer.template.as_str(), &outer.place),
        ("t", &place("t", 1, 3, "include \"x\" ."))
    );
    let Some(Error::Exec(inner)) = error.cause() else {
        panic!("{error:?}")
    };
    assert_eq!(
        (inner.template.as_str(), &inner.place),
        ("x", &place("h", 2, 5, "fail \"no\""))
    );
    let Some(Error::Function(function)) = error.cause().and_then(Error::cause) else {
        panic!("{error:?}")
    };
    assert_eq!(function.message, "no");
}

#[test]
fn a_child_set_keeps_what_it_adds() {
    let functions = functions();
    let mut base = TemplateSet::default();
    base.parse("a", "{{ define \"x\" }}base{{ end }}", &functions)
        .expect("it parses");
    base.parse("b", "{{ include \"x\" . }}", &functions)
        .expect("it parses");
    let base = Arc::new(base);
    let mut child = base.child();
    child
        .parse(
            "c",
            "{{ define \"x\" }}child{{ end }}{{ define \"y\" }} {{ end }}",
            &functions,
        )
        .expect("it parses");
    assert_eq!(
        run(&child, "b", &Value::Nil, HELM4).expect("it runs"),
        "child"
    );
    assert_eq!(
        run(&base, "b", &Value::Nil, HELM4).expect("it runs"),
        "base"
    );
    let mut names = child.names();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "c", "x", "y"]);
}

#[test]
fn parsed_templates_cross_threads() {
    let templates =
        TemplateSet::parse_only("t", "{{ print 1 \"a\" . }}", &functions()).expect("it parses");
    let out = std::thread::spawn(move || {
        let mut set = TemplateSet::default();
        set.add(templates);
        run(&set, "t", &Value::Int(2), HELM4)
    });
    assert_eq!(out.join().expect("no panic").expect("it runs"), "1a2");
}

#[test]
fn formats_print_as_in_go() {
    let check = |format: &str, values: &[Value], expected: &str| {
        assert_eq!(format::sprintf(format, values).to_str(), expected)
    };
    check("%d", &[Value::Float64(5.0)], "%!d(float64=5)");
    check("%s %s", &[Value::Nil], "%!s(<nil>) %!s(MISSING)");
    check("a", &[Value::from("b")], "a%!(EXTRA string=b)");
    check(
        "%#v",
        &[Value::map(Entries::from([(
            Text::from("a"),
            Value::Int(2),
        )]))],
        "map[string]interface {}{\"a\":2}",
    );
    check(
        "%v %v %v",
        &[
            Value::Float64(1e6),
            Value::Float64(123_456.0),
            Value::Float64(1e-6),
        ],
        "1e+06 123456 1e-06",
    );
    check(
        "%-5s|%5.1f|%05d",
        &[Value::from("é"), Value::Float64(2.25), Value::Int(-7)],
        "é    |  2.2|-0007",
    );
}
