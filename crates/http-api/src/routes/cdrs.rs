//! Downloads for those who bill and count: one line per call.

use super::admin::{SpanQuery, asked, bad_query};
use crate::error::ApiError;
use crate::guard;
use crate::server::Api;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use ledger::CdrRow;
use serde::Deserialize;
use serde_json::{Value, json};

/// Most calls in one download; go on with `since_ms`.
const MOST: u32 = 100_000;

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router.route("/v1/reports/cdrs", routing::get(cdrs)).route("/v1/reports/desks", routing::get(desks))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CdrQuery {
    since_ms: Option<u64>,
    until_ms: Option<u64>,
    limit: Option<u32>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Ndjson,
    Csv,
}

/// `GET /v1/reports/cdrs?since_ms=&until_ms=&limit=&format=ndjson|csv`: one line per call, oldest first.
async fn cdrs(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<CdrQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    guard::admin(&api, &headers)?;
    let Query(query) = query.map_err(|error| bad_query(&error.body_text()))?;
    let (since, until) = (query.since_ms.unwrap_or(0), query.until_ms.unwrap_or(u64::MAX));
    let limit = query.limit.unwrap_or(MOST).min(MOST);
    let rows = asked(&api, move |ledger| ledger.cdrs(since, until, limit)).await?;
    let (kind, text) = match query.format {
        Format::Ndjson => ("application/x-ndjson", rows.iter().map(|row| format!("{}\n", json!(row))).collect()),
        Format::Csv => ("text/csv; charset=utf-8; header=present", csv(&rows)),
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// `GET /v1/reports/desks?since_ms=&until_ms=`: what became of the handoffs of each desk.
async fn desks(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<SpanQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let Query(span) = query.map_err(|error| bad_query(&error.body_text()))?;
    let (since, until) = (span.since_ms.unwrap_or(0), span.until_ms.unwrap_or(u64::MAX));
    Ok(Json(json!({"desks": asked(&api, move |ledger| ledger.desks(since, until)).await?})))
}

/// RFC 4180, with the names of the JSON members as its first line. Legs are joined by `; `.
fn csv(rows: &[CdrRow]) -> String {
    let mut out = COLUMNS.join(",") + "\r\n";
    for row in rows {
        let row = json!(row);
        let cells: Vec<String> = COLUMNS.iter().map(|column| cell(&row[*column])).collect();
        out += &(cells.join(",") + "\r\n");
    }
    out
}

const COLUMNS: [&str; 28] = [
    "call",
    "session_id",
    "trunk",
    "caller",
    "called",
    "began_ms",
    "joined_ms",
    "ended_ms",
    "ended_by",
    "ended_reason",
    "ended_sip",
    "voice_windows",
    "peak_distress",
    "handoffs",
    "handoff",
    "trigger",
    "desk",
    "outcome",
    "stage",
    "method",
    "sip",
    "retryable",
    "early_drop",
    "dropped_by",
    "dropped_after_ms",
    "dropped_cause",
    "legs",
    "worst_mos",
];

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    };
    // What a caller calls itself must not become a formula in somebody's spreadsheet.
    let text = if text.starts_with(['=', '@']) { format!("'{text}") } else { text };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_break_out_or_calculate() {
        let cells =
            [json!("a,b"), json!("say \"hi\""), json!("=1+1"), json!("+44770"), json!(null), json!(["a: b", "c"])];
        assert_eq!(
            cells.map(|value| cell(&value)),
            ["\"a,b\"", "\"say \"\"hi\"\"\"", "'=1+1", "+44770", "", "a: b; c"]
        );
    }
}
