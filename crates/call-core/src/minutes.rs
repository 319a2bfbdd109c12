//! Who takes part in what an external recorder records, and how it is told (RFC 7865).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call_model::{IdSource, LegId, Redacted};
use core::fmt::Write as _;

/// The content type of the metadata.
pub(crate) const TYPE: &str = "application/rs-metadata+xml";

/// Who takes part, since when and until when. The recorder is told all of it whenever something changes.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Minutes {
    /// When the recording began, in milliseconds since 1970; nothing before.
    began: u64,
    session: String,
    /// The caller's stream, and the other.
    streams: [String; 2],
    people: Vec<Person>,
}

#[derive(Clone, PartialEq, Debug)]
struct Person {
    leg: LegId,
    id: String,
    who: Who,
    since: u64,
    until: Option<u64>,
    /// On which stream they are heard now.
    heard: Option<usize>,
}

/// By what somebody is known to the recorder.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Who {
    /// The user part of their address.
    pub(crate) user: Redacted,
    /// Their name.
    pub(crate) name: Option<Redacted>,
}

impl Minutes {
    /// Nobody yet.
    pub(crate) fn begin(now: u64, ids: &mut IdSource) -> Self {
        Self { began: now, session: id(ids), streams: [id(ids), id(ids)], people: Vec::new() }
    }

    /// Takes down who is heard on which stream, and forgets nobody. Says whether anything is different.
    pub(crate) fn follow(
        &mut self,
        heard: &[(LegId, usize)],
        is_there: impl Fn(LegId) -> bool,
        who: impl Fn(LegId) -> Option<Who>,
        now: u64,
        ids: &mut IdSource,
    ) -> bool {
        let mut changed = false;
        for person in &mut self.people {
            let stream = heard.iter().find(|(leg, _)| *leg == person.leg).map(|(_, stream)| *stream);
            changed |= core::mem::replace(&mut person.heard, stream) != stream;
            if person.until.is_none() && !is_there(person.leg) {
                person.until = Some(now);
                changed = true;
            }
        }
        for (leg, stream) in heard {
            let known = self.people.iter().any(|person| person.leg == *leg);
            if let Some(who) = who(*leg).filter(|_| !known) {
                let id = id(ids);
                self.people.push(Person { leg: *leg, id, who, since: now, until: None, heard: Some(*stream) });
                changed = true;
            }
        }
        changed
    }

    /// All of it, as RFC 7865 §11 writes it. `host`: under which those are addressed who have no telephone number.
    pub(crate) fn xml(&self, session_id: &str, host: &str) -> Vec<u8> {
        let mut xml = String::with_capacity(2_048);
        let Self { session, streams, .. } = self;
        let began = time(self.began);
        xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        xml.push_str("<recording xmlns=\"urn:ietf:params:xml:ns:recording:1\">\n<datamode>complete</datamode>\n");
        let nobody = "0".repeat(32);
        // Writing to a String cannot fail.
        let _ = writeln!(
            xml,
            "<session session_id=\"{session}\"><sipSessionID>{session_id};remote={nobody}</sipSessionID>\
             <start-time>{began}</start-time></session>"
        );
        for Person { id, who, .. } in &self.people {
            let aor = escape(&aor(who.user.reveal(), host));
            let name =
                who.name.as_ref().map(|name| format!("<name>{}</name>", escape(name.reveal()))).unwrap_or_default();
            let _ = writeln!(
                xml,
                "<participant participant_id=\"{id}\"><nameID aor=\"{aor}\">{name}</nameID></participant>"
            );
        }
        for (stream, label) in streams.iter().zip(1..) {
            let _ = writeln!(
                xml,
                "<stream stream_id=\"{stream}\" session_id=\"{session}\"><label>{label}</label></stream>"
            );
        }
        let _ = writeln!(
            xml,
            "<sessionrecordingassoc session_id=\"{session}\"><associate-time>{began}</associate-time></sessionrecordingassoc>"
        );
        for Person { id, since, until, .. } in &self.people {
            let left =
                until.map(|at| format!("<disassociate-time>{}</disassociate-time>", time(at))).unwrap_or_default();
            let _ = writeln!(
                xml,
                "<participantsessionassoc participant_id=\"{id}\" session_id=\"{session}\">\
                 <associate-time>{}</associate-time>{left}</participantsessionassoc>",
                time(*since)
            );
        }
        for Person { id, heard, .. } in &self.people {
            let sends = heard.and_then(|stream| streams.get(stream)).map(|stream| format!("<send>{stream}</send>"));
            if let Some(sends) = sends {
                let _ =
                    writeln!(xml, "<participantstreamassoc participant_id=\"{id}\">{sends}</participantstreamassoc>");
            }
        }
        xml.push_str("</recording>\n");
        xml.into_bytes()
    }
}

