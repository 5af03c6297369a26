//! Finds the place of a failure in the repository, from what tools print.

use api::TestCase;

/// So many places of a message are tried.
const PLACES_MAX: usize = 40;

/// The file and line where `case` failed, if `exists` knows the file in the repository.
///
/// Paths below `workspace` are taken relative to it.
pub fn locate(case: &TestCase, workspace: &str, exists: &dyn Fn(&str) -> bool) -> Option<(String, Option<u64>)> {
    let own = case.file.as_deref().and_then(|file| known(file, case, workspace, exists));
    let mut first = None;
    for (file, line) in places(&case.message).into_iter().take(PLACES_MAX) {
        let Some(found) = known(&file, case, workspace, exists) else { continue };
        // The line in the test's own file says more than that of a function it calls.
        if own.as_ref().is_none_or(|it| *it == found) {
            return Some((found, Some(line)));
        }
        first = first.or(Some((found, line)));
    }
    match own {
        Some(file) => Some((file, case.line)),
        None => first.map(|(file, line)| (file, Some(line))),
    }
}

/// A path as the repository has it.
fn known(file: &str, case: &TestCase, workspace: &str, exists: &dyn Fn(&str) -> bool) -> Option<String> {
    let file = file.strip_prefix("file://").unwrap_or(file).replace('\\', "/");
    let below = file.strip_prefix(workspace).filter(|_| !workspace.is_empty());
    let file = below.unwrap_or(&file).trim_start_matches("./");
    if file.is_empty() || file.contains("..") || file.contains("node_modules/") || file.starts_with("rustc/") {
        return None;
    }
    let plain = if below.is_some() { file.trim_start_matches('/') } else { file };
    if !plain.starts_with('/') && exists(plain) {
        return Some(plain.to_owned());
    }
    if plain.contains('/') {
        return None;
    }
    // Go tells the file within its package, Java within its class's package.
    let mut folders = Vec::new();
    if case.class.contains('/') {
        let parts: Vec<_> = case.class.split('/').collect();
        folders.extend((1..parts.len()).map(|from| parts.get(from..).unwrap_or_default().join("/")));
    }
    if let Some((package, _)) = case.class.rsplit_once('.')
        && !package.contains('/')
    {
        let package = package.replace('.', "/");
        folders.extend(["src/test/java", "src/test/kotlin", "src/test/scala", "src/test/groovy"].map(|root| format!("{root}/{package}")));
    }
    folders.into_iter().map(|folder| format!("{folder}/{plain}")).find(|it| exists(it))
}

/// What looks like `path:line`, in the order of the text.
fn places(text: &str) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for line in text.lines() {
        for word in line.split([' ', '\t', '(', ')', '"', '\'', ',', '[', ']', '<', '>', '`']) {
            let word = word.strip_prefix("file://").unwrap_or(word);
            let Some((path, rest)) = word.split_once(':') else { continue };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let ends = rest.get(digits.len()..).is_some_and(|it| it.is_empty() || it.starts_with(':'));
            let has_extension = path.rsplit('/').next().is_some_and(|name| name.trim_start_matches('.').contains('.'));
            if let (Ok(number), true, true) = (digits.parse::<u64>(), ends, has_extension)
                && number > 0
            {
                found.push((path.to_owned(), number));
            }
        }
        // PHP and Python's own tracebacks.
        if let Some((_, rest)) = line.split_once("File \"")
            && let Some((path, rest)) = rest.split_once("\", line ")
        {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            found.extend(digits.parse().ok().map(|number| (path.to_owned(), number)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(class: &str, file: Option<&str>, message: &str, files: &[&str], expected: &str) {
        let case = TestCase {
            class: class.to_owned(),
            file: file.map(str::to_owned),
            line: file.map(|_| 2),
            message: message.to_owned(),
            ..TestCase::default()
        };
        let found = locate(&case, "/w/shop/", &|path| files.contains(&path));
        let told = found.map(|(file, line)| format!("{file}:{}", line.unwrap_or_default()));
        assert_eq!(told.unwrap_or_default(), expected, "{message}");
    }

    #[test]
    fn each_tool_tells_the_place_in_its_own_way() {
        check("tests.test_a", None, "E  assert\n\ntests/test_a.py:8: AssertionError", &["tests/test_a.py"], "tests/test_a.py:8");
        check("ex.org/shop/cart", None, "    cart_test.go:5: no", &["cart/cart_test.go"], "cart/cart_test.go:5");
        check("shop", None, "thread 'x' (8) panicked at src/lib.rs:6:20:\nno", &["src/lib.rs"], "src/lib.rs:6");
        check("x", None, "Error: no\n  at Object.toBe (/w/shop/a.test.js:3:68)\n  at y (/w/shop/node_modules/j/i.js:1:2)", &["a.test.js", "node_modules/j/i.js"], "a.test.js:3");
        check("x", None, " ❯ cart.test.ts:2:84", &["cart.test.ts"], "cart.test.ts:2");
        check("x", None, "at TestContext.<anonymous> (file:///w/shop/a.mjs:5:61)", &["a.mjs"], "a.mjs:5");
        check("com.shop.CartTest", None, "\tat com.shop.CartTest.sum(CartTest.java:12)", &["src/test/java/com/shop/CartTest.java"], "src/test/java/com/shop/CartTest.java:12");
        check("Cart", Some("t.cc"), "t.cc:3\nExpected equality", &["t.cc"], "t.cc:3");
        check("x", None, "  File \"/w/shop/a.py\", line 7, in x", &["a.py"], "a.py:7");
    }

    #[test]
    fn a_place_outside_of_the_repository_is_none() {
        check("x", None, "panicked at /rustc/1/library/std/src/panicking.rs:689:5", &["src/lib.rs"], "");
        check("x", None, "../../etc/passwd.txt:1", &["../../etc/passwd.txt"], "");
        check("x", Some("t.cc"), "12:30:45 nothing", &["t.cc"], "t.cc:2");
        check("x", Some("t.cc"), "lib.cc:9", &["t.cc", "lib.cc"], "t.cc:2");
    }
}
