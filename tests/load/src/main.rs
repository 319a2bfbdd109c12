//! What a call costs: starts `warmline serve` on loopback, plays its callers and its bot, and prints one table.
//!
//! The gateway is pinned to core 0 and this generator to core 1. Never part of the tests: figures need a quiet machine.

mod attack;
mod floor;
mod gateway;
mod joins;
mod sip;
mod sys;
mod table;
mod talk;
mod tide;
mod traffic;
mod trigger;
mod usage;
mod workers;

use anyhow::{Context, Result, bail};
use attack::Attack;
use clap::{Parser, ValueEnum};
use gateway::{Gateway, Parties};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use table::Row;
use traffic::{Generator, Window};
use usage::Usage;

/// Speech, so that the voice gate is open: mu-law at 8 kHz.
const SPEECH: &[u8] = include_bytes!("../../../crates/gateway/assets/caller-calm.wav");
/// New calls a second where the set-up is not what is measured.
const RAMP: f64 = 100.0;
/// Calls that are up while humans are asked for.
const LIVE: usize = 200;
/// Handoffs begun a second; each takes about two and a half.
const JOINS_PER_SECOND: f64 = 20.0;
const SETTLE: Duration = Duration::from_secs(2);
/// New calls a second that nobody acknowledges.
const FLOOD: u64 = 1_000;
/// Twenty times the 600 new calls a second that take a whole core.
const OVERLOAD: u64 = 12_000;
/// Calls at once that the gateway takes; under attack three times as many as are up.
const LIMIT: usize = 2_000;
/// Connections that never finish a message.
const CONNECTIONS: usize = 1_000;
/// How long each call of the hour lasts.
const HOLD: Duration = Duration::from_secs(60);
/// Caches and pools are full by then.
const WARM_MINUTES: u32 = 5;
/// SIP over UDP remembers a call for 32 s after its end (RFC 3261, timers D and J); then it must have been given back.
const REST: Duration = Duration::from_secs(36);

#[derive(Parser, Debug)]
#[command(
    name = "load",
    about = "What a call costs and how quick it is: CPU, latency, loss, set-up, memory, joins, simulated calls"
)]
struct Options {
    /// Calls at once, several sizes.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 500])]
    calls: Vec<usize>,
    /// Seconds each figure is measured for.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Only these; default: all but `hour`.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Part>,
    /// Handoffs for `joins` and `trigger`.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=1500))]
    joins: u16,
    /// How long `hour` lasts.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(6..=1440))]
    minutes: u32,
    /// One JSON object instead of the table.
    #[arg(long)]
    json: bool,
    /// The program under test; default: `warmline` beside this program, or target/release/warmline.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Plays the bare relay for another run of this program.
    #[arg(long = "bare-relay", hide = true)]
    bare_relay: Option<usize>,
    /// Plays a thousand callers and the worker that listens to them for another run of this program.
    #[arg(long = "one-worker", hide = true)]
    one_worker: Option<u64>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// A relay that does nothing else, as a yardstick for this machine at this moment.
    Floor,
    /// Calls through the gateway.
    Relay,
    /// The same without telephone-event, so that keys are looked for in the audio of both sides.
    Keys,
    /// The first with the caller's voice scored.
    Listen,
    /// A thousand callers and one listening worker: how late its windows are, and how many are shed. Pure Rust, and
    /// libonnxruntime where WARMLINE_ONNXRUNTIME names it.
    Workers,
    /// Calls that come and go.
    Churn,
    /// Memory at most calls, and whether it comes back.
    Memory,
    /// The pause a caller hears when a human takes over, over many handoffs.
    Joins,
    /// From a request for a human to the INVITE at the desk's phone, while 200 calls are up.
    Trigger,
    /// Calls that are up while a thousand more a second come and none is acknowledged, while twenty times as many come as
    /// can be served, and while a thousand connections say one octet a second.
    Attack,
    /// Handoffs on the virtual clock.
    Sim,
    /// An hour of calls of a minute each, as many at once as --calls says at most: memory, files and ports.
    Hour,
}

/// Measures one part.
type Run = fn(&mut Bench) -> Result<()>;

