//! The writer, with a queue small enough to fill.

use super::*;
use call_model::{EndCause, EndReason, Instant, Party, Redacted, TraceKind};

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
