//! Deliberate bugs, to prove that the verdicts of the simulator find them. Only the feature `mutations` compiles them,
//! nothing that is shipped turns it on, and even then they sleep until the configuration names one.

/// A bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// The caller hangs up, and the desk that rings is not cancelled.
    NoCancel,
    /// A REFER that was accepted is taken for one that succeeded.
    ByeAfterAccepted,
    /// An answer after our CANCEL is not hung up.
    LateOkHonoured,
    /// The pop stays on the page.
    PopKept,
    /// The bot goes as soon as a desk answers.
    BotDroppedEarly,
    /// Who answers is taken for a human.
    AnswerIsAccept,
    /// A REFER that fails ends the call.
    RefusalHangsUp,
    /// A desk that did not accept in time is kept on the line and hears the caller.
    TwoHumans,
    /// Ports are not given back.
    PortKept,
    /// The human hangs up, and so do we.
    DeskByeEndsCall,
    /// A NOTIFY of failure is taken for success.
    FailureIsSuccess,
    /// The bot is not told that the call is over.
    BotForgotten,
    /// A release that fails parts caller and human: one hears music, the other nothing.
    PartedByRefusal,
    /// The human has gone, the bot is not to be had, and no other human is fetched.
    NobodyAfterBot,
    /// The bot has left, no desk takes the caller, and the bot is not called once more.
    BotNotCalledAgain,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::NoCancel,
        Self::ByeAfterAccepted,
        Self::LateOkHonoured,
        Self::PopKept,
        Self::BotDroppedEarly,
        Self::AnswerIsAccept,
        Self::RefusalHangsUp,
        Self::TwoHumans,
        Self::PortKept,
        Self::DeskByeEndsCall,
        Self::FailureIsSuccess,
        Self::BotForgotten,
        Self::PartedByRefusal,
        Self::NobodyAfterBot,
        Self::BotNotCalledAgain,
    ];
}
