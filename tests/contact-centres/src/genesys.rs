//! Genesys Cloud, BYOC trunk.
//!
//! help.mypurecloud.com, "User to User Information (UUI) overview" and "UUI data formats":
//! `User-to-User` is looked for first, `x-User-To-User` (AudioCodes) only without it; several headers of a kind are all
//! discarded; `encoding` is hex when it is missing; data that does not fit its encoding is not passed on; hex that
//! decodes to 128-255 cannot be decoded; the first octet of `User-to-User` is removed unless there is a `pd` parameter,
//! that of `x-User-To-User` never. Some systems on the way cut the data at 128 characters, and so does this one.

use crate::uui::{Value, from_hex, is_list};
use crate::{Refusal, Request, Screen, only_sdp};

/// Where Architect and scripts find it.
pub const FIELD: &str = "Call.UUIData";

/// What arrives in Architect.
///
/// # Errors
/// 415 for a body of several parts.
pub fn receive(request: &Request) -> Result<Screen, Refusal> {
    only_sdp(request)?;
    let mut screen = Screen::default();
    match data(request) {
        Ok(Some(text)) => screen.put(FIELD, text),
        Ok(None) => {}
        Err(why) => screen.lose(why),
    }
    Ok(screen)
}

fn data(request: &Request) -> Result<Option<String>, String> {
    let (name, strips) = match request.one("user-to-user") {
        Some(_) => ("user-to-user", true),
        None => ("x-user-to-user", false),
    };
    let values: Vec<&str> = request.all(name).collect();
    let [value] = values[..] else {
        return if values.is_empty() {
            Ok(None)
        } else {
            Err(format!("{} {name} headers: all discarded", values.len()))
        };
    };
    if is_list(value) {
        return Err(format!("several values in {name}: all discarded"));
    }
    let value = Value::parse(value).ok_or("a quotation that does not end")?;
    let strips = strips && value.param("pd").is_none();
    let data = value.data.get(..128).unwrap_or(value.data);
    let octets = match value.param("encoding").unwrap_or("hex").to_ascii_lowercase().as_str() {
        "hex" if value.quoted => return Err("hex in quotes".to_owned()),
        "hex" => from_hex(data).ok_or_else(|| format!("`{data}` is not hex"))?,
        // Its discriminator is written as two digits here too.
        "ascii" => data.get(usize::from(strips)..).unwrap_or_default().bytes().collect(),
        other => return Err(format!("encoding {other} is unknown")),
    };
    let octets = octets.get(usize::from(strips)..).unwrap_or_default();
    if octets.iter().any(|octet| *octet >= 0x80) {
        return Err("octets of 128 and more cannot be decoded".to_owned());
    }
    Ok(Some(octets.iter().map(|octet| char::from(*octet)).collect()))
}
