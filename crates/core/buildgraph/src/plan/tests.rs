//! Plans of whole Dockerfiles, printed and compared.

use super::*;
use crate::parse;

#[test]
fn a_stage_becomes_operations_config_and_history() {
    let plan = ready(
        "ARG TAG=1\nFROM scratch\nARG A=arg B C\nENV PATH=/bin X=$A\nWORKDIR /app\nCOPY a b ./\nUSER 5\nRUN make\nCMD [\"./app\", \"x\"]\n",
        &[("B", "envb")],
        None,
    );
    let stage = &plan.stages[&0];
    let history: Vec<&str> = stage.steps.iter().filter_map(|it| it.created_by.as_deref()).collect();
    assert_eq!(
        history,
        [
            "ARG A=arg B=envb C",
            "ENV PATH=/bin X=arg",
            "WORKDIR /app",
            "COPY a b ./ # buildkit",
            "USER 5",
            "RUN |3 A=arg B=envb C= /bin/sh -c make # buildkit",
            "CMD [\"./app\" \"x\"]",
        ]
    );
    assert_eq!(stage.config.config.env, ["PATH=/bin", "X=arg"]);
    assert_eq!(stage.config.config.cmd, Some(vec!["./app".to_owned(), "x".to_owned()]));
    assert_eq!(stage.config.config.working_dir, "/app");
    let Some(Op::Copy(copy)) = &stage.steps[3].op else { panic!("a copy") };
    assert_eq!((copy.destination.as_str(), copy.into_folder), ("/app", true));
}

#[test]
fn order_decides_between_arg_and_env() {
    let plan = ready("FROM scratch\nENV A=env\nARG A=arg\nRUN x\nENV B=$A\n", &[], None);
    let stage = &plan.stages[&0];
    let Some(Op::Run(run)) = &stage.steps[2].op else { panic!("a run") };
    assert!(run.env.contains(&("A".to_owned(), "arg".to_owned())));
    assert_eq!(stage.config.config.env[1..], ["A=env", "B=arg"]);
}

#[test]
fn all_values_of_an_instruction_see_the_state_before_it() {
    let plan = ready("FROM scratch\nENV a=0\nENV a=1 b=$a\n", &[], None);
    assert_eq!(plan.stages[&0].config.config.env[1..], ["a=1", "b=0"]);
}

