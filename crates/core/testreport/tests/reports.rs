//! Reads reports as real tools write them; `reports/README.md` says which.

use api::{TestCase, TestCounts};
use testreport::{junit, locate};

fn read(name: &str) -> Vec<TestCase> {
    let path = format!("{}/tests/reports/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect("the report is there");
    let parsed = junit::parse(&bytes);
    assert_eq!(parsed.problem, None, "{name}");
    parsed.cases
}

#[track_caller]
fn check(name: &str, files: &[&str], expected: &str) {
    let cases = read(name);
    let told = cases.iter().map(|it| {
        let place = locate::locate(it, "/home/runner/work/shop/shop/", &|path| files.contains(&path));
        let place = place.map(|(file, line)| format!(" at {file}:{}", line.unwrap_or_default())).unwrap_or_default();
        let tries = if it.tries > 1 { format!(" in {} tries", it.tries) } else { String::new() };
        let flaky = if it.flaky { " flaky" } else { "" };
        let message = it.message.lines().next().map(|it| format!(": {it}")).unwrap_or_default();
        format!("{} {}{tries}{flaky}{place}{message}\n", it.id, it.outcome)
    });
    assert_eq!(told.collect::<String>(), expected, "{name}");
}

#[test]
fn pytest() {
    let files = ["tests/test_shop.py"];
    check("pytest.xml", &files, r#"tests.test_shop::test_price passed
tests.test_shop::test_even[1] failed at tests/test_shop.py:8: AssertionError: odd <b>&#x1B[31m
tests.test_shop::test_even[2] passed
tests.test_shop.TestCart::test_empty passed
tests.test_shop.TestCart::test_total failed at tests/test_shop.py:16: assert 3 == 4
tests.test_shop::test_later skipped at tests/test_shop.py:18: /home/runner/work/shop/shop/tests/test_shop.py:18: not today
tests.test_shop::test_needs_database error at tests/test_shop.py:24: failed on setup with "RuntimeError: no database"
"#);
    check("pytest-xunit1.xml", &files, r#"tests.test_shop::test_price passed at tests/test_shop.py:2
tests.test_shop::test_even[1] failed at tests/test_shop.py:8: AssertionError: odd <b>&#x1B[31m
tests.test_shop::test_even[2] passed at tests/test_shop.py:5
tests.test_shop.TestCart::test_empty passed at tests/test_shop.py:10
tests.test_shop.TestCart::test_total failed at tests/test_shop.py:16: assert 3 == 4
tests.test_shop::test_later skipped at tests/test_shop.py:18: /home/runner/work/shop/shop/tests/test_shop.py:18: not today
tests.test_shop::test_needs_database error at tests/test_shop.py:24: failed on setup with "RuntimeError: no database"
"#);
}

#[test]
fn node() {
    check("node-test.xml", &["shop.test.mjs"], r#"cart::is empty passed
cart > with items::adds up failed at shop.test.mjs:5: Error [ERR_TEST_FAILURE]: 3 == 4
cart::is paid skipped: no bank
alone passed
"#);
}

#[test]
fn go() {
    check("go-junit-report.xml", &["cart/cart_test.go"], r#"example.org/shop/cart::TestEmpty passed
example.org/shop/cart::TestTotal failed: Failed
example.org/shop/cart::TestTotal/two_items failed at cart/cart_test.go:5: cart_test.go:5: expected 4, found 3
example.org/shop/cart::TestTotal/none passed
example.org/shop/cart::TestLater skipped at cart/cart_test.go:8: cart_test.go:8: not today
"#);
    check("gotestsum.xml", &["cart/cart_test.go"], r#"example.org/shop/cart::TestTotal/two_items failed at cart/cart_test.go:5: === RUN   TestTotal/two_items
example.org/shop/cart::TestTotal failed: === RUN   TestTotal
example.org/shop/cart::TestLater skipped at cart/cart_test.go:8: === RUN   TestLater
example.org/shop/cart::TestEmpty passed
example.org/shop/cart::TestTotal/none passed
"#);
}

#[test]
fn nextest() {
    check("nextest.xml", &["src/lib.rs"], r#"shop::cart::is_empty passed
shop::cart::sometimes passed in 2 tries flaky at src/lib.rs:12: thread 'cart::sometimes' (8821) panicked at src/lib.rs:12:9:
shop::cart::adds_up failed in 2 tries at src/lib.rs:6: thread 'cart::adds_up' (8820) panicked at src/lib.rs:6:20:
shop::whole::sells passed
"#);
}

#[test]
fn gtest() {
    check("gtest.xml", &["t.cc"], r#"Cart::IsEmpty passed at t.cc:2
Cart::AddsUp failed at t.cc:3: t.cc:3
Cart::IsPaid skipped at t.cc:4: t.cc:4
Cart::DISABLED_Later skipped at t.cc:5
Small/Even::Holds/0 failed at t.cc:7: t.cc:7
Small/Even::Holds/1 passed at t.cc:7
"#);
}

#[test]
fn jest_and_vitest() {
    check("jest-junit.xml", &["cart.test.js"], r#"cart is empty passed
cart with items adds up failed at cart.test.js:3: Error: expect(received).toBe(expected) // Object.is equality
cart is paid skipped
"#);
    check("vitest.xml", &["cart.test.ts"], r#"cart.test.ts::cart > is empty passed
cart.test.ts::cart > adds up failed at cart.test.ts:2: AssertionError: expected 3 to be 4 // Object.is equality
cart.test.ts::cart > is paid skipped
"#);
}

#[test]
fn surefire_and_phpunit() {
    check("surefire-by-hand.xml", &["src/test/java/com/shop/CartTest.java"], r#"com.shop.CartTest::isEmpty passed
com.shop.CartTest::addsUp failed in 2 tries at src/test/java/com/shop/CartTest.java:12: org.opentest4j.AssertionFailedError: expected: <4> but was: <3>
com.shop.CartTest::sometimes passed in 2 tries flaky at src/test/java/com/shop/CartTest.java:20: java.lang.AssertionError: not yet
com.shop.CartTest::isPaid skipped: no bank
com.shop.CartTest::opens{int}[1] error: java.lang.IllegalStateException: no database
"#);
    check("phpunit-by-hand.xml", &["tests/CartTest.php"], r#"Tests.CartTest::testIsEmpty passed at tests/CartTest.php:9
Tests.CartTest::testSum with data set #0 passed at tests/CartTest.php:15
Tests.CartTest::testSum with data set #1 failed at tests/CartTest.php:17: PHPUnit\Framework\ExpectationFailedException
Tests.CartTest::testPaid skipped at tests/CartTest.php:21
"#);
}

#[test]
fn counts_are_those_of_the_cases() {
    let counts = TestCounts::of(&read("surefire-by-hand.xml"));
    assert_eq!(counts.to_string(), "1 failed, 1 error, 2 passed, 1 skipped, 1 flaky");
    assert_eq!(counts.micros, 1_234_533_000);
}
