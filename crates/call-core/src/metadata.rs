//! What a consult INVITE says about a handoff beside the SDP (RFC 7433 User-to-User, RFC 3261 §20.9 Call-Info), as the
//! desk's profile wants it, and what is left out when something would become too long.
//!
//! SIP carries a public name and three small facts; the package itself goes over HTTPS.

use crate::leg::HandoffFacts;
use crate::profile::{DiscriminatorIn, Encoding, Layout, Profile, ReferToCarries, UserToUser};
use call_model::{HandoffId, Resumed};
use core::fmt::Write as _;
use sip_wire::Uri;
use sip_wire::text::is_token;

/// The longest request we send over UDP, octets: RFC 3261 §18.1.1 (path MTU unknown).
pub(crate) const UDP_LIMIT: usize = sip_proto::MAX_DATAGRAM;

/// The longest `X-Handoff-Notes`, octets.
const NOTES_LIMIT: usize = 200;

/// `Content-Type` of the optional JSON part.
pub(crate) const JSON_TYPE: &str = "application/vnd.warmline.handoff+json";

/// What travels with a consult INVITE, most valuable first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Metadata {
    pub(crate) headers: Vec<(String, String)>,
    /// `Content-ID` and content of the JSON part.
    pub(crate) part: Option<(String, Vec<u8>)>,
    /// What the profile would have carried and has no room for, in words.
    pub(crate) left_out: Vec<String>,
}

/// What is to be said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'a> {
    pub(crate) facts: &'a HandoffFacts,
    /// Where packages are fetched; the handoff id is appended.
    pub(crate) url_base: Option<&'a str>,
    /// Whether the desk wants the JSON part, if its profile allows it.
    pub(crate) multipart: bool,
    /// Only headers that every peer ignores at worst: the rich form was refused.
    pub(crate) plain: bool,
    /// For the `Content-ID`.
    pub(crate) host: &'a str,
}

impl Metadata {
    /// Everything there is to say and the profile has room for.
    pub(crate) fn new(profile: &Profile, content: Content<'_>) -> Self {
        let mut metadata = Self::default();
        let facts = content.facts;
        metadata.add_user_to_user(profile.user_to_user.as_ref(), facts);
        let url = content.url_base.map(|base| format!("{base}{}", facts.id));
        let url = url.filter(|url| url.len() <= profile.budgets.header && is_value(url));
        let named = &profile.headers;
        metadata.add(profile, named.id.as_deref(), facts.id.to_string());
        metadata.add(profile, named.trigger.as_deref(), facts.trigger.to_string());
        metadata.add(profile, named.score.as_deref(), facts.score.min(100).to_string());
        if let Some(url) = &url {
            metadata.add(profile, named.url.as_deref(), url.clone());
        }
        if !content.plain {
            if content.multipart && profile.multipart {
                metadata.part = Some((format!("{}@{}", facts.id, content.host), json(facts)));
            }
            if profile.call_info {
                metadata.add_call_info(url);
            }
        }
        metadata.keep_within(profile.budgets.headers);
        metadata
    }

    /// Drops what is worth least until all of it takes at most `room` octets: the JSON part, then headers from the last.
    /// The first says most in fewest words and always stays. Gives what was dropped.
    pub(crate) fn fit(&mut self, room: usize) -> Vec<String> {
        let mut dropped = Vec::new();
        if self.size() > room && self.part.take().is_some() {
            dropped.push("JSON part".to_owned());
            self.drop_cid();
        }
        while self.size() > room && self.headers.len() > 1 {
            dropped.extend(self.headers.pop().map(|(name, _)| name));
        }
        dropped
    }

    fn add_user_to_user(&mut self, uui: Option<&UserToUser>, facts: &HandoffFacts) {
        let Some(uui) = uui else { return };
        let (value, without) = uui.value(facts);
        self.left_out.extend(without.iter().map(|fact| format!("{fact} in {}", uui.header)));
        match value.filter(|value| is_value(value) && is_token(&uui.header)) {
            Some(value) => self.headers.push((uui.header.clone(), value)),
            None => self.left_out.push(uui.header.clone()),
        }
    }

    /// One header, never a second of the same name.
    fn add(&mut self, profile: &Profile, name: Option<&str>, value: String) {
        let Some(name) = name else { return };
        let taken = self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if taken || value.len() > profile.budgets.header || !is_token(name) || !is_value(&value) {
            return self.left_out.push(name.to_owned());
        }
        self.headers.push((name.to_owned(), value));
    }

