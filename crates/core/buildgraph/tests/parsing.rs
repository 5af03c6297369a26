//! What the parser reads and what it reports.

use buildgraph::{
    apply_fixes,
    instruction::{Command, Kind},
    parse,
};

#[test]
fn several_errors_are_found_in_one_pass() {
    check(
        "FORM alpine\nFROM scratch\nRNU x\nCOPY a\nENV A\nHEALTHCHECK --retrys=1 CMD x\nSHELL bash\nFROM a b\nCOPY --chmod=9 a b\nRUN --mount=type=cash,target=/x y\n",
        &[
            "1:1: error[unknown-instruction]: `FORM` is no instruction; did you mean `FROM`?",
            "3:1: error[unknown-instruction]: `RNU` is no instruction; did you mean `RUN`?",
            "4:6: error[no-destination]: expected a destination after `a`; write `COPY a ./`",
            "5:5: error[no-value]: expected a value for `A`; write `ENV A=value`",
            "6:13: error[unknown-flag]: `--retrys` is no flag of this instruction; did you mean `--retries`?",
            "7:7: error[shell-needs-json]: expected a JSON array after SHELL; write `SHELL [\"/bin/bash\", \"-c\"]`",
            "8:6: error[bad-from]: expected `FROM image` or `FROM image AS name`; a stage has one image and at most one name",
            "9:6: error[bad-chmod]: expected an octal mode such as `0755` or a symbolic one such as `u=rwX,go=rX`, found `9`; write for example `--chmod=0755`",
            "10:5: error[bad-mount]: `cash` is no type of mount; did you mean `cache`?",
        ],
    );
}

#[test]
fn a_broken_exec_form_is_explained_and_mended() {
    let source = "FROM scratch\nCMD [\"npm\"\"start\"]\n";
    check(
        source,
        &["2:5: warning[not-json]: `[\"npm\"\"start\"]` is not a JSON array, so Docker takes it as shell form and runs `/bin/sh -c '[\"npm\"\"start\"]'`, which exits 127 (command not found); write `[\"npm\", \"start\"]`"],
    );
    check_fix(source, "FROM scratch\nCMD [\"npm\", \"start\"]\n");
    check_fix("FROM scratch\nCMD ['npm', 'start']\n", "FROM scratch\nCMD [\"npm\", \"start\"]\n");
    check_fix("FROM scratch\nCMD [“npm”, “start”,]\n", "FROM scratch\nCMD [\"npm\", \"start\"]\n");
    check("FROM scratch\nRUN [ -f x ] && y\nRUN [[ a == b ]]\n", &[]);
}

#[test]
fn foreign_spaces_are_found_where_they_bite() {
    let nbsp = '\u{a0}';
    let source = format!("FROM{nbsp}node:14\n{nbsp}{nbsp}RUN npm{nbsp}install \"a{nbsp}b\"\n# a{nbsp}b\nRUN x \\\n{nbsp}y\n");
    check(
        &source,
        &[
            "1:5: error[non-breaking-space]",
            "2:1: warning[non-breaking-space]",
            "2:10: warning[non-breaking-space]",
            "5:1: warning[non-breaking-space]",
        ],
    );
    check_fix(&source, &format!("FROM node:14\n  RUN npm install \"a{nbsp}b\"\n# a{nbsp}b\nRUN x \\\n y\n"));
}

#[test]
fn slips_that_build_are_warned_about() {
    check(
        "from scratch as Build\nFROM scratch AS build\nRUN a \\\n\n  b\nENV PASSWORD=x\nENV a b\nCMD x\nCMD [\"y\"]\nMAINTAINER me\n",
        &[
            "1:1: warning[keyword-case]: `from` is written unlike the other instructions; write `FROM`",
            "1:1: warning[stage-name-case]",
            "2:1: warning[duplicate-stage-name]",
            "4:1: warning[empty-continuation]",
            "6:1: warning[secret-in-image]",
            "7:5: warning[legacy-key-value]",
            "8:1: warning[overridden]: the CMD in line 9 replaces this one",
            "8:1: warning[shell-form]",
            "10:1: warning[maintainer]",
        ],
    );
}

#[test]
fn directives_end_with_the_first_other_line() {
    check("# syntax=docker/dockerfile:1\n# escape=`\n# check=skip=all\n\nFROM scratch\nRUN a `\n b\\\n", &[]);
    let parsed = parse("# escape=`\nFROM scratch\nRUN a `\n b\\\n");
    assert_eq!(commands(&parsed), ["a  b\\"]);
    check("# escape=x\nFROM scratch\n", &["1:1: error[bad-escape]"]);
    check("# escape=\\\n# escape=\\\nFROM scratch\n", &["2:1: error[duplicate-directive]"]);
    check("\n# escape=`\nFROM scratch\nRUN a \\\n b\n", &[]);
}

