//! What steps print and write: commands, problem matchers, masks, command files, shells.

use workflow::{
    MaskStream, Masker, Shell,
    command::{Line, Reader, Unsecure},
    file_command,
    matcher::Matchers,
};

#[test]
fn commands_are_read_as_their_setting_says() {
    let lines = [
        "::set-env name=A::b%0Ac",
        "::add-path::/x",
        "::set-env::x",
        "::set-output::x",
        "::echo::maybe",
        "::add-matcher::.github/m.json",
        "::remove-matcher owner=eslint::",
        "::remove-matcher::m.json",
        "::remove-matcher owner=a::b",
        "::error file=a,endColumn=3,line=2::x",
        "::error file=a,line=3,endLine=2,col=1::x",
        "::error file=a,line=3,endLine=4,col=1::x",
        "::stop-commands::pause-logging",
        "::stop-commands::Token-7",
        "::add-mask::x",
        "::token-7::",
    ];
    let read = |unsecure| {
        let mut reader = Reader::new(unsecure);
        lines.map(|line| match reader.read(line) {
            Line::Annotation(it) => {
                format!(
                    "{:?} {:?}-{:?} {:?}-{:?}",
                    it.file, it.line, it.end_line, it.column, it.end_column
                )
            }
            other => format!("{other:?}"),
        })
    };
    let allowed = read(Unsecure::of([("ACTIONS_ALLOW_UNSECURE_COMMANDS", "true")]));
    assert_eq!(
        allowed,
        [
            r#"SetEnv { name: "A", value: "b\nc" }"#,
            r#"AddPath("/x")"#,
            r#"Wrong("`set-env` takes a name")"#,
            r#"Wrong("`set-output` takes a name")"#,
            r#"Wrong("`echo` takes on or off, found `maybe`")"#,
            r#"AddMatcher(".github/m.json")"#,
            r#"RemoveMatcher(Owner("eslint"))"#,
            r#"RemoveMatcher(File("m.json"))"#,
            r#"Invalid("`remove-matcher` takes an owner or a file, not both")"#,
            r#"Some("a") Some(2)-None Some(3)-Some(3)"#,
            r#"Some("a") None-None None-None"#,
            r#"Some("a") Some(3)-Some(4) None-None"#,
            r#"Wrong("`pause-logging` cannot be the token of `stop-commands`")"#,
            r#"StopCommands { token: "Token-7" }"#,
            "Text",
            "ResumeCommands",
        ]
    );
    assert_eq!(
        read(Unsecure::Refused)[..2],
        [
            r#"Disabled { command: "set-env" }"#,
            r#"Disabled { command: "add-path" }"#
        ]
    );
}

/// Every problem that `lines` show, as `file:line:column level code message`.
fn problems(matchers: &mut Matchers, lines: &str) -> Vec<String> {
    let exists = |path: &str| !path.contains("gone");
    lines
        .lines()
        .filter_map(|line| matchers.read(line))
        .map(|mut it| {
            it.locate("/w/r", &exists);
            let place = it.annotation.file.clone().unwrap_or_default();
            let number = |it: Option<u64>| it.map(|it| it.to_string()).unwrap_or_default();
            format!(
                "{place}:{}:{} {:?} {} {}",
                number(it.annotation.line),
                number(it.annotation.column),
                it.annotation.level,
                it.code.unwrap_or_default(),
                it.annotation.message
            )
        })
        .collect()
}

const TSC: &str = r#"{"problemMatcher": [{"owner": "tsc", "pattern": [{
    "regexp": "^(?:\\s+\\d+>)?([^\\s].*)\\((\\d+),(\\d+)\\)\\s*:\\s+(error|warning|info)\\s+(\\w{1,2}\\d+)\\s*:\\s*(.*)$",
    "file": 1, "line": 2, "column": 3, "severity": 4, "code": 5, "message": 6}]}]}"#;

const ESLINT: &str = r#"{"problemMatcher": [{"owner": "eslint-stylish", "pattern": [
    {"regexp": "^([^\\s].*)$", "file": 1},
    {"regexp": "^\\s+(\\d+):(\\d+)\\s+(error|warning)\\s+(.*)\\s\\s+(.*)$", "line": 1, "column": 2, "severity": 3, "message": 4, "code": 5, "loop": true}]}]}"#;

const MSBUILD: &str = r#"{"problemMatcher": [{"owner": "msbuild", "severity": "warning", "pattern": [{
    "regexp": "^\\s*([^\\(\\s]+)\\((\\d+)\\): (.*) \\[(.+)\\]$", "file": 1, "line": 2, "message": 3, "fromPath": 4}]}]}"#;

