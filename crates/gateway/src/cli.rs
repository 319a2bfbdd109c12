//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Warmline hands callers from an AI voice agent to a human, warm, with the story already on the human's screen.
#[derive(Parser, Debug)]
#[command(name = "warmline", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Where to begin:
  warmline demo                          one handoff on this machine, nothing to configure
  warmline config > warmline.toml        the commented defaults, to change
  warmline serve --config warmline.toml --check
  warmline serve --config warmline.toml
  warmline tail                          in another terminal: what happens, as it happens
  warmline verify alice                  call a desk: does what its profile sends arrive on the screen?
  warmline rules check rules.toml        is this rules file in order, and what does it listen for?
  warmline rules replay --rules new.toml what would these rules have done to the calls of the last 30 days?
  warmline listen call.wav               what the voice model hears in a recording
  warmline doctor                        which voice model and ONNX runtime this machine would use, and their price
  warmline trunks                        what trunks and desks can do, and how that is known

Logs go to standard error; WARMLINE_LOG=debug shows every SIP message.";

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Take calls until SIGTERM or Ctrl-C.
    Serve(Serve),
    /// Watch calls live: SIP ladder, decisions with reasons, audio quality, screen pops.
    Tail(Tail),
    /// What trunks and desks can do, how that is known, how they are doing, and how to override it.
    Trunks(Shown),
    /// Who waits in line for a desk, the next first.
    Queue(Shown),
    /// Who was promised a callback, when, and what became of it.
    Callbacks(Shown),
    /// What messages callers left, the newest first.
    Voicemails(Shown),
    /// Play one handoff with a scripted caller, bot and desk over real sockets, and measure it.
    Demo(Demo),
    /// Call a desk and prove that what its contact-centre profile sends arrives on the screen.
    Verify(Verify),
    /// Check rules files, test them with example conversations, explain and replay past calls.
    #[command(subcommand)]
    Rules(Rules),
    /// Read recordings of calls.
    #[command(subcommand)]
    Recording(Recording),
    /// What the voice model hears in recordings: the trajectory, and a plot.
    Listen(Listen),
    /// Check, time or describe a voice model.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Which voice model, ONNX runtime and configuration this machine would use, and whether they are in order.
    Doctor(Doctor),
    /// Print the commented default configuration.
    Config,
}

/// A voice model, as an option.
#[derive(Args, Debug)]
pub struct ModelChoice {
    /// The ONNX file; without it the shipped model.
    #[arg(long, value_name = "FILE.onnx")]
    pub model: Option<PathBuf>,
    /// How it is run.
    #[command(flatten)]
    pub engine: Engine,
}

/// A voice model, as an argument.
#[derive(Args, Debug)]
pub struct ModelFile {
    /// The ONNX file; without it the shipped model.
    #[arg(value_name = "FILE.onnx")]
    pub file: Option<PathBuf>,
    /// How it is run.
    #[command(flatten)]
    pub engine: Engine,
}

/// How a voice model is asked and run.
#[derive(Args, Debug)]
pub struct Engine {
    /// How to ask a model that does not fulfil models/CONTRACT.md.
    #[arg(long, value_name = "FILE.toml")]
    pub adapter: Option<PathBuf>,
    /// libonnxruntime.so; without it what WARMLINE_ONNXRUNTIME names, else pure Rust.
    #[arg(long, value_name = "FILE.so")]
    pub onnxruntime: Option<PathBuf>,
}

impl Engine {
    /// With a model, or the shipped one.
    pub(crate) fn config(&self, path: Option<&PathBuf>) -> prosody::ModelConfig {
        prosody::ModelConfig {
            path: path.cloned(),
            adapter: self.adapter.clone(),
            onnxruntime: self.onnxruntime.clone(),
            ..prosody::ModelConfig::default()
        }
    }
}

const LISTEN: &str = "\
Distress is what the rules see: smoothed, compared with the caller's own calm beginning, and calibrated so that 0.5 is
the threshold of so many false alarms an hour. `before baseline` leaves the caller's own beginning out.

Exit status: 0, or 3 when a file could not be heard; the others are told all the same.";

