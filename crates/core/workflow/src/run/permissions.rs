//! What the token of a job may do, narrowed by callers and by trust.

use super::Run;
use crate::Permissions;

/// The one scope that has no reading: whoever has it may ask for identity tokens.
const ID_TOKEN: &str = "id-token";

impl Run {
    /// Of a job, or of the workflow that a job calls.
    pub(super) fn permissions(&self, job: usize) -> Permissions {
        let own = &self.job(job).permissions;
        let own = if *own == Permissions::Unset {
            &self.file(job).permissions
        } else {
            own
        };
        let narrowed = match self.frame(job).caller {
            Some((caller, _)) => narrow(own, &self.permissions(caller)),
            None => own.clone(),
        };
        if self.state.ground.start.trust.is_trusted() {
            narrowed
        } else {
            reading(&narrowed)
        }
    }
}

/// What both allow; `Unset` leaves it to the other.
fn narrow(own: &Permissions, most: &Permissions) -> Permissions {
    match (own, most) {
        (own, Permissions::Unset | Permissions::WriteAll) => match own {
            Permissions::Unset => most.clone(),
            Permissions::ReadAll | Permissions::WriteAll | Permissions::Scopes(_) => own.clone(),
        },
        (Permissions::Unset | Permissions::WriteAll, _) => most.clone(),
        (Permissions::ReadAll, Permissions::ReadAll) => Permissions::ReadAll,
        (Permissions::ReadAll, Permissions::Scopes(_)) => reading(most),
        (Permissions::Scopes(_), Permissions::ReadAll) => reading(own),
        (Permissions::Scopes(own), Permissions::Scopes(most)) => {
            let of = |scope: &str| {
                let found = most.iter().find(|(it, _)| it == scope);
                found.map_or("none", |(_, access)| access)
            };
            let less = |(scope, access): &(String, String)| {
                let least = rank(access).min(rank(of(scope)));
                (scope.clone(), word(least).to_owned())
            };
            Permissions::Scopes(own.iter().map(less).collect())
        }
    }
}

/// The same without writing.
fn reading(permissions: &Permissions) -> Permissions {
    match permissions {
        Permissions::Unset | Permissions::ReadAll | Permissions::WriteAll => Permissions::ReadAll,
        Permissions::Scopes(scopes) => {
            let less = |(scope, access): &(String, String)| {
                let most = if scope == ID_TOKEN { 0 } else { 1 };
                (scope.clone(), word(rank(access).min(most)).to_owned())
            };
            Permissions::Scopes(scopes.iter().map(less).collect())
        }
    }
}

fn rank(access: &str) -> u8 {
    match access {
        "write" => 2,
        "read" => 1,
        _ => 0,
    }
}

fn word(rank: u8) -> &'static str {
    match rank {
        0 => "none",
        1 => "read",
        _ => "write",
    }
}
