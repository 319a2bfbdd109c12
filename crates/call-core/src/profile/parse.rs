//! TOML to a profile. Walks the tables by hand, so that one reading finds every mistake.

use super::{
    Ability, Budgets, DiscriminatorIn, Encoding, FactHeaders, Layout, Profile, ReferToCarries, ReferToScheme,
    UserToUser,
};
use crate::config::AcceptGate;
use core::fmt;
use sip_wire::text::is_token;
use std::collections::BTreeSet;
use toml::{Table, Value};

const MAX_FILE: usize = 1 << 16;
/// RFC 7433 leaves it open; no product is known to take more.
const MAX_UUI: i64 = 256;

/// Something wrong with a profile file: where, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    /// Such as `user_to_user.encoding` or `line 12`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

impl core::error::Error for Complaint {}

pub(super) fn profile(text: &str) -> Result<Profile, Vec<Complaint>> {
    let complain = |path: &str, text: String| vec![Complaint { path: path.to_owned(), text }];
    if text.len() > MAX_FILE {
        return Err(complain("file", format!("has {} octets; a profile has at most {MAX_FILE}", text.len())));
    }
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.as_bytes()[..at].iter().filter(|octet| **octet == b'\n').count() + 1;
        complain(&format!("line {line}"), format!("not TOML: {}", error.message()))
    })?;
    let mut complaints = Vec::new();
    let profile = Reader { path: String::new(), table, complaints: &mut complaints }.profile();
    if complaints.is_empty() { Ok(profile) } else { Err(complaints) }
}

/// Takes fields out of one table; what is left over at the end is unknown.
struct Reader<'a> {
    path: String,
    table: Table,
    complaints: &'a mut Vec<Complaint>,
}

