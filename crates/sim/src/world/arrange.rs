//! Messages that are made to arrive in a wanted order.

use super::{Item, World};
use crate::script::Expected;
use crate::setup::Party;
use core::time::Duration;
use sip_proto::Flow;

/// A message that has come.
type Came = (Flow, Vec<u8>);

/// What is waited for, and what has come of it.
#[derive(Debug)]
pub(super) struct Arrangement {
    expected: Vec<(Expected, Option<Came>)>,
    spacing: Duration,
}

impl Arrangement {
    pub(super) fn new(expected: Vec<Expected>, spacing: Duration) -> Self {
        Self { expected: expected.into_iter().map(|one| (one, None)).collect(), spacing }
    }
}

impl World {
    /// Whether the message waits, or is a copy of one that did: UDP's repeats would come before their turn.
    pub(super) fn is_arranged(&mut self, party: Party, flow: Flow, bytes: &[u8]) -> bool {
        let Some(arrangement) = self.arrangement.as_mut() else { return false };
        if arrangement.expected.iter().any(|(_, came)| came.as_ref().is_some_and(|(_, came)| came == bytes)) {
            return true;
        }
        let contains = |text: &str| text.is_empty() || bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let fits = |expected: &Expected| {
            expected.0 == party && bytes.starts_with(expected.1.as_bytes()) && contains(expected.2)
        };
        let Some((_, came)) = arrangement.expected.iter_mut().find(|(one, came)| came.is_none() && fits(one)) else {
            return false;
        };
        *came = Some((flow, bytes.to_vec()));
        if arrangement.expected.iter().all(|(_, came)| came.is_some()) {
            let spacing = arrangement.spacing;
            let all: Vec<_> = arrangement.expected.iter().filter_map(|(_, came)| came.clone()).collect();
            let mut at = self.now + self.network.sip.delay;
            for (flow, bytes) in all {
                self.push(at, Item::SipToGateway(flow, bytes));
                at += spacing;
            }
        }
        true
    }

    /// Whether something is waited for that has not come.
    pub fn awaits_arrangement(&self) -> bool {
        let waits = |arrangement: &Arrangement| arrangement.expected.iter().any(|(_, came)| came.is_none());
        self.arrangement.as_ref().is_some_and(waits)
    }
}
