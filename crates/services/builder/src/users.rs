//! Looks up users and groups in an image's own `/etc/passwd` and `/etc/group`.

use std::{io::Read as _, path::Path};

use buildgraph::{Owner, op::Who};

use crate::view::{Last, View};

/// More than any real file; a larger one is cut.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The text of a file of the image, empty if it has none.
pub(crate) fn file(view: &View, path: &str) -> String {
    let node = view.lookup(Path::new(path), Last::Followed).ok().flatten().filter(|it| it.is_file());
    let mut bytes = Vec::new();
    if let Some(file) = node.and_then(|node| view.open(&node).ok()) {
        let _ = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// User and group of a `--chown`: a name that the image does not know is root, as Docker has it.
pub(crate) fn owner(view: &View, owner: &Owner) -> (u32, u32) {
    let passwd = user_lines(view);
    let (uid, primary) = match &owner.user {
        Who::Id(id) => (*id, *id),
        Who::Name(name) => match passwd.iter().find(|it| it.0 == *name) {
            Some((_, uid, gid)) => (*uid, *gid),
            None => (0, 0),
        },
    };
    (uid, owner.group.as_ref().map_or(primary, |group| gid(view, group)))
}

/// User and group of a USER instruction, for folders it makes.
pub(crate) fn user(view: &View, text: &str) -> (u32, u32) {
    if text.is_empty() {
        return (0, 0);
    }
    let parsed = Owner::parse(text);
    let passwd = user_lines(view);
    let (uid, primary) = match &parsed.user {
        Who::Id(id) => (*id, passwd.iter().find(|it| it.1 == *id).map_or(0, |it| it.2)),
        Who::Name(name) => passwd.iter().find(|it| it.0 == *name).map_or((0, 0), |it| (it.1, it.2)),
    };
    (uid, parsed.group.as_ref().map_or(primary, |group| gid(view, group)))
}

fn gid(view: &View, group: &Who) -> u32 {
    match group {
        Who::Id(id) => *id,
        Who::Name(name) => {
            let text = file(view, "/etc/group");
            let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
            lines.find(|it| it.first() == Some(&name.as_str())).and_then(|it| it.get(2)?.parse().ok()).unwrap_or(0)
        }
    }
}

fn user_lines(view: &View) -> Vec<(String, u32, u32)> {
    let text = file(view, "/etc/passwd");
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        Some((fields.first()?.to_string(), fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}
