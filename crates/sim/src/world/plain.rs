//! A telephone that has never heard of telephone-event: what it sends does not name it, and what it gets is read as if it
//! did not.

/// The message without telephone-event in its SDP.
pub(super) fn without_events(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = core::str::from_utf8(&bytes) else { return bytes };
    let Some((head, sdp)) = text.split_once("\r\n\r\n").filter(|(_, sdp)| sdp.contains("telephone-event")) else {
        return bytes;
    };
    let number = |line: &str| line.split_once(':').and_then(|(_, rest)| rest.split(' ').next()).map(str::to_owned);
    let events: Vec<String> = sdp.lines().filter(|line| line.contains("telephone-event")).filter_map(number).collect();
    let mut kept = String::new();
    for line in sdp.lines() {
        let about_event = ["a=rtpmap:", "a=fmtp:"].iter().any(|name| line.starts_with(name))
            && number(line).is_some_and(|number| events.contains(&number));
        if line.starts_with("m=") {
            let parts = line.split(' ').enumerate().filter(|(i, part)| *i < 3 || !events.iter().any(|e| e == part));
            kept += &parts.map(|(_, part)| part).collect::<Vec<_>>().join(" ");
            kept += "\r\n";
        } else if !about_event {
            kept += line;
            kept += "\r\n";
        }
    }
    let head = head.lines().map(|line| match line.split_once(':') {
        Some((name, _)) if name.eq_ignore_ascii_case("Content-Length") || name == "l" => {
            format!("{name}: {}", kept.len())
        }
        _ => line.to_owned(),
    });
    let head: Vec<String> = head.collect();
    format!("{}\r\n\r\n{kept}", head.join("\r\n")).into_bytes()
}
