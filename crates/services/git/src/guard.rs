//! Takes the rights of a trusted job away at the moment it fetches code that is not trusted.
//!
//! A workflow of the base that checks out the head of a foreign pull request would run foreign
//! code with its secrets. The grant of the job says whether that could be; then each commit that
//! the job asks for is looked at: what is on no branch and no tag came from outside.

use std::{collections::BTreeSet, io, process::Stdio};

use access::Principal;
use api::{JobGrant, Record as _, Trust};
use repo::{Repository, git_command};
use store::{Records, TypedError};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::pkt_line;

/// A request that wants more than this is not one of a job's checkout.
const REQUEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why the request of a job could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error("the request could not be read")]
    Io(#[from] io::Error),
    #[error("the request is larger than {REQUEST_BYTES_MAX} bytes")]
    TooLarge,
}

/// The grant of a trusted job that must not run code from outside, if it is one.
pub async fn guarded(records: &dyn Records, principal: &Principal) -> Result<Option<JobGrant>, TypedError> {
    let Principal::Job { run, job, .. } = principal else { return Ok(None) };
    let grant = store::find::<JobGrant>(records, &JobGrant::key_of(run, job)).await?;
    Ok(grant.filter(|grant| grant.trust == Trust::Own && grant.outside.is_some()))
}

/// Reads a fetch, notes in the grant if it is for code from outside, and gives the request back.
pub async fn watch(
    records: &dyn Records,
    repository: &Repository,
    grant: &JobGrant,
    request: Box<dyn AsyncRead + Send + Unpin>,
) -> Result<Box<dyn AsyncRead + Send + Unpin>, GuardError> {
    let mut bytes = Vec::new();
    request.take(REQUEST_BYTES_MAX + 1).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > REQUEST_BYTES_MAX {
        return Err(GuardError::TooLarge);
    }
    // What the run itself is about is trusted, even if its branch has moved on.
    for wanted in wanted(&bytes).into_iter().filter(|it| it != grant.fact("sha")) {
        if is_from_outside(repository, &wanted).await? {
            tracing::info!(run = %grant.run, job = grant.job, wanted, "a job fetches code from outside and loses its rights");
            store::modify::<JobGrant>(records, &grant.key(), |grant| grant.trust = Trust::Foreign).await?;
            break;
        }
    }
    Ok(Box::new(io::Cursor::new(bytes)))
}

/// What both versions of the protocol ask for: objects by their digests, and refs by their names.
fn wanted(request: &[u8]) -> BTreeSet<String> {
    let text = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let wanted = line.strip_prefix("want ").or_else(|| line.strip_prefix("want-ref "))?;
        wanted.split([' ', '\n', '\0']).next().map(str::to_owned)
    };
    pkt_line::lines(request).filter_map(|line| text(&line)).filter(|it| !it.is_empty() && !it.starts_with('-')).collect()
}

/// Whether it is a commit, or leads to one, that is on no branch and no tag.
async fn is_from_outside(repository: &Repository, wanted: &str) -> io::Result<bool> {
    let run = async |arguments: &[&str]| {
        let mut command = git_command(repository.path());
        let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().await?;
        io::Result::Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    };
    let (is_commit, commit) = run(&["rev-parse", "--verify", "--quiet", &format!("{wanted}^{{commit}}")]).await?;
    if !is_commit {
        // Files of commits that were decided on before, or nothing that is there.
        return Ok(false);
    }
    let (_, known) = run(&["for-each-ref", "--count=1", "--contains", &commit, "refs/heads", "refs/tags"]).await?;
    Ok(known.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_of_both_versions_are_found() {
        let (first, second) = ("1".repeat(40), "2".repeat(40));
        let lines = [
            "command=fetch".to_owned(),
            format!("want {first}\n"),
            format!("want {second} ofs-delta agent=git/2\n"),
            "want-ref refs/pull/3/head\n".to_owned(),
            "done\n".to_owned(),
        ];
        let request: Vec<u8> = lines.iter().flat_map(|line| pkt_line::line(line.as_bytes()).to_vec()).collect();
        let request = [request.as_slice(), pkt_line::FLUSH].concat();
        let expected = [first, second, "refs/pull/3/head".to_owned()];
        assert_eq!(wanted(&request), expected.into_iter().collect());
        assert!(wanted(b"0005").is_empty());
    }
}