/// Options of `warmline listen`.
#[derive(Args, Debug)]
#[command(after_help = LISTEN)]
pub struct Listen {
    /// WAV files of any rate: PCM, float, A-law or mu-law; channels are mixed.
    #[arg(required_unless_present = "list")]
    pub files: Vec<PathBuf>,
    /// More of them, one path a line.
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// One JSON object a line for every file instead of the story.
    #[arg(long)]
    pub json: bool,
    /// Sensitivity: false alarms an hour at which distress 0.5 is set.
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    pub alarms_per_hour: f32,
    /// Which model.
    #[command(flatten)]
    pub choice: ModelChoice,
}

/// Subcommands of `warmline model`.
#[derive(Subcommand, Debug)]
pub enum ModelCommand {
    /// Load it, look at its form, run its golden vector: would the gateway start with it? Exit status 0 or 3.
    Check {
        /// Which model.
        #[command(flatten)]
        choice: ModelFile,
    },
    /// CPU time for each second of speech on this machine.
    Bench {
        /// Which model.
        #[command(flatten)]
        choice: ModelFile,
        /// One JSON object instead of the table.
        #[arg(long)]
        json: bool,
    },
    /// What it says about itself, and what it is made of, without running it.
    Info {
        /// Which model.
        #[command(flatten)]
        choice: ModelFile,
    },
}

/// Options of `warmline doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// The configuration; without it config/warmline.toml if there is one, else the built-in default.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

const RULES_CHECK: &str = "\
Start with a pack: config/rules.toml is the general one, config/packs/ has others. docs/rules.md explains every field.

Exit status: 0 in order, 3 not in order; every mistake is listed with its place.";

const RULES_TEST: &str = "\
A file of conversations looks like this; docs/rules.md lists every line there is:

  [[conversation]]
  name = \"Two unsure answers in a row\"
  expect = \"low-confidence\"     # the rule that must decide first, or \"nothing\"
  rules = \"my-rules.toml\"       # as seen from this file; left out: --rules, else the general pack
  says = [
    \"caller: is my basement insured\",
    \"bot 0.55: Do you mean the contents?\",
    \"caller: no, the basement\",
    \"bot 0.41: Basements are included.\",
  ]

Exit status: 0 all as expected, 3 not all, or a file is not in order.";

const RULES_EXPLAIN: &str = "\
It needs the call's facts: ledger.keep_facts_days in the configuration, 30 unless set. The gateway may be running.

Exit status: 0 told, 1 there is nothing to tell from, and why.";

const RULES_REPLAY: &str = "\
Each call is first judged by the rules it had; only calls whose record leads to what was decided then are judged by the
new ones. A call is compared up to the moment a human was fetched: what would have come after it, nobody knows.

Exit status: 0 told, 1 the rules or the ledger cannot be used.";

/// Subcommands of `warmline rules`.
#[derive(Subcommand, Debug)]
pub enum Rules {
    /// Is this rules file in order? Lists every mistake with its place, else every rule.
    #[command(after_help = RULES_CHECK)]
    Check {
        /// The rules file.
        file: PathBuf,
    },
    /// Play example conversations: does the rule decide that should, and why?
    #[command(after_help = RULES_TEST)]
    Test {
        /// The file of conversations.
        file: PathBuf,
        /// The rules for conversations that name none; without it the general pack.
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
    },
    /// Why a past call went as it did: which rules decided on what, and which were near.
    #[command(after_help = RULES_EXPLAIN)]
    Explain {
        /// The call, by its id.
        call: String,
        /// Where the record is.
        #[command(flatten)]
        record: Record,
    },
    /// Judge past calls by other rules: which would change, and how?
    #[command(after_help = RULES_REPLAY)]
    Replay {
        /// The rules to judge by.
        #[arg(long, value_name = "FILE")]
        rules: PathBuf,
        /// Calls that began within this time: 30d, 12h, 90m.
        #[arg(long, default_value = "30d", value_parser = span)]
        since: Duration,
        /// One JSON object with all calls that change.
        #[arg(long)]
        json: bool,
        /// Where the record is.
        #[command(flatten)]
        record: Record,
    },
}

