//! `sudo` in jobs, which are root already: the command runs as it is.
//!
//! Scripts written for GitHub's machines say `sudo` before whatever installs something. The
//! environment is kept whole, so programs that a set-up step brought are found, too.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

/// Options that take a value: in the next word, or behind them.
const WITH_VALUE: [&str; 11] =
    ["--chdir", "--chroot", "--close-from", "--command-timeout", "--group", "--host", "--other-user", "--prompt", "--role", "--type", "--user"];

/// The same by their letters.
const LETTERS_WITH_VALUE: &str = "CDghpRrtTUu";

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    user: Option<String>,
    folder: Option<String>,
    variables: Vec<(String, String)>,
    /// A shell reads the command, or is the command.
    shell: bool,
    command: Vec<String>,
}

/// Becomes the command; comes back only where that is not possible.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let asked = match read(args) {
        Ok(asked) => asked,
        Err(told) => {
            eprintln!("sudo: {told}");
            return ExitCode::FAILURE;
        }
    };
    let words = words(&asked);
    let Some((program, rest)) = words.split_first() else { return ExitCode::SUCCESS };
    if !rustix::process::geteuid().is_root() {
        eprintln!("sudo: this job does not run as root, and nobody here can give more");
        return ExitCode::FAILURE;
    }
    let mut command = Command::new(program);
    command.args(rest).envs(asked.variables);
    if let Some(folder) = &asked.folder {
        command.current_dir(folder);
    }
    let error = command.exec();
    match error.kind() {
        std::io::ErrorKind::NotFound => eprintln!("sudo: {program}: command not found"),
        _ => eprintln!("sudo: {program}: {error}"),
    }
    ExitCode::FAILURE
}

/// The program to start with its arguments; none if there is nothing to start.
fn words(asked: &Asked) -> Vec<String> {
    let own = |text: &str| text.to_owned();
    let mut words = Vec::new();
    if let Some(user) = asked.user.as_deref().filter(|it| !matches!(*it, "root" | "#0" | "0")) {
        words.extend([own("runuser"), own("-u"), own(user), own("--")]);
    }
    match (asked.shell, asked.command.is_empty()) {
        (true, true) => words.push(own("/bin/sh")),
        (true, false) => words.extend([own("/bin/sh"), own("-c"), asked.command.join(" ")]),
        (false, true) => return Vec::new(),
        (false, false) => words.extend(asked.command.iter().cloned()),
    }
    words
}

fn read(args: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            asked.command.extend(rest.by_ref().cloned());
        } else if let Some(name) = arg.strip_prefix("--").map(|it| it.split('=').next().unwrap_or(it)) {
            let name = format!("--{name}");
            if WITH_VALUE.contains(&name.as_str()) {
                let value = match arg.split_once('=') {
                    Some((_, value)) => value.to_owned(),
                    None => rest.next().ok_or(format!("`{arg}` needs a value"))?.clone(),
                };
                asked.take(&name, value);
            } else if matches!(name.as_str(), "--login" | "--shell") {
                asked.shell = true;
            } else if name == "--edit" {
                return Err("`--edit` is not supported".to_owned());
            }
        } else if let Some(letters) = arg.strip_prefix('-').filter(|it| !it.is_empty()) {
            for (at, letter) in letters.char_indices() {
                if LETTERS_WITH_VALUE.contains(letter) {
                    let behind = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                    let value = if behind.is_empty() { rest.next().ok_or(format!("`-{letter}` needs a value"))?.clone() } else { behind.to_owned() };
                    asked.take(if letter == 'u' { "--user" } else if letter == 'D' { "--chdir" } else { "" }, value);
                    break;
                }
                match letter {
                    'i' | 's' => asked.shell = true,
                    'e' => return Err("`-e` is not supported".to_owned()),
                    _ => {}
                }
            }
        } else if let Some((name, value)) = arg.split_once('=').filter(|(name, _)| is_name(name)) {
            asked.variables.push((name.to_owned(), value.to_owned()));
        } else {
            asked.command.push(arg.clone());
            asked.command.extend(rest.by_ref().cloned());
        }
    }
    Ok(asked)
}

impl Asked {
    fn take(&mut self, option: &str, value: String) {
        match option {
            "--user" => self.user = Some(value),
            "--chdir" => self.folder = Some(value),
            _ => {}
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(|it: char| it.is_ascii_digit()) && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let args: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let told = match read(&args) {
            Ok(asked) => {
                let variables: Vec<_> = asked.variables.iter().map(|(name, value)| format!("{name}={value} ")).collect();
                format!("{}{}", variables.concat(), words(&asked).join(" "))
            }
            Err(told) => told,
        };
        assert_eq!(told, expected, "{line}");
    }

    #[test]
    fn the_command_is_found_behind_the_options() {
        check("apt-get install -y jq", "apt-get install -y jq");
        check("-E -H env", "env");
        check("-EHn --preserve-env=PATH make -n", "make -n");
        check("-u root id", "id");
        check("-u postgres psql -c x", "runuser -u postgres -- psql -c x");
        check("--user=app -- id -u", "runuser -u app -- id -u");
        check("-upostgres id", "runuser -u postgres -- id");
        check("DEBIAN_FRONTEND=noninteractive apt-get update", "DEBIAN_FRONTEND=noninteractive apt-get update");
        check("sh -c a=b", "sh -c a=b");
        check("-i", "/bin/sh");
        check("-s echo a b", "/bin/sh -c echo a b");
        check("-v", "");
        check("-u", "`-u` needs a value");
        check("-e /etc/hosts", "`-e` is not supported");
    }
}