#[test]
fn matchers_find_what_tools_print() {
    let mut matchers = Matchers::default();
    assert_eq!(matchers.add(TSC).expect("matchers"), ["tsc"]);
    matchers.add(ESLINT).expect("matchers");
    matchers.add(MSBUILD).expect("matchers");
    let found = problems(
        &mut matchers,
        "\
plain
\u{1b}[31msrc/a.ts(3,7): error TS1005: ';' expected.\u{1b}[0m
/w/r/src/b.ts(1,2): warning TS2: careful
src/a.ts(3,7): info TS3: told
gone.ts(1,1): error TS9: nowhere
/elsewhere/c.ts(1,1): error TS9: outside
/w/r/lib/x.js
  4:5  error  Missing semicolon  semi
  8:1  warning  Unused  no-unused-vars

  9:1  error  After the block  semi
sub/x.cs(7): odd [proj/p.csproj]
",
    );
    assert_eq!(
        found,
        [
            "src/a.ts:3:7 Error TS1005 ';' expected.",
            "src/b.ts:1:2 Warning TS2 careful",
            ":: Error TS9 nowhere",
            ":: Error TS9 outside",
            "lib/x.js:4:5 Error semi Missing semicolon",
            "lib/x.js:8:1 Warning no-unused-vars Unused",
            "proj/sub/x.cs:7: Warning  odd",
        ]
    );
    matchers.remove("TSC");
    assert_eq!(
        problems(&mut matchers, "src/a.ts(3,7): error TS1: x"),
        [""; 0]
    );
}

#[test]
fn wrong_matchers_say_what_is_wrong() {
    let pattern = |regexp: &str| {
        format!(
            r#"{{"problemMatcher": [{{"owner": "o", "pattern": [{{"regexp": "{regexp}", "message": 1}}]}}]}}"#
        )
    };
    let told = |json: &str| {
        Matchers::default()
            .add(json)
            .expect_err("it is wrong")
            .to_string()
    };
    for (json, expected) in [
        (pattern("(?=x)(y)"), "`o`: `(?=x)(y)`: a look-ahead is not supported: it cannot be matched in linear time"),
        (pattern("(a)\\\\1"), "`o`: `(a)\\1`: a back reference is not supported: it cannot be matched in linear time"),
        (pattern("x"), "`o`: `message` is group 1, but `x` has 0"),
        (pattern("[(x)"), "`o`: `[(x)`: `[` is never closed"),
        (r#"{"problemMatcher": [{"pattern": []}]}"#.into(), "a problem matcher needs an `owner`"),
        (r#"{"problemMatcher": [{"owner": "o"}]}"#.into(), "`o` needs a `pattern`"),
        (r#"{"problemMatcher": [{"owner": "o", "pattern": [{"regexp": "(x)", "file": 1}]}]}"#.into(), "`o`: the last pattern must set `message`"),
        (r#"{"problemMatcher": [{"owner": "o", "pattern": [{"regexp": "(x)", "message": 1, "loop": true}]}]}"#.into(), "`o`: a single pattern cannot have `loop`"),
    ] {
        assert_eq!(told(&json), expected);
    }
}

#[test]
fn expressions_mean_what_they_mean_in_javascript() {
    for (regexp, line, found) in [
        (r"^([\\w.-]+) \\d{2,} (.+)$", "a.b 12 rest", true),
        (r"^([[]x)\\/(.*)", "[x/y", true),
        (r"^(\\u0041)(.*)", "Ab", true),
        (r"^(a{)(.*)", "a{b", true),
        (r"^(\\d)(.*)", "٣x", false),
        (r"^(x)\\b(.*)", "x y", true),
    ] {
        let json = format!(
            r#"{{"problemMatcher": [{{"owner": "o", "pattern": {{"regexp": "{regexp}", "code": 1, "message": 2}}}}]}}"#
        );
        let mut matchers = Matchers::default();
        matchers
            .add(&json)
            .unwrap_or_else(|error| panic!("{regexp}: {error}"));
        assert_eq!(matchers.read(line).is_some(), found, "{regexp}");
    }
}

#[test]
fn secrets_are_hidden_inside_other_encodings() {
    use base64::Engine as _;
    let secret = "correct horse battery";
    let masker = Masker::new([secret]);
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}{secret} and more");
        let encoded = base64::engine::general_purpose::STANDARD.encode(&text);
        let shown = masker.mask(&encoded);
        assert!(shown.contains("***"), "{shown}");
        let inner = base64::engine::general_purpose::STANDARD.encode("horse batt");
        assert!(!shown.contains(&inner[..8]), "{shown}");
    }
    assert_eq!(
        masker.mask("correct horse batterycorrect horse battery!"),
        "***!"
    );
    let short = Masker::new(["{\n\"key\": \"long-value\"\n}"]);
    assert_eq!(short.mask("{ } \"key\": \"long-value\""), "{ } ***");
}

#[test]
fn very_many_masks_over_small_chunks() {
    let secrets: Vec<_> = (0..200)
        .map(|it| format!("secret-number-{it:03}-value"))
        .collect();
    let masker = Masker::new(secrets.iter().map(String::as_str));
    let text: String = (0..300)
        .map(|it| format!("line {it} has secret-number-{:03}-value in it\n", it % 210))
        .collect();
    let mut stream = MaskStream::default();
    let mut shown = Vec::new();
    for chunk in text.as_bytes().chunks(13) {
        shown.extend(stream.push(&masker, chunk));
    }
    shown.extend(stream.finish(&masker));
    assert_eq!(String::from_utf8_lossy(&shown), masker.mask(&text));
}

#[test]
fn summaries_are_masked_and_limited() {
    let masker = Masker::new(["s3cret-value"]);
    assert_eq!(
        file_command::summary(b"# s3cret-value\n", &masker),
        Ok(Some("# ***\n".to_owned()))
    );
    assert_eq!(file_command::summary(b" \n", &masker), Ok(None));
    let long = vec![b'x'; file_command::MAX_SUMMARY_BYTES + 1];
    assert_eq!(
        file_command::summary(&long, &masker).map_err(|it| it.to_string()),
        Err("the summary has 1048577 bytes, expected at most 1048576".to_owned())
    );
}

#[test]
fn shells_of_ones_own_keep_their_quotes() {
    let shell = Shell::named("bash -c 'source x; . {0}'").expect("a shell");
    assert_eq!(
        shell,
        Shell::Custom(vec!["bash".into(), "-c".into(), "source x; . {0}".into()])
    );
}
