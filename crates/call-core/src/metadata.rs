//! What a consult INVITE says about a handoff beside the SDP (standards: RFC 7433 User-to-User, RFC 3261 §20.9
//! Call-Info), and what is left out first when a datagram would become too long.
//!
//! SIP carries a public name and three small facts; the package itself goes over HTTPS.

use crate::leg::HandoffFacts;
use core::fmt::Write as _;

/// The longest request we send over UDP, octets: RFC 3261 §18.1.1 (path MTU unknown).
pub(crate) const UDP_LIMIT: usize = 1300;

/// `Content-Type` of the optional JSON part.
pub(crate) const JSON_TYPE: &str = "application/vnd.warmline.handoff+json";

/// What travels with a consult INVITE, most valuable first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Metadata {
    pub(crate) headers: Vec<(String, String)>,
    /// `Content-ID` and content of the JSON part.
    pub(crate) part: Option<(String, Vec<u8>)>,
}

/// The value of `User-to-User`: protocol discriminator 04 (IA5 characters) and the facts, in hexadecimal.
pub(crate) fn user_to_user(facts: &HandoffFacts) -> String {
    let text = format!("v1;h={};t={};s={}", facts.id, facts.trigger, facts.score.min(100));
    let mut value = String::with_capacity(2 * text.len() + 20);
    value.push_str("04");
    for byte in text.bytes() {
        write!(value, "{byte:02X}").expect("writing to a String cannot fail");
    }
    value.push_str(";encoding=hex");
    value
}

impl Metadata {
    /// Everything there is to say. `plain`: headers that every peer ignores at worst. `host`: for the `Content-ID`.
    pub(crate) fn new(facts: &HandoffFacts, url_base: Option<&str>, multipart: bool, plain: bool, host: &str) -> Self {
        let mut headers = vec![
            ("User-to-User".to_owned(), user_to_user(facts)),
            ("X-Handoff-Id".to_owned(), facts.id.to_string()),
            ("X-Handoff-Trigger".to_owned(), facts.trigger.to_string()),
            ("X-Handoff-Score".to_owned(), facts.score.min(100).to_string()),
        ];
        let url = url_base.map(|base| format!("{base}{}", facts.id)).filter(|url| url.len() <= 200);
        let part = (multipart && !plain).then(|| (format!("{}@{host}", facts.id), json(facts)));
        if let Some(url) = &url {
            headers.push(("X-Handoff-Url".to_owned(), url.clone()));
        }
        if !plain {
            let cid = part.as_ref().map(|(id, _)| format!("<cid:{id}>;purpose=info"));
            let link = url.map(|url| format!("<{url}>;purpose=info"));
            let infos: Vec<String> = cid.into_iter().chain(link).collect();
            if !infos.is_empty() {
                headers.push(("Call-Info".to_owned(), infos.join(", ")));
            }
        }
        Self { headers, part }
    }

    /// Drops what is worth least until all of it takes at most `room` octets: the JSON part, Call-Info, the URL, the
    /// score, the trigger, the id. User-to-User says the same in fewer words and always stays. Gives what was dropped.
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

/// The facts as JSON. Nothing in them needs escaping: ids, tokens and numbers.
fn json(facts: &HandoffFacts) -> Vec<u8> {
    let (id, trigger, score) = (facts.id, facts.trigger, facts.score.min(100));
    format!(r#"{{"v":1,"handoff":"{id}","trigger":"{trigger}","score":{score}}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_model::Trigger;

    fn facts() -> HandoffFacts {
        let id = "01JD4XK7Z9Q2M5R8T3V6W1Y4B7".parse().expect("the id of the standards' example");
        HandoffFacts { id, trigger: Trigger::Distress, score: 87 }
    }

    fn names(metadata: &Metadata) -> Vec<&str> {
        metadata.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn user_to_user_is_byte_for_byte_that_of_the_standards_example() {
        assert_eq!(
            user_to_user(&facts()),
            "0476313B683D30314A4434584B375A3951324D355238543356365731593442373B743D64697374726573733B733D3837;encoding=hex"
        );
    }

    #[test]
    fn the_plain_form_has_only_headers_that_every_peer_ignores_at_worst() {
        let plain = Metadata::new(&facts(), Some("https://ctx.example.com/h/"), true, true, "gw");
        assert_eq!(
            names(&plain),
            ["User-to-User", "X-Handoff-Id", "X-Handoff-Trigger", "X-Handoff-Score", "X-Handoff-Url"]
        );
        assert_eq!(plain.part, None);
    }

    #[test]
    fn what_is_worth_least_goes_first_and_user_to_user_never() {
        let rich = Metadata::new(&facts(), Some("https://ctx.example.com/h/"), true, false, "gw.example.com");
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
}
