//! What may still become a key: remembered where it begins, until its colon comes or cannot come any more.

use super::{Scanner, SimpleKey};
use crate::go::error::GoError;

/// A key without `?` takes at most so many characters.
const SIMPLE_KEY_MAX: usize = 1_024;

impl Scanner<'_> {
    pub(super) fn is_valid(&mut self, at: usize) -> Result<bool, GoError> {
        let key = self.simple_keys[at];
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < self.mark.line || key.mark.index + SIMPLE_KEY_MAX < self.mark.index {
            if key.required {
                return Err(self.error("could not find expected ':'", key.mark));
            }
            self.simple_keys[at].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    pub(super) fn save_simple_key(&mut self) -> Result<(), GoError> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let key = SimpleKey {
            possible: true,
            required: self.flow_level == 0 && self.indent == self.column(),
            token_number: self.parsed + self.tokens.len(),
            indexed: true,
            mark: self.mark,
        };
        self.remove_simple_key()?;
        if let Some(last) = self.simple_keys.last_mut() {
            *last = key;
        }
        Ok(())
    }

    pub(super) fn remove_simple_key(&mut self) -> Result<(), GoError> {
        let Some(key) = self.simple_keys.last().copied() else {
            return Ok(());
        };
        if key.possible && key.required {
            return Err(self.error("could not find expected ':'", key.mark));
        }
        if let Some(last) = self.simple_keys.last_mut() {
            last.possible = false;
        }
        Ok(())
    }
}
