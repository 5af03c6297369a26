//! Tokens of service accounts, as the API server asks for them.

use access::Principal;
use cluster::{Token, TokenError, TokenRequest};
use identity::Tokens;

/// Mints sealed tokens, which need no store.
pub struct ServiceTokens(pub Tokens);

impl cluster::Tokens for ServiceTokens {
    fn mint(&self, request: &TokenRequest) -> Result<Token, TokenError> {
        let TokenRequest { namespace, account, lifetime, .. } = request.clone();
        let principal = Principal::ServiceAccount { namespace, name: account };
        let expires = store::now() + lifetime;
        match self.0.issue_sealed(&principal, expires) {
            Ok(token) => Ok(Token { token: token.reveal().to_owned(), expires }),
            Err(error) => Err(TokenError { account: principal.to_string(), why: error.to_string() }),
        }
    }

    fn principal(&self, token: &str) -> Option<Principal> {
        self.0.sealed_principal(token)
    }
}
