//! Headless Chromium on the desk page: the screen shows why before the phone rings, and its button counts.

use call_model::Codec;
use interop::{BOT, Browser, CALLER, Callee, DESK, Does, Gateway, Sipp, Talker, Trunk, free_port, skipped, target};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// Notes, by the browser's clock, when the reason was first to be seen.
const WATCH: &str = "window.shownAt = null; new MutationObserver(() => { \
    if (!window.shownAt && !document.querySelector('#card').hidden && document.querySelector('#why-head').textContent) \
    window.shownAt = Date.now(); }).observe(document.body, {subtree: true, childList: true, attributes: true})";

/// Notes that the human was told that the bot is asked for, which a slow machine may show for a moment only.
const WATCH_ASKING: &str = "window.asking = false; new MutationObserver(() => { \
    window.asking ||= document.querySelector('#banner-text').textContent.includes('Asking for the bot'); }) \
    .observe(document.querySelector('#banner-text'), {subtree: true, childList: true, characterData: true})";

fn says(selector: &str, text: &str) -> String {
    format!(
        "(() => {{ const e = document.querySelector({selector:?}); \
         return !!e && e.getClientRects().length > 0 && e.textContent.includes({text:?}) }})()"
    )
}

/// A gateway, the page of its desk, and a caller who talks to the bot.
struct Scene {
    gateway: Gateway,
    page: Browser,
    caller: Talker,
    bot: Talker,
    trunk_sipp: Sipp,
    bot_sipp: Sipp,
    bot_port: u16,
    desk_port: u16,
}

const CODEC: Codec = Codec::Pcmu;

fn rings(port: u16, seconds: u64) -> Callee {
    Callee { port, does: Does::Answer(Duration::from_secs(seconds)), tcp: false, codec: CODEC }
}

fn begin() -> Scene {
    let (bot_port, desk_port) = (free_port(), free_port());
    let more = format!(
        r#"
[[bots]]
name = "helper"
sip = "sip:{{user}}@127.0.0.1:{bot_port}"
[[desks]]
name = "alice"
sip = "sip:alice@127.0.0.1:{desk_port}"
display = "Alice"
page_token = "only-for-tests"
[[routes]]
dialled = "*"
bot = "helper"
[timers]
# A browser on a machine that compiles beside it is no desk: what is tested is the order, not its speed.
pop_wait_ms = 1000
ping_every_s = 0
"#
    );
    let gateway = Gateway::start("stay", &more);
    let url = format!("http://127.0.0.1:{}/desk#desk=alice&token=only-for-tests", gateway.http);
    let mut page = Browser::open(&url, (1280, 900));
    page.until(&says("#link-text", "Connected"), Duration::from_secs(30));
    page.until(&says("#idle", "No callers for you"), SOON);
    page.eval(WATCH);
    let [caller, bot] = [CALLER, BOT].map(|tone| Talker::new(tone, CODEC));
    let bot_sipp = Sipp::callee(rings(bot_port, 0), &bot);
    let trunk_sipp = Sipp::trunk(Trunk { dials: "7001", refer: 603, tcp: false, codec: CODEC }, gateway.sip, &caller);
    bot.connect(SOON);
    caller.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    Scene { gateway, page, caller, bot, trunk_sipp, bot_sipp, bot_port, desk_port }
}

#[test]
fn the_page_shows_why_before_the_phone_rings_and_its_button_takes_the_call() {
    if skipped("chromium") || skipped("sipp") {
        return;
    }
    // The bot talks on: SIPp does not know the question that a silent one is asked.
    let Scene { gateway, mut page, caller, bot: _bot, mut trunk_sipp, bot_sipp, desk_port, .. } = begin();
    let desk = Talker::new(DESK, CODEC);
    let desk_sipp = Sipp::callee(rings(desk_port, 5), &desk);

    caller.press('0');
    desk.connect(SOON);
    page.until(&says("#why-head", "The caller pressed a key for a person"), SOON);
    page.until(&says("#because", "the caller pressed 0"), SOON);
    page.until(&says("#caller", "Grace Hopper"), SOON);
    page.screenshot(&target().join("interop").join("desk-pop.png"));
    page.click("#accept");
    page.until(&says("#banner-text", "Accepted. Pick up your phone"), SOON);
    gateway.call_is("consulting", Duration::ZERO);

    // The phone answers, and no key is asked for.
    caller.hears(&[DESK], 10, SOON);
    desk.hears(&[CALLER], 10, SOON);
    bot_sipp.succeeds(SOON);
    gateway.call_is("joined", SOON);
    page.until(&says("#banner-text", "You and the caller hear each other"), SOON);
    shown_before_ringing(&gateway.trace(), page.eval("window.shownAt").as_u64().expect("the reason was seen"));

    trunk_sipp.hang_up();
    trunk_sipp.succeeds(SOON);
    desk_sipp.succeeds(SOON);
    page.until(&says("#banner-text", "Conversation over"), SOON);
    page.screenshot(&target().join("interop").join("desk-over.png"));
    gateway.call_ends(SOON);
}

