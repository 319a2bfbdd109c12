//! The words that ship with the gateway, by kind of rule: `config/words/`.

use crate::phrase::Phrase;
use crate::rules::Said;
use toml::{Table, Value};

/// By kind of rule.
const WORDS: [(&str, &str); 14] = [
    ("asked", include_str!("../../../config/words/asked.toml")),
    ("emergency", include_str!("../../../config/words/emergency.toml")),
    ("compliance", include_str!("../../../config/words/compliance.toml")),
    ("legal", include_str!("../../../config/words/legal.toml")),
    ("medical", include_str!("../../../config/words/medical.toml")),
    ("minors", include_str!("../../../config/words/minors.toml")),
    ("fraud", include_str!("../../../config/words/fraud.toml")),
    ("dispute", include_str!("../../../config/words/dispute.toml")),
    ("cancellation", include_str!("../../../config/words/cancellation.toml")),
    ("vulnerable", include_str!("../../../config/words/vulnerable.toml")),
    ("frustration", include_str!("../../../config/words/frustration.toml")),
    ("hedging", include_str!("../../../config/words/hedging.toml")),
    ("unclear", include_str!("../../../config/words/unclear.toml")),
    ("system_error", include_str!("../../../config/words/system_error.toml")),
];

/// What ships for this kind. A test proves that every file is in order.
pub(crate) fn said(kind: &str) -> Said {
    let text = WORDS.iter().find(|(name, _)| *name == kind).map_or("", |(_, text)| text);
    let table: Table = text.parse().unwrap_or_default();
    let list = |field: &str| {
        let list = table.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|phrase| Phrase::parse(phrase.as_str()?).ok()).collect()
    };
    Said { phrases: list("phrases"), unless: list("unless") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_order_and_nothing_in_it_is_lost() {
        for (kind, text) in WORDS {
            let table: Table = text.parse().unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert!(table.keys().all(|key| key == "phrases" || key == "unless"), "{kind}");
            let phrases: Vec<&Value> = table.values().flat_map(|list| list.as_array().expect("a list")).collect();
            for phrase in &phrases {
                Phrase::parse(phrase.as_str().expect("a text"))
                    .unwrap_or_else(|what| panic!("{kind}: {phrase}: {what}"));
            }
            let said = said(kind);
            assert!(!said.phrases.is_empty(), "{kind}");
            assert_eq!(said.phrases.len() + said.unless.len(), phrases.len(), "{kind}");
        }
    }
}
