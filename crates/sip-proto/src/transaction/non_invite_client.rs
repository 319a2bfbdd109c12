//! The non-INVITE client transaction: RFC 3261 §17.1.2 (figure 6).

use super::Action::{self, *};
use super::{ClientInput as Input, ClientInput::*};
use crate::timer::TimerName::{AbsorbResponses, GiveUp, RetransmitRequest};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nothing heard yet.
    Trying,
    /// A 1xx came.
    Proceeding,
    /// The final response came.
    Completed,
}

pub(crate) const START: &[Action] = &[Send, Start(RetransmitRequest), Start(GiveUp)];

/// The next state (none: over) and what to do. What is not listed changes nothing.
pub(crate) fn step(state: State, input: Input) -> (Option<State>, &'static [Action]) {
    use State::*;
    match (state, input) {
        (Trying | Proceeding, Provisional) => (Some(Proceeding), &[Report]),
        (Trying | Proceeding, Success | Failure) => {
            (Some(Completed), &[Stop(RetransmitRequest), Stop(GiveUp), Report, Start(AbsorbResponses)])
        }
        (Trying | Proceeding, Timer(RetransmitRequest)) => (Some(state), &[SendAgain, Start(RetransmitRequest)]),
        (Trying | Proceeding, Timer(GiveUp)) => (None, &[TimedOut]),
        (Trying | Proceeding, TransportError) => (None, &[TransportFailed]),
        (Completed, Timer(AbsorbResponses)) => (None, &[]),
        (state, _) => (Some(state), &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::*;

    #[test]
    fn the_table_of_figure_6() {
        type Row = (State, Input, Option<State>, &'static [Action]);
        let finish: &[Action] = &[Stop(RetransmitRequest), Stop(GiveUp), Report, Start(AbsorbResponses)];
        let rows: &[Row] = &[
            (Trying, Provisional, Some(Proceeding), &[Report]),
            (Trying, Success, Some(Completed), finish),
            (Trying, Failure, Some(Completed), finish),
            (Trying, Timer(RetransmitRequest), Some(Trying), &[SendAgain, Start(RetransmitRequest)]),
            (Trying, Timer(GiveUp), None, &[TimedOut]),
            (Trying, TransportError, None, &[TransportFailed]),
            (Proceeding, Success, Some(Completed), finish),
            (Proceeding, Timer(RetransmitRequest), Some(Proceeding), &[SendAgain, Start(RetransmitRequest)]),
            (Proceeding, Timer(GiveUp), None, &[TimedOut]),
            (Completed, Success, Some(Completed), &[]),
            (Completed, Timer(GiveUp), Some(Completed), &[]),
            (Completed, Timer(AbsorbResponses), None, &[]),
            (Completed, TransportError, Some(Completed), &[]),
        ];
        for (state, input, next, actions) in rows {
            assert_eq!(step(*state, *input), (*next, *actions), "{state:?} on {input:?}");
        }
    }
}
