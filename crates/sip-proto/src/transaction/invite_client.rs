//! The INVITE client transaction: RFC 3261 §17.1.1 (figure 5) with the Accepted state of RFC 6026 §8.4.

use super::Action::{self, *};
use super::{ClientInput as Input, ClientInput::*};
use crate::timer::TimerName::{AbsorbLateOk, AbsorbResponses, GiveUp, RetransmitRequest};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nothing heard yet.
    Calling,
    /// A 1xx came.
    Proceeding,
    /// A 3xx-6xx came and was acknowledged here.
    Completed,
    /// A 2xx came; acknowledging is the dialog's business, also for the 2xx of other branches.
    Accepted,
}

pub(crate) const START: &[Action] = &[Send, Start(RetransmitRequest), Start(GiveUp)];

/// The next state (none: over) and what to do. What is not listed changes nothing.
pub(crate) fn step(state: State, input: Input) -> (Option<State>, &'static [Action]) {
    use State::*;
    match (state, input) {
        (Calling, Provisional) => (Some(Proceeding), &[Stop(RetransmitRequest), Stop(GiveUp), Report]),
        (Calling, Timer(RetransmitRequest)) => (Some(Calling), &[SendAgain, Start(RetransmitRequest)]),
        (Calling, Timer(GiveUp)) => (None, &[TimedOut]),
        (Proceeding, Provisional) => (Some(Proceeding), &[Report]),
        (Calling | Proceeding, Success) => {
            (Some(Accepted), &[Stop(RetransmitRequest), Stop(GiveUp), Report, Start(AbsorbLateOk)])
        }
        (Calling | Proceeding, Failure) => {
            (Some(Completed), &[Stop(RetransmitRequest), Stop(GiveUp), Acknowledge, Report, Start(AbsorbResponses)])
        }
        // The connection on which the answer would come is gone; a 2xx that finds another way is hung up as late.
        (Calling | Proceeding, TransportError) => (None, &[TransportFailed]),
        (Completed, Failure) => (Some(Completed), &[Acknowledge]),
        // A copy of the INVITE that took its time was answered after all: the dialog acknowledges and hangs up.
        (Completed, Success) => (Some(Completed), &[Report]),
        (Completed, Timer(AbsorbResponses) | TransportError) => (None, &[]),
        (Accepted, Success) => (Some(Accepted), &[Report]),
        (Accepted, Timer(AbsorbLateOk)) => (None, &[]),
        (state, _) => (Some(state), &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::*;

    #[test]
    fn the_table_of_figure_5_and_rfc_6026() {
        type Row = (State, Input, Option<State>, &'static [Action]);
        let rows: &[Row] = &[
            (Calling, Provisional, Some(Proceeding), &[Stop(RetransmitRequest), Stop(GiveUp), Report]),
            (Calling, Timer(RetransmitRequest), Some(Calling), &[SendAgain, Start(RetransmitRequest)]),
            (Calling, Timer(GiveUp), None, &[TimedOut]),
            (Calling, TransportError, None, &[TransportFailed]),
            (Proceeding, Provisional, Some(Proceeding), &[Report]),
            (Proceeding, Timer(GiveUp), Some(Proceeding), &[]),
            (Completed, Failure, Some(Completed), &[Acknowledge]),
            (Completed, Success, Some(Completed), &[Report]),
            (Completed, Provisional, Some(Completed), &[]),
            (Completed, Timer(AbsorbResponses), None, &[]),
            (Accepted, Success, Some(Accepted), &[Report]),
            (Accepted, Failure, Some(Accepted), &[]),
            (Accepted, Provisional, Some(Accepted), &[]),
            (Accepted, Timer(AbsorbLateOk), None, &[]),
            (Accepted, TransportError, Some(Accepted), &[]),
        ];
        for (state, input, next, actions) in rows {
            assert_eq!(step(*state, *input), (*next, *actions), "{state:?} on {input:?}");
        }
    }

    #[test]
    fn of_refusals_only_the_first_is_reported_and_each_is_acknowledged() {
        for state in [Calling, Proceeding] {
            assert!(step(state, Success).1.contains(&Report));
            let (next, actions) = step(state, Failure);
            assert_eq!(next, Some(Completed));
            assert!(actions.contains(&Acknowledge) && actions.contains(&Report));
        }
        assert_eq!(step(Completed, Failure).1, [Acknowledge]);
    }
}
