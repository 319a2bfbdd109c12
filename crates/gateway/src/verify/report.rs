//! What a test call found out, for people as it happens and as one JSON object at the end.

use call_core::{Desk, HandoffFacts};
use serde_json::{Value, json};
use std::time::Duration;

/// How the test ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The digits typed are those sent.
    Arrived,
    /// The profile carries nothing that could be typed back; the call itself was fine.
    NothingCarried,
    /// The telephone refused the call.
    Refused,
    /// Nothing there speaks SIP to us.
    NotReached,
    /// It rang for too long, or only said that it tries.
    NoAnswer,
    /// Other digits were typed.
    Wrong,
    /// Answered, and no two digits were typed.
    NothingTyped,
    /// Answered, and hung up before that.
    HungUp,
}

impl Outcome {
    /// As `--help` says.
    pub(super) const fn exit_status(self) -> u8 {
        match self {
            Self::Arrived | Self::NothingCarried => 0,
            Self::Refused | Self::NotReached | Self::NoAnswer => 3,
            Self::Wrong | Self::NothingTyped | Self::HungUp => 4,
        }
    }

    const fn token(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::NothingCarried => "nothing_carried",
            Self::Refused => "refused",
            Self::NotReached => "not_reached",
            Self::NoAnswer => "no_answer",
            Self::Wrong => "wrong",
            Self::NothingTyped => "nothing_typed",
            Self::HungUp => "hung_up",
        }
    }
}

/// Everything found out.
pub(super) struct Report {
    name: String,
    uri: String,
    address: String,
    transport: &'static str,
    profile: String,
    id: String,
    trigger: &'static str,
    score: u8,
    /// One entry per INVITE: form, octets, header lines about the handoff.
    pub(super) sent: Vec<Value>,
    /// Answers: milliseconds after the INVITE, and status.
    pub(super) answers: Vec<Value>,
    pub(super) plain_taken: bool,
    pub(super) refer: Option<bool>,
    pub(super) replaces: Option<bool>,
    pub(super) codec: Option<&'static str>,
    pub(super) rtp_sent: u64,
    pub(super) rtp_received: u64,
    pub(super) rtp_lost: u64,
    pub(super) typed: String,
    pub(super) status: Option<u16>,
    /// A SIP message came from there.
    pub(super) heard: bool,
    pub(super) outcome: Outcome,
}

impl Report {
    pub(super) fn new(desk: &Desk, facts: &HandoffFacts) -> Self {
        let target = desk.targets.first();
        Self {
            name: desk.name.clone(),
            uri: desk.uri.clone(),
            address: target.map(|target| target.address.to_string()).unwrap_or_default(),
            transport: target.map_or("", |target| target.transport.via()),
            profile: desk.profile.name.clone(),
            id: facts.id.to_string(),
            trigger: facts.trigger,
            score: facts.score,
            sent: Vec::new(),
            answers: Vec::new(),
            plain_taken: false,
            refer: None,
            replaces: None,
            codec: None,
            rtp_sent: 0,
            rtp_received: 0,
            rtp_lost: 0,
            typed: String::new(),
            status: None,
            heard: false,
            outcome: Outcome::NotReached,
        }
    }

    pub(super) fn opening(&self, say: &mut impl FnMut(&str)) {
        say(&format!("desk      {} ({}), profile {}", self.name, self.uri, self.profile));
        say(&format!("address   {} over {}", self.address, self.transport));
        say(&format!("handoff   {} (a test), trigger {}", self.id, self.trigger));
    }

    pub(super) fn answered(&mut self, after: Duration, status: u16, what: &str, say: &mut impl FnMut(&str)) {
        say(&format!("answer    {status} {what} after {} ms", after.as_millis()));
        self.answers.push(json!({ "after_ms": after.as_millis() as u64, "status": status }));
        self.status = Some(status);
    }

    pub(super) fn closing(&self, say: &mut impl FnMut(&str)) {
        if let Some(codec) = self.codec {
            say(&format!(
                "audio     {codec}: {} packets sent, {} received, {} lost",
                self.rtp_sent, self.rtp_received, self.rtp_lost
            ));
            if self.rtp_received == 0 {
                say("          nothing was heard from there: check rtp.advertised, firewalls, and its own SDP");
            }
        }
        say(&format!("result    {}", self.verdict()));
    }

    fn verdict(&self) -> String {
        let Self { profile, score, typed, status, .. } = self;
        match self.outcome {
            Outcome::Arrived => format!("ARRIVED: the screen showed {score}, which only this INVITE knew"),
            Outcome::NothingCarried => format!(
                "ANSWERED, and nothing to prove: profile {profile} carries no score, so its users are told by the desk \
                 page alone"
            ),
            Outcome::Refused => match status {
                Some(404 | 484) => "REFUSED: it does not know the number; check the desk's sip setting".to_owned(),
                Some(401 | 403 | 407) => {
                    "REFUSED: it does not take calls from us; let it trust this machine's address".to_owned()
                }
                Some(415 | 420 | 488) => "REFUSED: the plain form too; compare its codecs and its profile".to_owned(),
                status => format!("REFUSED with {}", status.map_or("nothing".to_owned(), |status| status.to_string())),
            },
            Outcome::NotReached => {
                "NOT REACHED: nothing speaks SIP at that address; check host, port, transport and firewalls".to_owned()
            }
            Outcome::NoAnswer => "NO ANSWER: it was given up; let somebody answer, or raise --ring-s".to_owned(),
            Outcome::Wrong => format!(
                "DID NOT ARRIVE: {typed} was typed and {score} was sent; the screen shows something else than this \
                 INVITE's score (docs/contact-centres.md tells where to map it)"
            ),
            Outcome::NothingTyped => format!(
                "NOT PROVEN: {} typed in time; if the screen shows no score, see docs/contact-centres.md",
                if typed.is_empty() { "nothing was".to_owned() } else { format!("only {typed} was") }
            ),
            Outcome::HungUp => "NOT PROVEN: it hung up before the score was typed".to_owned(),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "desk": self.name,
            "uri": self.uri,
            "address": self.address,
            "transport": self.transport,
            "profile": self.profile,
            "handoff": self.id,
            "trigger": self.trigger,
            "sent": self.sent,
            "answers": self.answers,
            "plain_form_taken": self.plain_taken,
            "refer": self.refer,
            "replaces": self.replaces,
            "codec": self.codec,
            "rtp": { "sent": self.rtp_sent, "received": self.rtp_received, "lost": self.rtp_lost },
            "score_sent": self.score,
            "typed": self.typed,
            "outcome": self.outcome.token(),
            "said": self.verdict(),
        })
    }
}
