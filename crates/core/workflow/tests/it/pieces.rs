//! Matrix, triggers, command lines, command files and masks.

use serde_json::{Value, json};
use workflow::{
    Decision, MaskStream, Masker, Pattern, PushEvent,
    command::{Line, Reader},
    file_command, parse,
};

/// The legs' display names, each with its `matrix` context.
#[track_caller]
fn legs(matrix: &Value, expected: &[Value]) {
    let source = format!(
        "{{on: push, jobs: {{t: {{runs-on: x, strategy: {{matrix: {matrix}}}, steps: [{{run: x}}]}}}}}}"
    );
    let parsed = parse(&source, "ci.yml");
    let workflow = parsed
        .workflow
        .unwrap_or_else(|| panic!("{}", yaml::render_all(&parsed.diagnostics, &source)));
    let payload = json!({"ref": "refs/heads/main"});
    let push = workflow::Happening {
        event: "push",
        payload: &payload,
        changed: None,
    };
    let plan = workflow::plan::shown(workflow::plan::plan(&workflow, &push, &Default::default()));
    let found: Vec<_> = plan["run"]["jobs"][0]["legs"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .map(|it| json!([it["name"], it["matrix"]]))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn include_and_exclude_work_as_on_github() {
    legs(
        &json!({"fruit": ["apple", "pear"], "animal": ["cat", "dog"], "include": [
            {"color": "green"}, {"color": "pink", "animal": "cat"}, {"fruit": "apple", "shape": "circle"}, {"fruit": "banana"}, {"fruit": "banana", "animal": "cat"}]}),
        &[
            json!(["t (apple, cat)", {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"}]),
            json!(["t (apple, dog)", {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"}]),
            json!(["t (pear, cat)", {"fruit": "pear", "animal": "cat", "color": "pink"}]),
            json!(["t (pear, dog)", {"fruit": "pear", "animal": "dog", "color": "green"}]),
            json!(["t (banana)", {"fruit": "banana"}]),
            json!(["t (banana, cat)", {"fruit": "banana", "animal": "cat"}]),
        ],
    );
    legs(
        &json!({"os": [{"n": "l", "v": 1}, {"n": "w", "v": 2}], "v": [1, 2], "exclude": [{"os": {"n": "L"}, "v": "2"}]}),
        &[
            json!(["t (l, 1, 1)", {"os": {"n": "l", "v": 1}, "v": 1}]),
            json!(["t (w, 2, 1)", {"os": {"n": "w", "v": 2}, "v": 1}]),
            json!(["t (w, 2, 2)", {"os": {"n": "w", "v": 2}, "v": 2}]),
        ],
    );
    legs(
        &json!({"include": [{"a": 1}, {"a": 2}]}),
        &[json!(["t (1)", {"a": 1}]), json!(["t (2)", {"a": 2}])],
    );
    legs(&json!({"a": [1], "exclude": [{"a": 1}]}), &[]);
}

#[test]
fn patterns_match_as_documented() {
    for (pattern, yes, no) in [
        (
            "feature/*",
            &["feature/a"][..],
            &["feature/a/b", "xfeature/a"][..],
        ),
        ("feature/**", &["feature/a", "feature/a/b"], &["feature"]),
        ("*", &["main"], &["a/b"]),
        ("**", &["main", "a/b"], &[]),
        (
            "*feature",
            &["mona-feature", "feature"],
            &["ver-10-features"],
        ),
        ("v2*", &["v2", "v2.0"], &["v3"]),
        ("v[12].[0-9]+.[0-9]+", &["v1.10.1", "v2.0.0"], &["v3.1.1"]),
        ("*.jsx?", &["page.js", "page.jsx"], &["page.jsxx"]),
        (
            "docs/**/*.md",
            &["docs/README.md", "docs/a/b.md"],
            &["x/docs/a.md"],
        ),
        ("**/docs/**", &["docs/a", "dir/docs/f.txt"], &["docs"]),
        (
            "**/README.md",
            &["README.md", "js/README.md"],
            &["XREADME.md"],
        ),
        ("**/*-post.md", &["my-post.md", "path/their-post.md"], &[]),
        ("a\\*", &["a*"], &["ab"]),
    ] {
        let list = workflow::PatternList(vec![Pattern::parse(pattern).expect("a pattern")]);
        assert!(yes.iter().all(|it| list.matches(it)), "{pattern} {yes:?}");
        assert!(!no.iter().any(|it| list.matches(it)), "{pattern} {no:?}");
    }
}

#[test]
fn pushes_start_workflows_or_a_reason_is_given() {
    let decide = |on: &str, git_ref: &str, changed: Option<&[&str]>| {
        let source = format!("on: {on}\njobs: {{a: {{runs-on: x, steps: [{{run: x}}]}}}}\n");
        let workflow = parse(&source, "ci.yml").workflow.expect("a workflow");
        let changed: Option<Vec<String>> =
            changed.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
        match workflow.triggers.on_push(&PushEvent {
            git_ref,
            deleted: false,
            changed: changed.as_deref(),
        }) {
            Decision::Start => "start".to_owned(),
            Decision::Skip(why) => why,
        }
    };
    let main = "refs/heads/main";
    assert_eq!(decide("push", main, None), "start");
    assert_eq!(
        decide("[push, pull_request]", "refs/tags/v1", None),
        "start"
    );
    assert_eq!(
        decide("workflow_dispatch", main, None),
        "it does not listen to `push`"
    );
    assert_eq!(
        decide(
            "{push: {branches: [dev, 'rel/**', '!rel/x']}}",
            "refs/heads/rel/x",
            None
        ),
        "branch `rel/x` does not match `branches` (`dev`, `rel/**`, `!rel/x`)"
    );
    assert_eq!(
        decide(
            "{push: {branches: ['rel/**', '!rel/x', rel/x]}}",
            "refs/heads/rel/x",
            None
        ),
        "start"
    );
    assert_eq!(
        decide("{push: {branches-ignore: [main]}}", main, None),
        "branch `main` matches `branches-ignore` (`main`)"
    );
    assert_eq!(
        decide("{push: {tags: ['v*']}}", main, None),
        "it listens to pushes of tags only, and `main` is a branch"
    );
    assert_eq!(
        decide("{push: {branches: [main]}}", "refs/tags/v1", None),
        "it listens to pushes of branches only, and `v1` is a tag"
    );
    assert_eq!(
        decide(
            "{push: {tags: ['v*'], paths: [x]}}",
            "refs/tags/v1",
            Some(&["y"])
        ),
        "start"
    );
    assert_eq!(
        decide(
            "{push: {paths: ['src/**', '!src/doc/**']}}",
            main,
            Some(&["src/doc/a", "b"])
        ),
        "none of the 2 changed files matches `paths` (`src/**`, `!src/doc/**`)"
    );
    assert_eq!(
        decide(
            "{push: {paths-ignore: ['**.md']}}",
            main,
            Some(&["a.md", "d/b.md"])
        ),
        "all 2 changed files match `paths-ignore` (`**.md`)"
    );
    assert_eq!(
        decide(
            "{push: {paths-ignore: ['**.md']}}",
            main,
            Some(&["a.md", "b.rs"])
        ),
        "start"
    );
}

#[test]
fn command_lines_are_read_in_order() {
    let mut reader = Reader::default();
    let lines = "plain ::error::x\n::set-output name=a::b%0Ac%25\n  ::GROUP::t\n::unknown::x\n::stop-commands::tok\n::error::no\n::tok::\n::add-mask:: \n::set-env name=A::b\nx ##[warning file=f;line=2]w%5D\n::echo::maybe\n::save-state name=s::v";
    let shown: Vec<_> = lines
        .lines()
        .map(|line| match reader.read(line) {
            Line::Annotation(it) => {
                format!("{:?} {:?} {:?} {}", it.level, it.file, it.line, it.message)
            }
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "Text",
            r#"SetOutput { name: "a", value: "b\nc%" }"#,
            r#"Group("t")"#,
            "Text",
            r#"StopCommands { token: "tok" }"#,
            "Text",
            "ResumeCommands",
            r#"Invalid("a blank value cannot be masked")"#,
            r#"Disabled { command: "set-env" }"#,
            r#"Warning Some("f") Some(2) w]"#,
            r#"Wrong("`echo` takes on or off, found `maybe`")"#,
            r#"SaveState { name: "s", value: "v" }"#,
        ]
    );
}

#[test]
fn command_files_are_read_to_the_letter() {
    let read = |text: &str| file_command::parse(text).map_err(|it| it.to_string());
    let pairs = |pairs: &[(&str, &str)]| {
        Ok(pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect::<Vec<_>>())
    };
    assert_eq!(
        read("a=b=c\n\n b = d \r\ne=\n"),
        pairs(&[("a", "b=c"), (" b ", " d \r"), ("e", "")])
    );
    assert_eq!(
        read("x<<EOF\none\n\ntwo\nEOF\ny<<E\nE\nz=1<<2"),
        pairs(&[("x", "one\n\ntwo"), ("y", ""), ("z", "1<<2")])
    );
    assert_eq!(read("x<<EOF\na=b\nEOF"), pairs(&[("x", "a=b")]));
    assert_eq!(
        read("x<<EOF\none\n"),
        Err("no matching delimiter `EOF` was found for `x`".to_owned())
    );
    assert_eq!(
        read("nothing\n"),
        Err("invalid format `nothing`: expected `name=value` or `name<<delimiter`".to_owned())
    );
    assert_eq!(read("=x\n"), Err("a name is missing in `=x`".to_owned()));
    assert_eq!(file_command::parse_path("/a\n\n/b\n"), ["/a", "/b"]);
}

#[test]
fn masks_hide_every_form_of_a_secret() {
    let masker = Masker::new(["pa\"ss'wörd&x", "line-one\n{\nline-two", "abc", "bcd"]);
    for (text, shown) in [
        ("x pa\"ss'wörd&x y", "x *** y"),
        ("pa\\\"ss'wörd&x", "***"),
        ("pa%22ss%27w%C3%B6rd%26x", "***"),
        ("pa&quot;ss&apos;wörd&amp;x", "***"),
        ("cGEic3Mnd8O2cmQmeA==", "***"),
        ("line-one", "***"),
        ("{ line-two }", "{ *** }"),
        ("abcd abcabc ab cd", "*** *** ab cd"),
        ("nothing", "nothing"),
    ] {
        assert_eq!(masker.mask(text), shown, "{text}");
    }
}

#[test]
fn masks_reach_over_chunks() {
    let masker = Masker::new(["secret-value"]);
    let text = "a secret-value b\nsecret-".repeat(3) + "value";
    for size in [1, 3, 7, 1000] {
        let mut stream = MaskStream::default();
        let mut shown = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            shown.extend(stream.push(&masker, chunk));
        }
        shown.extend(stream.finish(&masker));
        assert_eq!(String::from_utf8_lossy(&shown), masker.mask(&text));
    }
    let mut stream = MaskStream::default();
    let long = format!("{}secret-value", "x".repeat((64 << 10) - 4));
    let mut shown = stream.push(&masker, long.as_bytes());
    assert!(
        !shown.is_empty(),
        "a very long line does not wait for its end"
    );
    shown.extend(stream.push(&masker, b"!"));
    shown.extend(stream.finish(&masker));
    assert_eq!(shown.len(), (64 << 10) - 4 + 3 + 1);
}
