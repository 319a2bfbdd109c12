//! The INVITE server transaction: RFC 3261 §17.2.1 (figure 7) with the Accepted state of RFC 6026 §8.7.

use super::Action::{self, *};
use super::{ServerInput as Input, ServerInput::*};
use crate::timer::TimerName::{AbsorbAcks, AbsorbInvites, AwaitAck, RetransmitResponse};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// No final response yet; 100 is out.
    Proceeding,
    /// A 3xx-6xx is out and waits for its ACK.
    Completed,
    /// That ACK came.
    Confirmed,
    /// A 2xx is out; sending it again and its ACK are the dialog's business.
    Accepted,
}

/// The next state (none: over) and what to do. What is not listed changes nothing.
pub(crate) fn step(state: State, input: Input) -> (Option<State>, &'static [Action]) {
    use State::*;
    match (state, input) {
        (Proceeding | Completed, Request) => (Some(state), &[SendAgain]),
        (Proceeding, Provisional) => (Some(Proceeding), &[Send]),
        (Proceeding, Success) => (Some(Accepted), &[Send, Start(AbsorbInvites)]),
        (Proceeding, Failure) => (Some(Completed), &[Send, Start(RetransmitResponse), Start(AwaitAck)]),
        (Completed, Ack) => (Some(Confirmed), &[Stop(RetransmitResponse), Stop(AwaitAck), Start(AbsorbAcks)]),
        (Completed, Timer(RetransmitResponse)) => (Some(Completed), &[SendAgain, Start(RetransmitResponse)]),
        (Completed, Timer(AwaitAck)) => (None, &[]),
        (Confirmed, Timer(AbsorbAcks)) => (None, &[]),
        (Accepted, Timer(AbsorbInvites)) => (None, &[]),
        (state, _) => (Some(state), &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::*;

    #[test]
    fn the_table_of_figure_7_and_rfc_6026() {
        type Row = (State, Input, Option<State>, &'static [Action]);
        let rows: &[Row] = &[
            (Proceeding, Request, Some(Proceeding), &[SendAgain]),
            (Proceeding, Provisional, Some(Proceeding), &[Send]),
            (Proceeding, Success, Some(Accepted), &[Send, Start(AbsorbInvites)]),
            (Proceeding, Failure, Some(Completed), &[Send, Start(RetransmitResponse), Start(AwaitAck)]),
            (Proceeding, Ack, Some(Proceeding), &[]),
            (Completed, Request, Some(Completed), &[SendAgain]),
            (Completed, Ack, Some(Confirmed), &[Stop(RetransmitResponse), Stop(AwaitAck), Start(AbsorbAcks)]),
            (Completed, Timer(RetransmitResponse), Some(Completed), &[SendAgain, Start(RetransmitResponse)]),
            (Completed, Timer(AwaitAck), None, &[]),
            (Completed, Success, Some(Completed), &[]),
            (Confirmed, Request, Some(Confirmed), &[]),
            (Confirmed, Ack, Some(Confirmed), &[]),
            (Confirmed, Timer(AbsorbAcks), None, &[]),
            (Accepted, Request, Some(Accepted), &[]),
            (Accepted, Failure, Some(Accepted), &[]),
            (Accepted, Timer(AbsorbInvites), None, &[]),
        ];
        for (state, input, next, actions) in rows {
            assert_eq!(step(*state, *input), (*next, *actions), "{state:?} on {input:?}");
        }
    }
}
