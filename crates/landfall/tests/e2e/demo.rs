//! The demo, with another app than the usual one.

use std::process::Command;

use crate::{installation::Installation, program::run};

#[test]
fn another_app_port_and_replica_count_hold_too() {
    // Only for its folders: the demo starts a server of its own.
    let Some(place) = Installation::prepare() else { return };
    let mut demo = Command::new(env!("CARGO_BIN_EXE_landfall"));
    demo.args(["demo", "--app-name", "kiosk", "--port", "9137", "--replicas", "2", "--no-wait"]);
    let temporary = place.folder("tmp");
    demo.env("TMPDIR", &temporary).env_remove("LANDFALL_DATA").env_remove("KUBECONFIG");
    let ran = run(&mut demo);
    assert_eq!(ran.code, Some(0), "{ran}");
    for outcome in ["healthy", "rolled back"] {
        ran.told(outcome);
    }
    let left: Vec<_> = std::fs::read_dir(&temporary).expect("the folder is there").collect();
    assert!(left.is_empty(), "the demo leaves {left:?}");
}
