//! Which desks are taken. `routing` knows seats for one caller at a time; a queue takes several, so it is reserved
//! there only while it is full.

use crate::config::SwitchboardConfig;
use call_model::{DeskId, HandoffId, Instant};
use routing::{Choice, Desks, Presence, Wanted};
use std::collections::BTreeMap;

/// All desks with the handoffs that have them.
#[derive(Debug)]
pub(crate) struct Seats {
    desks: Desks,
    rooms: BTreeMap<DeskId, Room>,
}

#[derive(Debug)]
struct Room {
    capacity: usize,
    taken: Vec<HandoffId>,
    /// In whose name it is reserved while it is full.
    full: Option<HandoffId>,
}

impl Seats {
    /// The configured desks, by priority, then in configured order.
    pub(crate) fn new(config: &SwitchboardConfig) -> Self {
        let mut sorted: Vec<_> = config.desks.iter().collect();
        sorted.sort_by_key(|desk| desk.priority);
        let room =
            |desk: &crate::Desk| Room { capacity: usize::from(desk.capacity.max(1)), taken: Vec::new(), full: None };
        let rooms = config.desks.iter().map(|desk| (DeskId(desk.name.clone()), room(desk))).collect();
        let desks =
            sorted.iter().map(|desk| routing::Desk { id: DeskId(desk.name.clone()), skills: desk.skills.clone() });
        let mut desks = Desks::new(desks);
        for desk in config.desks.iter().filter(|desk| desk.require_page) {
            desks.set_presence(&DeskId(desk.name.clone()), Presence::Away, Instant::ZERO);
        }
        Self { desks, rooms }
    }

    /// The best desk with room, taken in the handoff's name.
    pub(crate) fn take(
        &mut self,
        wanted: &Wanted,
        tried: &[DeskId],
        handoff: HandoffId,
        now: Instant,
    ) -> Result<Choice, String> {
        let Some(choice) = self.desks.choose(wanted, tried, now) else {
            return Err(self.desks.why_none(wanted, tried));
        };
        if let Some(room) = self.rooms.get_mut(&choice.desk) {
            room.taken.push(handoff);
            if room.taken.len() >= room.capacity {
                self.desks.reserve(&choice.desk, handoff).map_err(|refused| refused.to_string())?;
                room.full = Some(handoff);
            }
        }
        Ok(choice)
    }

    /// This desk, if it has room, taken in the handoff's name.
    pub(crate) fn take_this(
        &mut self,
        desk: &DeskId,
        wanted: &Wanted,
        handoff: HandoffId,
        now: Instant,
    ) -> Option<Choice> {
        let others: Vec<DeskId> = self.rooms.keys().filter(|other| *other != desk).cloned().collect();
        let choice = self.take(wanted, &others, handoff, now).ok()?;
        Some(Choice { because: format!("asked for by name, {}", choice.because), ..choice })
    }

    /// Whether a desk could be taken now.
    pub(crate) fn any(&self, wanted: &Wanted, now: Instant) -> bool {
        self.desks.choose(wanted, &[], now).is_some()
    }

    /// The handoff no longer needs the desk.
    pub(crate) fn give_back(&mut self, desk: &DeskId, handoff: HandoffId, now: Instant) {
        let Some(room) = self.rooms.get_mut(desk) else { return };
        let Some(place) = room.taken.iter().position(|taken| *taken == handoff) else { return };
        room.taken.swap_remove(place);
        if let Some(full) = room.full.take() {
            self.desks.release(desk, full, now);
        }
    }

    /// A human came or went.
    pub(crate) fn set_presence(&mut self, desk: &DeskId, presence: Presence, now: Instant) -> bool {
        self.desks.set_presence(desk, presence, now)
    }

    /// Desks taken, counted per handoff.
    pub(crate) fn taken(&self) -> usize {
        self.rooms.values().map(|room| room.taken.len()).sum()
    }
}
