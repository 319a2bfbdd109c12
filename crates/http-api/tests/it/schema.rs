//! The serialised package is what `docs/handoff-package.schema.json` promises.

use crate::support::sample;
use call_model::{Emotion, HandoffPackage, Instant, Speaker, Trigger, Urgency, VoiceScore, WallAnchor};
use http_api::shapes::PackageShape;
use serde_json::Value;

const WALL: WallAnchor = WallAnchor { at: Instant::ZERO, unix_ms: 1_795_250_000_000 };
const SCHEMA: &str = include_str!("../../../../docs/handoff-package.schema.json");

#[test]
fn packages_of_every_kind_fulfil_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    for package in packages() {
        let value = serde_json::to_value(PackageShape::from_model(&package, &WALL)).expect("serialised");
        assert_eq!(complaints(&schema, &schema, &value, "$"), Vec::<String>::new());
    }
}

#[test]
fn the_checker_notices_what_is_wrong() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let good = serde_json::to_value(PackageShape::from_model(&packages()[0], &WALL)).expect("serialised");
    let broken: [(&str, Value); 7] = [
        ("/id", "0123".into()),
        ("/trigger", "boredom".into()),
        ("/completeness", 101.into()),
        ("/version", "1".into()),
        ("/transcript/0/speaker", "desk".into()),
        ("/trajectory/0/anger", 1.5.into()),
        ("/entities/0", serde_json::json!({"name": "a", "value": "b", "more": 1})),
    ];
    for (path, value) in broken {
        let mut package = good.clone();
        *package.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        assert_eq!(complaints(&schema, &schema, &package, "$").len(), 1, "{path}");
    }
    let mut package = good;
    package.as_object_mut().expect("an object").remove("intent");
    assert_eq!(complaints(&schema, &schema, &package, "$"), ["$: intent is missing"]);
}

/// A full one, a bare one, and one for each value of each closed list.
fn packages() -> Vec<HandoffPackage> {
    let full = sample::package(u128::MAX >> 2, &WALL, Instant::from_millis(5));
    let mut packages = vec![full.clone(), sample::stranger(0, &WALL, Instant::ZERO)];
    for trigger in Trigger::ALL {
        packages.push(HandoffPackage { trigger, ..full.clone() });
    }
    for urgency in [Urgency::Normal, Urgency::High, Urgency::Emergency] {
        packages.push(HandoffPackage { urgency, ..full.clone() });
    }
    let voices = Emotion::ALL.into_iter().map(|emotion| {
        let score = VoiceScore { emotion, arousal: -0.1, confidence: f32::INFINITY, ..VoiceScore::default() };
        (Instant::ZERO, score)
    });
    packages.push(HandoffPackage { trajectory: voices.collect(), ..full });
    assert!(packages[0].transcript.iter().any(|said| said.speaker == Speaker::Bot));
    packages
}

/// As much of JSON Schema 2020-12 as the file uses. An unknown keyword is a complaint, so that none is passed over.
fn complaints(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut complain = |what: String| found.push(format!("{at}: {what}"));
    let mut inner = Vec::new();
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "examples" => {}
            "$ref" => {
                let pointer = rule.as_str().and_then(|to| to.strip_prefix('#')).expect("a local reference");
                inner.push((
                    root.pointer(pointer).expect("the reference leads somewhere"),
                    value.clone(),
                    at.to_owned(),
                ));
            }
            "type" => {
                let names: Vec<_> = rule.as_array().map_or(vec![rule], |list| list.iter().collect());
                if !names.iter().any(|name| is_of_type(value, name.as_str().unwrap_or_default())) {
                    complain(format!("{value} is not {rule}"));
                }
            }
            "enum" if !rule.as_array().is_some_and(|list| list.contains(value)) => {
                complain(format!("{value} is not one of {rule}"));
            }
            "minimum" if value.as_f64().is_some_and(|number| number < rule.as_f64().expect("a number")) => {
                complain(format!("{value} is below {rule}"));
            }
            "maximum" if value.as_f64().is_some_and(|number| number > rule.as_f64().expect("a number")) => {
                complain(format!("{value} is above {rule}"));
            }
            "pattern" if !value.as_str().is_some_and(|text| is_id(text, rule)) => {
                complain(format!("{value} is not {rule}"));
            }
            "maxItems" if value.as_array().is_some_and(|list| Some(list.len() as u64) > rule.as_u64()) => {
                complain(format!("more than {rule} items"));
            }
            "enum" | "minimum" | "maximum" | "pattern" | "maxItems" => {}
            "required" => {
                for name in rule.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        complain(format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, part) in value.as_object().into_iter().flatten() {
                    match rule.get(name) {
                        Some(schema) => inner.push((schema, part.clone(), format!("{at}.{name}"))),
                        None if schema["additionalProperties"] == false => complain(format!("{name} is unknown")),
                        None => {}
                    }
                }
            }
            "additionalProperties" => {}
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    inner.push((rule, item.clone(), format!("{at}[{index}]")));
                }
            }
            _ => complain(format!("the checker does not know {keyword}")),
        }
    }
    found.extend(inner.into_iter().flat_map(|(schema, value, at)| complaints(root, schema, &value, &at)));
    found
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// The only pattern in use: Crockford base 32 of a length.
fn is_id(text: &str, pattern: &Value) -> bool {
    let length =
        pattern.as_str().and_then(|p| p.strip_prefix("^[0-9A-HJKMNP-TV-Z]{")).and_then(|p| p.strip_suffix("}$"));
    let length: usize = length.and_then(|length| length.parse().ok()).expect("a pattern the checker knows");
    text.len() == length && text.bytes().all(|c| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&c))
}
