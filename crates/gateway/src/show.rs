//! Commands that ask a running gateway once and print the answer: `warmline trunks`, `queue`, `callbacks`, `voicemails`.

use crate::cli::Shown;
use crate::tail::connect;
use crate::trunks;
use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{self, Write};

/// Trunks and desks: what they can do, how that is known, and how they are doing.
///
/// # Errors
/// The gateway is not there, or refuses the token; the text says what to do.
pub fn trunks(options: &Shown) -> anyhow::Result<()> {
    show(options, "/v1/trunks", trunks::render)
}

/// Who waits for a desk.
///
/// # Errors
/// As for [`trunks`].
pub fn queue(options: &Shown) -> anyhow::Result<()> {
    show(options, "/v1/queue", render_queue)
}

/// Who was promised a callback, and what became of it.
///
/// # Errors
/// As for [`trunks`].
pub fn callbacks(options: &Shown) -> anyhow::Result<()> {
    show(options, "/v1/callbacks", render_callbacks)
}

/// What messages callers left.
///
/// # Errors
/// As for [`trunks`].
pub fn voicemails(options: &Shown) -> anyhow::Result<()> {
    show(options, "/v1/voicemails", render_voicemails)
}

fn show(options: &Shown, path: &str, render: fn(&Value) -> String) -> anyhow::Result<()> {
    let server = connect(&options.server.url, options.server.token.as_deref())?;
    let answer = server.get(path).with_context(|| {
        format!("cannot reach a gateway at {}: is it running, and is http.listen the same?", options.server.url)
    })?;
    match answer.status {
        200 => {}
        401 => bail!(
            "the gateway does not know this admin token: use what http.admin_token says, or none on its own machine"
        ),
        status => bail!("the gateway answered {status}: {}", answer.body.trim()),
    }
    let text = if options.json {
        answer.body.trim_end().to_owned() + "\n"
    } else {
        render(&serde_json::from_str(&answer.body).context("the gateway's answer is no JSON")?)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

fn render_queue(value: &Value) -> String {
    let mut out = table(&value["waiting"], "Nobody waits for a desk.", |one| {
        let wants = [("desk ", "desk"), ("skill ", "skill"), ("speaks ", "language")];
        let wants = wants.map(|(what, name)| one[name].as_str().map(|value| format!("{what}{value}")));
        let wait = one["wait_s"].as_u64().map_or("wait unknown".to_owned(), |s| format!("about {s} s more"));
        vec![
            format!("{}.", one["place"]),
            text(one, "handoff"),
            text(one, "urgency"),
            text(one, "trigger"),
            format!("since {}", time(one, "since_unix_ms")),
            wait,
            wants.into_iter().flatten().collect::<Vec<_>>().join(", "),
        ]
    });
    if let Some(service) = value["service_s"].as_u64() {
        out += &format!("A conversation takes a desk about {service} s.\n");
    }
    out
}

fn render_callbacks(value: &Value) -> String {
    table(&value["callbacks"], "No callback is promised, and none was within the last day.", |one| {
        let due = if one["due_unix_ms"].is_null() { "promised_unix_ms" } else { "due_unix_ms" };
        let dialled = format!("{} dialled", one["attempts"].as_u64().unwrap_or_default());
        vec![text(one, "id"), text(one, "state"), text(one, "number"), time(one, due), dialled, text(one, "note")]
    })
}

fn render_voicemails(value: &Value) -> String {
    table(&value["voicemails"], "No messages were left.", |one| {
        let lasted = format!("{} s", one["lasted_ms"].as_u64().unwrap_or_default() / 1000);
        vec![text(one, "id"), time(one, "at_unix_ms"), text(one, "number"), lasted, text(one, "summary")]
    })
}

fn text(one: &Value, name: &str) -> String {
    one[name].as_str().unwrap_or_default().to_owned()
}

/// UTC, to the second.
fn time(one: &Value, name: &str) -> String {
    let at = one[name].as_i64().and_then(|ms| jiff::Timestamp::from_second(ms / 1000).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// One line for each, in columns; `nothing` when there is none.
fn table(list: &Value, nothing: &str, row: impl Fn(&Value) -> Vec<String>) -> String {
    let rows: Vec<Vec<String>> = list.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return format!("{nothing}\n");
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column)));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const AT: u64 = 1_795_250_000_123;

    #[test]
    fn each_callback_is_a_line() {
        let one = |number: &str, note: &str| {
            json!({
                "id": "01JD4XK7Z9Q2M5R8T3V6W1Y4B7", "state": "promised", "number": number, "due_unix_ms": AT,
                "attempts": 1, "note": note,
            })
        };
        let all = json!({"callbacks": [one("+442079460000", ""), one("0800", "the caller's line is busy")]});
        assert_eq!(
            render_callbacks(&all),
            "01JD4XK7Z9Q2M5R8T3V6W1Y4B7  promised  +442079460000  2026-11-21T08:33:20Z  1 dialled\n\
             01JD4XK7Z9Q2M5R8T3V6W1Y4B7  promised  0800           2026-11-21T08:33:20Z  1 dialled  the caller's line is busy\n"
        );
        assert!(render_callbacks(&json!({"callbacks": []})).starts_with("No callback"));
    }

    #[test]
    fn who_waits_is_told_by_place() {
        let one = json!({
            "place": 1, "handoff": "01JD", "urgency": "high", "trigger": "distress", "since_unix_ms": AT, "wait_s": 90,
            "desk": null, "skill": "billing", "language": "es",
        });
        let all = json!({"service_s": 180, "waiting": [one]});
        assert_eq!(
            render_queue(&all),
            "1.  01JD  high  distress  since 2026-11-21T08:33:20Z  about 90 s more  skill billing, speaks es\n\
             A conversation takes a desk about 180 s.\n"
        );
        assert_eq!(render_queue(&json!({"service_s": null, "waiting": []})), "Nobody waits for a desk.\n");
    }

    #[test]
    fn messages_are_listed() {
        let one =
            json!({"id": "01JE", "at_unix_ms": AT, "number": "0800", "lasted_ms": 12_900, "summary": "A refund."});
        assert_eq!(
            render_voicemails(&json!({"voicemails": [one]})),
            "01JE  2026-11-21T08:33:20Z  0800  12 s  A refund.\n"
        );
    }
}
