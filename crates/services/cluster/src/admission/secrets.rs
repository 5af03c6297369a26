//! Secrets may be written as plain text and are kept encoded.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::object;

/// Moves `stringData` into `data`.
pub fn encode(secret: &mut Value) {
    let Some(Value::Object(plain)) = object::members(secret).shift_remove("stringData") else {
        return;
    };
    let data = object::child(secret, "data");
    for (key, text) in plain {
        data.insert(
            key,
            Value::from(STANDARD.encode(text.as_str().unwrap_or_default())),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_text_is_encoded_and_wins() {
        let mut secret =
            json!({ "data": { "a": "eA==", "b": "eQ==" }, "stringData": { "b": "new" } });
        encode(&mut secret);
        assert_eq!(secret, json!({ "data": { "a": "eA==", "b": "bmV3" } }));
    }
}