struct Bench {
    options: Options,
    program: PathBuf,
    /// The gateway's core, when there are two.
    core: Option<usize>,
    generator: Generator,
    rows: Vec<Row>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(calls) = options.bare_relay {
        return floor::relay(calls);
    }
    if let Some(seconds) = options.one_worker {
        return workers::alone(seconds);
    }
    if options.calls.is_empty() || options.calls.iter().any(|calls| !(1..=1500).contains(calls)) {
        bail!("--calls takes numbers from 1 to 1500");
    }
    let json = options.json;
    let rows = Bench::new(options)?.run()?;
    print(&rows, json);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the result of this command line")]
fn print(rows: &[Row], json: bool) {
    if json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        println!("{}", serde_json::json!({ "rows": rows }));
        return;
    }
    println!("{}", table::render(rows));
    println!("CPU: of one core, gateway with all its threads, per 100 calls (100 packets a second and call).");
    println!("Latency: from just before sendmmsg to the kernel's receive stamp at the far socket, both directions.");
    println!(
        "Others: what everything else on this machine burned meanwhile; figures taken beside much of it are too high."
    );
    println!("Joins: the pause at the caller from the bot's last packet to the human's first; both send every 20 ms.");
    println!("Trigger: from just before the HTTP request to the kernel's receive stamp of the INVITE, listening on.");
    println!(
        "Attacks: while the calls of the row are up; OPTIONS come from a trunk that means well. Memory after: 72 s later."
    );
    println!(
        "Workers: from the moment when the audio of a window had come to its score; every caller speaks without a pause."
    );
    println!("Floor: a bare relay measured the same way, so what this machine takes at least.");
}

#[allow(clippy::print_stderr, reason = "progress for the person who waits")]
fn tell(what: &str) {
    eprintln!("load: {what}");
}

