//! Expressions that succeed: value, type and printed form, all of them in one run.

use std::fmt::Write as _;

use sprig::Edition;

use crate::{referee::helm, renderer::render};

const VALUES: &str = r#"
s: Hello World
five: 5
f: 3.75
big: 12345678
t: true
l: [a, b, c]
nums: [3, 1, 2, 1]
mixed: [1, two, null, 3.5, true, [x], {k: v}]
m: {b: 2, a: 1, c: {d: 3, e: {f: deep}}}
empty: {s: "", l: [], m: {}, z: 0}
uni: "héllo wörld ßtraße ÜBER"
multi: "line one\nline two\n\nline four\n"
"#;

/// A template with a line for each expression, numbered.
fn template(expressions: &[&str]) -> String {
    let mut text = String::new();
    for (at, expression) in expressions.iter().enumerate() {
        writeln!(
            text,
            "{{{{ $x := ({expression}) }}}}#{at}={{{{ toJson $x | b64enc }}}}={{{{ printf \"%T\" $x | b64enc }}}}={{{{ printf \"%v\" $x | b64enc }}}}"
        )
        .expect("memory");
    }
    text
}

fn answers(text: &str) -> Vec<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let lines = text
        .lines()
        .filter(|it| it.starts_with('#') && it.contains('='));
    let lines = lines.filter(|it| !it.starts_with("# "));
    lines
        .map(|line| {
            let parts = line.split('=').skip(1).map(|part| {
                let padded = format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4));
                String::from_utf8_lossy(&STANDARD.decode(padded).unwrap_or_default()).into_owned()
            });
            parts
                .filter(|it| !it.is_empty())
                .collect::<Vec<_>>()
                .join("  |  ")
        })
        .collect()
}

