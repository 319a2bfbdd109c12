//! Calls that end soon after a human has got them: who hung up, what was heard, and which desk it counts against.

use crate::call::{Call, World};
use crate::join::Proof;
use call_model::{EndCause, EndReason, Party, TraceKind};
use core::time::Duration;

/// A call that ends within this time of the join ended early.
pub(crate) const EARLY: Duration = Duration::from_secs(120);

impl Call {
    /// Caller and human are together: a handoff for the desk to answer for.
    pub(crate) fn start_watchdog(&mut self, world: &mut World<'_>) {
        let Some(handoff) = self.handoff.as_mut() else { return };
        handoff.joined_at = Some(world.now);
        if let Some((desk, _)) = &handoff.desk {
            world.capabilities.on_joined(&desk.0);
        }
    }

    /// One of the two, or a failure, ends the conversation.
    pub(crate) fn watch_the_end(&mut self, cause: EndCause, world: &mut World<'_>) {
        let reason = self.last_reason.take();
        let Some(handoff) = self.handoff.as_mut() else { return };
        let (Some(joined), Some((desk, _))) = (handoff.joined_at.take(), handoff.desk.clone()) else { return };
        let (id, proof, after) = (handoff.id, handoff.proof, world.now.since(joined));
        let ours = cause.by == Party::Gateway || cause.reason == EndReason::Released;
        if ours || after > EARLY {
            return;
        }
        world.capabilities.on_early_drop(&desk.0);
        let cause_text = self.early_because(cause, proof, reason);
        self.trace(TraceKind::EarlyDrop { handoff: id, desk, by: cause.by, after, cause: cause_text });
    }

    fn early_because(&self, cause: EndCause, proof: Proof, reason: Option<String>) -> String {
        let mut words = vec![match (cause.reason, cause.sip) {
            (_, Some(status)) => format!("its side failed ({status})"),
            (EndReason::HungUp, None) => "hung up".to_owned(),
            (other, None) => other.as_str().to_owned(),
        }];
        words.extend(reason);
        let unheard = |heard: bool, who: &str| (!heard).then(|| format!("the {who} was not heard"));
        let (caller, desk) = match proof {
            Proof::Given => (true, true),
            Proof::Awaited { caller, desk, .. } | Proof::Missing { caller, desk } => (caller, desk),
            Proof::NotYet => (false, false),
        };
        words.extend(unheard(caller, "caller"));
        words.extend(unheard(desk, "human"));
        words.join("; ")
    }
}
