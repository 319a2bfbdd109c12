//! From the moment somebody asks for a human to the INVITE at that human's phone, while many calls are up.
//!
//! One thread asks, one thread for each desk plays its page: it reads the event stream and acknowledges every pop.

use crate::sys;
use crate::traffic::{Generator, wall_ns};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

/// Desks, so that none has more pops than a page shows.
pub(crate) const DESKS: usize = 16;
/// The operator's token.
pub(crate) const OPERATOR: &str = "operator-of-this-run";
/// Requests a second.
const PER_SECOND: u64 = 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the page of a desk must present.
pub(crate) fn page_token(desk: usize) -> String {
    format!("page-of-desk-{desk}")
}

/// A connection that is used again and again.
struct Http {
    stream: BufReader<TcpStream>,
    host: SocketAddrV4,
    token: String,
}

impl Http {
    fn connect(host: SocketAddrV4, token: String) -> Result<Self> {
        let stream = TcpStream::connect(host).context("cannot reach the gateway's HTTP server")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host, token })
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Result<()> {
        let Self { host, token, .. } = self;
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(self.stream.get_mut().write_all(text.as_bytes())?)
    }

    /// Status and body of the next answer, which must tell its length.
    fn answer(&mut self) -> Result<(u16, String)> {
        self.stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the gateway closed the connection");
            }
            let lower = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = lower.strip_prefix("http/1.1 ") {
                status = rest.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
            } else if let Some(rest) = lower.strip_prefix("content-length:") {
                length = rest.trim().parse()?;
            } else if lower.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }
}

/// Opens the page of a desk, and acknowledges what it is offered until the gateway is gone.
pub(crate) fn open_page(http: SocketAddrV4, desk: usize) -> Result<()> {
    let mut page = Http::connect(http, page_token(desk))?;
    let mut buttons = Http::connect(http, page_token(desk))?;
    page.send("GET", &format!("/v1/desks/desk{desk}/events"), "")?;
    let mut line = String::new();
    page.stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        bail!("the page of desk {desk} was refused: {line}");
    }
    std::thread::Builder::new().name(format!("page-{desk}")).spawn(move || {
        let mut offered = false;
        loop {
            line.clear();
            // The gateway is stopped at the end of the run.
            if page.stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(name) = line.strip_prefix("event: ") {
                offered = name.trim() == "offered";
            }
            let id = line.strip_prefix("data: ").filter(|_| offered).and_then(|data| field(data, "handoff"));
            if let Some(id) = id {
                let path = format!("/v1/desks/desk{desk}/handoffs/{id}/ack");
                if buttons.send("POST", &path, "").and_then(|()| buttons.answer()).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(())
}

/// The value of a text member of a JSON object.
fn field<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    json.split_once(&format!("\"{name}\":\""))?.1.split('"').next()
}

/// The gateway's names of the calls that are up, by number.
fn calls(operator: &mut Http) -> Result<Vec<(usize, String)>> {
    operator.send("GET", "/v1/calls?limit=1000", "")?;
    let (status, body) = operator.answer()?;
    let list: serde_json::Value = serde_json::from_str(&body).with_context(|| format!("calls: {status} {body}"))?;
    let up = list["calls"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let up = up.filter(|call| call["ended_unix_ms"].is_null());
    Ok(up
        .filter_map(|call| Some((call["to"].as_str()?.get(1..)?.parse().ok()?, call["id"].as_str()?.to_owned())))
        .collect())
}

/// What came of many requests.
#[derive(Default)]
pub(crate) struct Triggered {
    /// Nanoseconds from just before the request was sent to the kernel's receive stamp of the INVITE; sorted.
    pub(crate) latencies: Vec<u32>,
    /// Requests after which no phone rang.
    pub(crate) missed: usize,
}

impl Generator {
    /// Asks for a human in every call that is up, one after the other.
    pub(crate) fn ask_for_humans(&mut self, http: SocketAddrV4, found: &mut Triggered) -> Result<()> {
        let mut operator = Http::connect(http, OPERATOR.to_owned())?;
        let calls = calls(&mut operator)?;
        let total = calls.len();
        self.rung.clear();
        let asking = std::thread::spawn(move || -> Result<Vec<(usize, u64)>> {
            let mut asked = Vec::with_capacity(calls.len());
            for (nth, (number, call)) in calls.into_iter().enumerate() {
                sys::wait(&[], Duration::from_millis(1000 / PER_SECOND));
                let body = format!("{{\"desk\": \"desk{}\", \"reason\": \"measured\"}}", nth % DESKS);
                let at = wall_ns();
                operator.send("POST", &format!("/v1/calls/{call}/handoffs"), &body)?;
                let (status, body) = operator.answer()?;
                if status != 202 {
                    bail!("a request was refused: {status} {body}");
                }
                asked.push((number, at));
            }
            Ok(asked)
        });
        let at_most = Duration::from_millis(1000 / PER_SECOND) * total as u32 * 3 + PATIENCE;
        self.drive(at_most, |generator, _| asking.is_finished() && generator.rung.len() >= total);
        let asked = asking.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))??;
        for (number, at) in asked {
            match self.rung.iter().find(|(rung, _)| *rung == number) {
                Some((_, rung)) => found.latencies.push(u32::try_from(rung.saturating_sub(at)).unwrap_or(u32::MAX)),
                None => found.missed += 1,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_in_an_event() {
        let data = r#"{"handoff":"01JD","sip_call_id":"a@b"}"#;
        assert_eq!((field(data, "handoff"), field(data, "nothing")), (Some("01JD"), None));
    }
}
