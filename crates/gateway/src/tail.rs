//! `warmline tail`: what happens in the calls, as it happens.

use crate::cli::Tail;
use crate::http_client::{Answer, Server, Stream};
use crate::token;
use anyhow::{Context, bail};
use call_model::{CallId, Secret};
use std::io::{self, Write};
use std::time::Duration;

/// A gateway that restarts is found again.
const RETRY: Duration = Duration::from_secs(1);

/// Prints until interrupted, or until standard output is closed.
///
/// # Errors
/// The gateway is not there, or refuses the token; the text says what to do.
pub fn tail(options: &Tail) -> anyhow::Result<()> {
    let path = path(options.call.as_deref())?;
    let server = connect(&options.server.url, options.server.token.as_deref())?;
    let mut stream = open(&server, &path, &options.server.url)?;
    loop {
        if !print_all(&mut stream, options.json)? {
            return Ok(());
        }
        eprintln!("warmline: the gateway closed the stream; connecting again");
        stream = loop {
            std::thread::sleep(RETRY);
            match server.events(&path) {
                Ok(stream) => break stream,
                Err(_) => continue,
            }
        };
        refuse(stream.refused()?)?;
    }
}

/// The gateway, with the token given, or the one that it left for its user on this machine.
pub(crate) fn connect(url: &str, token: Option<&str>) -> anyhow::Result<Server> {
    let server = Server::new(url, Secret::default())?;
    let token = match token {
        Some(token) => Secret::new(token),
        None => server.port().and_then(token::find).with_context(|| {
            format!("no admin token for {url}: pass --token, or set WARMLINE_ADMIN_TOKEN to what http.admin_token says")
        })?,
    };
    Ok(server.with_token(token))
}

fn path(call: Option<&str>) -> anyhow::Result<String> {
    let Some(call) = call else { return Ok("/v1/trace".to_owned()) };
    let call: CallId = call.parse().map_err(|_| {
        anyhow::anyhow!(
            "`{call}` is no call id: 13 letters and digits, as at the beginning of every line of `warmline tail`"
        )
    })?;
    Ok(format!("/v1/trace?call={call}&backlog=true"))
}

fn open(server: &Server, path: &str, url: &str) -> anyhow::Result<Stream> {
    let mut stream = server
        .events(path)
        .with_context(|| format!("cannot reach a gateway at {url}: is it running, and is http.listen the same?"))?;
    refuse(stream.refused()?)?;
    Ok(stream)
}

fn refuse(answer: Option<Answer>) -> anyhow::Result<()> {
    match answer {
        None => Ok(()),
        Some(answer) if answer.status == 401 => {
            bail!(
                "the gateway does not know this admin token: use what http.admin_token says, or none on its own machine"
            )
        }
        Some(answer) => bail!("the gateway answered {}: {}", answer.status, answer.body.trim()),
    }
}

/// Whether the stream ended, rather than our output.
fn print_all(stream: &mut Stream, json: bool) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    loop {
        let event = match stream.next() {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(true),
            Err(error) => {
                tracing::debug!(%error, "the trace stream broke");
                return Ok(true);
            }
        };
        let line = if json { event.data } else { line(&event.name, &event.data) };
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

fn line(name: &str, data: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
    match value.get("line").and_then(|line| line.as_str()) {
        Some(line) => line.to_owned(),
        None => format!("{name} {data}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_asked_for_by_its_whole_id() {
        assert_eq!(path(None).expect("all"), "/v1/trace");
        assert_eq!(path(Some("0000000000001")).expect("an id"), "/v1/trace?call=0000000000001&backlog=true");
        assert!(path(Some("../calls")).is_err());
    }
}