    fn add_call_info(&mut self, url: Option<String>) {
        let cid = self.part.as_ref().map(|(id, _)| format!("<cid:{id}>;purpose=info"));
        let link = url.map(|url| format!("<{url}>;purpose=info"));
        let infos: Vec<String> = cid.into_iter().chain(link).collect();
        if !infos.is_empty() {
            self.headers.push(("Call-Info".to_owned(), infos.join(", ")));
        }
    }

    /// Drops headers from the last until the lines fit; not one is cut.
    fn keep_within(&mut self, budget: usize) {
        while lines(&self.headers) > budget {
            self.left_out.extend(self.headers.pop().map(|(name, _)| name));
        }
    }

    /// Octets it adds to a message: header lines; a part with its headers and the two boundaries.
    fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        headers + self.part.as_ref().map_or(0, |(id, bytes)| bytes.len() + id.len() + 320)
    }

    /// Without the part nothing may point at it.
    fn drop_cid(&mut self) {
        self.headers.retain_mut(|(name, value)| {
            if name == "Call-Info" {
                *value = value.split(", ").filter(|info| !info.starts_with("<cid:")).collect::<Vec<_>>().join(", ");
            }
            !value.is_empty()
        });
    }
}

/// What a SIP bot that gets a caller back is told, as far as `room` octets go: which handoff, how it ended, what the human
/// left.
pub(crate) fn resumed(resumed: &Resumed, room: usize) -> Vec<(String, String)> {
    let all = [
        ("X-Handoff-Id", resumed.handoff.to_string()),
        ("X-Handoff-Resumed", resumed.how.to_owned()),
        ("X-Handoff-Notes", percent_encoded(&resumed.notes, NOTES_LIMIT)),
    ];
    let mut left = room;
    let fits = |(name, value): &(&str, String)| {
        let takes = name.len() + value.len() + 4;
        let there = !value.is_empty() && takes <= left;
        left -= if there { takes } else { 0 };
        there
    };
    all.into_iter().filter(fits).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The text in at most `most` octets of printable ASCII; all else, and the percent sign, as %XX of its UTF-8. Whole
/// characters only.
fn percent_encoded(text: &str, most: usize) -> String {
    let mut value = String::new();
    for character in text.chars() {
        let before = value.len();
        if (' '..='~').contains(&character) && character != '%' {
            value.push(character);
        } else {
            let mut octets = [0; 4];
            for octet in character.encode_utf8(&mut octets).bytes() {
                write!(value, "%{octet:02X}").expect("writing to a String cannot fail");
            }
        }
        if value.len() > most {
            value.truncate(before);
            break;
        }
    }
    value.trim().to_owned()
}

/// Octets of the lines, without line ends: what products count.
fn lines(headers: &[(String, String)]) -> usize {
    headers.iter().map(|(name, value)| name.len() + 2 + value.len()).sum()
}

/// Nothing in it can end a header line or begin another, whatever the configuration said.
fn is_value(text: &str) -> bool {
    text.bytes().all(|octet| (0x20..0x7f).contains(&octet))
}

/// `target`, which names the dialog to replace already, with what the profile wants whoever calls it to pass on.
/// Also gives what there was no room for.
pub(crate) fn refer_to(profile: &Profile, target: Uri, facts: &HandoffFacts) -> (Uri, Vec<String>) {
    if profile.refer_to == ReferToCarries::Nothing {
        return (target, Vec::new());
    }
    let plain = Profile { call_info: false, ..profile.clone() };
    let content = Content { facts, url_base: None, multipart: false, plain: true, host: "" };
    let Metadata { headers, mut left_out, .. } = Metadata::new(&plain, content);
    let uui = profile.user_to_user.as_ref().map(|uui| uui.header.as_str());
    let mut uri = target;
    for (name, value) in headers {
        if profile.refer_to == ReferToCarries::UserToUser && Some(name.as_str()) != uui {
            continue;
        }
        let longer = uri.with_header(&name, &value);
        let part = longer.as_str().len() - longer.without_headers().as_str().len();
        if part <= profile.budgets.refer_to {
            uri = longer;
        } else {
            left_out.push(name);
        }
    }
    (uri, left_out)
}

impl UserToUser {
    /// The header's value, and which facts it has no room for. None: not even the id fits.
    fn value(&self, facts: &HandoffFacts) -> (Option<String>, Vec<&'static str>) {
        let HandoffFacts { id, trigger, score } = facts;
        let texts = [
            (format!("v1;h={id};t={trigger};s={}", score.min(&100)), vec![]),
            (format!("v1;h={id};t={trigger}"), vec!["the score"]),
            (format!("v1;h={id}"), vec!["the trigger", "the score"]),
        ];
        for (text, without) in texts {
            let octets = self.octets(*id, &text);
            if octets.len() <= self.max_octets {
                return (Some(self.written(&octets)), without);
            }
        }
        (None, Vec::new())
    }

    fn octets(&self, id: HandoffId, text: &str) -> Vec<u8> {
        let mut octets = Vec::with_capacity(text.len() + 16);
        if self.discriminator_in == DiscriminatorIn::FirstOctet {
            octets.push(self.discriminator);
        }
        if self.layout == Layout::AvayaShared {
            octets.extend([0xfa, 8]);
            octets.extend(universal_call_id(id));
            octets.extend([0xc8, u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        }
        octets.extend(text.bytes());
        octets
    }

    fn written(&self, octets: &[u8]) -> String {
        let mut value = String::with_capacity(2 * octets.len() + 32);
        match self.encoding {
            Encoding::Hex => push_hex(&mut value, octets),
            Encoding::Ascii => value.push_str(&sip_wire::text::quote(&String::from_utf8_lossy(octets))),
        }
        if self.discriminator_in == DiscriminatorIn::Parameter {
            value.push_str(";pd=");
            push_hex(&mut value, &[self.discriminator]);
        }
        if self.encoding_parameter {
            value.push_str(match self.encoding {
                Encoding::Hex => ";encoding=hex",
                Encoding::Ascii => ";encoding=ascii",
            });
        }
        for (name, parameter) in [("purpose", &self.purpose), ("content", &self.content)] {
            if let Some(parameter) = parameter {
                write!(value, ";{name}={parameter}").expect("writing to a String cannot fail");
            }
        }
        value
    }
}

fn push_hex(text: &mut String, octets: &[u8]) {
    for octet in octets {
        write!(text, "{octet:02X}").expect("writing to a String cannot fail");
    }
}

/// Avaya's universal call id: network node, sequence number, seconds since 1970. Made from the handoff id, so that a
/// repeated INVITE names the same call. Node 0 is nobody's.
fn universal_call_id(id: HandoffId) -> [u8; 8] {
    let seconds = ((id.0 >> 80) / 1000) as u32;
    let node = ((id.0 >> 16) as u16 & 0x7fff).max(1);
    let sequence = id.0 as u16;
    let mut octets = [0; 8];
    octets[..2].copy_from_slice(&node.to_be_bytes());
    octets[2..4].copy_from_slice(&sequence.to_be_bytes());
    octets[4..].copy_from_slice(&seconds.to_be_bytes());
    octets
}

/// The facts as JSON. Nothing in them needs escaping: ids, tokens and numbers.
fn json(facts: &HandoffFacts) -> Vec<u8> {
    let (id, trigger, score) = (facts.id, facts.trigger, facts.score.min(100));
    format!(r#"{{"v":1,"handoff":"{id}","trigger":"{trigger}","score":{score}}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;
    use call_model::Trigger;
    use proptest::prelude::*;

    fn facts() -> HandoffFacts {
        let id = "01JD4XK7Z9Q2M5R8T3V6W1Y4B7".parse().expect("the id of the standards' example");
        HandoffFacts { id, trigger: "distress", score: 87 }
    }

    const URL: Option<&str> = Some("https://ctx.example.com/h/");

    fn content(facts: &HandoffFacts) -> Content<'_> {
        Content { facts, url_base: URL, multipart: true, plain: false, host: "gw.example.com" }
    }

    fn names(metadata: &Metadata) -> Vec<&str> {
        metadata.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn value(uui: &UserToUser) -> Option<String> {
        uui.value(&facts()).0
    }

    #[test]
    fn user_to_user_is_byte_for_byte_that_of_the_standards_example() {
        assert_eq!(
            value(&UserToUser::default()).as_deref(),
            Some(
                "0476313B683D30314A4434584B375A3951324D355238543356365731593442373B743D64697374726573733B733D3837;encoding=hex"
            )
        );
    }

    #[test]
    fn the_discriminator_and_the_parameters_stand_where_the_profile_says() {
        let uui = UserToUser {
            discriminator_in: DiscriminatorIn::Parameter,
            purpose: Some("isdn-uui".to_owned()),
            content: Some("isdn-uui".to_owned()),
            ..UserToUser::default()
        };
        let written = value(&uui).expect("it fits");
        assert!(written.starts_with("76313B683D"), "{written}");
        assert!(written.ends_with(";pd=04;encoding=hex;purpose=isdn-uui;content=isdn-uui"), "{written}");

        let uui = UserToUser {
            discriminator_in: DiscriminatorIn::Nowhere,
            encoding: Encoding::Ascii,
            encoding_parameter: false,
            ..UserToUser::default()
        };
        assert_eq!(value(&uui).as_deref(), Some("\"v1;h=01JD4XK7Z9Q2M5R8T3V6W1Y4B7;t=distress;s=87\""));
    }

    #[test]
    fn what_user_to_user_has_no_room_for_is_left_out_from_its_end_and_never_cut() {
        let of = |max_octets| UserToUser { max_octets, ..UserToUser::default() }.value(&facts());
        assert_eq!(of(48).1, Vec::<&str>::new());
        assert_eq!(of(47).1, ["the score"]);
        assert_eq!(of(42).1, ["the trigger", "the score"]);
        assert!(of(32).0.is_some_and(|value| value.len() == 64 + ";encoding=hex".len()));
        assert_eq!(of(31), (None, vec![]));
    }

    #[test]
    fn the_plain_form_has_only_headers_that_every_peer_ignores_at_worst() {
        let plain = Metadata::new(&Profile::default(), Content { plain: true, ..content(&facts()) });
        assert_eq!(
            names(&plain),
            ["User-to-User", "X-Handoff-Id", "X-Handoff-Trigger", "X-Handoff-Score", "X-Handoff-Url"]
        );
        assert_eq!(plain.part, None);
    }

    #[test]
    fn what_is_worth_least_goes_first_and_user_to_user_never() {
        let rich = Metadata::new(&Profile::default(), content(&facts()));
        assert!(rich.headers[5].1.starts_with("<cid:"));
        let all = rich.size();
        let mut fits = rich.clone();
        assert_eq!(fits.fit(all), Vec::<String>::new());

        let mut tight = rich.clone();
        assert_eq!(tight.fit(all - 1), ["JSON part"]);
        assert!(tight.headers[5].1.starts_with("<https:"), "the cid: goes with the part it points at");

        let mut tiny = rich;
        assert_eq!(
            tiny.fit(0),
            ["JSON part", "Call-Info", "X-Handoff-Url", "X-Handoff-Score", "X-Handoff-Trigger", "X-Handoff-Id"]
        );
        assert_eq!(names(&tiny), ["User-to-User"]);
    }

    #[test]
    fn what_a_profile_has_no_room_for_is_told() {
        let cisco = profile::built_in("cisco").expect("shipped");
        let long = HandoffFacts { trigger: "failed_attempts", ..facts() };
        let metadata = Metadata::new(&cisco, content(&long));
        assert_eq!(names(&metadata), ["User-to-User", "X-Handoff-Id"]);
        assert_eq!(metadata.left_out, ["X-Handoff-Score", "X-Handoff-Trigger"]);
    }

    #[test]
    fn a_refer_to_carries_what_the_profile_says_and_no_more_than_it_has_room_for() {
        let target = Uri::parse("sip:d@h?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc&Require=replaces").expect("a URI");
        let of = |profile: &Profile| refer_to(profile, target.clone(), &facts());
        let generic = Profile::default();
        let (uri, left_out) = of(&generic);
        assert!(uri.as_str().ends_with("3B733D3837%3Bencoding%3Dhex"), "{uri}");
        assert_eq!((uri.header("X-Handoff-Id"), left_out), (None, vec![]));

        let (uri, _) = of(&Profile { refer_to: ReferToCarries::All, ..generic.clone() });
        assert_eq!(uri.header("X-Handoff-Score").as_deref(), Some("87"));
        assert_eq!(of(&Profile { refer_to: ReferToCarries::Nothing, ..generic.clone() }).0, target);

        let mut small = generic;
        small.budgets.refer_to = 100;
        assert_eq!(of(&small), (target.clone(), vec!["User-to-User".to_owned()]));
    }

    fn notes(notes: &str, room: usize) -> Vec<(String, String)> {
        let notes = notes.to_owned();
        resumed(&Resumed { handoff: facts().id, how: "handed_back", notes, summary: String::new() }, room)
    }

    #[test]
    fn a_bot_that_gets_a_caller_back_is_told_as_much_as_there_is_room_for() {
        let all = notes("Refund of 5 € done, 100% sure", 500);
        assert_eq!(all[0].1, facts().id.to_string());
        assert_eq!(all[1], ("X-Handoff-Resumed".to_owned(), "handed_back".to_owned()));
        assert_eq!(all[2].1, "Refund of 5 %E2%82%AC done, 100%25 sure");
        assert_eq!(notes("", 500).len(), 2);
        assert_eq!(notes("long", 80).len(), 2);
        assert_eq!(notes(&"€".repeat(300), 500)[2].1, "%E2%82%AC".repeat(22));
    }

    proptest! {
        #[test]
        fn whatever_a_human_writes_cannot_break_a_message(text in any::<String>(), room in 0_usize..600) {
            let headers = notes(&text, room);
            let size: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
            prop_assert!(size <= room);
            prop_assert!(headers.iter().all(|(_, value)| is_value(value) && value.len() <= NOTES_LIMIT));
        }
    }

    fn any_facts() -> impl Strategy<Value = HandoffFacts> {
        let triggers = Trigger::ALL.map(Trigger::as_str);
        (any::<u128>(), proptest::sample::select(triggers.to_vec()), any::<u8>())
            .prop_map(|(id, trigger, score)| HandoffFacts { id: HandoffId(id), trigger, score })
    }

    /// Built-in ones, and custom ones with small budgets and hostile text.
    fn any_profile() -> impl Strategy<Value = Profile> {
        let shipped: Vec<Profile> = profile::names().filter_map(profile::built_in).collect();
        (proptest::sample::select(shipped), 0_usize..300, 0_usize..900, 0_usize..1200, any::<[bool; 3]>(), ".{0,20}")
            .prop_map(|(mut profile, uui, headers, refer_to, custom, text)| {
                let [budgets, hostile, ascii] = custom;
                if budgets {
                    profile.budgets.headers = headers;
                    profile.budgets.refer_to = refer_to;
                }
                if let Some(known) = profile.user_to_user.as_mut().filter(|_| budgets) {
                    known.max_octets = uui;
                }
                if let Some(known) = profile.user_to_user.as_mut().filter(|_| ascii) {
                    known.encoding = Encoding::Ascii;
                }
                if hostile {
                    profile.headers.trigger = profile.headers.id.clone();
                    profile.headers.score = Some(format!("X-{text}\r\n"));
                    if let Some(known) = profile.user_to_user.as_mut() {
                        known.purpose = Some(text);
                    }
                }
                profile
            })
    }

    proptest! {
        #[test]
        fn whatever_is_said_stays_within_the_budgets_and_cannot_break_a_message(
            profile in any_profile(), facts in any_facts(), base in ".{0,260}", flags in any::<[bool; 3]>()
        ) {
            let [with_url, multipart, plain] = flags;
            let url_base = Some(base.as_str()).filter(|_| with_url);
            let metadata = Metadata::new(&profile, Content { facts: &facts, url_base, multipart, plain, host: "gw" });
            prop_assert!(lines(&metadata.headers) <= profile.budgets.headers);
            for (index, (name, value)) in metadata.headers.iter().enumerate() {
                prop_assert!(is_token(name) && is_value(value), "{name}: {value}");
                let again = metadata.headers[..index].iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
                prop_assert!(!again, "{name} twice");
            }
            if let Some(uui) = profile.user_to_user.as_ref().filter(|uui| uui.encoding == Encoding::Hex)
                && let Some((_, value)) = metadata.headers.iter().find(|(name, _)| *name == uui.header)
            {
                let hex = value.split(';').next().unwrap_or_default();
                prop_assert!(hex.len() % 2 == 0 && hex.len() / 2 <= uui.max_octets);
            }
            let target = Uri::parse("sip:desk@192.0.2.1?Replaces=x").expect("a URI");
            let (uri, _) = refer_to(&profile, target.clone(), &facts);
            let part = uri.as_str().len() - uri.without_headers().as_str().len();
            prop_assert!(uri == target || part <= profile.budgets.refer_to);
        }
    }
}
