use call_model::TraceEvent;

/// How a ladder looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Seconds since the first event (or the `Began` of the call) in the left margin.
    pub times: bool,
    /// Call, handoff and session ids.
    pub ids: bool,
    /// ANSI colours.
    pub colour: bool,
    /// Quality reports and voice scores that changed nothing.
    pub verbose: bool,
}

impl Style {
    /// For golden files: exact times of the virtual clock, no ids, no colours.
    pub const GOLDEN: Self = Self { times: true, ids: false, colour: false, verbose: false };
    /// For people at a terminal.
    pub const TERMINAL: Self = Self { times: true, ids: true, colour: true, verbose: false };
}

/// Draws one call's events as they come.
#[derive(Clone, Debug)]
pub struct Ladder {
    #[expect(dead_code)]
    style: Style,
}

impl Ladder {
    /// An empty ladder.
    pub fn new(style: Style) -> Self {
        Self { style }
    }

    /// All of it at once: header and every event, each line ended by a line break.
    pub fn draw(style: Style, events: &[TraceEvent]) -> String {
        let mut ladder = Self::new(style);
        let mut out = ladder.header();
        for event in events {
            out += &ladder.push(event);
        }
        out
    }

    /// The names of the columns.
    pub fn header(&self) -> String {
        String::new()
    }

    /// The lines for one event, each ended by a line break; empty when it is not drawn.
    pub fn push(&mut self, _event: &TraceEvent) -> String {
        String::new()
    }
}