#[test]
fn the_page_gives_the_caller_back_to_the_bot_with_notes() {
    if skipped("chromium") || skipped("sipp") {
        return;
    }
    let Scene { gateway, mut page, caller, bot, mut trunk_sipp, bot_sipp, bot_port, desk_port } = begin();
    let desk = Talker::new(DESK, CODEC);
    let desk_sipp = Sipp::callee(rings(desk_port, 1), &desk);
    caller.press('0');
    desk.connect(SOON);
    page.until(&says("#why-head", "The caller pressed a key for a person"), SOON);
    page.click("#accept");
    caller.hears(&[DESK], 10, SOON);
    bot_sipp.succeeds(SOON);

    page.until(&says("#hand-back", "To the bot"), SOON);
    page.press("b");
    page.until(&says("#d-back", "Hand the caller back to the bot"), SOON);
    page.write("#notes", "Refund of 12 € is booked.");
    let again = Sipp::callee(rings(bot_port, 4), &bot);
    page.eval(WATCH_ASKING);
    page.click("#hand-back-button");
    // Rung, and not there yet: the human keeps the caller.
    bot.connect(SOON);
    desk.hears(&[CALLER], 5, SOON);
    caller.hears(&[BOT], 10, SOON);
    bot.hears(&[CALLER], 10, SOON);
    desk_sipp.succeeds(SOON);
    caller.heard_one_unbroken_stream();
    page.until(&says("#banner-text", "Handed back"), SOON);
    assert_eq!(page.eval("window.asking"), true, "the page did not say that the bot was asked for");
    page.screenshot(&target().join("interop").join("desk-handed-back.png"));
    gateway.call_is("with_bot", SOON);
    assert_eq!(again.was_told("X-Handoff-Resumed").as_deref(), Some("handed_back"));
    assert_eq!(again.was_told("X-Handoff-Notes").as_deref(), Some("Refund of 12 %E2%82%AC is booked."));

    trunk_sipp.hang_up();
    trunk_sipp.succeeds(SOON);
    again.succeeds(SOON);
    gateway.call_ends(SOON);
}

#[test]
fn the_human_holds_mutes_types_and_ends_on_the_page_and_says_what_became_of_it() {
    if skipped("chromium") || skipped("sipp") {
        return;
    }
    let Scene { gateway, mut page, caller, bot, trunk_sipp, bot_sipp, desk_port, .. } = begin();
    let desk = Talker::new(DESK, CODEC);
    let _desk_sipp = Sipp::callee(rings(desk_port, 1), &desk);
    caller.press('0');
    desk.connect(SOON);
    page.until(&says("#accept", "Accept"), SOON);
    page.press("a");
    caller.hears(&[DESK], 10, SOON);
    bot_sipp.succeeds(SOON);
    drop(bot);

    page.until(&says("#controls", "Hold"), SOON);
    page.press("m");
    page.until(&says("#banner-text", "The caller does not hear you"), SOON);
    caller.hears(&[], 10, SOON);
    desk.hears(&[CALLER], 10, SOON);
    page.press("m");
    caller.hears(&[DESK], 10, SOON);
    page.press("h");
    page.until(&says("#banner-text", "on hold and hears music"), SOON);
    desk.hears(&[], 10, SOON);
    // A page that is loaded again knows what was set.
    page.eval("window.before = true; location.reload()");
    page.until("!window.before", SOON);
    page.until(&says("#banner-text", "on hold and hears music"), SOON);
    page.press("h");
    caller.hears(&[DESK], 10, SOON);
    page.press("k");
    page.until(&says("#d-keypad", "Keypad"), SOON);
    page.press("7");
    page.until(&says("#pressed", "7"), SOON);
    page.click("#d-keypad button.quiet");
    page.until("!document.querySelector('#d-keypad').open", SOON);

    page.press("e");
    page.until(&says("#d-end", "End the call?"), SOON);
    page.click("#end-send");
    trunk_sipp.succeeds(SOON);
    gateway.call_ends(SOON);
    page.until(&says("#banner-text", "Conversation over"), SOON);
    page.click("input[value=resolved]");
    page.write("#wrap-notes", "Refund of 12 € is booked.");
    page.click("#wrap-save");
    page.until(&says("#idle", "No callers for you"), SOON);
    let disposed = gateway.trace().into_iter().find(|event| event["kind"] == "disposed").expect("it was written down");
    assert_eq!((&disposed["code"], &disposed["desk"]), (&"resolved".into(), &"alice".into()));
    assert_eq!(disposed["notes"], "Refund of 12 € is booked.");

    page.eval("(() => { const s = document.querySelector('#state'); s.value = 'away'; s.dispatchEvent(new Event('change')) })()");
    page.until(&says("#idle", "You are not taking callers"), SOON);
}

fn shown_before_ringing(trace: &[Value], shown_ms: u64) {
    let find = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
        trace.iter().position(wanted).unwrap_or_else(|| panic!("{what} was not traced: {trace:#?}"))
    };
    let desk = |event: &Value| event["kind"] == "sip" && event["role"] == "desk";
    let what = |event: &Value, text: &str| event["what"].as_str().is_some_and(|what| what.starts_with(text));
    let acknowledged = find("the acknowledgement", &|event| event["kind"] == "pop" && event["what"] == "acknowledged");
    let invited = find("the consult INVITE", &|event| desk(event) && event["sent"] == true && what(event, "INVITE"));
    let rang = find("180 Ringing", &|event| desk(event) && event["sent"] == false && what(event, "180"));
    assert!(acknowledged < invited && invited < rang, "the order is wrong: {trace:#?}");
    // The acknowledgement leaves while the story is drawn: what may pass until a reader sees it is for a busy machine.
    let rang_ms = trace[rang]["at_unix_ms"].as_u64().expect("a time");
    assert!(shown_ms <= rang_ms + 500, "the reason was seen {} ms after the phone rang", shown_ms - rang_ms);
}
