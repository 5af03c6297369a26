//! What people write in summaries, and what somebody with bad intent writes.

use super::render;

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(render(text), expected, "{text}");
}

#[test]
fn paragraphs_headings_and_rules() {
    check("# Title #\ntext\nmore  \nlast", "<h1>Title</h1><p>text\nmore<br>\nlast</p>");
    check("a\n\n***\nb\n---\nc", "<p>a</p><hr><h2>b</h2><p>c</p>");
    check("#no", "<p>#no</p>");
}

#[test]
fn code_is_kept_as_it_is() {
    check("```rust\nlet a = \"<b>\";\n```\nend", "<pre><code>let a = &quot;&lt;b&gt;&quot;;</code></pre><p>end</p>");
    check("~~~\nopen", "<pre><code>open</code></pre>");
    check("    four\n     five\nno", "<pre><code>four\n five</code></pre><p>no</p>");
    check("a `b *c*` ``d ` e``", "<p>a <code>b *c*</code> <code>d ` e</code></p>");
}

#[test]
fn emphasis_and_links() {
    check("**bold** and *it* and __b__ and _i_ and ~~gone~~", "<p><strong>bold</strong> and <em>it</em> and <strong>b</strong> and <em>i</em> and <del>gone</del></p>");
    check("snake_case_name 2 * 3 * 4 **open", "<p>snake_case_name 2 * 3 * 4 **open</p>");
    check("***both***", "<p><strong><em>both</em></strong></p>");
    let link = |address: &str, words: &str| format!("<p><a rel=\"noopener noreferrer nofollow\" href=\"{address}\">{words}</a></p>");
    check("[a *b*](https://e.org/?x=1&y=2 \"t\")", &link("https://e.org/?x=1&amp;y=2", "a <em>b</em>"));
    check("<https://e.org>", &link("https://e.org", "https://e.org"));
    check("https://e.org/x.", &link("https://e.org/x", "https://e.org/x").replace("</p>", ".</p>"));
    check("![logo](https://e.org/l.png)", &link("https://e.org/l.png", "logo"));
    check("\\*no\\* &amp; &lt;", "<p>*no* &amp; &lt;</p>");
}

#[test]
fn lists_quotes_and_tables() {
    check("- a\n- b\n  - c\n- [x] d", "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>☑ d</li></ul>");
    check("1. a\n2. b\n\ntext", "<ol><li>a</li><li>b</li></ol><p>text</p>");
    check("> a\n> > b", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>");
    check(
        "| a | b |\n|:--|--:|\n| 1 \\| 2 | **x** |\n| only |\n",
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1 | 2</td><td><strong>x</strong></td></tr><tr><td>only</td><td></td></tr></tbody></table>",
    );
}

#[test]
fn what_githubs_toolkit_writes_is_shown() {
    check("<h1>Results</h1>\n", "<h1>Results</h1>\n");
    check(
        "<table><tr><th colspan=\"2\">File</th></tr><tr><td>a.js</td></tr></table>",
        "<table><tr><th>File</th></tr><tr><td>a.js</td></tr></table>\n",
    );
    check(
        "<details><summary>More</summary>\n\n**inside**\n\n</details>\nafter",
        "<details><summary>More</summary>\n<p><strong>inside</strong></p></details>\nafter\n",
    );
    check("a<br/>b <kbd>c</kbd>", "<p>a<br>b <kbd>c</kbd></p>");
    check("<a href=\"https://e.org\">x</a>", "<p><a rel=\"noopener noreferrer nofollow\" href=\"https://e.org\">x</a></p>");
}

#[test]
fn nothing_in_a_text_can_act() {
    for text in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>)",
        "<b onclick=\"alert(1)\">x",
        "<iframe src='https://e.org'>",
        "<svg onload=alert(1)>",
        "<style>*{display:none}</style>",
        "<p style=\"position:fixed\">x",
        "`<script>`",
        "[<img src=x onerror=alert(1)>](https://e.org)",
        "<a href='https://e.org' onclick='x' href=\"javascript:x\">y",
        "<https://e.org\"onmouseover=\"x>",
        "<<script>script>",
        "<details open ontoggle=alert(1)>",
        "<base href=//e.org>",
        "<form action=/logout><button>",
        "&#x3c;script&#x3e;",
    ] {
        let html = render(text);
        let mut rest = html.as_str();
        // Every tag of the result is a plain one or our own link.
        while let Some((_, tag)) = rest.split_once('<') {
            let (tag, after) = tag.split_once('>').expect("a tag ends");
            let plain = tag.trim_start_matches('/').bytes().all(|it| it.is_ascii_alphanumeric());
            let link = tag.strip_prefix("a rel=\"noopener noreferrer nofollow\" href=\"").and_then(|it| it.strip_suffix('"'));
            let is_link = link.is_some_and(|it| it.starts_with("http") && !it.contains(['"', '<', '>']));
            assert!(plain || is_link, "{text} gives {html}");
            let name = tag.trim_start_matches('/').to_ascii_lowercase();
            assert!(!["script", "style", "iframe", "svg", "form", "button", "base", "img"].contains(&name.as_str()), "{text} gives {html}");
            rest = after;
        }
    }
}

#[test]
fn tags_always_close_and_depth_has_an_end() {
    check("<b>never closed", "<p><b>never closed</b></p>");
    check("</div></section></p>x", "x\n".replace("x", "&lt;/section&gt;x").as_str());
    check("<details>\n\n- a", "<details>\n<ul><li>a</li></ul></details>");
    let deep = render(&">".repeat(5000));
    assert!(deep.len() < 40_000, "{}", deep.len());
    let deep = render(&"<b>".repeat(5000));
    assert_eq!(deep.matches("<b>").count(), deep.matches("</b>").count());
    let marks = render(&"*a **b ".repeat(2000));
    assert!(marks.len() < 100_000);
    assert_eq!(render("turn\u{202e}ed \u{1b}[31mred"), "<p>turn\u{fffd}ed red</p>");
}

#[test]
fn a_text_full_of_marks_takes_no_time() {
    // Each of these took minutes when ends were looked for without end.
    for piece in ["*a ", "[", "<", "`a ``b ", "<!--", "[a](", "_a **b ", "&", "> ", "- a\n", "| a |\n", "~~", "*", "`", "_"] {
        let text = piece.repeat(60_000 / piece.len());
        render(&text);
        render(&format!("<p>{text}{text}{text}"));
    }
}
