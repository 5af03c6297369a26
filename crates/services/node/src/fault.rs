//! Words for failures of the network, as programs in Go write them and people search for them.

use std::io;

/// `connection refused` instead of `Connection refused (os error 111)`.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().collect::<String>() + letters.as_str(),
        None => String::new(),
    }
}

/// `dial tcp 10.0.0.1:80: connect: connection refused`
pub fn dial(address: std::net::SocketAddr, error: &io::Error) -> String {
    format!("dial tcp {address}: connect: {}", plain(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operating_system_errors_are_told_plainly() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(
            dial(([10, 0, 0, 1], 80).into(), &refused),
            "dial tcp 10.0.0.1:80: connect: connection refused"
        );
    }
}
