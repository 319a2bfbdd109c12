//! `warmline serve` and `warmline config`.

use crate::cli::Serve;
use crate::config::{self, Settings};
use crate::running::Gateway;
use crate::{nofile, token};
use call_core::{BotReach, RouteTo, Signalling, Target};
use std::io::{self, Write};
use std::path::Path;

/// Where the configuration is looked for when none is named.
pub(crate) const USUAL: &str = "config/warmline.toml";

/// Runs until a signal, then lets the calls end.
///
/// # Errors
/// The configuration is wrong, or something cannot be started; the text says what to do.
pub fn serve(options: &Serve) -> anyhow::Result<()> {
    let path = options.config.as_deref().or_else(|| Some(Path::new(USUAL)).filter(|path| path.is_file()));
    if options.check {
        return Ok(report(&config::check(path)?, &mut io::stdout().lock())?);
    }
    let settings = match path {
        Some(path) => config::load(path)?,
        None => config::parse(config::DEFAULT, config::BUILT_IN, Path::new("."))?,
    };
    if let Some(warning) = nofile::raise().and_then(|limit| nofile::warning(limit, settings.switchboard.call_limit)) {
        tracing::warn!("{warning}");
    }
    let (drain_max, configured_token) = (settings.drain_max, settings.http.api.admin_token.is_some());
    let worth_knowing = settings.warnings.clone();
    let gateway = Gateway::start(settings)?;
    announce(&gateway);
    for fact in &worth_knowing {
        tracing::info!("worth knowing: {fact}");
    }
    let left = (!configured_token).then(|| leave_token(&gateway)).flatten();

    let signal = gateway.wait_for_signal()?;
    tracing::info!(signal, drain_max_s = drain_max.as_secs(), "draining: no new calls, those that are up go on");
    let ended = gateway.drain(drain_max);
    if !ended {
        tracing::warn!("calls are still up, and there is no more waiting for them: they end now");
    }
    if let Some(path) = left {
        token::remove(&path);
    }
    gateway.stop();
    tracing::info!("stopped");
    Ok(())
}

/// Prints the commented default.
///
/// # Errors
/// Standard output is closed.
pub fn print_config() -> io::Result<()> {
    io::stdout().lock().write_all(config::DEFAULT.as_bytes())
}

fn announce(gateway: &Gateway) {
    for (transport, address) in gateway.sip_addresses() {
        tracing::info!(%transport, %address, "taking SIP");
    }
    tracing::info!("desk page: http://{}/desk", gateway.http());
    if let Some(https) = gateway.https() {
        tracing::info!("desk page: https://{https}/desk");
    }
    match gateway.model() {
        Some(model) => tracing::info!(model = model.name, backend = model.backend, "listening to callers"),
        None => tracing::info!("no route listens: the voice model is not loaded"),
    }
}

fn leave_token(gateway: &Gateway) -> Option<std::path::PathBuf> {
    match token::leave(gateway.http().port(), gateway.admin_token()) {
        Ok(path) => {
            tracing::info!(path = %path.display(), "left an admin token for `warmline tail`");
            Some(path)
        }
        Err(error) => {
            tracing::warn!(%error, "cannot leave an admin token: set http.admin_token to use `warmline tail`");
            None
        }
    }
}

/// What `--check` says about a configuration that is fine.
fn report(settings: &Settings, out: &mut impl Write) -> io::Result<()> {
    let board = &settings.switchboard;
    writeln!(out, "The configuration is fine.\n")?;
    let alone = board.interfaces.all().nth(1).is_none();
    let by = |name: &str| if alone { String::new() } else { format!(" by {name}") };
    for listen in &settings.sip.listen {
        let interface = by(&board.interfaces.get(listen.interface).name);
        let told = listen.advertised.map_or(String::new(), |_| format!(", told as {}", listen.told()));
        writeln!(out, "  SIP    {} {}{told}{interface}", listen.transport, listen.bind)?;
    }
    writeln!(out, "  HTTP   {}", settings.http.bind)?;
    if let Some(https) = &settings.http.https {
        writeln!(out, "  HTTPS  {}", https.bind)?;
    }
    for interface in board.interfaces.all() {
        let (first, last) = board.rtp_ports;
        writeln!(out, "  RTP    {} ports {first}-{last}{}", interface.media_ip, by(&interface.name))?;
    }
    // Names that are looked up only at the start may turn out to be elsewhere.
    let way = |signalling: &Signalling, targets: &[Target]| {
        let target = targets.first()?;
        let named = signalling.interface.as_deref();
        let flow = board.interfaces.flow_to(named, target.transport, target.address)?;
        Some(by(&board.interfaces.get(board.interfaces.of(flow)).name))
    };
    for trunk in &board.trunks {
        let from: Vec<String> = trunk.addresses.iter().map(|(ip, prefix)| format!("{ip}/{prefix}")).collect();
        writeln!(out, "  trunk  {} from {}", trunk.name, from.join(", "))?;
    }
    for bot in &board.bots {
        let (reach, targets) = match &bot.reach {
            BotReach::Sip { uri, targets, .. } => (uri, targets.as_slice()),
            BotReach::Stream { url } => (url, [].as_slice()),
        };
        writeln!(out, "  bot    {} at {reach}{}", bot.name, way(&bot.signalling, targets).unwrap_or_default())?;
    }
    for desk in &board.desks {
        let way = way(&desk.signalling, &desk.targets).unwrap_or_default();
        let at = if desk.browser { "its page, by microphone and speaker" } else { &desk.uri };
        writeln!(out, "  desk   {} at {at}{way}", desk.name)?;
    }
    for route in &board.routes {
        let to = match &route.to {
            RouteTo::Bot(name) => format!("bot {name}"),
            RouteTo::Desk(name) => format!("desk {name}, without bot or accept gate"),
        };
        let listen = if route.listen { ", listening" } else { "" };
        writeln!(out, "  route  {} -> {to}{listen}", dialled(&route.dialled))?;
    }
    if !settings.warnings.is_empty() {
        writeln!(out, "\nWorth knowing:")?;
    }
    settings.warnings.iter().try_for_each(|warning| writeln!(out, "  - {warning}"))
}

fn dialled(pattern: &call_core::Pattern) -> String {
    match pattern {
        call_core::Pattern::Exact(number) => number.clone(),
        call_core::Pattern::Prefix(prefix) => format!("{prefix}*"),
        call_core::Pattern::Any => "*".to_owned(),
    }
}
