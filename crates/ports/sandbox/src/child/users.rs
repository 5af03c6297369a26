//! Finds users and groups as Docker writes them, in the sandbox's own `/etc/passwd` and `/etc/group`.

use crate::{CannotStart, Reason};

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

/// Reads `user`, `uid`, `user:group`, `uid:gid` and so on; empty is root.
pub fn identity(text: &str, passwd: &str, group: &str) -> Result<Identity, CannotStart> {
    let (user, wanted_group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let entry = lines(passwd).find(|fields| {
        fields.first() == Some(&user) || user.parse::<u32>().is_ok_and(|uid| number(fields, 2) == Some(uid))
    });
    let (uid, gid, home, name) = match (&entry, user.parse::<u32>()) {
        (Some(fields), _) => (
            number(fields, 2).ok_or_else(|| missing("user", user, "/etc/passwd"))?,
            number(fields, 3).unwrap_or(0),
            fields.get(5).copied().filter(|home| !home.is_empty()).unwrap_or("/"),
            fields.first().copied(),
        ),
        (None, Ok(uid)) => (uid, 0, if uid == 0 { "/root" } else { "/" }, None),
        (None, Err(_)) => return Err(missing("user", user, "/etc/passwd")),
    };
    let home = home.to_owned();
    if let Some(wanted) = wanted_group.filter(|wanted| !wanted.is_empty()) {
        let gid = match wanted.parse() {
            Ok(gid) => gid,
            Err(_) => lines(group)
                .find(|fields| fields.first() == Some(&wanted))
                .and_then(|fields| number(&fields, 2))
                .ok_or_else(|| missing("group", wanted, "/etc/group"))?,
        };
        return Ok(Identity { uid, gid, groups: vec![gid], home });
    }
    let mut groups = vec![gid];
    if let Some(name) = name {
        let member = |fields: &Vec<&str>| fields.get(3).is_some_and(|members| members.split(',').any(|it| it == name));
        groups.extend(lines(group).filter(member).filter_map(|fields| number(&fields, 2)).filter(|other| *other != gid));
    }
    Ok(Identity { uid, gid, groups, home })
}

fn lines(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(':').collect())
}

fn number(fields: &[&str], index: usize) -> Option<u32> {
    fields.get(index)?.parse().ok()
}

fn missing(what: &str, name: &str, file: &str) -> CannotStart {
    CannotStart { reason: Reason::NoSuchUser, message: format!("no {what} `{name}` in {file}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:100:101:Web:/srv/web:/bin/false\n# no:x:1:1\nbad\n";
    const GROUP: &str = "root:x:0:\nweb:x:101:\nlog:x:4:web,root\ndisk:x:6:root\n";

    #[test]
    fn users_and_groups_are_found_as_docker_does() {
        check("", "0:0 [0, 4, 6] /root");
        check("web", "100:101 [101, 4] /srv/web");
        check("100", "100:101 [101, 4] /srv/web");
        check("web:disk", "100:6 [6] /srv/web");
        check("web:77", "100:77 [77] /srv/web");
        check("4321", "4321:0 [0] /");
        check("4321:5", "4321:5 [5] /");
        check("nobody", "no user `nobody` in /etc/passwd");
        check("web:none", "no group `none` in /etc/group");
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match identity(text, PASSWD, GROUP) {
            Ok(it) => format!("{}:{} {:?} {}", it.uid, it.gid, it.groups, it.home),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }
}
