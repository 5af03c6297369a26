//! Decodes the fixtures that Kubernetes itself keeps of its protobuf form.
//!
//! Some lie in `protobuf/` (from k8s.io/api v0.34.2, Apache-2.0); `LANDFALL_K8S_FIXTURES` may name
//! that module's whole `testdata/HEAD` folder.

use std::{env, fs, path::Path};

use resource::proto;
use serde_json::Value;

#[test]
fn recorded_fixtures_decode_to_their_json_twins() {
    check_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protobuf"));
}

#[test]
fn all_fixtures_of_the_served_kinds_decode_to_their_json_twins() {
    if let Some(folder) = env::var_os("LANDFALL_K8S_FIXTURES") {
        check_folder(Path::new(&folder));
    }
}

#[track_caller]
fn check_folder(folder: &Path) {
    let mut decoded = 0;
    for entry in fs::read_dir(folder).expect("the folder of fixtures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|it| it != "pb") {
            continue;
        }
        let found = match proto::decode(&fs::read(&path).expect("a fixture")) {
            Ok(found) => found,
            Err(proto::DecodeError::UnknownKind { .. }) => continue,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let text = fs::read(path.with_extension("json")).expect("its twin");
        let expected: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(found, expected, "{}", path.display());
        decoded += 1;
    }
    assert!(decoded > 5, "{decoded} fixtures were decoded");
}
