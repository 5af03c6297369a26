//! Compares with Go itself: hand-written cases, and fresh ones from a seed.

mod data;
mod functions;
mod generate;
mod random;
mod referee;
mod table;
mod values;
mod verbs;

use random::Random;

#[test]
fn hand_written_templates_agree_with_go() {
    referee::check(&table::templates());
}

#[test]
fn hand_written_formats_agree_with_go() {
    referee::check(&table::formats());
}

#[test]
fn generated_templates_agree_with_go() {
    let mut random = Random::announced("templates");
    let cases: Vec<_> = (0..4000).map(|_| generate::template(&mut random)).collect();
    referee::check(&cases);
}

#[test]
fn broken_templates_agree_with_go() {
    let mut random = Random::announced("broken templates");
    let cases: Vec<_> = (0..2500).map(|_| generate::broken(&mut random)).collect();
    referee::check(&cases);
}

#[test]
fn generated_formats_agree_with_go() {
    let mut random = Random::announced("formats");
    let cases: Vec<_> = (0..12_000).map(|_| verbs::format(&mut random)).collect();
    referee::check(&cases);
}
