//! The app of the demo: real files, filled with a name, a port and a number of replicas.

/// What the app is called, where it listens and how often it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub name: String,
    pub port: u16,
    pub replicas: u32,
}

/// One commit's worth of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub number: u32,
    /// Stands in the ConfigMap and comes back in every answer.
    pub greeting: &'static str,
    pub stock: Stock,
    /// The message of the commit.
    pub subject: &'static str,
}

/// Whether the app looks for a file before it calls itself healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stock {
    NotNeeded,
    /// It looks for one that no image holds, so its pods never become ready.
    Missing,
}

pub const FIRST: Version =
    Version { number: 1, greeting: "hello", stock: Stock::NotNeeded, subject: "A small web server" };

pub const SECOND: Version =
    Version { number: 2, greeting: "welcome back", stock: Stock::NotNeeded, subject: "Greet those who return" };

pub const BAD: Version =
    Version { number: 3, greeting: "buy now", stock: Stock::Missing, subject: "Sell from the stock" };

/// Every file of the app: its path and its text with gaps such as `{{name}}`.
const FILES: [(&str, &str); 12] = [
    (".dockerignore", include_str!("../../demo-app/.dockerignore")),
    (".github/workflows/ci.yml", include_str!("../../demo-app/.github/workflows/ci.yml")),
    (".gitignore", include_str!("../../demo-app/.gitignore")),
    ("Dockerfile", include_str!("../../demo-app/Dockerfile")),
    ("app.h", include_str!("../../demo-app/app.h")),
    ("http.c", include_str!("../../demo-app/http.c")),
    ("http.h", include_str!("../../demo-app/http.h")),
    ("http_test.c", include_str!("../../demo-app/http_test.c")),
    ("k8s/configmap.yaml", include_str!("../../demo-app/k8s/configmap.yaml")),
    ("k8s/deployment.yaml", include_str!("../../demo-app/k8s/deployment.yaml")),
    ("k8s/service.yaml", include_str!("../../demo-app/k8s/service.yaml")),
    ("server.c", include_str!("../../demo-app/server.c")),
];

impl App {
    /// The files of the app at a version.
    pub fn files(&self, version: &Version) -> Vec<(&'static str, String)> {
        let stock_file = match version.stock {
            Stock::NotNeeded => "NULL".to_owned(),
            Stock::Missing => format!("\"/var/lib/{}/stock.db\"", self.name),
        };
        let gaps = [
            ("{{name}}", self.name.clone()),
            ("{{port}}", self.port.to_string()),
            ("{{replicas}}", self.replicas.to_string()),
            ("{{version}}", version.number.to_string()),
            ("{{greeting}}", version.greeting.to_owned()),
            ("{{stock_file}}", stock_file),
        ];
        let fill = |text: &str| gaps.iter().fold(text.to_owned(), |text, (gap, value)| text.replace(gap, value));
        FILES.iter().map(|(path, text)| (*path, fill(text))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> App {
        App { name: "shop".to_owned(), port: 8080, replicas: 3 }
    }

    #[test]
    fn no_gap_is_left_open() {
        for version in [FIRST, SECOND, BAD] {
            for (path, text) in shop().files(&version) {
                // The workflow's own expressions look alike.
                let text = text.replace("${{ github.sha }}", "");
                assert!(!text.contains("{{"), "{path} of version {} has an open gap", version.number);
            }
        }
    }

    #[test]
    fn a_version_changes_the_program_and_its_configuration_only() {
        check(&FIRST, &SECOND, &["app.h", "k8s/configmap.yaml"]);
        check(&SECOND, &BAD, &["app.h", "k8s/configmap.yaml"]);
    }

    #[track_caller]
    fn check(from: &Version, to: &Version, expected: &[&str]) {
        let (from, to) = (shop().files(from), shop().files(to));
        let changed: Vec<_> = from.iter().zip(&to).filter(|(from, to)| from != to).map(|(from, _)| from.0).collect();
        assert_eq!(changed, expected);
    }
}
