//! What contact-centre products make of the INVITE they receive, byte by byte, and what their agent sees: emulators for
//! tests, written from the products' documentation (each file names it).
//!
//! They can fail: each refuses, discards or cuts what its documentation says it does, and the tests hand each of them
//! a wrong INVITE for every such rule.

pub mod amazon_connect;
pub mod avaya;
pub mod cisco;
pub mod five9;
pub mod generic;
pub mod genesys;
pub mod microsoft_teams;
pub mod nice_cxone;
pub mod raw;
pub mod twilio;
mod uui;

pub use raw::Request;

/// A call that the product does not take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The SIP status it answers.
    pub status: u16,
    /// In a reader's words.
    pub why: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }
}

/// What the agent, or the script that fills the agent's screen, is given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Screen {
    /// Name and value, named as the product names them.
    pub fields: Vec<(String, String)>,
    /// What was discarded or cut on the way, and why.
    pub lost: Vec<String>,
}

impl Screen {
    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether anything on it holds this text.
    pub fn shows(&self, text: &str) -> bool {
        self.fields.iter().any(|(_, value)| value.contains(text))
    }

    /// What a script set up as our documentation says shows for a fact: `h` the handoff id, `t` the trigger, `s` the
    /// score. From `v1;h=..;t=..;s=..`, or from a field of the fact's own.
    pub fn fact(&self, key: &str) -> Option<&str> {
        let own = match key {
            "h" => "Handoff-Id",
            "t" => "Handoff-Trigger",
            _ => "Handoff-Score",
        };
        let parts = self.fields.iter().filter(|(_, value)| value.contains("v1;h="));
        let packed = parts.flat_map(|(_, value)| value.split(';')).filter_map(|part| part.split_once('='));
        let packed = packed.into_iter().find(|(known, _)| *known == key).map(|(_, value)| value);
        packed.or_else(|| self.fields.iter().find(|(name, _)| name.ends_with(own)).map(|(_, value)| value.as_str()))
    }

    pub(crate) fn put(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.fields.push((name.into(), value.into()));
    }

    pub(crate) fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }
}

/// What a product makes of an INVITE, by the name of our profile for it. None: there is no such emulator.
pub fn receive(profile: &str, bytes: &[u8]) -> Option<Result<Screen, Refusal>> {
    let request = match Request::parse(bytes) {
        Ok(request) => request,
        Err(refusal) => return Some(Err(refusal)),
    };
    Some(match profile {
        "amazon-connect" => amazon_connect::application(&request),
        "avaya" => avaya::receive(&request, avaya::TrunkGroup::default()),
        "cisco" => cisco::receive(&request, &cisco::PASSED),
        "five9" => five9::receive(&request),
        "generic-pbx" => generic::receive(&request),
        "genesys-cloud-byoc" => genesys::receive(&request),
        "microsoft-teams" => microsoft_teams::receive(&request),
        "nice-cxone" => nice_cxone::receive(&request, true),
        "twilio" => twilio::receive(&request),
        _ => return None,
    })
}

/// Most products read SDP and nothing else: a body of several parts is refused.
pub(crate) fn only_sdp(request: &Request) -> Result<(), Refusal> {
    match request.one("content-type") {
        Some(kind) if !kind.to_ascii_lowercase().starts_with("application/sdp") => {
            Err(Refusal::new(415, format!("the body is {kind}, and only application/sdp is read")))
        }
        _ => Ok(()),
    }
}
