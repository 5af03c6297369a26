//! Who is asking: tokens, and the principals behind them.

mod authenticate;
mod tokens;

pub use authenticate::{Credentials, authenticate, basic_challenge, token_of};
pub use tokens::{Secret, TokenError, Tokens};
