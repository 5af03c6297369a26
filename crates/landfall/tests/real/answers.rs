//! Where the embedded API server answers otherwise than the real one, it is wrong.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    control_plane::ControlPlane,
    home::Home,
    installation::{Installation, curl},
    questions::{self, Answer, Question},
};

const QUESTIONS: &str = include_str!("questions.http");

#[test]
fn both_api_servers_answer_alike() {
    let Some(embedded) = Installation::prepare_at(|_| Home::Embedded) else { return };
    embedded.up(&[]).succeeded();
    let real = ControlPlane::start(&embedded.folder("real"));
    let its = embedded.kubeconfig().expect("the embedded cluster has a kubeconfig");
    let (real, embedded) = (Server::of(real.kubeconfig(), &embedded.folder("a")), Server::of(&its, &embedded.folder("b")));
    let mut told = String::new();
    for question in questions::read(QUESTIONS) {
        let differences = question.differences(&real.answer(&question), &embedded.answer(&question));
        if !differences.is_empty() {
            told += &format!("### {}\n  {}\n", question.name, differences.join("\n  "));
        }
    }
    assert_eq!(told, "", "the answers differ\n{told}");
}

/// How curl reaches an API server.
struct Server {
    url: String,
    arguments: Vec<String>,
}

impl Server {
    fn of(kubeconfig: &Path, folder: &Path) -> Self {
        let text = fs::read_to_string(kubeconfig).expect("the kubeconfig can be read");
        let config: Value = serde_json::from_str(&text).expect("the kubeconfig is JSON");
        let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
        let file = |from: &Value, key: &str| -> Option<PathBuf> {
            let bytes = STANDARD.decode(from[key].as_str()?).expect("base64");
            fs::write(folder.join(key), bytes).expect("a file can be written");
            Some(folder.join(key))
        };
        let mut arguments = Vec::new();
        for (flag, from, key) in
            [("--cacert", cluster, "certificate-authority-data"), ("--cert", user, "client-certificate-data"), ("--key", user, "client-key-data")]
        {
            if let Some(file) = file(from, key) {
                arguments.extend([flag.to_owned(), file.display().to_string()]);
            }
        }
        if let Some(token) = user["token"].as_str() {
            arguments.extend(["--header".to_owned(), format!("Authorization: Bearer {token}")]);
        }
        Self { url: cluster["server"].as_str().expect("a server").to_owned(), arguments }
    }

    fn answer(&self, question: &Question) -> Answer {
        let mut arguments: Vec<&str> = vec!["--max-time", "20", "--write-out", "\n%{http_code}", "--request", &question.method];
        arguments.extend(self.arguments.iter().map(String::as_str));
        if !question.body.is_empty() {
            if !question.headers.iter().any(|it| it.starts_with("Content-Type")) {
                arguments.extend(["--header", "Content-Type: application/json"]);
            }
            arguments.extend(["--data-binary", &question.body]);
        }
        question.headers.iter().for_each(|header| arguments.extend(["--header", header]));
        let url = format!("{}{}", self.url, question.path);
        arguments.push(&url);
        let told = curl(&arguments).succeeded();
        let (body, code) = told.rsplit_once('\n').expect("the code stands last");
        // A watch answers with one value a line.
        let lines = || body.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
        let value = serde_json::from_str(body).ok().or_else(|| lines().ok().map(Value::from));
        Answer { code: code.to_owned(), value: value.unwrap_or_else(|| Value::from(body)) }
    }
}
