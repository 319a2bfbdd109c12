//! The non-INVITE server transaction: RFC 3261 §17.2.2 (figure 8).

use super::Action::{self, *};
use super::{ServerInput as Input, ServerInput::*};
use crate::timer::TimerName::{AbsorbRequests, Unanswered};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nothing answered yet.
    Trying,
    /// A provisional response is out.
    Proceeding,
    /// The final response is out.
    Completed,
}

pub(crate) const START: &[Action] = &[Start(Unanswered)];

/// The next state (none: over) and what to do. What is not listed changes nothing.
pub(crate) fn step(state: State, input: Input) -> (Option<State>, &'static [Action]) {
    use State::*;
    match (state, input) {
        (Trying | Proceeding, Provisional) => (Some(Proceeding), &[Send]),
        (Trying | Proceeding, Success | Failure) => (Some(Completed), &[Send, Stop(Unanswered), Start(AbsorbRequests)]),
        (Proceeding | Completed, Request) => (Some(state), &[SendAgain]),
        (Completed, Timer(AbsorbRequests)) => (None, &[]),
        // RFC 4320: too late for any answer, 408 least of all.
        (Trying | Proceeding, Timer(Unanswered)) => (None, &[]),
        (state, _) => (Some(state), &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::*;

    #[test]
    fn the_table_of_figure_8() {
        type Row = (State, Input, Option<State>, &'static [Action]);
        let rows: &[Row] = &[
            (Trying, Request, Some(Trying), &[]),
            (Trying, Provisional, Some(Proceeding), &[Send]),
            (Trying, Success, Some(Completed), &[Send, Stop(Unanswered), Start(AbsorbRequests)]),
            (Trying, Failure, Some(Completed), &[Send, Stop(Unanswered), Start(AbsorbRequests)]),
            (Proceeding, Request, Some(Proceeding), &[SendAgain]),
            (Proceeding, Failure, Some(Completed), &[Send, Stop(Unanswered), Start(AbsorbRequests)]),
            (Completed, Request, Some(Completed), &[SendAgain]),
            (Completed, Success, Some(Completed), &[]),
            (Completed, Timer(AbsorbRequests), None, &[]),
            (Trying, Timer(Unanswered), None, &[]),
            (Proceeding, Timer(Unanswered), None, &[]),
            (Completed, Timer(Unanswered), Some(Completed), &[]),
        ];
        for (state, input, next, actions) in rows {
            assert_eq!(step(*state, *input), (*next, *actions), "{state:?} on {input:?}");
        }
    }
}