#[test]
fn only_reachable_stages_are_planned_and_asked_for() {
    let file = "FROM unused AS u\nFROM scratch AS a\nRUN x\nFROM other AS o\nFROM a AS b\nCOPY --from=tools /x /y\nFROM b\nCOPY --from=1 / /\n";
    let needs = plan(&parse_ok(file), &options(&[], None), &BTreeMap::new()).expect("a plan");
    let Planned::Needs(needs) = needs else { panic!("needs") };
    assert_eq!(needs, BTreeSet::from(["tools".to_owned()]));

    let plan = ready("FROM scratch AS a\nFROM scratch AS b\nFROM scratch\nCOPY --from=b / /\n", &[], None);
    assert_eq!(plan.stages.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(plan.dependencies(2), BTreeSet::from([1]));
    let plan = ready("FROM scratch AS a\nFROM scratch AS b\n", &[], Some("A"));
    assert_eq!(plan.stages.keys().copied().collect::<Vec<_>>(), [0]);
}

#[test]
fn entrypoint_clears_an_inherited_cmd_only() {
    let plan = ready("FROM scratch AS a\nCMD p\nFROM a\nENTRYPOINT [\"e\"]\n", &[], None);
    assert_eq!(plan.stages[&1].config.config.cmd, None);
    let plan = ready("FROM scratch AS a\nCMD p\nFROM a\nCMD [\"mine\"]\nENTRYPOINT [\"e\"]\n", &[], None);
    assert_eq!(plan.stages[&1].config.config.cmd, Some(vec!["mine".to_owned()]));
}

#[test]
fn triggers_run_in_the_child_and_not_in_its_child() {
    let plan = ready("FROM scratch AS a\nONBUILD RUN t\nFROM a AS b\nRUN own\nFROM b\nRUN last\n", &[], None);
    let texts = |index: usize| plan.stages[&index].steps.iter().map(|it| it.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(1), ["RUN t", "RUN own"]);
    assert_eq!(texts(2), ["RUN last"]);
    assert!(plan.stages[&1].config.config.on_build.is_empty());
}

#[test]
fn global_args_need_an_import() {
    let plan = ready("ARG V=1\nFROM scratch\nLABEL a=$V\nARG V\nLABEL b=$V\n", &[], None);
    let labels = &plan.stages[&0].config.config.labels;
    assert_eq!((labels["a"].as_str(), labels["b"].as_str()), ("", "1"));
    assert_eq!(plan.warnings.len(), 1);
}

#[test]
fn heredocs_become_commands_scripts_and_files() {
    let plan = ready(
        "FROM scratch\nRUN <<EOF\necho 1\nEOF\nRUN <<EOF\n#!/bin/awk\nx\nEOF\nRUN cat <<A > /x\nq\nA\nARG N=7\nCOPY <<F <<'G' /d/\n$N \\$N \"q\"\nF\n$N\nG\n",
        &[],
        None,
    );
    let steps = &plan.stages[&0].steps;
    let args = |index: usize| match &steps[index].op {
        Some(Op::Run(run)) => run.args.clone(),
        _ => panic!("a run"),
    };
    assert_eq!(args(0), ["/bin/sh", "-c", "echo 1\n"]);
    assert_eq!(args(1), ["/dev/pipes/EOF"]);
    assert_eq!(args(2), ["/bin/sh", "-c", "cat <<A > /x\nq\nA"]);
    let Some(Op::Copy(copy)) = &steps[4].op else { panic!("a copy") };
    let inline = |name: &str, content: &str| crate::op::CopySource::Inline { name: name.into(), content: content.into() };
    assert_eq!(copy.sources, [inline("F", "7 $N \"q\"\n"), inline("G", "$N\n")]);
}

#[test]
fn wrong_files_are_refused_at_their_place() {
    check_error("FROM $X\n", "1:1: error[empty-image]: `$X` expands to nothing");
    check_error("FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /\n", "2:1: error[no-such-stage]: stage `b` comes later");
    check_error("FROM scratch\nEXPOSE http\n", "2:1: error[bad-port]");
    check_error("FROM scratch\nSTOPSIGNAL NOPE\n", "2:1: error[bad-signal]");
    check_error("FROM scratch\nADD https://a/b /c\n", "2:1: error[unsupported]");
    check_error("FROM scratch\nRUN --mount=type=cache,target=/ x\n", "2:1: error[bad-mount]");
}

#[test]
fn keys_change_with_what_matters_alone() {
    let key = |text: &str, args: &[(&str, &str)]| {
        let plan = ready(text, args, None);
        let stage = &plan.stages[&plan.target];
        let op = stage.steps.iter().rev().find_map(|it| it.op.clone()).expect("an operation");
        crate::step_key(&op, &platform(), &[], &[])
    };
    let base = key("FROM scratch\nRUN x\n", &[]);
    assert_eq!(base, key("FROM scratch\nLABEL a=b\nCMD c\nRUN x\n", &[]));
    assert_eq!(base, key("FROM scratch\nRUN x\n", &[("http_proxy", "p")]));
    assert_ne!(base, key("FROM scratch\nARG U=1\nRUN x\n", &[]));
    assert_ne!(key("FROM scratch\nARG U\nRUN x\n", &[("U", "1")]), key("FROM scratch\nARG U\nRUN x\n", &[("U", "2")]));
    assert_ne!(key("FROM scratch\nRUN <<E\na\nE\n", &[]), key("FROM scratch\nRUN <<E\nb\nE\n", &[]));
    assert_ne!(key("FROM scratch\nCOPY <<E /x\na\nE\n", &[]), key("FROM scratch\nCOPY <<E /x\nb\nE\n", &[]));
}

fn platform() -> image::Platform {
    "linux/amd64".parse().expect("a platform")
}

fn options(args: &[(&str, &str)], target: Option<&str>) -> Options {
    Options {
        target: target.map(str::to_owned),
        build_args: args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        labels: BTreeMap::new(),
        platform: platform(),
    }
}

#[track_caller]
fn parse_ok(text: &str) -> Dockerfile {
    let parsed = parse(text);
    parsed.dockerfile.unwrap_or_else(|| panic!("{:#?}", parsed.problems))
}

#[track_caller]
fn ready(text: &str, args: &[(&str, &str)], target: Option<&str>) -> Plan {
    match plan(&parse_ok(text), &options(args, target), &BTreeMap::new()) {
        Ok(Planned::Ready(plan)) => plan,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    match plan(&parse_ok(text), &options(&[], None), &BTreeMap::new()) {
        Err(error) => assert!(error.to_string().starts_with(expected), "{error}"),
        other => panic!("{other:?}"),
    }
}