impl Reader<'_> {
    fn profile(mut self) -> Profile {
        let default = Profile::default();
        let name = self.name();
        let user_to_user = self.section("user_to_user").map(Reader::user_to_user).unwrap_or(default.user_to_user);
        let (headers, call_info) = match self.section("headers") {
            Some(section) => section.headers(),
            None => (default.headers, default.call_info),
        };
        let budgets = self.section("budgets").map_or(default.budgets, Reader::budgets);
        let multipart = self.flag("multipart", default.multipart);
        let carries = [
            ("nothing", ReferToCarries::Nothing),
            ("user-to-user", ReferToCarries::UserToUser),
            ("all", ReferToCarries::All),
        ];
        let abilities = [("learn", Ability::Learn), ("yes", Ability::Yes), ("no", Ability::No)];
        let refer_to = self.one_of("refer_to", &carries, default.refer_to);
        let schemes = [("sip", ReferToScheme::Sip), ("tel", ReferToScheme::Tel)];
        let refer_to_scheme = self.one_of("refer_to_scheme", &schemes, default.refer_to_scheme);
        let refer = self.one_of("refer", &abilities, default.refer);
        let replaces = self.one_of("replaces", &abilities, default.replaces);
        let gates = [("key", AcceptGate::KeyOrPage), ("auto", AcceptGate::Auto)];
        let accept = self.one_of("accept", &gates, default.accept);
        let whisper = self.flag("whisper", default.whisper);
        let user_phone = self.flag("user_phone", default.user_phone);
        self.distinct(user_to_user.as_ref(), &headers);
        self.finish();
        Profile {
            name,
            user_to_user,
            headers,
            call_info,
            multipart,
            budgets,
            refer_to,
            refer_to_scheme,
            refer,
            replaces,
            accept,
            whisper,
            user_phone,
        }
    }

    fn name(&mut self) -> String {
        let fits =
            |name: &str| (1..=40).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match self.table.remove("name") {
            Some(Value::String(name)) if fits(&name) => return name,
            Some(_) => self.complain("name", "use 1 to 40 of a-z, 0-9 and -, for it appears in traces"),
            None => self.complain("name", "is missing: write for example name = \"my-contact-centre\""),
        }
        String::new()
    }

    /// None: the section says that the header is not sent.
    fn user_to_user(mut self) -> Option<UserToUser> {
        let default = UserToUser::default();
        let header = self.header_name("header", Some(default.header));
        let places = [
            ("octet", DiscriminatorIn::FirstOctet),
            ("parameter", DiscriminatorIn::Parameter),
            ("nowhere", DiscriminatorIn::Nowhere),
        ];
        let uui = UserToUser {
            header: header.clone().unwrap_or_default(),
            discriminator: self.octet("discriminator", default.discriminator),
            discriminator_in: self.one_of("discriminator_in", &places, default.discriminator_in),
            encoding: self.one_of("encoding", &[("hex", Encoding::Hex), ("ascii", Encoding::Ascii)], default.encoding),
            encoding_parameter: self.flag("encoding_parameter", default.encoding_parameter),
            purpose: self.token("purpose"),
            content: self.token("content"),
            layout: self.one_of(
                "layout",
                &[("plain", Layout::Plain), ("avaya-shared", Layout::AvayaShared)],
                default.layout,
            ),
            max_octets: self.size("max_octets", 32..=MAX_UUI, default.max_octets),
        };
        if uui.encoding == Encoding::Ascii && uui.discriminator_in == DiscriminatorIn::FirstOctet {
            let what =
                "ascii cannot write a first octet below 20: set discriminator_in to \"parameter\" or \"nowhere\"";
            self.complain("encoding", what);
        }
        if uui.encoding == Encoding::Ascii && uui.layout == Layout::AvayaShared {
            self.complain("layout", "avaya-shared holds binary octets: it needs encoding = \"hex\"");
        }
        self.finish();
        header.map(|_| uui)
    }

    fn headers(mut self) -> (FactHeaders, bool) {
        let default = Profile::default();
        let headers = FactHeaders {
            id: self.header_name("id", default.headers.id),
            trigger: self.header_name("trigger", default.headers.trigger),
            score: self.header_name("score", default.headers.score),
            url: self.header_name("url", default.headers.url),
        };
        let call_info = self.flag("call_info", default.call_info);
        self.finish();
        (headers, call_info)
    }

    fn budgets(mut self) -> Budgets {
        let default = Budgets::default();
        let budgets = Budgets {
            header: self.size("max_header", 32..=4096, default.header),
            headers: self.size("max_headers", 32..=16_384, default.headers),
            refer_to: self.size("max_refer_to", 0..=8192, default.refer_to),
        };
        self.finish();
        budgets
    }

    /// A repeated header is what most products cannot read.
    fn distinct(&mut self, uui: Option<&UserToUser>, headers: &FactHeaders) {
        let FactHeaders { id, trigger, score, url } = headers;
        let named = [("id", id), ("trigger", trigger), ("score", score), ("url", url)];
        let mut seen: BTreeSet<String> = uui.map(|uui| uui.header.to_ascii_lowercase()).into_iter().collect();
        for (fact, name) in named {
            if let Some(name) = name
                && !seen.insert(name.to_ascii_lowercase())
            {
                self.complain(&format!("headers.{fact}"), format!("{name} is used twice: products read one value"));
            }
        }
    }

    fn section(&mut self, field: &str) -> Option<Reader<'_>> {
        match self.table.remove(field)? {
            Value::Table(table) => Some(Reader { path: format!("{field}."), table, complaints: &mut *self.complaints }),
            other => {
                self.wrong(field, &format!("a section: [{field}]"), &other);
                None
            }
        }
    }

    /// A header's name; an empty text says that there is none.
    fn header_name(&mut self, field: &str, default: Option<String>) -> Option<String> {
        match self.table.remove(field) {
            None => default,
            Some(Value::String(name)) if name.is_empty() => None,
            Some(Value::String(name)) if is_ours_to_use(&name) => Some(name),
            Some(Value::String(name)) => {
                let what = "may not be used: write User-to-User, a name that begins with X- or P-, or \"\" for none";
                self.complain(field, format!("`{name}` {what}"));
                None
            }
            Some(other) => {
                self.wrong(field, "a header's name in quotes", &other);
                None
            }
        }
    }

    fn token(&mut self, field: &str) -> Option<String> {
        match self.table.remove(field)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) if is_token(&text) => Some(text),
            other => {
                self.wrong(field, "one word without blanks, in quotes", &other);
                None
            }
        }
    }

    fn octet(&mut self, field: &str, default: u8) -> u8 {
        match self.table.remove(field) {
            None => default,
            Some(Value::String(text)) if text.len() == 2 && u8::from_str_radix(&text, 16).is_ok() => {
                u8::from_str_radix(&text, 16).unwrap_or(default)
            }
            Some(other) => {
                self.wrong(field, "two hexadecimal digits in quotes, such as \"04\"", &other);
                default
            }
        }
    }

    fn size(&mut self, field: &str, range: core::ops::RangeInclusive<i64>, default: usize) -> usize {
        match self.table.remove(field) {
            None => default,
            Some(Value::Integer(size)) if range.contains(&size) => usize::try_from(size).unwrap_or(default),
            Some(other) => {
                self.wrong(field, &format!("a number from {} to {}", range.start(), range.end()), &other);
                default
            }
        }
    }

    fn flag(&mut self, field: &str, default: bool) -> bool {
        match self.table.remove(field) {
            None => default,
            Some(Value::Boolean(flag)) => flag,
            Some(other) => {
                self.wrong(field, "true or false", &other);
                default
            }
        }
    }

    fn one_of<T: Copy>(&mut self, field: &str, words: &[(&str, T)], default: T) -> T {
        let value = match self.table.remove(field) {
            None => return default,
            Some(value) => value,
        };
        if let Some((_, meant)) = words.iter().find(|(word, _)| value.as_str() == Some(word)) {
            return *meant;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.wrong(field, &format!("one of {} in quotes", known.join(", ")), &value);
        default
    }

    fn wrong(&mut self, field: &str, wanted: &str, got: &Value) {
        self.complain(field, format!("is {got}, should be {wanted}"));
    }

    fn complain(&mut self, field: &str, text: impl Into<String>) {
        self.complaints.push(Complaint { path: format!("{}{field}", self.path), text: text.into() });
    }

    fn finish(mut self) {
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for field in unknown {
            self.complain(&field, "is not a setting of a profile: config/profiles/generic-pbx.toml lists them all");
        }
    }
}