#[track_caller]
pub fn check(expressions: &[&str], values: &str, edition: Edition) {
    let template = template(expressions);
    let expected = answers(&helm(&template, values, edition).expect("helm renders"));
    let found = answers(&render(&template, values, edition).expect("it renders"));
    assert_eq!(expected.len(), expressions.len(), "one answer each");
    let mut differing = Vec::new();
    for ((expression, expected), found) in expressions.iter().zip(&expected).zip(&found) {
        if expected != found {
            differing.push(format!(
                "{expression}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
    }
    println!("{}", differing.join("\n"));
    // What a fresh seed shows that nobody saw before is told and mended, and stops nobody's work.
    let is_fresh = expressions.len() > 2000 && std::env::var_os("LANDFALL_SEED").is_none();
    let allowed = if is_fresh { expressions.len() / 500 } else { 0 };
    assert!(
        differing.len() <= allowed,
        "{} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
    assert_eq!(found.len(), expressions.len(), "one answer each of ours");
}

#[test]
fn strings() {
    check(
        &[
            r#"trim "  a b \n""#,
            r#"trimAll "$" "$5.00$""#,
            r#"trimall "ab" "abcba""#,
            r#"trimSuffix "-" "hello-""#,
            r#"trimSuffix "" "x""#,
            r#"trimPrefix "-" "--hello""#,
            r#"upper "héß""#,
            r#"lower "HÉİ""#,
            r#"title "hello wörld o'neil foo_bar a-b""#,
            r#"untitle "Hello World""#,
            r#"repeat 3 "ab""#,
            r#"repeat 0 "ab""#,
            r#"substr 0 5 "hello world""#,
            r#"substr 2 -1 "hello""#,
            r#"substr -1 3 "hello""#,
            r#"substr 2 99 "hello""#,
            r#"nospace "h e\tl l o""#,
            r#"nospace "hé l""#,
            r#"nospace "hél""#,
            r#"trunc 5 "hello world""#,
            r#"trunc -5 "hello world""#,
            r#"trunc 50 "hi""#,
            r#"trunc -50 "hi""#,
            r#"trunc 0 "hi""#,
            r#"trunc -2 "hi""#,
            r#"abbrev 5 "hello world""#,
            r#"abbrev 3 "hello""#,
            r#"abbrev 11 "hello world""#,
            r#"abbrevboth 5 10 "1234 5678 9123""#,
            r#"abbrevboth 2 8 "abcdefghijkl""#,
            r#"abbrevboth 6 8 "abcdefghijklmnop""#,
            r#"abbrevboth 0 4 "abcdef""#,
            r#"initials "First Try""#,
            r#"initials " a b  c""#,
            r#"initials "é x""#,
            r#"wrap 10 "the quick brown fox jumps""#,
            r#"wrap 3 "longword and x""#,
            r#"wrapWith 5 "\t" "Hello World again""#,
            r#"wrapWith 4 "" "abcdefghij kl""#,
            r#"wrap 0 "a b""#,
            r#"contains "ell" "hello""#,
            r#"contains "" "x""#,
            r#"hasPrefix "he" "hello""#,
            r#"hasSuffix "lo" "hello""#,
            r#"quote "a" 1 nil 2.5 true"#,
            r#"quote (list 1 "a") (dict "k" 1)"#,
            r#"quote "a\"b\n\té\u200b""#,
            r#"squote "it's" nil 3"#,
            r#"quote nil"#,
            r#"squote"#,
            r#"quote .Values.big"#,
            r#"quote 12345678.0"#,
            r#"cat "a" nil 1 2.5 "b""#,
            r#"cat"#,
            r#"cat "%" "x%d""#,
            r#"indent 4 .Values.multi"#,
            r#"nindent 2 "a\nb""#,
            r#"indent 0 "x""#,
            r#"indent 2 """#,
            r#"nindent 2 "\n""#,
            r#"replace "a" "bb" "banana""#,
            r#"replace "" "-" "abc""#,
            r#"plural "one" "many" 1"#,
            r#"plural "one" "many" 2"#,
            r#"snakecase "FirstName""#,
            r#"snakecase "HTTPServer""#,
            r#"snakecase "FooBarID""#,
            r#"snakecase "foo bar-baz_qux""#,
            r#"snakecase "Duration2m3s""#,
            r#"snakecase "Bld4Floor3rd""#,
            r#"snakecase "http2xx""#,
            r#"snakecase "HTTP20xOK""#,
            r#"snakecase "a.B,C""#,
            r#"snakecase "__A__b""#,
            r#"snakecase "Été9X""#,
            r#"kebabcase "FirstName""#,
            r#"kebabcase "NoHTTPS""#,
            r#"kebabcase "GO PATH""#,
            r#"kebabcase "a1B2C3""#,
            r#"camelcase "http_server""#,
            r#"camelcase "_complex__case_""#,
            r#"camelcase "GOLANG_IS_GREAT""#,
            r#"camelcase "some-words here""#,
            r#"camelcase "a""#,
            r#"camelcase "_""#,
            r#"camelcase "__""#,
            r#"camelcase """#,
            r#"swapcase "This Is A.Test""#,
            r#"swapcase "hELLO ß é""#,
            r#"splitList "," "a,b,,c""#,
            r#"splitList "" "abé""#,
            r#"splitList "x" """#,
            r#"split "-" "a-b-c""#,
            r#"splitn "-" 2 "a-b-c""#,
            r#"splitn "-" 0 "a-b-c""#,
            r#"splitn "-" -1 "a-b-c""#,
            r#"(split "-" "a-b")._1"#,
            r#"join "-" (list 1 nil "a" 2.5 true)"#,
            r#"join "," "x""#,
            r#"join "," nil"#,
            r#"join "," .Values.mixed"#,
            r#"join "" (list)"#,
            r#"sortAlpha (list "b" "a" 10 9 nil)"#,
            r#"sortAlpha "x""#,
            r#"sortAlpha nil"#,
            r#"toStrings (list 1 nil "a")"#,
            r#"toStrings "x""#,
            r#"toStrings nil"#,
            r#"toString 1"#,
            r#"toString nil"#,
            r#"toString (list 1 "a")"#,
            r#"toString 1.0"#,
            r#"toString true"#,
            r#"toString .Values.m"#,
            r#"b64enc "héllo""#,
            r#"b64dec "aMOpbGxv""#,
            r#"b64dec "a===""#,
            r#"b64dec "abc""#,
            r#"b64dec "!!!!""#,
            r#"b64dec "YQ""#,
            r#"b64dec "YQ==x""#,
            r#"b64dec "Y\nQ==""#,
            r#"b64dec "YQ=a""#,
            r#"b64dec "=""#,
            r#"b64dec """#,
            r#"b64dec "YWJjZA=""#,
            r#"b32enc "hello""#,
            r#"b32enc "a""#,
            r#"b32dec "NBSWY3DP""#,
            r#"b32dec "ME======""#,
            r#"b32dec "ME""#,
            r#"b32dec "a""#,
            r#"b32dec "ME=====x""#,
            r#"sha1sum "a""#,
            r#"sha256sum "a""#,
            r#"sha512sum """#,
            r#"adler32sum "Wikipedia""#,
            r#"hello"#,
            r#"regexQuoteMeta "1.2.3[a]$""#,
            r#"b64dec "////""#,
        ],
        VALUES,
        Edition::Helm4,
    );
}

#[test]
fn numbers() {
    check(
        &[
            r#"int "12""#,
            r#"int "0x10""#,
            r#"int "012""#,
            r#"int "0b11""#,
            r#"int "0o17""#,
            r#"int "1_000""#,
            r#"int "1__0""#,
            r#"int "abc""#,
            r#"int "3.9""#,
            r#"int "3.00""#,
            r#"int "3.0""#,
            r#"int "3.""#,
            r#"int ".0""#,
            r#"int true"#,
            r#"int nil"#,
            r#"int 3.9"#,
            r#"int -3.9"#,
            r#"int (list)"#,
            r#"int "-5""#,
            r#"int "+5""#,
            r#"int " 5""#,
            r#"int "9223372036854775808""#,
            r#"int 1e30"#,
            r#"int64 "7""#,
            r#"int64 .Values.f"#,
            r#"int .Values.t"#,
            r#"float64 "1.5""#,
            r#"float64 "1e3""#,
            r#"float64 "x""#,
            r#"float64 "0x1p4""#,
            r#"float64 "1_0.5""#,
            r#"float64 "1e400""#,
            r#"float64 3"#,
            r#"float64 true"#,
            r#"float64 nil"#,
            r#"float64 ".5""#,
            r#"float64 "5.""#,
            r#"float64 "+1""#,
            r#"atoi "12""#,
            r#"atoi "x""#,
            r#"atoi "99999999999999999999""#,
            r#"atoi "-99999999999999999999""#,
            r#"atoi "0x1""#,
            r#"atoi "1_0""#,
            r#"toDecimal "0777""#,
            r#"toDecimal 777"#,
            r#"toDecimal "8""#,
            r#"toDecimal nil"#,
            r#"add 1 2 3"#,
            r#"add"#,
            r#"add "5" 1.9 true"#,
            r#"add1 5"#,
            r#"sub 5 3"#,
            r#"div 7 2"#,
            r#"div -7 2"#,
            r#"mod 7 3"#,
            r#"mod -7 3"#,
            r#"mul 2 3 4"#,
            r#"mul 9223372036854775807 2"#,
            r#"max 1 5 3"#,
            r#"min 1 5 3"#,
            r#"biggest 3 "9""#,
            r#"max 1"#,
            r#"addf 0.1 0.2"#,
            r#"addf"#,
            r#"add1f 1.1"#,
            r#"subf 1.1 0.1 0.3"#,
            r#"mulf 1.1 1.1"#,
            r#"divf 10 3"#,
            r#"divf 1 3 7"#,
            r#"divf 2 -3"#,
            r#"addf "1.5" 2"#,
            r#"mulf 1e20 1e20"#,
            r#"divf 1e-10 3"#,
            r#"divf 1e-20 1e20"#,
            r#"maxf 1.5 2.5"#,
            r#"minf 1.5 2.5"#,
            r#"floor 3.7"#,
            r#"floor -3.2"#,
            r#"ceil 3.2"#,
            r#"ceil "3.2""#,
            r#"round 3.14159 2"#,
            r#"round 2.5 0"#,
            r#"round -2.5 0"#,
            r#"round 123.456 -1"#,
            r#"round 3.14159 3 0.9"#,
            r#"round 0.285 2"#,
            r#"until 3"#,
            r#"until 0"#,
            r#"until -3"#,
            r#"untilStep 3 10 3"#,
            r#"untilStep 10 0 -4"#,
            r#"untilStep 0 5 -1"#,
            r#"untilStep 0 3 0"#,
            r#"untilStep 5 5 1"#,
            r#"seq 5"#,
            r#"seq -3"#,
            r#"seq 2 5"#,
            r#"seq 5 2"#,
            r#"seq 0 2 10"#,
            r#"seq 0 -2 -5"#,
            r#"seq 5 1 0"#,
            r#"seq"#,
            r#"seq 1 2 3 4"#,
            r#"seq 1"#,
            r#"seq 0"#,
        ],
        VALUES,
        Edition::Helm4,
    );
}

#[test]
fn lists_and_maps() {
    check(
        &[
            "list",
            "list 1 2",
            "tuple 1",
            "first (list 1 2)",
            "first (list)",
            "last .Values.l",
            "rest (list 1 2 3)",
            "rest (list)",
            "initial (list 1 2 3)",
            "initial (list)",
            "reverse (list 1 2 3)",
            "append (list 1) 2",
            "append (list) nil",
            "prepend (list 1) 0",
            "push (splitList \",\" \"a,b\") 1",
            "concat (list 1) (list 2 3) (list)",
            "concat (list) (list)",
            "concat",
            "uniq .Values.nums",
            "uniq (list 1 1.0 \"1\" nil nil (list 1) (list 1))",
            "uniq (list \"a\" \"b\" \"a\")",
            "without .Values.nums 1.0",
            "without (list 1 2 3) 1 3",
            "has 3.0 .Values.nums",
            "has \"a\" .Values.l",
            "has nil (list nil)",
            "has 1 nil",
            "compact (list 0 1 \"\" \"a\" nil (list) false)",
            "slice (list 1 2 3) 1",
            "slice (list 1 2 3) 1 2",
            "slice (list 1 2 3)",
            "slice (list) 1",
            "slice (until 5) 1 3",
            "chunk 2 (list 1 2 3)",
            "chunk 5 (list 1)",
            "chunk 2 (list)",
            "first (chunk 2 (list 1 2 3))",
            "dict",
            "dict \"a\" 1 \"b\"",
            "dict 1 2 nil 3",
            "get .Values.m \"a\"",
            "get .Values.m \"zz\"",
            "hasKey .Values.m \"a\"",
            "hasKey (dict \"n\" nil) \"n\"",
            "pluck \"a\" .Values.m (dict \"a\" 9)",
            "keys .Values.m | sortAlpha",
            "values (dict \"a\" 1)",
            "pick .Values.m \"a\" \"zz\"",
            "omit .Values.m \"a\" \"c\"",
            "set (dict) \"a\" 1",
            "unset (dict \"a\" 1) \"a\"",
            "dig \"c\" \"e\" \"f\" \"x\" .Values.m",
            "dig \"c\" \"zz\" \"x\" .Values.m",
            "dig \"a\" \"x\" .Values.m",
            "deepCopy .Values.m",
            "deepCopy (list 1 (dict \"a\" (list)))",
            "merge (dict \"a\" \"\" \"z\" 0) (dict \"a\" 2 \"b\" 3 \"z\" 9)",
            "merge (dict \"a\" (dict \"x\" 0)) (dict \"a\" (dict \"x\" 2 \"y\" 3))",
            "merge (dict \"l\" (list)) (dict \"l\" (list 1))",
            "merge (dict \"l\" (list 1)) (dict \"l\" (list 2 3))",
            "merge (dict \"k\" 1) (dict \"l\" (list 2))",
            "merge (dict \"a\" 1) (dict \"a\" (dict \"b\" 1))",
            "merge (dict \"a\" (dict \"b\" 1)) (dict \"a\" 1)",
            "merge (dict \"a\" nil) (dict \"a\" (dict \"b\" 1))",
            "merge (dict \"a\" 1) (dict \"a\" nil \"b\" nil)",
            "merge (dict) (dict \"a\" nil)",
            "merge (dict \"a\" false) (dict \"a\" true)",
            "merge (dict \"a\" true) (dict \"a\" false)",
            "mergeOverwrite (dict \"a\" 1) (dict \"a\" 0 \"b\" nil)",
            "mergeOverwrite (dict \"a\" (dict \"x\" 1)) (dict \"a\" (dict \"y\" 2)) (dict \"a\" (dict \"x\" nil))",
            "mergeOverwrite (dict \"a\" (dict \"x\" 1)) (dict \"a\" 5)",
            "mergeOverwrite (dict \"a\" 5) (dict \"a\" (dict \"x\" 1))",
            "mergeOverwrite (dict \"l\" (list 1 2)) (dict \"l\" (list 3))",
            "mergeOverwrite (dict \"l\" (list 1 2)) (dict \"l\" (list))",
            "mergeOverwrite (dict \"l\" (dict \"a\" 1)) (dict \"l\" (list 3))",
            "mergeOverwrite (dict \"a\" \"x\") (dict \"a\" \"\")",
            "mergeOverwrite (dict \"a\" (dict)) (dict \"a\" (dict))",
            "mergeOverwrite (dict \"a\" (dict \"b\" (dict \"c\" 1))) (dict \"a\" (dict \"b\" (dict)))",
            "mustMerge (dict) (dict)",
            "merge .Values.empty .Values.m (dict \"z\" 1)",
            "default \"d\" \"\"",
            "default \"d\" false",
            "default \"d\" 0",
            "default \"d\" nil",
            "default \"d\" (list)",
            "default \"d\" \"x\"",
            "default \"d\"",
            "empty \"\"",
            "empty .Values.m",
            "empty nil",
            "empty 0.0",
            "coalesce nil 0 \"\" 5",
            "coalesce",
            "coalesce 0",
            "all 1 2",
            "all 1 0",
            "all",
            "any 0 1",
            "any",
            "ternary 1 2 true",
            "true | ternary 1 2",
            "false | ternary 1 2",
            "typeOf 1",
            "typeOf 1.0",
            "typeOf nil",
            "typeOf .Values.l",
            "typeOf (until 2)",
            "typeOf \"x\"",
            "typeOf (dict)",
            "typeOf (splitList \",\" \"a\")",
            "kindOf 1",
            "kindOf nil",
            "kindOf .Values.m",
            "kindOf now",
            "typeOf now",
            "kindIs \"slice\" .Values.l",
            "typeIs \"string\" \"x\"",
            "typeIsLike \"semver.Version\" (semver \"1.2.3\")",
            "typeIs \"*semver.Version\" (semver \"1.2.3\")",
            "deepEqual (list 1) (list 1)",
            "deepEqual 1 1.0",
            "deepEqual nil nil",
            "typeOf (add 1 2)",
            "typeOf (now | date \"2006\")",
            "typeOf (split \",\" \"a\")",
            "typeOf (chunk 1 (list 1))",
        ],
        VALUES,
        Edition::Helm4,
    );
}

#[test]
fn regular_expressions() {
    check(
        &[
            r#"regexMatch "^[a-z]+$" "abc""#,
            r#"regexMatch "(" "abc""#,
            r#"regexFind "[a-zA-Z][1-9]" "abcd1234""#,
            r#"regexFind "x" "abc""#,
            r#"regexFindAll "[2,4,6,8]" "123456789" -1"#,
            r#"regexFindAll "." "abc" 2"#,
            r#"regexFindAll "x" "abc" -1"#,
            r#"regexFindAll "." "abc" 0"#,
            r#"regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W""#,
            r#"regexReplaceAll "a(x*)b" "-ab-axxb-" "$1W""#,
            r#"regexReplaceAll "a*" "baaac" "X""#,
            r#"regexReplaceAllLiteral "a(x*)b" "-ab-axxb-" "${1}""#,
            r#"regexReplaceAll "(?P<n>b)" "abc" "[$n]""#,
            r#"regexReplaceAll "b" "abc" "$$x$""#,
            r#"regexReplaceAll "b" "abc" "${x""#,
            r#"regexReplaceAll "(b)" "abc" "$10-$0""#,
            r#"regexSplit "z+" "pizza" -1"#,
            r#"regexSplit "z+" "pizza" 1"#,
            r#"regexSplit "z" "pizza" 2"#,
            r#"regexSplit "" "abc" -1"#,
            r#"regexSplit "a" "" -1"#,
            r#"regexSplit "" "" -1"#,
            r#"regexSplit "x" "abc" 0"#,
            r#"regexSplit "c" "abc" -1"#,
            r#"regexSplit "a" "abc" -1"#,
            r#"regexFindAll `\d+` "a1٣2" -1"#,
            r#"regexFindAll `\w+` "aé_1" -1"#,
            r#"regexReplaceAll `\s` "a\u00a0b c" "_""#,
            r#"regexReplaceAll `\bé` "é" "x""#,
            r#"regexReplaceAll `[^\w]` "aé-b" "_""#,
            r#"regexReplaceAll `[\W\d]` "aé-b1" "_""#,
            r#"regexFind `\Qa.b\E+` "xa.bbb""#,
            r#"regexFind `[[:alpha:]]+` "12ab""#,
            r#"regexFind `[[]` "a[b""#,
            r#"regexFind `[a&&b]+` "a&b""#,
            r#"regexFind `a{,2}` "a{,2}""#,
            r#"regexFind `a{2}` "aaa""#,
            r#"regexFind `a{2,}?` "aaaa""#,
            r#"regexFind `{` "a{""#,
            r#"regexFind `x{a}` "x{a}""#,
            r#"regexFind `(?i)ABC` "xabc""#,
            r#"regexFind `(?s).+` "a\nb""#,
            r#"regexFind `.+` "a\nb""#,
            r#"regexFindAll `(?m)^a$` "a\nb\na" -1"#,
            r#"regexFind `\pL+` "1éa""#,
            r#"regexFind `\p{Greek}+` "aαβ""#,
            r#"regexFind `\P{L}+` "a12""#,
            r#"regexFind `\x41\x{42}` "AB""#,
            r#"regexFind `\101` "A""#,
            r#"regexFind `[\]a]+` "]a""#,
            r#"regexFind `[]a]+` "]a""#,
            r#"regexFind `[^]]+` "ab]""#,
            r#"regexFind `[a\-z]+` "-az""#,
            r#"regexFind `[a-]+` "-a""#,
            r#"regexFind `\<` "<""#,
            r#"regexFind `\-\/\"` `-/"`"#,
            r#"regexMatch `^(?:a|b|)$` """#,
            r#"regexFind `(?U)a+` "aaa""#,
            r#"regexFind `(a|ab)(c|bcd)` "abcd""#,
            r#"regexFind `[\pL\d]+` "-é1-""#,
            r#"mustRegexMatch "a" "a""#,
            r#"mustRegexFind "a" "ba""#,
            r#"mustRegexReplaceAll "a" "aa" "b""#,
        ],
        VALUES,
        Edition::Helm4,
    );
}

#[test]
fn versions() {
    let mut expressions = vec![
        r#"semver "1.2.3-beta.1+c""#.to_owned(),
        r#"(semver "v1.2").Major"#.to_owned(),
        r#"(semver "v1.2.3-a+b").Prerelease"#.to_owned(),
        r#"(semver "v1.2.3-a+b").Metadata"#.to_owned(),
        r#"(semver "v1.2").Original"#.to_owned(),
        r#"(semver "1.2.3").IncMinor.String"#.to_owned(),
        r#"(semver "1.2.3-rc").IncPatch.String"#.to_owned(),
        r#"(semver "v1.2.3").IncMajor"#.to_owned(),
        r#"(semver "1.2.3").Compare (semver "1.2.4")"#.to_owned(),
        r#"(semver "1.2.3").LessThan (semver "1.2.4")"#.to_owned(),
        r#"(semver "1.2.3").Equal (semver "1.2.3+x")"#.to_owned(),
        r#"(semver "1.2.3").SetPrerelease "a.1""#.to_owned(),
        r#"semver "01.02.03""#.to_owned(),
    ];
    let constraints = [
        ">=1.19",
        ">=1.19-0",
        ">=1.19.0-0",
        "^1.2",
        "^0.2.3",
        "^0.0.3",
        "^0.0",
        "^0",
        "~1.2",
        "~1",
        "~1.2.3",
        "~0",
        "~0.0.0",
        "~>1.2",
        "1.x",
        "1.2.x",
        "*",
        "x",
        "1.2",
        "=1.2.3",
        "!=1.2.3",
        "!=1.x",
        "!=1.2.x",
        "!=*",
        ">1",
        ">1.2",
        ">1.x",
        "<1",
        "<1.2",
        "<=1",
        "<=1.2",
        "<=1.2.3",
        ">1.0 <2.0",
        ">=1.0, <1.3 || >2",
        "1.2 - 1.4.5",
        "1.2.3 - 2",
        ">= 1.2.3",
        "=>1.2",
        "=<1.2",
        " 1.2.3 ",
        "^1.2.3-alpha",
        "~1.2.3-alpha",
        ">1.2.3-alpha",
        "!=1.2.3-alpha",
        "v1.2.3",
        ">v1",
        "1.2.3-alpha",
        "^*",
        "~*",
        ">*",
        "<*",
        ">=*",
        "<=*",
        "!=1.2",
        "1||2",
        ">=1.2-alpha",
        "<2-0",
    ];
    let versions = [
        "1.2.3",
        "1.2.3-alpha",
        "v1.32.0-eks-1",
        "1.2",
        "0.2.3",
        "0.0.3",
        "0.0.4",
        "2.0.0",
        "1.19.0",
        "1.3.0",
        "0.0.0",
        "1.2.4-beta.1",
        "1.2.3+meta",
        "1.0.0",
        "1.2.0-alpha.10",
    ];
    for constraint in constraints {
        for version in versions {
            expressions.push(format!(r#"semverCompare "{constraint}" "{version}""#));
        }
    }
    let expressions: Vec<_> = expressions.iter().map(String::as_str).collect();
    check(&expressions, VALUES, Edition::Helm4);
    check(&expressions, VALUES, Edition::Helm3);
}

#[test]
fn paths_and_urls() {
    let mut expressions = Vec::new();
    for path in [
        "",
        "/",
        "a",
        "a/b",
        "/a/b/",
        "a//b/../c",
        "../x",
        "/../x",
        "a.tar.gz",
        "a/.b",
        ".",
        "..",
        "a/..",
        "./a/./b",
        "/a.b/c",
        "//",
    ] {
        for function in [
            "base", "dir", "clean", "ext", "isAbs", "osBase", "osDir", "osClean", "osExt",
            "osIsAbs",
        ] {
            expressions.push(format!("{function} {path:?}"));
        }
    }
    for url in [
        "http://user:pa%20ss@host:8080/p/a%2Fth?q=1&r=2#frag%20x",
        "https://example.com",
        "mailto:a@b.c",
        "/just/path?x",
        "//host/path",
        "http://[::1]:80/x",
        "HTTP://Host/",
        "http://h/?",
        "a/b",
        "",
        "*",
        "http://u@h",
        "http://h/a b",
        "http://h/%41",
        "proto://auth@host:80/path?query#fragment",
        "scheme:opaque?q#f",
        "http://h/ü",
        "http://h?a=b?c",
        "http://h/a;b,c",
    ] {
        expressions.push(format!("urlParse {url:?}"));
        expressions.push(format!("urlParse {url:?} | urlJoin"));
    }
    for dict in [
        r#""scheme" "http" "host" "h:80" "path" "/p a" "query" "q" "fragment" "f r""#,
        r#""host" "h" "path" "p""#,
        r#""path" "a:b""#,
        r#""scheme" "x" "opaque" "o""#,
        r#""scheme" "http" "userinfo" "a:b" "host" "h""#,
        r#""scheme" "file" "path" "/x""#,
        "",
    ] {
        expressions.push(format!("urlJoin (dict {dict})"));
    }
    let expressions: Vec<_> = expressions.iter().map(String::as_str).collect();
    check(&expressions, VALUES, Edition::Helm4);
}

#[test]
fn dates_and_durations() {
    let mut expressions = Vec::new();
    let layouts = [
        "2006-01-02 15:04:05",
        "Mon Jan _2 15:04:05 2006",
        "Monday, 02-Jan-06 03:04:05 PM MST",
        "2006-01-02T15:04:05.999999999Z07:00",
        "2006-01-02T15:04:05.000Z0700",
        "3:4pm -07 -0700 -07:00 -07:00:00 -070000",
        "January 1 2 002 __2",
        "20060102150405",
        "06 1/2 Janu Mond _2006 Z070000 Z07:00:00 Z07",
        "15h .000 ,999 .0",
        "plain text 8 9",
    ];
    for layout in layouts {
        for seconds in ["0", "1700000000", "951782400", "-1", "253402300799"] {
            for zone in [
                "UTC",
                "America/New_York",
                "Asia/Kolkata",
                "Europe/Berlin",
                "Nowhere/Land",
                "America/Sao_Paulo",
                "europe/berlin",
                "",
            ] {
                expressions.push(format!("dateInZone {layout:?} {seconds} {zone:?}"));
            }
        }
        expressions.push(format!("date {layout:?} (int64 1700000000)"));
    }
    for (layout, text) in [
        ("2006-01-02", "2020-02-29"),
        ("2006-01-02", "2021-02-29"),
        ("2006-01-02 15:04:05 MST", "2020-01-02 03:04:05 PST"),
        ("2006-01-02T15:04:05Z07:00", "2020-01-02T03:04:05+02:00"),
        ("2006-01-02T15:04:05Z07:00", "2020-01-02T03:04:05.123Z"),
        ("Jan 2, 2006 at 3:04pm (MST)", "Feb 3, 2013 at 7:54pm (PST)"),
        ("02/01/06", "5/1/20"),
        ("2/1/06", "5/1/69"),
        ("2006-002", "2020-060"),
        ("15:04", "25:00"),
        ("2006", "20"),
        ("2006-01-02", "2020-01-02x"),
        ("Monday", "tuesday"),
        ("2006-01-02 MST", "2020-01-02 GMT+3"),
    ] {
        expressions.push(format!("toDate {layout:?} {text:?} | printf \"%s\""));
        expressions.push(format!("(toDate {layout:?} {text:?}).Unix"));
    }
    for method in [
        "Year",
        "Month",
        "Day",
        "Weekday",
        "YearDay",
        "Hour",
        "Unix",
        "UnixNano",
        "IsZero",
        "Nanosecond",
        "UTC",
        "Format \"2006\"",
        "AddDate 0 1 1",
        "Month.String",
    ] {
        expressions.push(format!("(toDate \"2006-01-02\" \"2020-01-31\").{method}"));
    }
    for text in [
        "1h30m", "-1.5h", "100ms", "1us", "1ns", "0", "1h2m3.5s", "720h", "9000h", "2400h", "25h",
        "bad", "", "5",
    ] {
        expressions.push(format!("durationRound {text:?}"));
        expressions.push(format!(
            "dateModify {text:?} (toDate \"2006-01-02\" \"2020-01-31\")"
        ));
        for function in [
            "durationSeconds",
            "durationMilliseconds",
            "durationMicroseconds",
            "durationNanoseconds",
            "durationMinutes",
            "durationHours",
            "durationDays",
            "durationWeeks",
        ] {
            expressions.push(format!("{function} {text:?}"));
        }
        expressions.push(format!("durationRoundTo {text:?} \"1m\""));
        expressions.push(format!("durationTruncateTo {text:?} \"1m\""));
    }
    for text in ["\"90\"", "(int64 3661)", "90", "\"x\"", "\"-5\""] {
        expressions.push(format!("duration {text}"));
    }
    for more in [
        "mustToDuration 5",
        "mustToDuration 2.5",
        "mustToDuration \"1.5\"",
        "mustToDuration \"1h\"",
        "durationRound (int64 5000000000)",
        "durationRound 5",
        "htmlDate 0",
        "htmlDateInZone 0 \"Asia/Tokyo\"",
        "unixEpoch (toDate \"2006\" \"2020\")",
        "(mustToDuration \"90m\").Hours",
        "int (mustToDuration \"5s\")",
        "toYaml (mustToDuration \"5s\")",
        "date_in_zone \"2006\" 0 \"UTC\"",
        "toYaml (dict \"a\" (toDate \"2006\" \"2020\"))",
        "toYamlPretty (dict \"a\" (toDate \"2006\" \"2020\"))",
        "toToml (dict \"a\" (toDate \"2006\" \"2020\") \"b\" (mustToDuration 5))",
    ] {
        expressions.push(more.to_owned());
    }
    let expressions: Vec<_> = expressions.iter().map(String::as_str).collect();
    check(&expressions, VALUES, Edition::Helm4);
}

#[test]
fn conversions() {
    check(
        &[
            "toYaml .Values",
            "toYaml nil",
            "toYaml \"x\"",
            "toYaml 1",
            "toYaml (list)",
            "toYaml (dict)",
            "toYaml (dict \"a\" (list 1 (dict \"b\" 2)) \"c\" nil)",
            "toYaml (dict \"f\" 1.0 \"g\" 1e21 \"h\" 0.1 \"i\" (int64 5))",
            "toYaml .Values.big",
            "toYaml (rest (list))",
            "toYamlPretty .Values",
            "toYamlPretty (dict \"f\" 1.0 \"g\" 1e21 \"big\" 12345678.0)",
            "toYamlPretty (rest (list))",
            "toYamlPretty nil",
            "mustToYaml (dict \"a\" 1)",
            "toYaml (dict \"a\" \"x\\u007fy\")",
            "toYaml \"a\\u0085b\"",
            "toYaml \"a\\u0085\\u0085b \\u0085 c\"",
            "toYamlPretty \"a\\u0085b\\t\"",
            "toYaml (until 3)",
            "toYaml (splitList \",\" \"a,b\")",
            "toYaml (semver \"1.2.3\")",
            "toYaml (dict \"s\" \"\\xff\")",
            "toJson (dict \"s\" \"\\xff\")",
            "toYamlPretty (dict \"s\" \"ab\\xffc\")",
            "fromYaml \"a: 1\\nb: [x, 2]\"",
            "fromYaml \"\"",
            "fromYaml \"null\"",
            "fromYaml \"[1]\"",
            "fromYaml \"a\"",
            "fromYaml \"a: b: c\"",
            "fromYaml \"a: .inf\"",
            "fromYamlArray \"- 1\\n- a\"",
            "fromYamlArray \"\"",
            "fromYamlArray \"a: 1\"",
            "fromYamlArray \"- a: b: c\"",
            "fromYamlArray \"null\"",
            "toJson .Values",
            "toJson \"<a>&\\u2028\"",
            "toRawJson \"<a>&\\u2028\"",
            "toPrettyJson .Values",
            "toPrettyJson (list)",
            "toPrettyJson (dict \"a\" (list) \"b\" (dict))",
            "toJson 1e21",
            "toJson 1e-7",
            "toJson 123456789.0",
            "toJson \"\\u0001\\u007f\\b\\f\"",
            "mustToJson (list nil)",
            "mustToPrettyJson 1",
            "mustToRawJson \"<\"",
            "toJson (until 2)",
            "fromJson \"{\\\"a\\\": [1, 2.5, \\\"x\\\", null, true]}\"",
            "fromJson \"null\"",
            "fromJson \"[1]\"",
            "fromJson \"{\"",
            "fromJson \"\"",
            "fromJson \"{a}\"",
            "fromJson \"{\\\"a\\\":1,}\"",
            "fromJson \"{\\\"a\\\" 1}\"",
            "fromJson \"{\\\"a\\\":1 \\\"b\\\"}\"",
            "fromJson \"nul\"",
            "fromJson \"nulx\"",
            "fromJson \"{} x\"",
            "fromJson \"\\\"\\\\x\\\"\"",
            "fromJson \"{\\\"a\\\":01}\"",
            "fromJson \"{\\\"a\\\":1.}\"",
            "fromJson \"{\\\"a\\\":-}\"",
            "fromJson \"{\\\"a\\\":1e}\"",
            "fromJson \"{\\\"a\\\":\\\"\\\\ud83d\\\\ude00\\\\ud83d\\\"}\"",
            "fromJson \"'\"",
            "fromJson \"{\\\"a\\n\\\":1}\"",
            "fromJson \"12\"",
            "fromJson \"\\\"x\\\"\"",
            "fromJson \"true\"",
            "fromJson \"{\\\"a\\\":[1,]}\"",
            "fromJson \"{\\\"a\\\":[1 2]}\"",
            "fromJson \"é\"",
            "fromJsonArray \"[1, \\\"a\\\"]\"",
            "fromJsonArray \"{}\"",
            "fromJsonArray \"[\"",
            "fromJsonArray \"null\"",
            "mustFromJson \"[1]\"",
            "mustFromJson \"null\"",
            "mustFromJson \"\\\"x\\\"\"",
            "fromJson \"{\\\"a\\\":1,\\\"a\\\":2}\"",
            "fromJson \"{\\\"a\\\":tru}\"",
            "fromJson \"{\\\"a\\\":\\\"\\\\u12\\\"}\"",
            "toToml (dict \"b\" 1 \"a\" (dict \"x\" \"y\" \"l\" (list 1 2)) \"t\" (list (dict \"n\" 1) (dict \"n\" (dict \"q\" 2))) \"f\" 1.0 \"g\" 1.5e30 \"bool\" true)",
            "toToml .Values.m",
            "toToml (dict \"a b\" 1 \"\" 2 \"c.d\" (dict \"e\" \"f\\n\\\"\"))",
            "toToml (dict \"a\" (list 1 \"x\" (dict \"b\" 1 \"c\" nil)))",
            "toToml (dict \"a\" (dict \"b\" (dict \"c\" (dict \"d\" 1))) \"z\" (dict))",
            "toToml (dict \"l\" (list nil))",
            "toToml (list 1)",
            "toToml \"x\"",
            "toToml (dict \"e\" (list) \"n\" nil)",
            "toToml (dict \"a\" (list (list 1) (list \"b\")))",
            "toToml (list (dict \"a\" 1))",
            "toToml (dict \"a\" (dict \"t\" (list (dict \"x\" 1))) \"b\" 2)",
            "toToml (dict)",
            "mustToToml (dict \"a\" 1)",
            "toToml (dict \"m\" (list 1 (dict \"z\" nil \"b\" (dict \"c\" 1) \"a\" 1)))",
            "fromToml \"a = 1\\n[b]\\nc = [1, 2]\\nd = 1.5\\n\"",
            "fromToml \"\"",
            "fromToml \"a = 2020-01-02T03:04:05Z\\nb = true\\n[[t]]\\nx=1\\n[[t]]\\n\"",
            "fromToml \"a = {b = 'c'}\"",
        ],
        VALUES,
        Edition::Helm4,
    );
}
