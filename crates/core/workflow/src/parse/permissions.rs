//! Reads `permissions`.

use yaml::Node;

use super::reader::scalar_text;
use crate::Permissions;

pub(super) fn read(node: Option<&Node>) -> Permissions {
    let Some(node) = node else {
        return Permissions::Unset;
    };
    match node.text() {
        Some("read-all") => Permissions::ReadAll,
        Some("write-all") => Permissions::WriteAll,
        Some(_) | None => {
            let scopes = node.entries().iter();
            let scopes = scopes.map(|it| (it.key.clone(), scalar_text(&it.value)));
            Permissions::Scopes(scopes.collect())
        }
    }
}
