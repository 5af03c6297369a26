//! What a person can do when the API server refuses what Git says.

use api::Cause;

/// Words of the API server, the code of what they mean, and what leads on.
const KNOWN: [(&str, &str, &str); 5] = [
    ("immutable", "LF-D0302", "give the object another name, or let it be made anew by the annotation `argocd.argoproj.io/sync-options: Force=true`"),
    ("may not be changed", "LF-D0302", "give the object another name, or let it be made anew by the annotation `argocd.argoproj.io/sync-options: Force=true`"),
    ("forbidden", "LF-D0201", "give Landfall's account the right that the message names, or choose another namespace"),
    ("no matches for kind", "LF-D0201", "apply the definition of the kind first, or with the app"),
    ("namespaces", "LF-D0201", "make the namespace, or add `CreateNamespace=true` to `syncOptions`"),
];

/// The cause of a deployment that was refused.
pub fn refused(app: &str, reason: &str) -> Cause {
    let lower = reason.to_lowercase();
    let known = KNOWN.iter().find(|(words, ..)| lower.contains(words) && (*words != "namespaces" || lower.contains("not found")));
    let (code, help) = known.map_or(("LF-D0201", None), |(_, code, help)| (*code, Some((*help).to_owned())));
    let help = help.into_iter().chain([format!("landfall app get {app}")]).collect();
    Cause { code: code.to_owned(), summary: reason.to_owned(), evidence: Vec::new(), help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_refusals_come_with_a_way_out() {
        for (reason, code, help) in [
            ("Deployment.apps \"web\" is invalid: spec.selector: Invalid value: {}: field is immutable", "LF-D0302", "give the object"),
            ("configmaps \"a\" is forbidden: User \"x\" cannot patch resource", "LF-D0201", "give Landfall's account"),
            ("namespaces \"shop\" not found", "LF-D0201", "make the namespace"),
            ("the object is gone", "LF-D0201", "landfall app get"),
        ] {
            let cause = refused("shop", reason);
            assert_eq!((cause.code.as_str(), cause.help[0].starts_with(help)), (code, true), "{cause:?}");
        }
    }
}
