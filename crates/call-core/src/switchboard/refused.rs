//! What a desk's page may not do now.

/// Why a desk's action was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeskRefused {
    /// No such desk is configured.
    UnknownDesk,
    /// The handoff is not, or no longer, this desk's.
    NotYours,
    /// It is this desk's, but past the point where that could be done.
    TooLate,
    /// There is no other desk of that name.
    NoSuchDesk,
    /// The route has no bot that could have the caller back, or does not want it to.
    NoHandBack,
    /// The desk has a telephone, and its page no audio.
    NoBrowser,
    /// The page brings its audio before it has accepted the caller.
    NotAccepted,
    /// The page's session description cannot be answered.
    Unusable(&'static str),
}

impl core::fmt::Display for DeskRefused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownDesk => "no such desk",
            Self::NotYours => "the caller is not, or no longer, this desk's",
            Self::TooLate => "the caller is not with this desk now",
            Self::NoSuchDesk => "there is no other desk of that name",
            Self::NoHandBack => "this number does not give callers back to the bot",
            Self::NoBrowser => "this desk talks with a telephone",
            Self::NotAccepted => "the caller has not been accepted",
            Self::Unusable(why) => why,
        })
    }
}
