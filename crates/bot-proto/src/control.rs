//! The control channel: what a bot tells Warmline beside its audio, and what it is told (docs/control-events.md).
//!
//! One JSON object holds any of `turn`, `intent`, `entity`, `entities`, `action`, `summary`, `next_steps`, `opening`, `articles`,
//! `introduced`, `announcement`, `recording`, `callback`, `withdrawn`, `asked_for_human`, `escalate`. The same object is an event on the bot's WebSocket and the body of an HTTP POST.

use crate::field::Fields;
use call_model::{Article, BotUpdate, CallbackWish, FactKind, RecordingWish, Speaker};
use core::time::Duration;
use serde::Serialize;
use serde_json::Value;

/// Why a control event was refused; names the field and what to fix.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {fix}")]
pub struct ControlError {
    /// Such as `turn.text`; `body` when the whole is meant.
    pub field: String,
    /// What is wrong and what to send instead.
    pub fix: String,
}

/// The longest control event, octets.
pub const MAX_BODY: usize = 64 * 1024;

/// The value of `event` on the WebSocket.
pub const EVENT: &str = "warmline";

const MAX_TEXT: usize = 4000;
const MAX_VALUE: usize = 500;
const MAX_NAME: usize = 100;
const MAX_ENTITIES: usize = 50;
const MAX_STEPS: usize = 20;
const MAX_ARTICLES: usize = 12;
const KNOWN: &str = "turn, intent, entity, entities, action, summary, next_steps, opening, articles, introduced, announcement, \
                     recording, callback, withdrawn, asked_for_human, escalate";

/// Reads one control event, the same object on the WebSocket and as HTTP body.
///
/// Facts that inform come before those that call a human, so that the handoff package holds what came with the call
/// for help.
///
/// # Errors
/// The first thing that is wrong; then nothing of the event is taken.
pub fn parse(json: &str) -> Result<Vec<FactKind>, ControlError> {
    if json.len() > MAX_BODY {
        return Err(refuse("body", format!("{} octets; send at most {MAX_BODY}", json.len())));
    }
    let value: Value = serde_json::from_str(json).map_err(|error| refuse("body", format!("not JSON: {error}")))?;
    from_value(value)
}

/// Reads one control event that is JSON already.
pub(crate) fn from_value(value: Value) -> Result<Vec<FactKind>, ControlError> {
    let Value::Object(object) = value else {
        return Err(refuse("body", "send a JSON object, such as {\"asked_for_human\": true}".to_owned()));
    };
    let mut fields = Fields::new("", object);
    if fields.text_or_none("event", MAX_NAME)?.is_some_and(|event| event != EVENT) {
        return Err(refuse("event", format!("leave it out or send \"{EVENT}\"")));
    }
    fields.ignore(&["streamSid", "sequenceNumber"]);
    if fields.is_empty() {
        return Err(refuse("body", format!("nothing in it; send one or more of {KNOWN}")));
    }
    let mut facts = Vec::new();
    facts.extend(turn(&mut fields)?);
    facts.extend(intent(&mut fields)?);
    facts.extend(entity(&mut fields)?);
    facts.extend(entities(&mut fields)?);
    facts.extend(action(&mut fields)?);
    facts.extend(fields.text_or_none("summary", MAX_TEXT)?.map(FactKind::Summary));
    facts.extend(next_steps(&mut fields)?.map(FactKind::NextSteps));
    facts.extend(fields.text_or_none("opening", MAX_VALUE)?.map(FactKind::Opening));
    facts.extend(articles(&mut fields)?.map(FactKind::Articles));
    if fields.flag("introduced")?.unwrap_or(false) {
        facts.push(FactKind::Introduced);
    }
    facts.extend(announcement(&mut fields)?);
    facts.extend(recording(&mut fields)?.map(FactKind::Recording));
    facts.extend(callback(&mut fields)?.map(FactKind::Callback));
    if fields.flag("withdrawn")?.unwrap_or(false) {
        facts.push(FactKind::Withdrawn);
    }
    if fields.flag("asked_for_human")?.unwrap_or(false) {
        facts.push(FactKind::AskedForHuman);
    }
    facts.extend(escalate(&mut fields)?);
    fields.finish(KNOWN)?;
    Ok(facts)
}

/// What the bot is told, as the JSON object of docs/control-events.md.
pub fn encode(update: &BotUpdate) -> String {
    crate::json(&Told::new(update, None))
}

