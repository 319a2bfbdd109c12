//! What a scenario can make happen.

use crate::recorder::SrsHabit;
use crate::setup::Party;
use call_model::{DeskAction, DeskState, FactKind, HandoffId};
use core::time::Duration;
use phone::{AfterRefer, Arrival};
use sip_wire::Method;

/// Something the script makes happen.
#[derive(Clone, Debug)]
pub enum Do {
    /// The caller dials this user at the gateway.
    Dial(&'static str),
    /// The trunk calls this user at the gateway on behalf of a caller who dialled that one (RFC 7315).
    DialFor(&'static str, &'static str),
    /// The caller dials this user at the gateway, with further headers in the INVITE.
    DialWith(&'static str, Vec<(&'static str, String)>),
    /// A party dials this user at the gateway.
    DialFrom(Party, &'static str),
    /// A party sends this datagram to the gateway's SIP port.
    Datagram(Party, Vec<u8>),
    /// A party sends this datagram from its RTP port to every port the gateway has open for RTP.
    Noise(Party, Vec<u8>),
    /// The next messages from a party to the gateway that begin with this are lost.
    Lose(Party, &'static str, u32),
    /// The next messages from the gateway to a party that begin with this are lost.
    LoseTo(Party, &'static str, u32),
    /// The next call that a party answers is answered once more, by another branch of a fork.
    Fork(Party),
    /// The next so many requests within a dialog from the gateway to a party that begin with this are answered with
    /// this status in its place, also after it has stopped: a telephone that has lost its memory, a proxy on the way.
    Answer(Party, &'static str, u16, u32),
    /// These messages to the gateway wait for each other, and arrive in this order, so far apart.
    Arrange(Vec<Expected>, Duration),
    /// A desk's telephone registers at the gateway, for so many seconds, and stays registered.
    Register(Party, u32),
    /// It signs off.
    SignOff(Party),
    /// The recorder does something else with sessions from now on.
    Recorder(SrsHabit),
    /// The recorder sends a request of this method within its latest session, with this header.
    RecorderSends(Method, &'static str, &'static str),
    /// A party hangs up.
    HangUp(Party),
    /// A party presses a key.
    Press(Party, char),
    /// A party holds or resumes.
    Hold(Party, call_model::Direction),
    /// A party holds or resumes with UPDATE.
    Update(Party, call_model::Direction),
    /// A party's microphone dies or comes back, without a word in SIP.
    Mute(Party, bool),
    /// A party does something else with calls from now on.
    Arrival(Party, Arrival),
    /// A party sends REFER.
    Refer(Party, String),
    /// What a party does with its line after REFER, from now on.
    AfterRefer(Party, AfterRefer),
    /// The first party sends INVITE with `Replaces` for the call of the second with the gateway; with `early-only`.
    TakeOver(Party, Party, bool),
    /// The first party asks the second on another line, without the gateway.
    Consult(Party, Party),
    /// The same, but by dialling this user at the gateway.
    ConsultThrough(Party, &'static str),
    /// A party asks the gateway to take its place on that other line.
    ReferToConsult(Party),
    /// The human clicks on the page, in the pop shown last.
    Page(Click),
    /// The human who has the caller gives it back on the page of the pop shown last, with notes.
    HandBack(&'static str),
    /// The human who had the caller first does something with them on the page.
    Control(fn(HandoffId) -> DeskAction),
    /// The human of the pop shown last declines on the page, and says why.
    Decline(&'static str),
    /// The human of a desk says whether they take callers.
    State(&'static str, DeskState),
    /// Something is observed about the call.
    Fact(FactKind),
    /// The WebSocket bot sends so many milliseconds of speech at once, and a mark after them.
    BotSays(u32, &'static str),
    /// The WebSocket bot closes in good order, or its connection dies.
    BotGone {
        /// In good order.
        finished: bool,
    },
    /// A party stops for good: it says and takes nothing more. With `loud`, whoever sends to it is told that nobody is
    /// there (ICMP, a connection reset).
    Stop {
        /// Who.
        party: Party,
        /// Not only silence.
        loud: bool,
    },
    /// The gateway is told that nobody listens at a party's address (ICMP), true or not.
    Unreachable(Party),
    /// The next SIP message from a party (`true`) or to it (`false`) takes so long.
    Delay(Party, bool, Duration),
    /// Whoever had the desk page open has it open no more.
    PageGone,
    /// The voice model says nothing more.
    ModelGone,
    /// The gateway is killed and started again.
    Restart,
    /// The gateway is told to shut down.
    Drain,
    /// The gateway has waited long enough.
    EndAll,
}

/// A message that a party will send: how it begins, and what else is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected(pub Party, pub &'static str, pub &'static str);

/// A click on the desk page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Click {
    /// Take the caller.
    Accept,
    /// Do not.
    Decline,
}

/// What the desk page does by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PageHabit {
    /// Acknowledges a pop after 3 ms.
    #[default]
    Acknowledges,
    /// Nobody has it open.
    Closed,
}