impl Bench {
    fn new(options: Options) -> Result<Self> {
        let program = program(options.gateway.as_deref())?;
        let two = std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2);
        let pinned = two && sys::pin(1);
        if !pinned {
            tell("cannot use core 0 and 1: the generator disturbs the gateway, figures are too high");
        }
        let at = SPEECH.windows(4).position(|four| four == b"data").map_or(0, |at| at + 8);
        let generator = Generator::new(SPEECH[at..].to_vec())?;
        Ok(Self { options, program, core: pinned.then_some(0), generator, rows: Vec::new() })
    }

    fn run(mut self) -> Result<Vec<Row>> {
        let parts: [(Part, Run); 12] = [
            (Part::Floor, Self::floor),
            (Part::Relay, |bench| bench.relay("relay", false)),
            (Part::Keys, Self::keys),
            (Part::Listen, |bench| bench.relay("relay + listening", true)),
            (Part::Workers, Self::workers),
            (Part::Churn, Self::churn),
            (Part::Memory, Self::memory),
            (Part::Joins, Self::joins),
            (Part::Trigger, Self::trigger),
            (Part::Attack, Self::attack),
            (Part::Sim, Self::sim),
            (Part::Hour, Self::hour),
        ];
        for (part, run) in parts {
            let by_default = self.options.only.is_empty() && part != Part::Hour;
            if by_default || self.options.only.contains(&part) {
                run(&mut self)?;
            }
        }
        Ok(self.rows)
    }

    fn window(&mut self, pid: u32) -> (usage::Burned, Window) {
        self.generator.pass(SETTLE);
        self.generator.open_window();
        let before = Usage::of(pid);
        self.generator.pass(Duration::from_secs(self.options.seconds));
        let burned = Usage::of(pid).since(before);
        (burned, self.generator.close_window())
    }

    fn media_row(&mut self, what: &str, calls: usize, pid: u32) -> Row {
        tell(&format!("{what}, {calls} calls"));
        let (burned, window) = self.window(pid);
        let us = |share| usage::percentile(&window.latencies, share).map(|ns| ns / 1000.0);
        let mut more = vec![("max_us", us(1.0).unwrap_or(f64::NAN), "")];
        if self.generator.failed() > 0 {
            more.push(("failed", self.generator.failed() as f64, ""));
        }
        if window.skipped > 0 {
            more.push(("skipped_slots", window.skipped as f64, ""));
        }
        Row {
            what: what.to_owned(),
            calls: Some(self.generator.up()),
            cpu_pct_per_100: Some(burned.process_pct * 100.0 / self.generator.up().max(1) as f64),
            p50_us: us(0.5),
            p99_us: us(0.99),
            loss_pct: Some(window.loss_pct()),
            others_cpu_pct: Some(burned.others_pct),
            more,
        }
    }

    fn floor(&mut self) -> Result<()> {
        for calls in self.options.calls.clone() {
            let relay = floor::BareRelay::start(calls, self.core)?;
            self.generator.aim(relay.ports[0][0], true);
            self.generator.assume(&relay.ports);
            let row = self.media_row("floor", calls, relay.pid());
            self.rows.push(row);
        }
        Ok(())
    }

    fn start(&mut self, listen: bool, media: bool) -> Result<Gateway> {
        self.start_limited(listen, media, LIMIT)
    }

    fn start_limited(&mut self, listen: bool, media: bool, limit: usize) -> Result<Gateway> {
        let parties = Parties { callee: self.generator.callee(), desk: self.generator.desk(), listen, limit };
        let gateway = Gateway::start(&self.program, self.core, &parties)?;
        self.generator.aim(gateway.sip, media);
        Ok(gateway)
    }

    fn relay(&mut self, what: &str, listen: bool) -> Result<()> {
        let gateway = self.start(listen, true)?;
        for calls in self.options.calls.clone() {
            self.generator.set_up('7', calls, RAMP);
            let scored = gateway.metric("warmline_voice_windows_scored_total");
            let since = Instant::now();
            let mut row = self.media_row(what, calls, gateway.pid());
            if listen {
                let scored = gateway.metric("warmline_voice_windows_scored_total") - scored;
                let each = scored / since.elapsed().as_secs_f64() / calls as f64;
                row.more.push(("scores_per_call_and_second", each, ""));
            }
            self.rows.push(row);
        }
        self.generator.hang_up_all(RAMP);
        complain(&gateway);
        Ok(())
    }

    fn keys(&mut self) -> Result<()> {
        self.generator.events = false;
        let done = self.relay("relay, keys in the audio", false);
        self.generator.events = true;
        done
    }

    /// Without a gateway: the relay of as many calls would take the core.
    fn workers(&mut self) -> Result<()> {
        let library = std::env::var_os(prosody::runtime::LIBRARY_VARIABLE).filter(|named| !named.is_empty());
        for library in library.into_iter().map(Some).chain([None]) {
            tell(&format!("{} callers, one listening worker", workers::CALLERS));
            self.rows.push(workers::row(library.as_deref(), self.options.seconds)?);
        }
        Ok(())
    }

    fn churn(&mut self) -> Result<()> {
        tell("calls that come and go");
        let gateway = self.start(false, false)?;
        // The first calls warm up caches and pools.
        self.generator.churn('7', 20, 40.0, Duration::from_millis(100));
        self.generator.aim(gateway.sip, false);
        let total = 40 * self.options.seconds as usize;
        let before = Usage::of(gateway.pid());
        self.generator.churn('7', total, 40.0, Duration::from_millis(200));
        let burned = Usage::of(gateway.pid()).since(before);
        self.rows.push(Row {
            what: "set-up and end".to_owned(),
            calls: Some(total),
            others_cpu_pct: Some(burned.others_pct),
            more: vec![
                ("cpu_ms_per_call", burned.process_ms / total as f64, ""),
                ("failed", self.generator.failed() as f64, ""),
            ],
            ..Row::default()
        });
        complain(&gateway);
        Ok(())
    }

    fn memory(&mut self) -> Result<()> {
        let calls = self.options.calls.iter().copied().max().unwrap_or(500);
        tell(&format!("memory, {calls} calls, twice"));
        let gateway = self.start(false, true)?;
        let rss = || usage::rss_kb(gateway.pid()) / calls as f64;
        let before = rss();
        self.generator.set_up('7', calls, RAMP);
        self.generator.pass(SETTLE);
        let up = rss();
        self.generator.hang_up_all(RAMP);
        self.generator.pass(REST);
        let after = rss();
        // What an allocator keeps for later is used again; what is lost is not.
        self.generator.set_up('7', calls, RAMP);
        self.generator.pass(SETTLE);
        let again = rss();
        self.generator.hang_up_all(RAMP);
        self.rows.push(Row {
            what: "memory".to_owned(),
            calls: Some(calls),
            more: vec![
                ("kB_per_call", up - before, ""),
                ("of_which_kept_after_the_end", after - before, ""),
                ("more_the_second_time", again - up, ""),
                ("MB_before_the_first_call", before * calls as f64 / 1024.0, ""),
                ("failed", self.generator.failed() as f64, ""),
            ],
            ..Row::default()
        });
        complain(&gateway);
        Ok(())
    }

    /// Callers who ask for a human and get one, over real sockets.
    fn joins(&mut self) -> Result<()> {
        let total = usize::from(self.options.joins);
        tell(&format!("{total} joins"));
        let gateway = self.start(false, true)?;
        let before = Usage::of(gateway.pid());
        let joined = self.generator.hand_over(total, JOINS_PER_SECOND);
        let burned = Usage::of(gateway.pid()).since(before);
        let ms = |list: &[u32], share| usage::percentile(list, share).map_or(f64::NAN, |ns| ns / 1e6);
        let heard = &joined.heard;
        self.rows.push(Row {
            what: "joins".to_owned(),
            calls: Some(heard.gaps.len()),
            others_cpu_pct: Some(burned.others_pct),
            more: vec![
                ("gap_p50_ms", ms(&heard.gaps, 0.5), ""),
                ("gap_p99_ms", ms(&heard.gaps, 0.99), ""),
                ("gap_max_ms", ms(&heard.gaps, 1.0), ""),
                ("gap_of_one_speaker_p99_ms", ms(&heard.others, 0.99), ""),
                ("gap_of_one_speaker_max_ms", ms(&heard.others, 1.0), ""),
                ("broken_streams", heard.broken() as f64, ""),
                ("without_human", joined.missed as f64, ""),
                ("load_average", usage::load_average(), ""),
            ],
            ..Row::default()
        });
        complain(&gateway);
        Ok(())
    }

    /// Operators ask for a human; desks have their pages open. Every caller is listened to.
    fn trigger(&mut self) -> Result<()> {
        let rounds = usize::from(self.options.joins).div_ceil(LIVE);
        tell(&format!("{} requests for a human, {LIVE} calls up", rounds * LIVE));
        let gateway = self.start(true, true)?;
        (0..trigger::DESKS).try_for_each(|desk| trigger::open_page(gateway.http, desk))?;
        let before = Usage::of(gateway.pid());
        let mut found = trigger::Triggered::default();
        for _ in 0..rounds {
            self.generator.aim(gateway.sip, true);
            self.generator.set_up('7', LIVE, RAMP);
            self.generator.pass(SETTLE);
            self.generator.ask_for_humans(gateway.http, &mut found)?;
            self.generator.hang_up_all(RAMP);
        }
        found.latencies.sort_unstable();
        let burned = Usage::of(gateway.pid()).since(before);
        let pops = |what: &str| gateway.metric(&format!("warmline_pops_total{{what=\"{what}\"}}"));
        let (offered, late) = (pops("offered"), pops("unacknowledged"));
        let ms = |share| usage::percentile(&found.latencies, share).map_or(f64::NAN, |ns| ns / 1e6);
        self.rows.push(Row {
            what: "trigger".to_owned(),
            calls: Some(LIVE),
            others_cpu_pct: Some(burned.others_pct),
            more: vec![
                ("requests", found.latencies.len() as f64, ""),
                ("to_INVITE_p50_ms", ms(0.5), ""),
                ("to_INVITE_p99_ms", ms(0.99), ""),
                ("to_INVITE_max_ms", ms(1.0), ""),
                ("pop_acknowledged_first_pct", 100.0 * (offered - late) / offered.max(1.0), ""),
                ("without_INVITE", found.missed as f64, ""),
                ("load_average", usage::load_average(), ""),
            ],
            ..Row::default()
        });
        complain(&gateway);
        Ok(())
    }

    /// What callers who are up notice of attackers, and what is left of it.
    fn attack(&mut self) -> Result<()> {
        sys::many_files();
        self.under("un-ACKed flood", |gateway| attack::flood(gateway.sip, FLOOD))?;
        self.under("overload", |gateway| attack::flood(gateway.sip, OVERLOAD))?;
        self.under("slow TCP", |gateway| attack::slow(gateway, CONNECTIONS))?;
        self.under("slow TLS", |gateway| attack::slow_handshakes(gateway, CONNECTIONS))
    }

    fn under(&mut self, what: &str, begin: impl FnOnce(&Gateway) -> Result<Attack<u64>>) -> Result<()> {
        let calls = self.options.calls.iter().copied().min().unwrap_or(100);
        let gateway = self.start_limited(false, true, calls * 3)?;
        self.generator.set_up('7', calls, RAMP);
        self.generator.pass(SETTLE);
        let mb = || usage::rss_kb(gateway.pid()) / 1024.0;
        let before = mb();
        let (attack, probe) = (begin(&gateway)?, attack::probe(gateway.sip)?);
        let mut row = self.media_row(what, calls, gateway.pid());
        let during = mb();
        row.more.push(("attackers_made", attack.stop()? as f64, ""));
        let (answers, unanswered) = probe.stop()?;
        tell("what is left of it");
        self.generator.pass(2 * REST);
        let ms = |share| usage::percentile(&answers, share).map_or(f64::NAN, |ns| ns / 1e6);
        row.more.extend([
            ("OPTIONS_p50_ms", ms(0.5), ""),
            ("OPTIONS_p99_ms", ms(0.99), ""),
            ("OPTIONS_max_ms", ms(1.0), ""),
            ("unanswered", unanswered as f64, ""),
            ("MB_before", before, ""),
            ("MB_during", during, ""),
            ("MB_after", mb(), ""),
            ("calls_still_up", self.generator.up() as f64, ""),
        ]);
        self.rows.push(row);
        self.generator.hang_up_all(RAMP);
        complain(&gateway);
        Ok(())
    }

    /// What grows while calls come and go.
    fn hour(&mut self) -> Result<()> {
        let calls = self.options.calls.iter().copied().max().unwrap_or(500);
        let minutes = self.options.minutes;
        tell(&format!("{minutes} minutes of {calls} calls at once"));
        let gateway = self.start(false, true)?;
        let idle = usage::Held::of(&gateway);
        let before = Usage::of(gateway.pid());
        let mut held = Vec::new();
        self.generator.keep_up(calls, HOLD, minutes, |generator, minute| {
            let now = usage::Held::of(&gateway);
            if minute.is_multiple_of(WARM_MINUTES) {
                tell(&format!("minute {minute}: {} calls up, {now}", generator.up()));
            }
            held.push(now);
        });
        let burned = Usage::of(gateway.pid()).since(before);
        let made = self.generator.calls.len();
        let mut row = self.media_row("hour", calls, gateway.pid());
        self.generator.hang_up_all(RAMP);
        self.generator.pass(2 * REST);
        let after = usage::Held::of(&gateway);
        let (warm, last) = (held[WARM_MINUTES as usize - 1], held[held.len() - 1]);
        row.more.extend([
            ("calls_made", made as f64, ""),
            ("failed", self.generator.failed() as f64, ""),
            ("core_pct", burned.process_pct, ""),
            ("MB_idle", idle.mb, ""),
            ("MB_after_5_minutes", warm.mb, ""),
            ("MB_at_the_end", last.mb, ""),
            ("MB_72_s_later", after.mb, ""),
            ("files_idle", idle.files, ""),
            ("files_after_5_minutes", warm.files, ""),
            ("files_at_the_end", last.files, ""),
            ("files_72_s_later", after.files, ""),
            ("port_pairs_after_5_minutes", warm.ports, ""),
            ("port_pairs_at_the_end", last.ports, ""),
            ("port_pairs_72_s_later", after.ports, ""),
        ]);
        self.rows.push(row);
        complain(&gateway);
        Ok(())
    }

    /// A bot call handed over to a human and ended, on the virtual clock, with every packet of it.
    fn sim(&mut self) -> Result<()> {
        tell("simulated handoffs");
        let pid = std::process::id();
        let (before, start) = (Usage::of(pid), Instant::now());
        let (mut calls, mut seconds) = (0usize, 0f64);
        while start.elapsed() < Duration::from_secs(2) {
            let setup = sim::Setup { seed: calls as u64 + 1, ears: false, ..sim::Setup::default() };
            let mut world = sim::World::new(&setup);
            world.at(0, sim::Do::Dial("7001")).at(3_000, sim::Do::Press(sim::TRUNK, '0'));
            world.at(8_000, sim::Do::Press(sim::DESK, '1')).at(12_000, sim::Do::HangUp(sim::TRUNK)).run_out(60_000);
            if !world.verdict().broken().is_empty() || world.handoff().is_none() {
                bail!("the simulated handoff went wrong: {:?}", world.verdict().broken());
            }
            calls += 1;
            seconds += world.now().as_nanos() as f64 / 1e9;
        }
        let took = start.elapsed().as_secs_f64();
        self.rows.push(Row {
            what: "simulator".to_owned(),
            calls: Some(calls),
            others_cpu_pct: Some(Usage::of(pid).since(before).others_pct),
            more: vec![("handoffs_per_second", calls as f64 / took, ""), ("times_real_time", seconds / took, "")],
            ..Row::default()
        });
        Ok(())
    }
}

/// Passes on what the gateway complained about.
fn complain(gateway: &Gateway) {
    for line in gateway.complaints().iter().take(5) {
        tell(&format!("the gateway says: {line}"));
    }
}

fn program(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let beside = std::env::current_exe()?.with_file_name("warmline");
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/warmline");
    let found = [beside, usual].into_iter().find(|path| path.is_file());
    found.context("there is no warmline program: build it with `cargo build --release`, or name it with --gateway")
}
