//! Which objects a URL names.

use resource::{Kind, kinds, status, status::Status};

/// What a resource URL names: a kind, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub kind: &'static Kind,
    /// Set for objects in a namespace; unset for cluster-wide kinds and lists over all namespaces.
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

impl Target {
    /// Reads a path below `/api/v1/` or `/apis/GROUP/VERSION/`, given as its decoded segments.
    pub fn parse(segments: &[String]) -> Result<Self, Status> {
        let (group, version, rest) = match segments {
            [api, version, rest @ ..] if api == "api" => ("", version.as_str(), rest),
            [apis, group, version, rest @ ..] if apis == "apis" => {
                (group.as_str(), version.as_str(), rest)
            }
            _ => return Err(status::no_such_resource()),
        };
        let find = |plural: &str| {
            kinds::by_plural(group, version, plural).ok_or_else(status::no_such_resource)
        };
        // `namespaces/x` is the namespace itself, `namespaces/x/pods` what lies in it; and
        // `namespaces/x/status` is neither kind nor namespace but a subresource.
        if let [namespaces, namespace, plural, rest @ ..] = rest
            && namespaces == "namespaces"
            && !(group.is_empty()
                && rest.is_empty()
                && matches!(plural.as_str(), "status" | "finalize"))
        {
            let kind = find(plural)?;
            if !kind.namespaced {
                return Err(status::no_such_resource());
            }
            return Self::below(kind, Some(namespace.clone()), rest);
        }
        let [plural, rest @ ..] = rest else {
            return Err(status::no_such_resource());
        };
        let kind = find(plural)?;
        if kind.namespaced && !rest.is_empty() {
            return Err(status::no_such_resource());
        }
        Self::below(kind, None, rest)
    }

    fn below(
        kind: &'static Kind,
        namespace: Option<String>,
        rest: &[String],
    ) -> Result<Self, Status> {
        let (name, subresource) = match rest {
            [] => (None, None),
            [name] => (Some(name.clone()), None),
            [name, subresource] if kind.subresources.contains(&subresource.as_str()) => {
                (Some(name.clone()), Some(subresource.clone()))
            }
            _ => return Err(status::no_such_resource()),
        };
        Ok(Self {
            kind,
            namespace,
            name,
            subresource,
        })
    }

    /// The name in a URL that must have one.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// The decoded segments of a path; empty ones (a doubled or trailing slash) are left out.
pub fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            percent_encoding::percent_decode_str(segment)
                .decode_utf8_lossy()
                .into_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_kinds_lists_objects_and_parts() {
        check("/api/v1/pods", "pods - - -");
        check("/api/v1/namespaces/shop/pods", "pods shop - -");
        check("/api/v1/namespaces/shop/pods/web/log", "pods shop web log");
        check("/api/v1/namespaces/shop", "namespaces - shop -");
        check(
            "/api/v1/namespaces/shop/finalize",
            "namespaces - shop finalize",
        );
        check(
            "/apis/apps/v1/namespaces/shop/deployments/web/scale",
            "deployments shop web scale",
        );
    }

    #[test]
    fn urls_that_name_nothing_are_refused() {
        for path in [
            "/api/v1/pods/web",
            "/api/v1/namespaces/shop/nodes",
            "/apis/apps/v1/statefulsets",
            "/api/v1/namespaces/shop/pods/web/shell",
            "/api",
        ] {
            check(path, "the server could not find the requested resource");
        }
    }

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        let found = match Target::parse(&segments(path)) {
            Ok(it) => format!(
                "{} {} {} {}",
                it.kind.plural,
                text(&it.namespace),
                text(&it.name),
                text(&it.subresource)
            ),
            Err(status) => status.message,
        };
        assert_eq!(found, expected);
    }
}