/// The same for one stream of a WebSocket.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told<'a> {
    event: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) stream: Option<crate::twilio::Stamp<'a>>,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum What<'a> {
    #[serde(rename = "handoff.started")]
    Started { trigger: &'static str, wait_s: Option<u64> },
    #[serde(rename = "handoff.queued")]
    Queued { place: usize, wait_s: Option<u64> },
    #[serde(rename = "handoff.accepted")]
    Accepted,
    #[serde(rename = "handoff.introduce")]
    Introduce { desk: &'a str, display: &'a str },
    #[serde(rename = "handoff.co_pilot")]
    CoPilot { desk: &'a str },
    #[serde(rename = "handoff.handed_back")]
    HandedBack { handoff: String, notes: &'a str, by: &'a str, outcome: &'static str },
    #[serde(rename = "callback.accepted")]
    CallbackAccepted { callback: String, at: &'a str, moved: bool },
    #[serde(rename = "callback.refused")]
    CallbackRefused { reason: &'static str, why: &'static str },
    #[serde(rename = "handoff.failed")]
    Failed { outcome: &'static str, why: &'a str },
}

impl<'a> Told<'a> {
    pub(crate) fn new(update: &'a BotUpdate, stream: Option<crate::twilio::Stamp<'a>>) -> Self {
        let what = match update {
            BotUpdate::HandoffStarted { trigger, wait } => What::Started { trigger, wait_s: wait.map(whole_seconds) },
            BotUpdate::HandoffQueued { place, wait } => What::Queued { place: *place, wait_s: wait.map(whole_seconds) },
            BotUpdate::HandoffAccepted => What::Accepted,
            BotUpdate::Introduce { desk, display } => What::Introduce { desk, display },
            BotUpdate::CoPilot { desk } => What::CoPilot { desk },
            BotUpdate::HandedBack { handoff, notes, by, outcome } => {
                What::HandedBack { handoff: handoff.to_string(), notes, by, outcome }
            }
            BotUpdate::CallbackAccepted { callback, at, moved } => {
                What::CallbackAccepted { callback: callback.to_string(), at, moved: *moved }
            }
            BotUpdate::CallbackRefused { reason, why } => What::CallbackRefused { reason, why },
            BotUpdate::HandoffFailed { outcome, why } => What::Failed { outcome, why },
        };
        Self { event: EVENT, stream, what }
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs_f64().ceil() as u64
}

fn turn(fields: &mut Fields) -> Result<Option<FactKind>, ControlError> {
    let Some(mut turn) = fields.object("turn")? else { return Ok(None) };
    let speaker = match turn.text("speaker", "\"caller\" or \"bot\"", MAX_NAME)?.as_str() {
        "caller" | "user" | "customer" => Speaker::Caller,
        "bot" | "assistant" => Speaker::Bot,
        other => return Err(turn.refuse("speaker", format!("`{other}` is not \"caller\" or \"bot\""))),
    };
    let text = turn.text("text", "the words that were said", MAX_TEXT)?;
    let confidence = turn.confidence()?;
    turn.finish("speaker, text, confidence")?;
    Ok(Some(FactKind::Turn { speaker, text, confidence }))
}

fn intent(fields: &mut Fields) -> Result<Option<FactKind>, ControlError> {
    let Some(mut intent) = fields.object("intent")? else { return Ok(None) };
    let name = intent.text("name", "a short name, such as \"dispute_fee\"", MAX_NAME)?;
    let confidence = intent.confidence()?;
    intent.finish("name, confidence")?;
    Ok(Some(FactKind::Intent { name, confidence }))
}

fn entity(fields: &mut Fields) -> Result<Option<FactKind>, ControlError> {
    let Some(mut entity) = fields.object("entity")? else { return Ok(None) };
    let name = entity.text("name", "a short name, such as \"order_number\"", MAX_NAME)?;
    let value = entity.scalar("value", MAX_VALUE)?;
    entity.finish("name, value")?;
    Ok(Some(FactKind::Entity { name, value }))
}

/// An object of names and values; in the order of the names.
fn entities(fields: &mut Fields) -> Result<Vec<FactKind>, ControlError> {
    let Some(mut entities) = fields.object("entities")? else { return Ok(Vec::new()) };
    let names = entities.names();
    if names.len() > MAX_ENTITIES {
        let many = format!("{} values; send at most {MAX_ENTITIES} in one event", names.len());
        return Err(refuse("entities", many));
    }
    let one = |name: String| {
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(refuse("entities", format!("a name has 1 to {MAX_NAME} characters")));
        }
        let value = entities.scalar(&name, MAX_VALUE)?;
        Ok(FactKind::Entity { name, value })
    };
    names.into_iter().map(one).collect()
}

fn action(fields: &mut Fields) -> Result<Option<FactKind>, ControlError> {
    let Some(mut action) = fields.object("action")? else { return Ok(None) };
    let name = action.text("name", "what the bot tried, such as \"lookup_order\"", MAX_NAME)?;
    let Some(succeeded) = action.flag("succeeded")? else {
        return Err(action.refuse("succeeded", "missing; true or false".to_owned()));
    };
    let result = action.text_or_none("result", MAX_VALUE)?.unwrap_or_default();
    action.finish("name, succeeded, result")?;
    Ok(Some(FactKind::Action { name, succeeded, result }))
}

fn next_steps(fields: &mut Fields) -> Result<Option<Vec<String>>, ControlError> {
    let steps = match fields.take("next_steps") {
        None => return Ok(None),
        Some(Value::Array(steps)) if steps.len() <= MAX_STEPS => steps,
        Some(_) => return Err(refuse("next_steps", format!("send a list of at most {MAX_STEPS} texts"))),
    };
    let text = |(index, step)| match step {
        Value::String(text) if text.chars().count() <= MAX_VALUE => Ok(text),
        _ => Err(refuse(&format!("next_steps[{index}]"), format!("send a text of at most {MAX_VALUE} characters"))),
    };
    steps.into_iter().enumerate().map(text).collect::<Result<Vec<_>, _>>().map(Some)
}

/// Things to read; what the human clicks on leads nowhere but to the web.
fn articles(fields: &mut Fields) -> Result<Option<Vec<Article>>, ControlError> {
    let articles = match fields.take("articles") {
        None => return Ok(None),
        Some(Value::Array(articles)) if articles.len() <= MAX_ARTICLES => articles,
        Some(_) => return Err(refuse("articles", format!("send a list of at most {MAX_ARTICLES} objects"))),
    };
    let one = |(index, article)| {
        let path = format!("articles[{index}]");
        let Value::Object(object) = article else { return Err(refuse(&path, "send an object".to_owned())) };
        let mut fields = Fields::new(&format!("{path}."), object);
        let title = fields.text("title", "what it is called", MAX_VALUE)?;
        let text = fields.text_or_none("text", MAX_TEXT)?.unwrap_or_default();
        let url = fields.text_or_none("url", MAX_VALUE)?;
        if url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            return Err(fields.refuse("url", "send an address that begins with https:// or http://".to_owned()));
        }
        fields.finish("title, text, url")?;
        Ok(Article { title, text, url })
    };
    articles.into_iter().enumerate().map(one).collect::<Result<Vec<_>, _>>().map(Some)
}

fn announcement(fields: &mut Fields) -> Result<Option<FactKind>, ControlError> {
    let Some(mut announcement) = fields.object("announcement")? else { return Ok(None) };
    let mark = announcement.text_or_none("mark", MAX_NAME)?;
    announcement.finish("mark")?;
    Ok(Some(FactKind::Announcement { mark }))
}

fn recording(fields: &mut Fields) -> Result<Option<RecordingWish>, ControlError> {
    let Some(text) = fields.text_or_none("recording", MAX_NAME)? else { return Ok(None) };
    let known = RecordingWish::ALL.into_iter().find(|wish| wish.as_str() == text);
    let unknown = || refuse("recording", format!("`{text}` is not \"start\", \"pause\", \"resume\" or \"stop\""));
    known.map(Some).ok_or_else(unknown)
}

/// Whether number and time will do is for who keeps the promise to say: the bot is told in any case.
fn callback(fields: &mut Fields) -> Result<Option<CallbackWish>, ControlError> {
    let Some(mut callback) = fields.object("callback")? else { return Ok(None) };
    let number = callback.text_or_none("number", MAX_NAME)?;
    let (at, zone) = (callback.text_or_none("at", MAX_NAME)?, callback.text_or_none("zone", MAX_NAME)?);
    callback.finish("number, at, zone")?;
    Ok(Some(CallbackWish { number, at, zone }))
}

fn escalate(fields: &mut Fields) -> Result<Option<FactKind>, ControlError> {
    let Some(mut escalate) = fields.object("escalate")? else { return Ok(None) };
    let because = escalate.text("because", "why, in words for the human", MAX_VALUE)?;
    escalate.finish("because")?;
    Ok(Some(FactKind::BotEscalates { because }))
}

pub(crate) fn refuse(field: &str, fix: String) -> ControlError {
    ControlError { field: field.to_owned(), fix }
}
