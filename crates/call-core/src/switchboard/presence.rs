//! Whether desks' humans are there, as pages and people say; telephones say it by registering.

use super::{Output, Switchboard};
use crate::seats::PresenceView;
use call_model::{DeskId, DeskState, Instant, PopUpdate};
use routing::Presence;

impl Switchboard {
    /// The desk's page was opened, or the last one was closed. A desk without a page may still have a human at its
    /// telephone, unless the operator says otherwise. False: no such desk.
    pub fn handle_page(&mut self, desk: &DeskId, open: bool, now: Instant) -> bool {
        let required = self.config.desk(&desk.0).is_some_and(|desk| desk.require_page);
        let presence = match (open, required) {
            (true, _) => Presence::Available,
            (false, true) => Presence::Away,
            (false, false) => Presence::Unknown,
        };
        self.handle_presence(desk, presence, now)
    }

    /// A human came to a desk, went, or is no longer known of. False: no such desk.
    pub fn handle_presence(&mut self, desk: &DeskId, presence: Presence, now: Instant) -> bool {
        let known = self.seats.set_presence(desk, presence, now);
        self.pump(now);
        known
    }

    /// A human says whether they take callers. False: no such desk.
    pub fn handle_state(&mut self, desk: &DeskId, state: DeskState, now: Instant) -> bool {
        if self.config.desk(&desk.0).is_none() {
            return false;
        }
        self.seats.set_state(desk, state, None, now);
        self.outputs.push_back(Output::Pop(PopUpdate::State { desk: desk.clone(), state, until: None }));
        self.pump(now);
        true
    }

    /// What the human at a desk said of themselves last, if it still holds.
    pub fn desk_state(&self, desk: &str, now: Instant) -> DeskState {
        self.seats.state(desk, now)
    }

    /// Whether a desk's human is there, who says so and since when. Nothing: no such desk.
    pub fn presence(&self, desk: &str, now: Instant) -> Option<PresenceView> {
        self.seats.presence(&DeskId(desk.to_owned()), now)
    }
}