#[test]
fn continuations_and_heredocs_are_joined() {
    let parsed = parse(
        "\u{feff}FROM scratch\r\nRUN a && \\\r\n# no\r\n  b \\ \r\n  c\r\nRUN <<-EOF cat\n\tx\n\tEOF\nRUN cat <<A <<'B'\n1\nA\n2\nB\nRUN [\"a\", \"<<b\"]\nRUN echo $((1<<2))\n",
    );
    assert_eq!(commands(&parsed), ["a &&   b   c", "<<-EOF cat", "cat <<A <<'B'", "a|<<b", "echo $((1<<2))"]);
    let file = parsed.dockerfile.expect("a file");
    let heredocs: Vec<_> = file.stages[0]
        .instructions
        .iter()
        .flat_map(|it| match &it.kind {
            Kind::Run(run) => run.heredocs.clone(),
            _ => Vec::new(),
        })
        .map(|it| (it.name, it.content, it.expand))
        .collect();
    let expected = [("EOF", "x\n", true), ("A", "1\n", true), ("B", "2\n", false)];
    assert_eq!(heredocs, expected.map(|(name, content, expand)| (name.to_owned(), content.to_owned(), expand)));
    check("FROM scratch\nRUN <<EOF\nx\n", &["2:5: error[open-heredoc]: expected a line `EOF` that ends the here-document; add a line with nothing but `EOF`"]);
}

#[test]
fn pairs_obey_quotes_and_escapes() {
    let parsed = parse("FROM scratch\nENV a=\"a b\" c='c d' x=x\\ y q=\"q\\\"z\"\nENV old the rest  of it\nLABEL \"k k\"=v\n");
    let file = parsed.dockerfile.expect("a file");
    let Kind::Env(pairs) = &file.stages[0].instructions[0].kind else { panic!("env") };
    let values: Vec<&str> = pairs.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["\"a b\"", "'c d'", "x\\ y", "\"q\\\"z\""]);
    let Kind::Env(pairs) = &file.stages[0].instructions[1].kind else { panic!("env") };
    assert_eq!(pairs[..], [("old".to_owned(), "the rest  of it".to_owned())]);
}

#[test]
fn files_without_a_stage_are_refused() {
    check("", &["1:1: error[no-stage]"]);
    check("# only a comment\n", &["1:1: error[no-stage]"]);
    check("RUN x\nRUN y\n", &["1:1: error[no-from]"]);
    check("FROM scratch AS 1a\n", &["1:17: error[bad-stage-name]"]);
    check("FROM scratch\nONBUILD FROM x\n", &["2:9: error[bad-onbuild]"]);
    check("FROM scratch\nCOPY --from=$X a b\n", &["2:6: error[variable-in-from]"]);
    check("FROM scratch\nRUN\n", &["2:1: error[no-arguments]"]);
}

#[test]
fn odd_bytes_do_not_panic() {
    for text in ["\\", "FROM", "FROM \\", "RUN <<", "RUN <<''", "COPY <<E", "CMD [", "CMD [\"", "ENV =", "ONBUILD", "ONBUILD ONBUILD", "\u{feff}", "# =", "FROM é AS é\nRUN é\u{a0}", "HEALTHCHECK", "FROM a\nHEALTHCHECK --interval", "COPY --", "RUN --mount", "FROM a\nRUN \\\n\\\n\\"] {
        let parsed = parse(text);
        let _ = apply_fixes(text, &parsed.problems);
    }
}

fn commands(parsed: &buildgraph::Parsed) -> Vec<String> {
    let file = parsed.dockerfile.as_ref().unwrap_or_else(|| panic!("{:?}", parsed.problems));
    let instructions = file.stages.iter().flat_map(|it| &it.instructions);
    let command = |kind: &Kind| match kind {
        Kind::Run(run) => Some(match &run.command {
            Command::Shell(text) => text.clone(),
            Command::Exec(words) => words.join("|"),
        }),
        _ => None,
    };
    instructions.filter_map(|it| command(&it.kind)).collect()
}

/// Each expected line is the beginning of one problem's text.
#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let found: Vec<String> = parse(source).problems.iter().map(ToString::to_string).collect();
    let fits = found.len() == expected.len() && found.iter().zip(expected).all(|(it, start)| it.starts_with(start));
    assert!(fits, "found {found:#?}\nexpected {expected:#?}");
}

#[track_caller]
fn check_fix(source: &str, expected: &str) {
    assert_eq!(apply_fixes(source, &parse(source).problems), expected);
}
