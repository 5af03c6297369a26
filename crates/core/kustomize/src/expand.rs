//! `$(NAME)` in texts, as Kubernetes expands it: `$$` is one dollar, unknown names stay.

/// What a name stands for, or the text of the reference when nothing is known.
pub enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// Takes a text apart into what stays and the names in it.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut start = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte != b'$' || at + 1 >= bytes.len() {
            at += 1;
            continue;
        }
        match bytes.get(at + 1) {
            Some(b'$') => {
                found.extend(text.get(start..=at).map(Piece::Text));
                at += 2;
                start = at;
            }
            Some(b'(') => {
                let Some(end) = text.get(at + 2..).and_then(|rest| rest.find(')')) else {
                    at += 2;
                    continue;
                };
                found.extend(
                    text.get(start..at)
                        .filter(|it| !it.is_empty())
                        .map(Piece::Text),
                );
                found.extend(text.get(at + 2..at + 2 + end).map(Piece::Name));
                at += end + 3;
                start = at;
            }
            _ => at += 2,
        }
    }
    found.extend(
        text.get(start..)
            .filter(|it| !it.is_empty())
            .map(Piece::Text),
    );
    found
}
