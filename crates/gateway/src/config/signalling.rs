//! How SIP is spoken with one peer: the keys that trunks, bots and desks share.

use super::reader::Section;
use call_core::Signalling;
use sip_proto::Credentials;

/// What every peer may have.
pub(super) fn signalling(section: &mut Section) -> Signalling {
    Signalling { account: credentials(section), admits: None }
}

/// Who has to call on a trunk: its section `auth`.
pub(super) fn admits(section: &mut Section) -> Option<Credentials> {
    let mut auth = section.section("auth");
    let admits = credentials(&mut auth);
    auth.finish();
    admits
}

fn credentials(section: &mut Section) -> Option<Credentials> {
    let (username, password) = (section.string("username"), section.secret("password"));
    match (username, password, section.string("realm")) {
        (None, None, None) => None,
        (Some(username), Some(password), Some(realm)) => Some(Credentials { realm, username, password }),
        _ => {
            let what = "password and realm go together: give all three, realm as the peer's 401 or 407 names it";
            section.complain("username", what);
            None
        }
    }
}
