//! Avaya Aura Communication Manager behind a border element.
//!
//! documentation.avaya.com, "UUI Treatment", "UCID" and "Maximum Size of UUI Contents"; AudioCodes Mediant manual, "Avaya
//! UCID" (`User-to-User: 00FA080019001038F725B3;encoding=hex`): in shared mode the information element holds entries
//! of several applications, each with an identifier, a length and data: FA is the universal call id, C8 application
//! data. Some border elements pass the header only when it holds `00FA08`.

use crate::uui::{Value, from_hex, is_list};
use crate::{Refusal, Request, Screen, only_sdp};

/// The settings of a trunk group that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrunkGroup {
    /// "UUI Treatment": shared, or service-provider, which passes everything as it is.
    pub shared: bool,
    /// "Maximum Size of UUI Contents": 32 to 128 octets.
    pub size: usize,
    /// The border element in front looks for `00FA08`.
    pub wants_call_id: bool,
}

impl Default for TrunkGroup {
    fn default() -> Self {
        Self { shared: true, size: 128, wants_call_id: true }
    }
}

/// What ASAI and VDN variables are given.
///
/// # Errors
/// 415 for a body of several parts.
pub fn receive(request: &Request, group: TrunkGroup) -> Result<Screen, Refusal> {
    only_sdp(request)?;
    let mut screen = Screen::default();
    if let Err(why) = read(request, group, &mut screen) {
        screen.fields.clear();
        screen.lose(why);
    }
    Ok(screen)
}

fn read(request: &Request, group: TrunkGroup, screen: &mut Screen) -> Result<(), String> {
    let values: Vec<&str> = request.all("user-to-user").collect();
    let [value] = values[..] else {
        return if values.is_empty() { Ok(()) } else { Err("several User-to-User headers".to_owned()) };
    };
    if is_list(value) {
        return Err("several values in User-to-User".to_owned());
    }
    let value = Value::parse(value).ok_or("a quotation that does not end")?;
    if !value.param("encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("hex")) {
        return Err("no encoding=hex".to_owned());
    }
    let octets = from_hex(value.data).ok_or("not hexadecimal")?;
    if group.wants_call_id && !value.data.to_ascii_uppercase().contains("00FA08") {
        return Err("the border element found no 00FA08 and dropped the header".to_owned());
    }
    if octets.len() > group.size {
        return Err(format!("{} octets, the trunk group takes {}", octets.len(), group.size));
    }
    if !group.shared {
        screen.put("UUI", value.data);
        return Ok(());
    }
    let Some((0, mut rest)) = octets.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err("the protocol discriminator is not 00".to_owned());
    };
    while let [kind, length, after @ ..] = rest {
        let (data, next) = after.split_at_checked(usize::from(*length)).ok_or("an entry longer than what is left")?;
        match (*kind, data) {
            (0xfa, [a, b, c, d, e, f, g, h]) => {
                let (node, sequence) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
                screen.put("UCID", format!("{node:05}{sequence:05}{:010}", u32::from_be_bytes([*e, *f, *g, *h])));
            }
            (0xfa, _) => return Err("a universal call id has 8 octets".to_owned()),
            (0xc8, data) => screen.put("ASAI UUI", String::from_utf8_lossy(data)),
            (other, _) => screen.lose(format!("an entry of the unknown kind {other:02X}")),
        }
        rest = next;
    }
    if rest.is_empty() { Ok(()) } else { Err("octets after the last entry".to_owned()) }
}
