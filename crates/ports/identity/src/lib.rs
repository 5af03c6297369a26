//! Who is asking: tokens, and the principals behind them.

mod authenticate;
mod seal;
mod tokens;

pub use authenticate::{Credentials, authenticate, basic_challenge, token_of};
pub use seal::{Seal, SealError};
pub use tokens::{Secret, TokenError, Tokens};
