//! What goes in comes out, and files that cannot be used say why.

use call_model::{
    Because, CallId, Decision, DeskId, EndCause, EndReason, Fact, FactKind, HandoffId, HandoffOutcome, HandoffStage,
    Instant, Layer, LegId, LegStats, Method, Party, Redacted, Role, TraceEvent, TraceKind, TransferState, Trigger,
    Urgency, VoiceScore, WallAnchor,
};
use ledger::{Ledger, OpenError, Place, Report};
use std::path::PathBuf;

const WALL: WallAnchor = WallAnchor { at: Instant::ZERO, unix_ms: 1_795_250_000_000 };
const CALL: CallId = CallId(7);
const HANDOFF: HandoffId = HandoffId(70);

/// A folder of its own that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("warmline-ledger-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("ledger.db")
    }

    fn place(&self) -> Place {
        Place::File(self.file())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn record(ledger: &Ledger, call: CallId, ms: u64, kind: TraceKind) {
    ledger.record(&TraceEvent { at: Instant::from_millis(ms), call: Some(call), kind });
}

fn begin(ledger: &Ledger, call: CallId, ms: u64) {
    let (from, to) = (Redacted::new("+447700900123"), Redacted::new("+442079460958"));
    record(ledger, call, ms, TraceKind::Began { from, to, trunk: "carrier".into(), session_id: "f8".repeat(16) });
}

fn decision() -> Decision {
    let at = Instant::from_millis(40_000);
    Decision {
        at,
        rule: "upset".into(),
        trigger: Trigger::Distress,
        layer: Layer::Tunable,
        urgency: Urgency::High,
        because: vec![Because { at, text: "distress \"0.81\" over 0.65; DROP TABLE calls".into() }],
    }
}

fn voice(distress: f32) -> TraceKind {
    let score = VoiceScore { distress, ..VoiceScore::default() };
    TraceKind::Fact(Fact { at: Instant::ZERO, kind: FactKind::Voice(score) })
}

fn whole_call(ledger: &Ledger) {
    let desk = || DeskId("anna".into());
    let pop = |what| TraceKind::Pop { handoff: HANDOFF, desk: desk(), what };
    let state = |from, to| TraceKind::State { from, to };
    let end = |outcome| TraceKind::HandoffEnded {
        handoff: HANDOFF,
        outcome,
        stage: HandoffStage::Join,
        sip: None,
        method: Method::Stay,
        corrects: false,
    };
    begin(ledger, CALL, 1000);
    record(ledger, CALL, 5000, voice(0.25));
    record(ledger, CALL, 6000, voice(0.75));
    record(ledger, CALL, 7000, voice(0.5));
    record(ledger, CALL, 40_000, TraceKind::Decided(decision()));
    record(ledger, CALL, 40_000, state(TransferState::WithBot, TransferState::Consulting));
    record(ledger, CALL, 40_001, TraceKind::Routed { handoff: HANDOFF, desk: desk(), because: "free longest".into() });
    record(ledger, CALL, 40_002, pop("offered"));
    record(ledger, CALL, 40_009, pop("acknowledged"));
    record(ledger, CALL, 44_000, pop("accepted"));
    record(ledger, CALL, 44_010, state(TransferState::Accepting, TransferState::Joined));
    record(ledger, CALL, 44_010, pop("joined"));
    record(ledger, CALL, 44_500, end(HandoffOutcome::Joined));
    record(ledger, CALL, 90_000, TraceKind::Ended { cause: EndCause::sip(Party::Caller, EndReason::HungUp, 200) });
    let stats = LegStats { received: 900, mos: Some(4.2), remote_mos: Some(3.9), ..LegStats::default() };
    let (leg, name) = (LegId { call: CALL, index: 0 }, "carrier".to_owned());
    record(ledger, CALL, 90_001, TraceKind::Quality { leg, role: Role::Caller, name, stats, last: true });
}

/// The human passed the caller on, nobody took it, and the two are joined again: nobody else was joined.
#[test]
fn a_desk_that_did_not_take_the_caller_counts_as_not_joined() {
    let ledger = Ledger::open(&Place::Memory, WALL).expect("memory");
    begin(&ledger, CALL, 1000);
    record(&ledger, CALL, 2000, TraceKind::Decided(decision()));
    let desk = DeskId("ben".into());
    record(&ledger, CALL, 2000, TraceKind::Routed { handoff: HANDOFF, desk, because: "asked for".into() });
    let (outcome, stage, method) = (HandoffOutcome::Busy, HandoffStage::Consult, Method::Stay);
    record(
        &ledger,
        CALL,
        3000,
        TraceKind::HandoffEnded { handoff: HANDOFF, outcome, stage, sip: Some(486), method, corrects: false },
    );
    let (from, to) = (TransferState::Consulting, TransferState::Joined);
    record(&ledger, CALL, 3000, TraceKind::State { from, to });
    let story = ledger.call(CALL).expect("an answer").expect("the call");
    assert_eq!(story.handoffs[0].joined_ms, None);
}

/// A release came true when nobody waited for it any more.
#[test]
fn an_outcome_that_is_corrected_takes_the_place_of_the_first() {
    let ledger = Ledger::open(&Place::Memory, WALL).expect("memory");
    whole_call(&ledger);
    let (outcome, stage, method) = (HandoffOutcome::Released, HandoffStage::Release, Method::ReferTrunk);
    let ended = TraceKind::HandoffEnded { handoff: HANDOFF, outcome, stage, sip: Some(200), method, corrects: true };
    record(&ledger, CALL, 50_000, ended);
    let rows = ledger.handoffs(10).expect("an answer");
    let [row] = &rows[..] else { panic!("{rows:?}") };
    let told = (row.outcome.as_deref(), row.method.as_deref(), row.sip, row.desk.as_deref());
    assert_eq!(told, (Some("released"), Some("refer_trunk"), Some(200), Some("anna")));
}

#[test]
fn a_call_comes_back_as_it_went_in() {
    let ledger = Ledger::open(&Place::Memory, WALL).expect("memory");
    whole_call(&ledger);
    let story = ledger.call(CALL).expect("an answer").expect("the call");
    let call = &story.call;
    assert_eq!((call.caller.as_str(), call.trunk.as_str()), ("+447700900123", "carrier"));
    assert_eq!((call.began_ms, call.joined_ms), (WALL.unix_ms + 1000, Some(WALL.unix_ms + 44_010)));
    assert_eq!((call.ended_by.as_deref(), call.ended_reason.as_deref()), (Some("caller"), Some("hung_up")));
    assert_eq!((call.ended_sip, call.voice_windows, call.peak_distress), (Some(200), 3, Some(0.75)));
    let decision = &story.decisions[0];
    assert_eq!((decision.trigger.as_str(), decision.urgency.as_str()), ("distress", "high"));
    assert_eq!(decision.because[0].text, "distress \"0.81\" over 0.65; DROP TABLE calls");
    let handoff = &story.handoffs[0];
    assert_eq!(handoff.handoff, HANDOFF.to_string());
    assert_eq!((handoff.trigger.as_deref(), handoff.desk.as_deref()), (Some("distress"), Some("anna")));
    assert_eq!(handoff.acknowledged_ms, Some(WALL.unix_ms + 40_009));
    assert_eq!((handoff.accepted_ms, handoff.joined_ms), (Some(WALL.unix_ms + 44_000), Some(WALL.unix_ms + 44_010)));
    assert_eq!((handoff.outcome.as_deref(), handoff.stage.as_deref()), (Some("joined"), Some("join")));
    let whats: Vec<_> = story.events.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(
        whats,
        [
            "WithBot -> Consulting",
            "offered on anna",
            "acknowledged on anna",
            "accepted on anna",
            "Accepting -> Joined",
            "joined on anna"
        ]
    );
    let leg = &story.legs[0];
    assert_eq!((leg.leg, leg.role.as_str(), leg.name.as_str(), leg.received), (0, "caller", "carrier", 900));
    assert_eq!((leg.mos, leg.remote_mos, leg.round_trip_ms), (Some(4.2), Some(3.9), None));
    let cdr = &ledger.cdrs(0, u64::MAX, 10).expect("an answer")[0];
    assert_eq!((cdr.worst_mos, &cdr.quality), (Some(3.9), &story.legs));
    assert_eq!(ledger.call(CallId(8)).expect("an answer"), None);
}

#[test]
fn a_handoff_without_a_desk_is_recorded_too() {
    let ledger = Ledger::open(&Place::Memory, WALL).expect("memory");
    begin(&ledger, CALL, 1);
    record(&ledger, CALL, 2, TraceKind::Decided(decision()));
    let (outcome, stage) = (HandoffOutcome::NoTarget, HandoffStage::Route);
    record(
        &ledger,
        CALL,
        3,
        TraceKind::HandoffEnded { handoff: HANDOFF, outcome, stage, sip: None, method: Method::Stay, corrects: false },
    );
    let rows = ledger.handoffs(10).expect("an answer");
    assert_eq!((rows[0].outcome.as_deref(), rows[0].trigger.as_deref()), (Some("no_target"), Some("distress")));
    assert_eq!(rows[0].desk, None);
}

#[test]
fn outcomes_are_counted_with_the_wait_within_a_span() {
    let ledger = Ledger::open(&Place::Memory, WALL).expect("memory");
    whole_call(&ledger);
    for n in 0..3u64 {
        let (call, handoff) = (CallId(100 + n), HandoffId(100 + u128::from(n)));
        begin(&ledger, call, 1);
        let because = String::new();
        record(&ledger, call, 50_000, TraceKind::Routed { handoff, desk: DeskId("ben".into()), because });
        if n < 2 {
            let (outcome, stage) = (HandoffOutcome::NoAnswer, HandoffStage::Consult);
            record(
                &ledger,
                call,
                75_000,
                TraceKind::HandoffEnded {
                    handoff,
                    outcome,
                    stage,
                    sip: Some(480),
                    method: Method::Stay,
                    corrects: false,
                },
            );
        }
    }
    let rows = ledger.outcomes(0, u64::MAX).expect("an answer");
    let counts: Vec<_> = rows.iter().map(|row| (row.outcome.as_str(), row.count, row.mean_wait_ms)).collect();
    assert_eq!(counts, [("no_answer", 2, None), ("joined", 1, Some(4009.0)), ("open", 1, None)]);
    let early = ledger.outcomes(0, WALL.unix_ms + 45_000).expect("an answer");
    assert_eq!(early.len(), 1);
}

#[test]
fn what_was_recorded_before_the_close_is_there_after_a_restart() {
    let folder = Folder::new("restart");
    let first = Ledger::open(&folder.place(), WALL).expect("a new file");
    whole_call(&first);
    first.close().expect("flushed");
    let second = Ledger::open(&folder.place(), WALL).expect("the same file");
    assert_eq!(second.calls(10).expect("an answer").len(), 1);
    begin(&second, CallId(8), 2000);
    drop(second);
    let report = Report::open(&folder.file()).expect("readable");
    assert_eq!(report.calls(10).expect("an answer").len(), 2);
    assert_eq!(report.handoffs(10).expect("an answer").len(), 1);
    assert_eq!(report.outcomes(0, u64::MAX).expect("an answer").len(), 1);
    assert_eq!(report.call(CALL).expect("an answer").expect("the call").decisions.len(), 1);
}

#[test]
fn a_report_reads_while_the_gateway_writes() {
    let folder = Folder::new("beside");
    let ledger = Ledger::open(&folder.place(), WALL).expect("a new file");
    begin(&ledger, CALL, 1);
    ledger.calls(1).expect("written");
    let report = Report::open(&folder.file()).expect("readable");
    begin(&ledger, CallId(8), 2);
    ledger.calls(1).expect("written");
    assert_eq!(report.calls(10).expect("an answer").len(), 2);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("private");
    let ledger = Ledger::open(&folder.place(), WALL).expect("a new file");
    begin(&ledger, CALL, 1);
    ledger.calls(1).expect("written");
    for file in ["ledger.db", "ledger.db-wal"] {
        let mode = std::fs::metadata(folder.0.join(file)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

fn refusal(place: &Place) -> String {
    match Ledger::open(place, WALL) {
        Ok(_) => panic!("{place:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = Folder::new("text");
    let text = "dear diary, ".repeat(100);
    std::fs::write(folder.file(), &text).expect("written");
    let why = refusal(&folder.place());
    assert!(why.contains("not a database; move it away"), "{why}");
    assert_eq!(std::fs::read_to_string(folder.file()).expect("there"), text);
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = Folder::new("other");
    let other = rusqlite::Connection::open(folder.file()).expect("a database");
    other.execute_batch("CREATE TABLE diary (line TEXT)").expect("a table");
    drop(other);
    assert!(matches!(Ledger::open(&folder.place(), WALL), Err(OpenError::NotOurs { .. })));
    let other = rusqlite::Connection::open(folder.file()).expect("a database");
    let tables: i64 = other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).expect("a count");
    assert_eq!(tables, 1);
}

#[test]
fn a_newer_file_is_refused_with_both_versions() {
    let folder = Folder::new("newer");
    Ledger::open(&folder.place(), WALL).expect("a new file").close().expect("closed");
    let db = rusqlite::Connection::open(folder.file()).expect("a database");
    db.pragma_update(None, "user_version", 99).expect("changed");
    drop(db);
    assert!(matches!(Ledger::open(&folder.place(), WALL), Err(OpenError::TooNew { found: 99, known: 5, .. })));
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = Folder::new("damaged");
    let ledger = Ledger::open(&folder.place(), WALL).expect("a new file");
    (1..500).for_each(|call| begin(&ledger, CallId(call), call));
    ledger.close().expect("closed");
    let mut bytes = std::fs::read(folder.file()).expect("there");
    for byte in bytes.iter_mut().skip(4096) {
        *byte ^= 0x5a;
    }
    std::fs::write(folder.file(), bytes).expect("written");
    let why = refusal(&folder.place());
    assert!(why.contains("damaged"), "{why}");
}

#[test]
fn a_locked_file_is_refused_with_a_hint() {
    let folder = Folder::new("locked");
    Ledger::open(&folder.place(), WALL).expect("a new file").close().expect("closed");
    let holder = rusqlite::Connection::open(folder.file()).expect("a database");
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE;").expect("held");
    let why = refusal(&folder.place());
    assert!(why.contains("is a second Warmline running?"), "{why}");
}

#[test]
fn a_folder_that_is_missing_and_a_path_that_is_a_folder_are_refused() {
    let folder = Folder::new("missing");
    let why = refusal(&Place::File(folder.0.join("nowhere/ledger.db")));
    assert!(why.contains("make its folder") && why.contains("nowhere"), "{why}");
    let why = refusal(&Place::File(folder.0.clone()));
    assert!(why.contains("make its folder"), "{why}");
    let report = Report::open(&folder.0.join("none.db"));
    assert!(matches!(report, Err(OpenError::Unusable { .. })));
    assert!(!folder.0.join("none.db").exists());
}

#[test]
fn a_file_that_may_not_be_written_is_refused() {
    // The administrator may write anything, so the refusal comes from the file's own mode of opening.
    let folder = Folder::new("readonly");
    Ledger::open(&folder.place(), WALL).expect("a new file").close().expect("closed");
    let uri = format!("file:{}?mode=ro", folder.file().display());
    let why = refusal(&Place::File(PathBuf::from(uri)));
    assert!(why.contains("let Warmline write"), "{why}");
}

/// A file of the first version, as a gateway of then left it.
fn first_version(folder: &Folder) {
    drop(Ledger::open(&folder.place(), WALL).expect("a file to copy the owner from"));
    let owner = rusqlite::Connection::open(folder.file()).expect("opened");
    let owner: i64 = owner.query_row("PRAGMA application_id", [], |row| row.get(0)).expect("an owner");
    std::fs::remove_file(folder.file()).expect("removed");
    let db = rusqlite::Connection::open(folder.file()).expect("created");
    db.execute_batch(include_str!("../src/schema_1.sql")).expect("tables");
    db.execute_batch(&format!("PRAGMA application_id = {owner}; PRAGMA user_version = 1;")).expect("marked");
    db.execute_batch(
        "INSERT INTO calls (call, session_id, trunk, caller, called, began_ms) VALUES ('0000000000007', '', 't', 'a', 'b', 1);
         INSERT INTO handoffs (handoff, call, began_ms, outcome, sip) VALUES
             ('1', '0000000000007', 2, 'busy', 486), ('2', '0000000000007', 3, 'released', 200), ('3', '0000000000007', 4, NULL, NULL);",
    )
    .expect("rows");
}

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date_with_its_rows() {
    let folder = Folder::new("first-version");
    first_version(&folder);
    let ledger = Ledger::open(&folder.place(), WALL).expect("migrated");
    let rows = ledger.handoffs(10).expect("an answer");
    let told: Vec<_> = rows.iter().map(|row| (row.method.as_deref(), row.retryable)).collect();
    assert_eq!(told, [(None, None), (Some("refer_trunk"), Some(false)), (Some("stay"), Some(true))]);
    whole_call(&ledger);
    let cdrs = ledger.cdrs(0, u64::MAX, 10).expect("an answer");
    assert_eq!(cdrs.len(), 1, "the call of the file, since it has the same id");
    assert_eq!((cdrs[0].handoffs, cdrs[0].outcome.as_deref()), (4, Some("joined")));
    drop(ledger);
    let again = Ledger::open(&folder.place(), WALL).expect("opened again");
    assert_eq!(again.handoffs(10).expect("an answer").len(), 4);
}
