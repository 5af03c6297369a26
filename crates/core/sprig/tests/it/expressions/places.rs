//! Expressions that succeed: paths and URLs, dates and durations.

use sprig::Edition;

use super::{VALUES, check};

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
