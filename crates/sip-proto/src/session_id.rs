//! `Session-ID` (RFC 7989): both halves, in everything that is said within a dialog.

use md5::{Digest as _, Md5};
use sip_wire::Message;

const NIL: &str = "00000000000000000000000000000000";

/// The two halves, as one side of a dialog sees them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SessionId {
    /// None: neither side speaks of it.
    local: Option<String>,
    remote: Option<String>,
}

impl SessionId {
    /// As our INVITE says it, for the caller it is sent for.
    pub(crate) fn of_ours(invite: &Message) -> Self {
        Self { local: invite.session_id(), remote: None }
    }

    /// For a peer's INVITE. Our half follows from the dialog, so that it costs no randomness.
    pub(crate) fn of_theirs(invite: &Message, local_tag: &str) -> Self {
        let remote = invite.session_id();
        let own = || Md5::new().chain_update(invite.call_id()).chain_update(";").chain_update(local_tag).finalize();
        let local = remote.is_some().then(|| own().iter().map(|octet| format!("{octet:02x}")).collect());
        Self { local, remote }
    }

    /// Takes what the peer says. It may change with every message: another has taken its place (RFC 7989 §6).
    pub(crate) fn learn(&mut self, message: &Message) {
        self.remote = message.session_id().or(self.remote.take());
    }

    /// Says it.
    pub(crate) fn write(&self, message: &mut Message) {
        if let Some(local) = &self.local {
            let remote = self.remote.as_deref().unwrap_or(NIL);
            message.headers.set("Session-ID", format!("{local};remote={remote}"));
        }
    }
}
