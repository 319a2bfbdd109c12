//! What a contact-centre product really accepts on an INVITE, as data.
//!
//! The shipped profiles are `config/profiles/*.toml`, each line with its source; an operator may write one more. What
//! is sent is decided by `metadata`, which knows this value and no product.

mod built_in;
mod parse;

pub use built_in::{built_in, names};
pub use parse::Complaint;

use crate::config::AcceptGate;

/// What one product accepts. [`Profile::default`] is the generic telephone system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// Its name in configuration and traces.
    pub name: String,
    /// How User-to-User (RFC 7433) is written; none: it is not sent.
    pub user_to_user: Option<UserToUser>,
    /// Which fact goes into which header.
    pub headers: FactHeaders,
    /// Whether `Call-Info` points at the package (RFC 3261 §20.9).
    pub call_info: bool,
    /// Whether the facts may also go as a JSON part beside the SDP (RFC 5621). A desk must want it too.
    pub multipart: bool,
    /// How much it takes.
    pub budgets: Budgets,
    /// What of it is put into the URI of a Refer-To, for whoever calls the desk in our place.
    pub refer_to: ReferToCarries,
    /// How a target is named in a Refer-To.
    pub refer_to_scheme: ReferToScheme,
    /// Whether it does as a REFER asks.
    pub refer: Ability,
    /// Whether it takes an INVITE with Replaces (RFC 3891).
    pub replaces: Ability,
    /// The proof that a human answered, unless the desk's own configuration says otherwise.
    pub accept: AcceptGate,
    /// Whether whoever answers may be spoken to before the join.
    pub whisper: bool,
    /// Whether telephone numbers in URIs carry `user=phone` (RFC 3261 §19.1.1).
    pub user_phone: bool,
}

/// How User-to-User is written (RFC 7433 §4.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserToUser {
    /// The header's name.
    pub header: String,
    /// The protocol discriminator: 00 is user specific, 04 is IA5 characters.
    pub discriminator: u8,
    /// Where it stands.
    pub discriminator_in: DiscriminatorIn,
    /// How octets become text.
    pub encoding: Encoding,
    /// Whether the `encoding` parameter is written.
    pub encoding_parameter: bool,
    /// The `purpose` parameter.
    pub purpose: Option<String>,
    /// The `content` parameter.
    pub content: Option<String>,
    /// What stands around the text.
    pub layout: Layout,
    /// Octets at most, after decoding and with everything that the layout adds.
    pub max_octets: usize,
}

/// Where the protocol discriminator stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DiscriminatorIn {
    /// It is the first octet.
    #[default]
    FirstOctet,
    /// In a parameter `pd`.
    Parameter,
    /// Nowhere: the product wants data only.
    Nowhere,
}

/// How octets become text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// Two hexadecimal digits an octet.
    #[default]
    Hex,
    /// As they are, in quotes.
    Ascii,
}

/// What stands around the text in User-to-User.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Layout {
    /// Nothing.
    #[default]
    Plain,
    /// Avaya's shared information element: a universal call id (FA, length 8) and then application data (C8, length).
    AvayaShared,
}

/// Names of headers, by fact. None: that fact has no header.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FactHeaders {
    /// The handoff's public name.
    pub id: Option<String>,
    /// Why.
    pub trigger: Option<String>,
    /// How upset the caller sounds, 0-100.
    pub score: Option<String>,
    /// Where the package is fetched.
    pub url: Option<String>,
}

/// How much a product takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budgets {
    /// Octets of one header's value; User-to-User has a budget of its own.
    pub header: usize,
    /// Octets of all header lines about the handoff: names, colons, blanks and values.
    pub headers: usize,
    /// Octets of the header part of a Refer-To URI, from the `?` on, escapes included.
    pub refer_to: usize,
}

/// What the URI of a Refer-To carries beside Replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReferToCarries {
    /// Nothing: whoever follows it would not pass it on.
    Nothing,
    /// User-to-User.
    #[default]
    UserToUser,
    /// The fact headers too.
    All,
}

/// How a target is named in a Refer-To.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReferToScheme {
    /// As a SIP URI.
    #[default]
    Sip,
    /// As a telephone number: `tel:+442079460000`. Cannot carry Replaces.
    Tel,
}

pub use crate::config::Manual as Ability;

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: "generic-pbx".to_owned(),
            user_to_user: Some(UserToUser::default()),
            headers: FactHeaders {
                id: Some("X-Handoff-Id".to_owned()),
                trigger: Some("X-Handoff-Trigger".to_owned()),
                score: Some("X-Handoff-Score".to_owned()),
                url: Some("X-Handoff-Url".to_owned()),
            },
            call_info: true,
            multipart: true,
            budgets: Budgets::default(),
            refer_to: ReferToCarries::default(),
            refer_to_scheme: ReferToScheme::default(),
            refer: Ability::default(),
            replaces: Ability::default(),
            accept: AcceptGate::default(),
            whisper: true,
            user_phone: false,
        }
    }
}

impl Default for UserToUser {
    fn default() -> Self {
        Self {
            header: "User-to-User".to_owned(),
            discriminator: 0x04,
            discriminator_in: DiscriminatorIn::default(),
            encoding: Encoding::default(),
            encoding_parameter: true,
            purpose: None,
            content: None,
            layout: Layout::default(),
            max_octets: 128,
        }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self { header: 200, headers: 800, refer_to: 1023 }
    }
}

impl Profile {
    /// Reads a profile file. What it leaves out is as in the generic one.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn parse(text: &str) -> Result<Self, Vec<Complaint>> {
        parse::profile(text)
    }

    /// Whether the INVITE has anything that a refusal with 415, 420 or 488 may be about, so that the plain form is
    /// worth a second try.
    pub const fn is_rich(&self, multipart: bool) -> bool {
        self.call_info || (multipart && self.multipart)
    }
}
