//! What a hostile template can do: nothing but fail.

use gotemplate::{
    Budget, Entries, Functions, Limits, Map, Options, Signature, TemplateSet, Text, Type, Value,
};

fn functions() -> Functions {
    let mut functions = Functions::builtins();
    functions
        .add(
            "list",
            Signature::variadic(&[Type::Any], gotemplate::ANY_LIST),
            |_, arguments| Ok(Value::list(arguments.to_vec())),
        )
        .add(
            "include",
            Signature::new(&[Type::String, Type::Any], Type::String),
            |call, arguments| {
                let name = arguments[0].as_text().cloned().unwrap_or_default();
                Ok(Value::String(call.execute(&name.to_str(), &arguments[1])?))
            },
        );
    functions
}

fn run(text: &str, data: &Value, limits: Limits) -> Result<Text, gotemplate::Error> {
    let functions = functions();
    let mut set = TemplateSet::default();
    set.parse("t", text, &functions)?;
    set.execute(
        "t",
        data,
        &functions,
        Options::default(),
        &mut Budget::new(limits),
    )
}

fn check(text: &str, limits: Limits, expected: &str) {
    match run(text, &Value::Nil, limits) {
        Ok(out) => assert_eq!(out.to_str(), expected),
        Err(error) => assert_eq!(error.to_string(), expected),
    }
}

const FEW: Limits = Limits {
    steps: 1000,
    output_bytes: 1000,
    memory_bytes: 100_000,
    depth: 50,
};

#[test]
fn endless_loops_run_out_of_steps() {
    check(
        "{{ range 1000000000 }}{{ end }}",
        FEW,
        "template: t:1:9: executing \"t\" at <1000000000>: the render exceeds its limit of 1000 steps",
    );
}

#[test]
fn endless_output_is_cut() {
    check(
        "{{ range 100 }}0123456789 0123456789{{ end }}",
        FEW,
        "template: t:1:15: executing \"t\" at <0123456789 0123456789>: the render exceeds its limit of 1000 bytes of output",
    );
}

#[test]
fn wide_formats_run_out_of_memory() {
    check(
        "{{ range 9 }}{{ $x := printf \"%99999d\" 1 }}{{ end }}",
        FEW,
        "template: t:1:22: executing \"t\" at <printf \"%99999d\" 1>: error calling printf: the printed value exceeds the limit of the render",
    );
}

#[test]
fn endless_recursion_ends_as_in_go() {
    check(
        "{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}",
        Limits::default(),
        "template: t:1:28: executing \"r\" at <{{template \"r\"}}>: exceeded maximum template depth (100000)",
    );
}

#[test]
fn endless_includes_end() {
    let error = run(
        "{{ define \"r\" }}{{ include \"r\" . }}{{ end }}{{ include \"r\" . }}",
        &Value::Nil,
        FEW,
    )
    .expect_err("it never ends");
    assert!(error.is_limit(), "{error}");
}

#[test]
fn lists_as_deep_as_a_loop_can_make_them_are_dropped() {
    check(
        "{{ $x := list }}{{ range 300000 }}{{ $x = list $x }}{{ end }}{{ len $x }}",
        Limits::default(),
        "1",
    );
}

#[test]
fn deep_lists_do_not_print() {
    check(
        "{{ $x := list }}{{ range 300000 }}{{ $x = list $x }}{{ end }}{{ print $x }}",
        Limits::default(),
        "template: t:1:64: executing \"t\" at <print $x>: error calling print: the value nests too deep to be printed",
    );
}

#[test]
fn lists_that_double_do_not_fill_the_memory() {
    check(
        "{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}",
        FEW,
        "template: t:1:65: executing \"t\" at <{{$x}}>: the printed value exceeds the limit of the render",
    );
}

#[test]
fn equality_of_doubled_lists_ends() {
    let double = || {
        (0..60).fold(Value::list(vec![]), |list, _| {
            Value::list(vec![list.clone(), list])
        })
    };
    assert!(double().deep_equal(&double()));
}

#[test]
fn a_map_in_itself_does_not_print() {
    let map = Value::map(Entries::new());
    let inner: &Map = map.as_map().expect("a map");
    inner.insert("self", map.clone());
    let error = run("{{ print . }}", &map, Limits::default()).expect_err("it has no end");
    inner.remove("self");
    assert_eq!(
        error.to_string(),
        "template: t:1:3: executing \"t\" at <print .>: error calling print: the value nests too deep to be printed"
    );
}

#[test]
fn nesting_in_the_text_is_bounded() {
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000));
    check(&parens, FEW, "template: t:1: max expression depth exceeded");
    let ifs = "{{ if 1 }}".repeat(20_000) + &"{{ end }}".repeat(20_000);
    check(&ifs, FEW, "template: t:1: actions nest too deep");
    let fits = format!("{{{{ {}1{} }}}}", "(".repeat(900), ")".repeat(900));
    check(&fits, FEW, "1");
}
