//! Telephone numbers in URIs (RFC 3966), whichever scheme they come in.

use crate::text;
use crate::uri::{Scheme, Uri};

/// A telephone number: `tel:+44-20-7946-0000;ext=12`, `sip:+442079460000;ext=12@carrier.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telephone {
    /// Digits, with `+` before a global number, without visual separators.
    number: String,
    /// `;ext`.
    extension: Option<String>,
    /// `;phone-context`: within what a local number holds. Lower case.
    context: Option<String>,
}

impl Telephone {
    /// The number that a URI names; `None` when it names something else.
    pub fn of(uri: &Uri) -> Option<Telephone> {
        let plain = |text: &str| text::unescape(text).into_owned();
        let (digits, params): (String, Vec<(String, String)>) = match uri.scheme() {
            Scheme::Tel => {
                let params = uri.params().map(|(name, value)| (plain(name), plain(value.unwrap_or_default())));
                (plain(uri.user()?), params.collect())
            }
            Scheme::Sip | Scheme::Sips => {
                let user = uri.user_text()?;
                let mut parts = user.split(';');
                let digits = parts.next()?.to_owned();
                let pair = |part: &str| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
                (digits, parts.filter_map(pair).collect())
            }
            Scheme::Other(_) => return None,
        };
        let number = number(&digits)?;
        let param = |wanted: &str| params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let extension = param("ext").map(|(_, value)| without_separators(value));
        let context = param("phone-context").map(|(_, value)| value.to_ascii_lowercase());
        // A global number holds everywhere.
        let context = context.filter(|_| !number.starts_with('+'));
        Some(Telephone { number, extension, context })
    }

    /// As `tel:`; `None` for a local number that does not say where it holds (RFC 3966 §5.1.5).
    pub fn tel(&self) -> Option<Uri> {
        if !self.number.starts_with('+') && self.context.is_none() {
            return None;
        }
        Uri::parse(&format!("tel:{}", self.with_params())).ok()
    }

    /// As `sip:`, at this host (RFC 3261 §19.1.6).
    pub fn sip_at(&self, host: &str) -> Option<Uri> {
        Uri::parse(&format!("sip:{}@{host};user=phone", self.with_params())).ok()
    }

    fn with_params(&self) -> String {
        let mut text = self.number.clone();
        for (name, value) in [("ext", &self.extension), ("phone-context", &self.context)] {
            if let Some(value) = value {
                text += &format!(";{name}={}", text::escape_param(value));
            }
        }
        text
    }
}

fn without_separators(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect()
}

/// `+` and digits, or what a telephone has keys for; not a name that happens to begin with a digit.
fn number(text: &str) -> Option<String> {
    let number = without_separators(text);
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let key = |octet: u8| octet.is_ascii_digit() || (!number.starts_with('+') && matches!(octet, b'*' | b'#'));
    let good = digits.bytes().any(|octet| octet.is_ascii_digit()) && digits.bytes().all(key);
    good.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str) -> Option<Telephone> {
        Telephone::of(&Uri::parse(uri).expect("a URI"))
    }

    #[test]
    fn visual_separators_and_schemes_make_no_difference() {
        let number = of("tel:+442079460000");
        assert!(number.is_some());
        for same in
            ["tel:+44-20-7946-0000", "TEL:+44.20(7946)0000", "sip:+442079460000@h;user=phone", "sips:%2B442079460000@h"]
        {
            assert_eq!(of(same), number, "{same}");
        }
        for other in ["tel:+442079460001", "tel:442079460000", "tel:+442079460000;ext=1"] {
            assert_ne!(of(other), number, "{other}");
        }
        for none in ["sip:alice@h", "sip:7even@h", "sip:h", "tel:+", "sip:+44*1@h", "urn:service:sos"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn extension_and_context_are_kept_and_compared() {
        let inside = of("tel:7042;phone-context=Example.com;ext=1-2");
        assert_eq!(inside, of("tel:70-42;ext=12;phone-context=example.com"));
        assert_ne!(inside, of("tel:7042;ext=12;phone-context=example.org"));
        let inside = inside.expect("a number");
        assert_eq!(inside.tel().expect("has a context").as_str(), "tel:7042;ext=12;phone-context=example.com");
        let at = inside.sip_at("carrier.example").expect("a URI");
        assert_eq!(at.as_str(), "sip:7042;ext=12;phone-context=example.com@carrier.example;user=phone");
        assert_eq!(Telephone::of(&at), Some(inside));
    }

    #[test]
    fn a_local_number_without_context_has_no_tel_form() {
        assert_eq!(of("sip:7042@pbx.example").expect("a number").tel(), None);
        let global = of("sip:+44-20-7946-0000@pbx.example").expect("a number");
        assert_eq!(global.tel().expect("global").as_str(), "tel:+442079460000");
    }
}