/// A profile must not be able to forge what SIP itself needs, nor what says who calls.
fn is_ours_to_use(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let identity = ["p-asserted-identity", "p-preferred-identity", "x-call-id"];
    is_token(name)
        && name.len() <= 64
        && (lower == "user-to-user" || lower.starts_with("x-") || lower.starts_with("p-"))
        && !identity.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_in_the_generic_profile() {
        let profile = Profile::parse("name = \"mine\"\nuser_phone = true").expect("valid");
        assert_eq!(profile, Profile { name: "mine".to_owned(), user_phone: true, ..Profile::default() });
    }

    #[test]
    fn an_empty_name_says_that_a_header_is_not_sent() {
        let text = "name = \"mine\"\n[user_to_user]\nheader = \"\"\n[headers]\nurl = \"\"\nid = \"P-Id\"";
        let profile = Profile::parse(text).expect("valid");
        assert_eq!((profile.user_to_user, profile.headers.url), (None, None));
        assert_eq!(profile.headers.id.as_deref(), Some("P-Id"));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let complaints = Profile::parse(
            r#"
            name = "two words"
            colour = "red"
            multipart = "no"
            refer = "perhaps"
            budgets = 3
            [user_to_user]
            header = "Via"
            discriminator = "4"
            encoding = "ascii"
            layout = "avaya-shared"
            max_octets = 4
            purpose = "a b"
            [headers]
            id = "X-A\r\nEvil: 1"
            trigger = "X-Same"
            score = "x-same"
            shade = 1
            "#,
        )
        .expect_err("all wrong");
        let told: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        for path in [
            "name:",
            "colour: is not a setting",
            "multipart: is \"no\", should be true or false",
            "refer: is \"perhaps\", should be one of learn, yes, no",
            "budgets: is 3, should be a section",
            "user_to_user.header: `Via` may not be used",
            "user_to_user.discriminator:",
            "user_to_user.encoding: ascii cannot write a first octet",
            "user_to_user.layout:",
            "user_to_user.max_octets: is 4, should be a number from 32 to 256",
            "user_to_user.purpose:",
            "headers.id:",
            "headers.score: x-same is used twice",
            "headers.shade:",
        ] {
            assert!(told.iter().any(|told| told.starts_with(path)), "{path} missing in {told:#?}");
        }
        assert_eq!(told.len(), 14, "{told:#?}");
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let complaints = Profile::parse("name = \"a\"\nrefer = = 1").expect_err("no TOML");
        assert_eq!(complaints[0].path, "line 2");
    }
}
