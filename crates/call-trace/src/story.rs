//! What happens, told to somebody who knows no SIP.

use crate::line::hears;
use call_model::{FactKind, HandoffOutcome, Role, Selector, TraceKind, TransferState, Trigger};

/// One sentence for the moments that matter, while the transfer stands at `transfer`.
pub(crate) fn tell(kind: &TraceKind, transfer: TransferState) -> Option<String> {
    let leaving = matches!(transfer, TransferState::Releasing | TransferState::Released);
    Some(match kind {
        TraceKind::Sip { role: Some(Role::Desk), sent: false, what, .. } if leaving && what == "BYE" => {
            "The desk took the caller over directly and ends our leg.".to_owned()
        }
        TraceKind::Fed { role: Role::Caller, from: Selector::Silence, .. } if leaving => {
            "Our own stream falls silent; the desk now speaks to the caller directly.".to_owned()
        }
        TraceKind::Began { .. } => "A caller arrives on the trunk.".to_owned(),
        TraceKind::State { from, to } => state(*from, *to)?.to_owned(),
        // Who has a human needs none, whatever is said then.
        TraceKind::Decided(_) if leaving || transfer == TransferState::Joined => return None,
        TraceKind::Decided(decision) => format!("{} So a human is needed.", reason(decision.trigger)),
        TraceKind::Routed { desk, .. } => format!("{desk} shall take it."),
        TraceKind::Queued { place, because, .. } if !because.is_empty() => {
            format!("Nobody is free: the caller waits, at place {place}.")
        }
        TraceKind::Pop { what: "offered", .. } => "The desk's screen shows who and why.".to_owned(),
        TraceKind::Pop { what: "acknowledged", .. } => "The human's screen is up.".to_owned(),
        TraceKind::Pop { what: "accepted", .. } => "The human takes the call.".to_owned(),
        TraceKind::Pop { what: "declined", .. } => "The human cannot take it now.".to_owned(),
        TraceKind::Pop { what: "retracted", .. } => "The screen is cleared.".to_owned(),
        TraceKind::Fed { role: Role::Caller, from, source, .. } => heard(*from, *source),
        TraceKind::Fact(fact) => match &fact.kind {
            FactKind::Voice(score) if score.distress >= 0.5 => "The caller's voice is getting upset.".to_owned(),
            _ => return None,
        },
        TraceKind::HandoffEnded { outcome, .. } => ended(*outcome).to_owned(),
        TraceKind::Ended { .. } => "Everybody has hung up.".to_owned(),
        _ => return None,
    })
}

fn state(from: TransferState, to: TransferState) -> Option<&'static str> {
    Some(match (from, to) {
        (_, TransferState::Consulting) => "While the desk rings, the caller is not left alone.",
        (_, TransferState::Accepting) => "Answered: is it a human, or a voicemail?",
        (TransferState::Releasing, TransferState::Joined) => "The trunk will not let us go: we stay, nobody notices.",
        (_, TransferState::Joined) => "Caller and human hear each other.",
        (_, TransferState::Releasing) => "Now we take ourselves out of the path.",
        (_, TransferState::Released) => "Caller and human talk without us.",
        (_, TransferState::Recovering) => "Somebody went; the caller is kept.",
        (TransferState::WithBot, TransferState::WithBot) => return None,
        (_, TransferState::WithBot) => "The caller is back with the bot.",
    })
}

fn reason(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Asked => "The caller asked for a person.",
        Trigger::Dtmf => "The caller pressed the key for a person.",
        Trigger::Emergency => "This is an emergency.",
        Trigger::Compliance => "A person must hear this.",
        Trigger::Distress => "The caller has sounded upset for a while.",
        Trigger::LowConfidence => "The bot is guessing.",
        Trigger::FailedAttempts => "What the bot tried did not work.",
        Trigger::Legal => "The caller speaks of law and lawyers.",
        Trigger::Medical => "A medical question is for a person.",
        Trigger::Minors => "The caller may be a child, or it is about one.",
        Trigger::Fraud => "The caller speaks of fraud.",
        Trigger::Dispute => "The caller disputes what is claimed.",
        Trigger::Cancellation => "The caller wants to leave.",
        Trigger::Vulnerable => "The caller may need special care.",
        Trigger::Frustration => "The caller's words are frustrated.",
        Trigger::SameQuestion => "The caller asks the same again.",
        Trigger::Loop => "The conversation goes in circles.",
        Trigger::Hedging => "The bot hedges or contradicts itself.",
        Trigger::Unclear => "The bot did not understand, twice.",
        Trigger::Verification => "The caller could not be verified.",
        Trigger::SystemError => "A system of ours does not work.",
        Trigger::HighValue => "This caller is worth a person's time.",
        Trigger::Vip => "This is a priority customer.",
        Trigger::Silence => "Nobody has said anything for a while.",
        Trigger::Monologue => "The caller has talked for long without an answer.",
        Trigger::LongCall => "The caller has been with the bot for long.",
        Trigger::Bot => "The bot asks for help.",
        Trigger::BotDown => "The bot is gone.",
        Trigger::Operator => "Operations want a person on this.",
        Trigger::Direct => "This number goes straight to a person.",
        Trigger::PassedOn => "The human passes the caller on to a colleague.",
    }
}

fn heard(from: Selector, source: Option<Role>) -> String {
    match (from, source) {
        (Selector::Leg(_), Some(Role::Desk)) => "The caller hears the human.".to_owned(),
        (Selector::Leg(_), Some(Role::Bot)) => "The caller hears the bot.".to_owned(),
        (Selector::Mix(..), _) => "The caller hears bot and human.".to_owned(),
        _ => format!("The caller hears {}.", hears(Role::Caller, from, source)),
    }
}

fn ended(outcome: HandoffOutcome) -> &'static str {
    match outcome {
        HandoffOutcome::Joined => "Handed over; we stay in the path.",
        HandoffOutcome::Released => "Handed over, and we are out of the path.",
        HandoffOutcome::Unproven => "Connected, but nobody proved that they hear each other.",
        HandoffOutcome::NoTarget => "Nobody is there to take it.",
        HandoffOutcome::NoAnswer => "Nobody answered.",
        HandoffOutcome::Busy => "The desk is busy.",
        HandoffOutcome::Declined => "The human said no.",
        HandoffOutcome::NotAccepted => "Answered, but by no human we know of.",
        HandoffOutcome::Failed => "The desk could not be reached.",
        HandoffOutcome::CallerGone => "The caller left before anybody answered.",
    }
}
