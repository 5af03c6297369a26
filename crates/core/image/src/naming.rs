//! Under which repository the local store keeps an image.

use names::ImageRef;

/// The local repository of `name`.
///
/// A name whose registry is one of `own_hosts` keeps its bare path; any other
/// becomes `<registry>/<path>` with `:` as `_`, because a repository path has no
/// room for a port. So `myregistry/myapp` is kept as `docker.io/myregistry/myapp`.
pub fn local_repository(name: &ImageRef, own_hosts: &[String]) -> String {
    if own_hosts.iter().any(|host| host.eq_ignore_ascii_case(&name.registry)) {
        return name.repository.clone();
    }
    let registry: String = name
        .registry
        .chars()
        .filter(|symbol| !matches!(symbol, '[' | ']'))
        .map(|symbol| if symbol == ':' { '_' } else { symbol.to_ascii_lowercase() })
        .collect();
    // IPv6 hosts have runs of colons; a component may not hold three separators or start with one.
    let registry = registry.replace("__", "_0_");
    let registry = registry.trim_matches(|symbol: char| !symbol.is_ascii_alphanumeric());
    format!("{registry}/{}", name.repository)
}

/// The name, under the first own host, by which the registry serves what `name` means.
pub fn local_ref(name: &ImageRef, own_hosts: &[String]) -> Option<ImageRef> {
    let host = own_hosts.first()?;
    Some(ImageRef { registry: host.clone(), repository: local_repository(name, own_hosts), ..name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_carry_their_registry() {
        check("127.0.0.1:4100/shop/web:1", "shop/web");
        check("myregistry/myapp", "docker.io/myregistry/myapp");
        check("nginx", "docker.io/library/nginx");
        check("Registry.example:5000/a/b", "registry.example_5000/a/b");
        check("[::1]:5000/a", "0_1_5000/a");
    }

    #[track_caller]
    fn check(name: &str, expected: &str) {
        let name: ImageRef = name.parse().expect("a name");
        let own = ["127.0.0.1:4100".to_owned()];
        assert_eq!(local_repository(&name, &own), expected);
        let local = local_ref(&name, &own).expect("an own host");
        assert_eq!(local.to_string().parse(), Ok(local));
    }
}
