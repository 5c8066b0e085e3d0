//! Both profiles, held against the protocol's golden vectors.

use serde_json::Value;

use super::{MAXIMUM_DEPTH, from_json, to_json, validate};
use crate::vectors::{bytes, vectors};

#[test]
fn each_value_has_the_same_bytes_in_both_profiles() {
    let values = vectors("values.json");
    assert!(values.len() > 50);
    for vector in values {
        let name = vector["name"].as_str().unwrap();
        let json = vector["json"].as_str().unwrap();
        let encoded = bytes(&vector["msgpack_hex"]);
        assert_eq!(
            from_json(json.as_bytes(), MAXIMUM_DEPTH),
            Ok(encoded.clone()),
            "{name}"
        );
        assert_eq!(validate(&encoded, MAXIMUM_DEPTH), Ok(()), "{name}");
        let written = to_json(&encoded, MAXIMUM_DEPTH).unwrap();
        // Floats may be written in other forms: what must hold is that they read back exactly.
        assert_eq!(
            from_json(written.as_bytes(), MAXIMUM_DEPTH),
            Ok(encoded.clone()),
            "{name}"
        );
        if !json.contains(['.', 'e']) {
            assert_eq!(written, json, "{name}");
        }
        for also in vector["json_also"].as_array().into_iter().flatten() {
            let also = also.as_str().unwrap().as_bytes();
            assert_eq!(
                from_json(also, MAXIMUM_DEPTH),
                Ok(encoded.clone()),
                "{name}"
            );
        }
    }
}

#[test]
fn each_refused_value_is_refused_for_its_reason_at_its_path() {
    for vector in vectors("refused.json") {
        let name = vector["name"].as_str().unwrap();
        let repeat = &vector["repeat"];
        let repeated = |text: &str| {
            repeat["prefix"]
                .as_str()
                .unwrap()
                .repeat(repeat["times"].as_u64().unwrap() as usize)
                + text
                + repeat["suffix"].as_str().unwrap_or("")
        };
        let refusal = if vector["encoding"] == "json" {
            let text = match vector["text"].as_str() {
                Some(text) => text.to_owned(),
                None if repeat.is_null() => {
                    let data = bytes(&vector["hex"]);
                    check(&vector, name, from_json(&data, MAXIMUM_DEPTH).unwrap_err());
                    continue;
                }
                None => repeated(""),
            };
            from_json(text.as_bytes(), MAXIMUM_DEPTH).unwrap_err()
        } else {
            let hex = vector["hex"]
                .as_str()
                .map_or_else(|| repeated(""), str::to_owned);
            validate(&bytes(&Value::String(hex)), MAXIMUM_DEPTH).unwrap_err()
        };
        check(&vector, name, refusal);
    }
}

fn check(vector: &Value, name: &str, refusal: super::Refusal) {
    assert_eq!(refusal.reason.to_string(), vector["reason"], "{name}");
    if refusal.reason != super::Reason::Malformed {
        assert_eq!(refusal.path(), vector["path"].as_str().unwrap(), "{name}");
    }
}
