//! The writer, with a queue small enough to fill.

use super::*;
use call_model::package::{Attempt, SummaryBy, Utterance};
use call_model::{
    Article, Because, CallbackId, CallbackState, EarlierHandoff, Emotion, EndCause, EndReason, HandoffEnd,
    HandoffOutcome, HandoffPackage, Instant, Party, Redacted, Speaker, TraceKind, Trigger, Urgency, VoiceScore,
};

const WALL: WallAnchor = WallAnchor { at: Instant::ZERO, unix_ms: 1_795_250_000_000 };

fn began(call: u64) -> TraceEvent {
    let (from, to) = (Redacted::new("+447700900123"), Redacted::new("+442079460958"));
    let kind = TraceKind::Began { from, to, trunk: "carrier".into(), session_id: "f8".repeat(16) };
    TraceEvent { at: Instant::from_millis(call), call: Some(CallId(call)), kind }
}

fn small(queue: usize) -> Ledger {
    Ledger::start(place::open(&Place::Memory).expect("memory"), WALL, queue, None).expect("a thread")
}

/// Occupies the writer until the returned sender is used or dropped.
fn busy(ledger: &Ledger) -> mpsc::SyncSender<()> {
    let (release, released) = mpsc::sync_channel::<()>(1);
    let (tell, started) = mpsc::sync_channel(1);
    let job = Job::Query(Box::new(move |_| {
        let _ = tell.send(());
        let _ = released.recv();
    }));
    ledger.jobs.send(job).expect("open");
    started.recv().expect("started");
    release
}

#[test]
fn a_stuck_disk_costs_rows_and_never_the_caller() {
    let ledger = small(4);
    let stuck = busy(&ledger);
    (1..=10).for_each(|call| ledger.record(&began(call)));
    assert_eq!(ledger.health().dropped, 6);
    drop(stuck);
    assert_eq!(ledger.calls(100).expect("an answer").len(), 4);
}

#[test]
fn a_failing_write_is_reported_until_one_succeeds() {
    let ledger = small(100);
    ledger.ask(|db| db.execute_batch("ALTER TABLE calls RENAME TO away")).expect("done");
    ledger.record(&began(1));
    assert!(matches!(ledger.calls(1), Err(QueryError::Failed(why)) if why.contains("no such table")));
    let health = ledger.health();
    assert_eq!(health.dropped, 1);
    assert!(health.fault.is_some_and(|fault| fault.contains("no such table: calls")));
    ledger.ask(|db| db.execute_batch("ALTER TABLE away RENAME TO calls")).expect("done");
    ledger.record(&began(2));
    assert_eq!(ledger.calls(10).expect("an answer").len(), 1);
    assert_eq!(ledger.health(), Health { dropped: 1, fault: None });
}

#[test]
fn a_close_that_loses_rows_says_so() {
    let ledger = small(100);
    ledger.ask(|db| db.execute_batch("DROP TABLE calls")).expect("done");
    ledger.record(&began(1));
    assert!(matches!(ledger.close(), Err(QueryError::Failed(_))));
}

#[test]
fn after_the_close_records_are_counted_and_queries_refused() {
    let ledger = small(100);
    ledger.close().expect("a good end");
    ledger.close().expect("twice is once");
    ledger.record(&began(1));
    assert_eq!(ledger.health().dropped, 1);
    assert!(matches!(ledger.calls(1), Err(QueryError::Closed)));
}

#[test]
fn more_than_one_batch_is_written_whole_and_in_order() {
    let ledger = small(10_000);
    let stuck = busy(&ledger);
    for call in 1..=3000 {
        ledger.record(&began(call));
        let kind = TraceKind::Ended { cause: EndCause::new(Party::Bot, EndReason::Finished) };
        ledger.record(&TraceEvent { at: Instant::from_millis(call + 5), call: Some(CallId(call)), kind });
    }
    drop(stuck);
    let calls = ledger.calls(5000).expect("an answer");
    assert_eq!(calls.len(), 3000);
    assert!(calls.iter().all(|call| call.ended_ms == Some(call.began_ms + 5)));
    assert_eq!(ledger.health(), Health { dropped: 0, fault: None });
}

