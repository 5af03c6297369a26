//! Expressions that fail, each in a run of its own: the message after the name of the function.

use sprig::Edition;

use crate::{referee::helm, renderer::render};

/// What follows `error calling` in a message of either.
fn reason(message: &str) -> String {
    let message = match message.split_once("error calling ") {
        Some((_, reason)) => reason,
        // Helm 4 puts the place into lines of its own.
        None => message.rsplit(">:").next().unwrap_or(message),
    };
    message
        .trim()
        .trim_end_matches("\n\nUse --debug flag to render out invalid YAML")
        .to_owned()
}

#[test]
fn failures_read_as_helms_do() {
    let expressions = [
        "first nil",
        "first \"x\"",
        "last 1",
        "rest (dict)",
        "initial \"x\"",
        "append \"x\" 1",
        "prepend 1 1",
        "uniq 1",
        "without 1 2",
        "has 1 2",
        "slice 1 2",
        "slice (list 1 2) 1 5",
        "slice (list 1 2) -1",
        "chunk 1 \"x\"",
        "chunk 0 (list 1)",
        "concat 1",
        "concat nil",
        "compact 1",
        "reverse 1",
        "dig \"a\" 1",
        "dig 1 2 (dict)",
        "dig \"a\" \"b\" 1 (dict \"a\" 5)",
        "dig \"a\" 1 nil",
        "substr 5 2 \"hello\"",
        "substr -1 9 \"hi\"",
        "substr -1 -3 \"hi\"",
        "substr 7 -1 \"hi\"",
        "repeat -1 \"x\"",
        "indent -1 \"x\"",
        "div 1 0",
        "mod 1 0",
        "divf 1 0",
        "semverCompare \"x.y\" \"1\"",
        "semverCompare \"\" \"1.2.3\"",
        "semverCompare \">1\" \"abc\"",
        "semverCompare \">1 =\" \"1\"",
        "semver \"1.2.3.4\"",
        "semver \"\"",
        "semver \"1.2.3-01\"",
        "semver \"99999999999999999999\"",
        "semverCompare \"1x\" \"1\"",
        "regexFind \"(\" \"x\"",
        "mustRegexFind \"(\" \"x\"",
        "mustRegexMatch \"a)\" \"x\"",
        "mustRegexMatch \"[a\" \"x\"",
        "mustRegexMatch \"*a\" \"x\"",
        "mustRegexMatch \"a**\" \"x\"",
        "mustRegexMatch `\\8` \"x\"",
        "mustRegexMatch `a\\` \"x\"",
        "mustRegexMatch \"[b-a]\" \"x\"",
        "mustRegexMatch \"a{1001}\" \"x\"",
        "mustRegexMatch \"(?P<n\" \"x\"",
        "mustRegexMatch \"(?z)\" \"x\"",
        "mustRegexMatch `\\pX` \"x\"",
        "mustRegexMatch \"(?=a)\" \"x\"",
        "mustRegexMatch \"a{2}{3}\" \"x\"",
        "mustRegexMatch \"[[:foo:]]\" \"x\"",
        "mustRegexMatch `\\Z` \"x\"",
        "regexReplaceAll \"`(\" \"x\" \"y\"",
        "mustFromJson \"{\"",
        "mustDateModify \"x\" now",
        "mustToDate \"2006\" \"x\"",
        "mustToDate \"2006-01\" \"2020-13\"",
        "mustToDate \"2006\" \"2020x\"",
        "mustToDuration \"x\"",
        "mustToDuration nil",
        "mustToDuration (list)",
        "mustToDuration \" \"",
        "mustToDuration 1e300",
        "urlParse \":\"",
        "urlParse \"http://h:x\"",
        "urlParse \"http://[::1\"",
        "urlParse \"1:2\"",
        "urlParse \"%zz\"",
        "urlParse \"http://a b/\"",
        "urlParse \"http://u ser@h/\"",
        "urlJoin (dict \"host\" 1)",
        "urlJoin (dict \"host\" nil)",
        "urlParse \"\\u0001\"",
        "set nil \"a\" 1",
        "deepCopy nil",
        "toToml nil",
        "mustToToml (dict \"l\" (list nil))",
        "addf \"inf\"",
        "randBytes -1",
        "randInt 5 1",
        "buildCustomCert \"!\" \"x\"",
        "buildCustomCert \"YQ==\" \"!\"",
        "buildCustomCert \"YQ==\" \"YQ==\"",
        "genCAWithKey \"cn\" 1 \"x\"",
        "genSignedCert \"a\" nil nil 1 (dict)",
        "genSelfSignedCert \"a\" (list \"x\") nil 1",
        "genSelfSignedCert \"a\" (list 1) nil 1",
        "genSelfSignedCert \"a\" nil (list 1) 1",
        "genSignedCertWithKey \"a\" nil nil 1 (buildCustomCert \"\" \"\") \"\"",
        "decryptAES \"x\" \"!\"",
        "mustToJson now.Format",
        "trunc \"x\" 5",
        "trunc nil \"x\"",
        "upper 5",
        "ternary 1 2 \"true\"",
        "get \"x\" \"y\"",
        "hasKey nil \"x\"",
        "merge (dict) 1",
        "splitList 1 \"x\"",
        "int",
        "nindent \"2\" \"x\"",
        "dateInZone \"2006\" 0 1",
        "genCA 1 1",
        "unixEpoch 1",
    ];
    let mut differing = Vec::new();
    for expression in expressions {
        let template = format!("a: {{{{ {expression} }}}}\n");
        let expected = helm(&template, "a: 1\n", Edition::Helm4).map_err(|it| reason(&it));
        let found = render(&template, "a: 1\n", Edition::Helm4).map_err(|it| reason(&it));
        let expected = expected.map(|it| {
            it.replace("---\n# Source: c/templates/all.yaml\n", "")
                .trim()
                .to_owned()
        });
        if expected != found.clone().map(|it| it.trim().to_owned()) {
            differing.push(format!(
                "{expression}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
    }
    assert!(
        differing.is_empty(),
        "{} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}
