//! A handoff that somebody asks for through the API, and why it may not begin.

use crate::ids::HandoffId;
use crate::pop::DeskId;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HandoffRequest {
    /// Whether the bot asks; otherwise operations do.
    pub by_bot: bool,
    /// This desk and no other.
    pub desk: Option<DeskId>,
    /// Desks with this skill only.
    pub skill: Option<String>,
    /// Why, in words for the human.
    pub because: Option<String>,
    /// What the human should read first.
    pub summary: Option<String>,
    /// The asker's name of this request: asking again with the same name is the same request.
    pub key: Option<String>,
}

/// Why a handoff that was asked for does not begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HandoffRefused {
    /// No such call, or it is over.
    UnknownCall,
    /// Not the token of that call.
    WrongToken,
    /// No desk of that name is configured.
    UnknownDesk,
    /// No desk has that skill.
    UnknownSkill,
    /// The call is being handed over already, or was.
    UnderWay(HandoffId),
    /// The same name was used for another request.
    KeyTaken(HandoffId),
    /// The call is not in a state for it; in words.
    NotNow(&'static str),
}
