//! Random text, keys and certificates: what we make, Helm accepts.

use std::{cell::Cell, fmt::Write as _, rc::Rc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sprig::{Edition, Source};

use crate::{
    referee::helm,
    renderer::{Still, render},
};

/// What our functions make of an expression.
fn ours(expression: &str) -> String {
    let template = format!("{{{{ {expression} }}}}");
    render(&template, "a: 1", Edition::Helm4).unwrap_or_else(|it| panic!("{expression}: {it}"))
}

/// The answer of Helm to an expression with values in base 64.
#[track_caller]
fn helm_says(expression: &str, values: &[(&str, &str)], expected: &str) {
    let mut text = String::new();
    for (name, value) in values {
        writeln!(text, "{name}: {:?}", STANDARD.encode(value)).expect("memory");
    }
    let template = format!("#={{{{ {expression} }}}}\n");
    let answer =
        helm(&template, &text, Edition::Helm4).unwrap_or_else(|it| panic!("{expression}: {it}"));
    let answer = answer
        .lines()
        .find_map(|it| it.strip_prefix("#="))
        .unwrap_or_default();
    assert_eq!(answer, expected, "{expression}");
}

#[test]
fn all_names_of_helm_are_there_and_no_others() {
    let source: Rc<dyn Source> = Rc::new(Still(Cell::new(1)));
    let expected: Vec<&str> = include_str!("names.txt").lines().collect();
    let builtin = [
        "and", "break", "call", "continue", "eq", "ge", "gt", "html", "index", "js", "le", "len",
        "lt", "ne", "not", "or", "print", "printf", "println", "urlquery",
    ];
    for edition in [Edition::Helm3, Edition::Helm4] {
        let functions = sprig::functions(edition, &source);
        let mut names: Vec<&str> = functions
            .names()
            .filter(|it| !builtin.contains(it))
            .collect();
        names.sort_unstable();
        let calls: String = names
            .iter()
            .map(|it| format!("{{{{ if false }}}}{{{{ {it} }}}}{{{{ end }}}}\n"))
            .collect();
        helm(&calls, "a: 1", edition).expect("Helm knows every name");
        if edition == Edition::Helm4 {
            assert_eq!(names, expected);
        }
    }
}

#[test]
fn random_texts_have_their_form() {
    let form = |text: &str| -> String {
        text.chars()
            .map(|it| {
                if it.is_ascii_digit() {
                    '9'
                } else if it.is_ascii_alphabetic() {
                    'a'
                } else {
                    it
                }
            })
            .collect()
    };
    assert_eq!(form(&ours("randNumeric 5")), "99999");
    assert_eq!(form(&ours("randAlpha 5")), "aaaaa");
    assert_eq!(ours("randAlphaNum 12").len(), 12);
    assert_eq!(ours("randAscii 40").len(), 40);
    assert_eq!(ours("randAlphaNum 0 | len"), "0");
    assert_eq!(ours("randBytes 9 | b64dec | len"), "9");
    assert_eq!(
        ours(
            "uuidv4 | regexMatch `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`"
        ),
        "true"
    );
    assert_eq!(
        ours("$x := randInt 3 5 }}{{ and (ge $x 3) (lt $x 5)"),
        "true"
    );
    assert_eq!(
        ours("shuffle \"abc\" | splitList \"\" | sortAlpha | join \"\""),
        "abc"
    );
}

#[test]
fn passwords_are_those_of_helm() {
    assert_eq!(
        ours("derivePassword 1 \"long\" \"password\" \"user\" \"example.com\""),
        "ZedaFaxcZaso9*"
    );
    for kind in ["maximum", "medium", "short", "basic", "pin", "none"] {
        let expression = format!("derivePassword 3 {kind:?} \"secret\" \"me\" \"site\"");
        helm_says(&expression, &[], &ours(&expression));
    }
    assert_eq!(ours("htpasswd \"a:b\" \"x\""), "invalid username: a:b");
    assert_eq!(
        ours("htpasswd \"user\" \"x\" | regexMatch `^user:\\$2a\\$10\\$[./A-Za-z0-9]{53}$`"),
        "true"
    );
    assert_eq!(
        ours("bcrypt (repeat 80 \"x\")"),
        "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
    );
}

#[test]
fn helm_decrypts_what_we_encrypt() {
    for plain in ["a", "sixteen bytes ok", "more than sixteen bytes of text"] {
        let coded = ours(&format!("encryptAES \"key\" {plain:?}"));
        helm_says(
            "decryptAES \"key\" (.Values.coded | b64dec)",
            &[("coded", &coded)],
            plain,
        );
        assert_eq!(ours(&format!("decryptAES \"key\" {coded:?}")), plain);
    }
    assert_eq!(ours("encryptAES \"key\" \"\""), "");
}

#[test]
fn helm_takes_our_authorities_and_keys() {
    let both = ours("$ca := genCA \"my ca\" 365 }}{{ $ca.Cert }}====={{ $ca.Key");
    let (cert, key) = both.split_once("=====").expect("two parts");
    let sign = "$ca := buildCustomCert .Values.cert .Values.key }}{{ $c := genSignedCert \"x\" (list \"10.0.0.1\") (list \"a.b\") 5 $ca }}{{ hasPrefix \"-----BEGIN CERTIFICATE\" $c.Cert";
    helm_says(sign, &[("cert", cert), ("key", key)], "true");
    for kind in ["ecdsa", "ed25519"] {
        let key = ours(&format!("genPrivateKey {kind:?}"));
        helm_says(
            "$c := genCAWithKey \"x\" 5 (.Values.key | b64dec) }}{{ eq ($c.Key | trim) (.Values.key | b64dec | trim)",
            &[("key", &key)],
            "true",
        );
        let made = format!(
            "$ca := genCAWithKey \"ca\" 9 (genPrivateKey {kind:?}) }}}}{{{{ $ca.Cert }}}}====={{{{ $ca.Key"
        );
        let made = ours(&made);
        let (cert, key) = made.split_once("=====").expect("two parts");
        helm_says(sign, &[("cert", cert), ("key", key)], "true");
    }
}

#[test]
fn what_we_sign_is_a_certificate_to_helm() {
    let both = ours(
        "$ca := genCA \"ca\" 9 }}{{ $c := genSignedCert \"leaf, Ü\" (list \"10.0.0.1\" \"::1\") (list \"a.b\" \"*.c\") 5 $ca }}{{ $c.Cert }}====={{ $c.Key",
    );
    let (cert, key) = both.split_once("=====").expect("two parts");
    helm_says(
        "$c := buildCustomCert .Values.cert .Values.key }}{{ eq $c.Cert (.Values.cert | b64dec)",
        &[("cert", cert), ("key", key)],
        "true",
    );
    let both =
        ours("$c := genSelfSignedCert \"\" nil (list \"a.b\") 40000 }}{{ $c.Cert }}====={{ $c.Key");
    let (cert, key) = both.split_once("=====").expect("two parts");
    helm_says(
        "$c := buildCustomCert .Values.cert .Values.key }}{{ eq $c.Key (.Values.key | b64dec)",
        &[("cert", cert), ("key", key)],
        "true",
    );
}
