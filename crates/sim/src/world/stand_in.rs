//! Who answers a party's SIP besides its telephone: another branch of a fork, or whatever answers with a status.

use super::{Item, World};
use crate::setup::Party;
use sip_proto::Flow;
use sip_wire::reason_phrase;

#[derive(Debug, Default)]
pub(super) struct StandIns {
    /// The tags of other branches of a fork, which know their dialogs as well as the first branch knows its own.
    pub(super) branches: Vec<String>,
    /// The next so many requests that begin with this, to whom, and how they are answered.
    pub(super) answers: Vec<(Party, &'static str, u16, u32)>,
}

impl StandIns {
    /// How a request is answered; none: by the telephone. Inner none: it is taken without an answer.
    #[allow(clippy::option_option, reason = "an ACK that is taken, and a request that is not")]
    fn take(&mut self, party: Party, bytes: &[u8]) -> Option<Option<Vec<u8>>> {
        let mut answers =
            self.answers.iter_mut().filter(|(of, what, ..)| *of == party && bytes.starts_with(what.as_bytes()));
        if let Some((_, _, status, times)) = answers.find(|(.., times)| *times > 0) {
            *times -= 1;
            return Some(answer(bytes, *status));
        }
        let branch = self.branches.iter().any(|tag| is_to(bytes, tag));
        branch.then(|| if bytes.starts_with(b"ACK ") { None } else { answer(bytes, 200) })
    }
}

impl World {
    pub(super) fn deliver_sip(&mut self, party: Party, flow: Flow, bytes: &[u8]) {
        let back = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
        if let Some(answer) = self.stand_ins.take(party, bytes) {
            if let Some(answer) = answer {
                self.carry_sip((party, true), flow.transport, answer, |bytes| Item::SipToGateway(back, bytes));
            }
            return;
        }
        let now = self.now;
        match self.stopped[party] {
            None => self.with_phone(party, |phone| phone.handle_datagram(flow, bytes, now)),
            Some(true) => self.push(now + self.network.sip.delay, Item::FlowFailed(back)),
            Some(false) => {}
        }
    }
}

/// The tag, and the 200 to an INVITE as another branch of a fork would have sent it.
pub(super) fn another_branch(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = core::str::from_utf8(bytes).ok()?;
    let answers =
        text.starts_with("SIP/2.0 200") && text.lines().any(|l| l.starts_with("CSeq") && l.ends_with("INVITE"));
    let to = text.lines().find(|line| answers && line.starts_with("To:"))?;
    let tag = format!("{}b", to.split_once(";tag=")?.1);
    Some((tag, text.replacen(to, &format!("{to}b"), 1).into_bytes()))
}

/// Whether a request is for the branch of this tag.
fn is_to(bytes: &[u8], tag: &str) -> bool {
    let text = core::str::from_utf8(bytes).unwrap_or_default();
    let to = text.lines().find(|line| line.starts_with("To:"));
    to.and_then(|to| to.split_once(";tag=")).is_some_and(|(_, have)| have == tag)
}

/// The answer to a request within a dialog.
fn answer(bytes: &[u8], status: u16) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(bytes).ok()?;
    let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let kept = text.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    Some(format!("SIP/2.0 {status} {}\r\n{head}Content-Length: 0\r\n\r\n", reason_phrase(status)).into_bytes())
}
