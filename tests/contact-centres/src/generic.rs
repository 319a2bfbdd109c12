//! A telephone system that refuses nothing that RFC 3261 allows, shows every header it is given, and reads
//! User-to-User as RFC 7433 and ITU-T Q.931 say: one octet of protocol discriminator, then text.

use crate::uui::{Value, from_hex, is_list};
use crate::{Refusal, Request, Screen};

/// Every header by its name, and the text of User-to-User.
///
/// # Errors
/// None but those of the request itself.
pub fn receive(request: &Request) -> Result<Screen, Refusal> {
    let mut screen = Screen::default();
    for (name, value) in request.named(|name| name != "user-to-user") {
        screen.put(name, value);
    }
    for value in request.all("user-to-user").filter(|value| !is_list(value)) {
        match Value::parse(value).and_then(|value| from_hex(value.data)) {
            Some(octets) if octets.first() == Some(&4) => {
                screen.put("User-to-User", String::from_utf8_lossy(&octets[1..]));
            }
            _ => screen.lose("User-to-User that is no IA5 text"),
        }
    }
    Ok(screen)
}