/// A random UUID (RFC 9562) in Base64, as RFC 7865 §6.10 wants identifiers.
fn id(ids: &mut IdSource) -> String {
    let mut octets = [ids.next_u64().to_be_bytes(), ids.next_u64().to_be_bytes()].concat();
    octets[6] = octets[6] & 0x0f | 0x40;
    octets[8] = octets[8] & 0x3f | 0x80;
    STANDARD.encode(octets)
}

/// The address of somebody: that of a telephone, or of somebody here.
fn aor(user: &str, host: &str) -> String {
    let number = user.strip_prefix('+').unwrap_or(user);
    match user {
        crate::invite::ANONYMOUS => format!("sip:{user}@anonymous.invalid"),
        _ if user.starts_with('+') && !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("tel:{user}")
        }
        _ => format!("sip:{}@{host}", sip_wire::text::escape(user)),
    }
}

/// As content or value of an attribute; what no XML document may hold is left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

/// RFC 3339, in UTC.
fn time(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // From the 1st of March of the year 0, so that a leap day is the last of its year; 146,097 days in 400 years.
    let from_march = days + 719_468;
    let (era, day) = (from_march / 146_097, from_march % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_model::CallId;

    fn who(user: &str, name: Option<&str>) -> Option<Who> {
        Some(Who { user: Redacted::new(user), name: name.map(Redacted::new) })
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ms, date) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (1_795_250_000_000, "2026-11-21T08:33:20.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(time(ms), date);
        }
    }

    #[test]
    fn whoever_was_there_stays_in_the_minutes() {
        let mut ids = IdSource::from_u64(1);
        let leg = |index| LegId { call: CallId(7), index };
        let mut minutes = Minutes::begin(1_000, &mut ids);
        let names = |leg: LegId| if leg.index == 0 { who("+44", Some("A & <B>\u{1}")) } else { who("bot", None) };
        assert!(minutes.follow(&[(leg(0), 0), (leg(1), 1)], |_| true, names, 2_000, &mut ids));
        assert!(!minutes.follow(&[(leg(0), 0), (leg(1), 1)], |_| true, names, 3_000, &mut ids), "nothing new");
        assert!(minutes.follow(&[(leg(0), 0)], |leg| leg.index == 0, names, 4_000, &mut ids));
        let xml = String::from_utf8(minutes.xml("ab", "192.0.2.1")).unwrap();
        for there in [
            "aor=\"tel:+44\"><name>A &amp; &lt;B&gt;</name>",
            "aor=\"sip:bot@192.0.2.1\"></nameID>",
            "<associate-time>1970-01-01T00:00:02.000Z</associate-time><disassociate-time>1970-01-01T00:00:04.000Z<",
            "<label>1</label>",
            "<label>2</label>",
        ] {
            assert!(xml.contains(there), "{there} is not in {xml}");
        }
        assert_eq!(xml.matches("<send>").count(), 1, "{xml}");
    }

    #[test]
    fn a_private_caller_is_anonymous_and_nobody_breaks_out_of_an_address() {
        assert_eq!(aor("anonymous", "gw"), "sip:anonymous@anonymous.invalid");
        assert_eq!(aor("+", "gw"), "sip:%2B@gw");
        assert!(!aor("a@b\"c", "gw").contains("a@b"), "{}", aor("a@b\"c", "gw"));
    }
}