/// Where past calls are recorded.
#[derive(Args, Debug)]
pub struct Record {
    /// The ledger's file; without it, that of the configuration.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// The configuration; without it config/warmline.toml.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

fn span(text: &str) -> Result<Duration, String> {
    let unit = |unit: char| {
        Some(match unit {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            _ => return None,
        })
    };
    let split = text.char_indices().next_back();
    let parsed = split.and_then(|(at, last)| text[..at].parse::<u64>().ok()?.checked_mul(unit(last)?));
    parsed.map(Duration::from_secs).ok_or_else(|| "write a number with d, h or m, such as 30d".to_owned())
}

const DECRYPT: &str = "\
The name of a call's recording is in its trace (warmline tail --call ID), in GET /v1/calls/ID and in the ledger.

Exit status: 0 all of it, 3 not all (it says what is missing), 1 nothing.";

/// Subcommands of `warmline recording`.
#[derive(Subcommand, Debug)]
pub enum Recording {
    /// Write a recording as a WAV file.
    Decrypt(Decrypt),
}

/// Options of `warmline recording decrypt`.
#[derive(Args, Debug)]
#[command(after_help = DECRYPT)]
pub struct Decrypt {
    /// The recording: NAME.wrec in the folder of the configuration.
    pub file: PathBuf,
    /// Its key, as recording.key in the configuration: env:NAME or file:PATH.
    #[arg(long, value_name = "KEY", default_value = "env:WARMLINE_RECORDING_KEY")]
    pub key: String,
    /// Where to write; without it NAME.wav beside it.
    #[arg(long, value_name = "FILE.wav")]
    pub out: Option<PathBuf>,
}

/// Options of `warmline serve`.
#[derive(Args, Debug)]
pub struct Serve {
    /// The configuration; without it config/warmline.toml if there is one, else the built-in default.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only check: the configuration, the voice model and the ledger's place; list everything that is wrong, and what
    /// an operator should know.
    #[arg(long)]
    pub check: bool,
}

/// Which gateway to ask.
#[derive(Args, Debug)]
pub struct Server {
    /// Where the gateway serves HTTP.
    #[arg(long, default_value = "http://127.0.0.1:8088")]
    pub url: String,
    /// The admin token; without it, what a gateway on this machine left for its user.
    #[arg(long, env = "WARMLINE_ADMIN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// Options of `warmline tail`.
#[derive(Args, Debug)]
pub struct Tail {
    /// Only this call, by its id: what is still known of it, then what happens.
    #[arg(long, value_name = "ID")]
    pub call: Option<String>,
    /// One JSON object per line instead of ladder lines.
    #[arg(long)]
    pub json: bool,
    /// Which gateway.
    #[command(flatten)]
    pub server: Server,
}

const VERIFY: &str = "\
It sends the INVITE of a handoff whose score is two random digits. Whoever answers types on the telephone the score
that the screen shows: only a screen that got the metadata knows it.

Exit status:
  0  arrived (or answered, and the profile carries nothing to type)
  1  not tried: the configuration, the desk's name or a socket of ours is wrong
  2  wrong options
  3  refused, not reached, or not answered
  4  answered, and not proven: other digits, none, or hung up";

/// Options of `warmline verify`.
#[derive(Args, Debug)]
#[command(after_help = VERIFY)]
pub struct Verify {
    /// The desk, by its name in the configuration.
    pub target: String,
    /// The configuration; without it config/warmline.toml if there is one, else the built-in default.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One JSON object at the end instead of the story.
    #[arg(long)]
    pub json: bool,
    /// Why the caller is handed over, as the INVITE says it; `verify` unless given.
    #[arg(long)]
    pub trigger: Option<String>,
    /// Who calls: the user part of the caller's address.
    #[arg(long, default_value = "verify", value_parser = caller)]
    pub caller: String,
    /// Seconds it may ring.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=180))]
    pub ring_s: u64,
    /// Seconds the score may take to be typed.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub wait_s: u64,
}

fn caller(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '.');
    if (1..=64).contains(&text.len()) && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("write a number such as +442079460000, or a name of a-z, 0-9, + - _ .".to_owned())
    }
}

/// Options of commands that show what a running gateway knows.
#[derive(Args, Debug)]
pub struct Shown {
    /// The API's JSON object instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Which gateway.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `warmline demo`.
#[derive(Args, Debug)]
pub struct Demo {
    /// One JSON object with the measurements instead of the story.
    #[arg(long)]
    pub json: bool,
    /// The control: the caller stays calm, so nobody is fetched.
    #[arg(long)]
    pub calm: bool,
    /// Your own caller: a WAV file, any rate, 16 bits, mono or stereo.
    #[arg(long, value_name = "FILE.wav")]
    pub caller: Option<PathBuf>,
    /// Keep running afterwards, so that the desk page can be looked at.
    #[arg(long)]
    pub keep: bool,
}