fn promise(state: CallbackState) -> Callback {
    let known = HandoffPackage {
        id: HandoffId(7),
        call: CallId(3),
        session_id: "f8".repeat(16),
        version: 1,
        call_started_unix_ms: WALL.unix_ms,
        started: Instant::from_millis(4_000),
        caller: Redacted::new("+442079460001"),
        caller_name: Some(Redacted::new("Marta")),
        called: Redacted::new("7001"),
        trigger: Trigger::Dispute,
        rule: "dispute".to_owned(),
        because: vec![Because { at: Instant::from_millis(3_000), text: "a refund".to_owned() }],
        urgency: Urgency::High,
        summary: "Wants it back.".to_owned(),
        summary_by: SummaryBy::Gateway,
        intent: Some("refund".to_owned()),
        entities: vec![("order".to_owned(), "42".to_owned())],
        actions: vec![Attempt {
            at: Instant::from_millis(1),
            name: "a".to_owned(),
            succeeded: true,
            result: String::new(),
        }],
        next_steps: vec!["say sorry".to_owned()],
        opening: None,
        articles: vec![Article { title: "t".to_owned(), text: String::new(), url: None }],
        transcript: vec![Utterance {
            at: Instant::from_millis(2_000),
            speaker: Speaker::Caller,
            text: "\"no\"".to_owned(),
            confidence: Some(0.5),
        }],
        trajectory: vec![(
            Instant::from_millis(5),
            VoiceScore { distress: 0.25, emotion: Emotion::Sad, ..Default::default() },
        )],
        earlier: vec![EarlierHandoff {
            id: HandoffId(6),
            desk: None,
            outcome: HandoffOutcome::NoAnswer,
            ended_by: HandoffEnd::Failed,
            notes: String::new(),
        }],
        callback: None,
    };
    Callback {
        id: CallbackId(HandoffId(9)),
        version: 1,
        state,
        number: Redacted::new("+442079460001"),
        trunk: "carrier".to_owned(),
        call: CallId(3),
        asked_ms: WALL.unix_ms,
        promised_ms: WALL.unix_ms + 60_000,
        due_ms: WALL.unix_ms + 60_000,
        attempts: 1,
        note: "busy".to_owned(),
        package: Arc::new(known),
    }
}

#[test]
fn a_promise_is_read_again_as_it_was_written_and_its_story_goes_with_it() {
    let ledger = small(100);
    let keep = |callback: &Callback| {
        let (tell, told) = mpsc::sync_channel(1);
        ledger.keep(callback, move |kept| tell.send(kept).expect("the test waits"));
        told.recv().expect("told")
    };
    let open = promise(CallbackState::Calling);
    assert!(keep(&open));
    assert_eq!(
        ledger.callbacks(u64::MAX).expect("an answer").kept,
        std::slice::from_ref(&open),
        "open ones are never too old"
    );
    let over = Callback { version: 2, ..promise(CallbackState::Kept) };
    assert!(keep(&over));
    assert_eq!(ledger.callbacks(u64::MAX).expect("an answer"), Promises::default());
    let read = ledger.callbacks(0).expect("an answer").kept;
    assert_eq!((read[0].state, read[0].version, read[0].package.summary.as_str()), (CallbackState::Kept, 2, ""));
    ledger.ask(|db| db.execute_batch("UPDATE callbacks SET package = '{'")).expect("done");
    let Promises { kept, damaged } = ledger.callbacks(0).expect("an answer");
    assert_eq!((kept, damaged.len(), damaged[0].0.clone()), (vec![], 1, over.id.to_string()), "the others are read");
    ledger.ask(|db| db.execute_batch("DROP TABLE callbacks")).expect("done");
    assert!(!keep(&open), "whoever waits for it is told that it is not there");
    ledger.close().expect_err("a row was lost");
    assert!(!keep(&open));
}
