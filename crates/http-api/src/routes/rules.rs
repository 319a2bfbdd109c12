//! The rules in force, and reading their file again.

use super::reply;
use crate::control::{RulesRefusal, RulesView};
use crate::error::ApiError;
use crate::guard;
use crate::server::Api;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use serde_json::{Value, json};

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router.route("/v1/rules", routing::get(rules)).route("/v1/rules/reload", routing::post(reload))
}

/// `GET /v1/rules`.
async fn rules(State(api): State<Api>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    Ok(Json(shape(&api.control.rules())))
}

/// `POST /v1/rules/reload`: 200 with the rules that are in force now, or 422 with everything that is wrong.
async fn reload(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    guard::admin(&api, &headers)?;
    match reply(api.control.reload_rules()).await? {
        Ok(view) => Ok(Json(shape(&view)).into_response()),
        Err(RulesRefusal::Wrong(complaints)) => {
            let error = json!({
                "code": "rules_refused", "message": "The rules file is refused; the rules before it stay in force.",
                "fix": "Mend what `complaints` lists; `warmline rules check FILE` tells the same.",
            });
            let body = Json(json!({"error": error, "complaints": complaints}));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, body).into_response())
        }
        Err(RulesRefusal::BuiltIn) => Err(ApiError::new(
            StatusCode::CONFLICT,
            "rules_built_in",
            "The rules are those built in.",
            "Name a file in rules.file of the configuration, and restart once.",
        )),
        Err(RulesRefusal::Ending) => Err(ApiError::busy()),
    }
}

fn shape(view: &RulesView) -> Value {
    let rules = view
        .rules
        .iter()
        .map(|(name, trigger, layer)| json!({"name": name, "trigger": trigger.as_str(), "layer": layer.to_string()}));
    json!({
        "file": view.file, "version": view.version, "rules": rules.collect::<Vec<_>>(), "refused": view.refused,
    })
}
