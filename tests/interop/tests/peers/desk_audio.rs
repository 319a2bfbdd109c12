//! Headless Chromium as the human's telephone: microphone and speaker in the desk page, while SIPp is trunk and bot.

use call_model::Codec;
use interop::{BOT, Browser, CALLER, Callee, DESK, Does, Gateway, Sipp, Talker, Trunk, free_port, skipped, target};
use serde_json::Value;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);
const CODEC: Codec = Codec::Pcma;

/// The loudest tone that the page plays, in hertz, and how loud it is in dB.
const LOUDEST: &str = "(async () => { const stream = document.querySelector('#ear').srcObject; if (!stream) return [0, -200]; \
    const c = new AudioContext(), a = c.createAnalyser(); a.fftSize = 8192; c.createMediaStreamSource(stream).connect(a); \
    await new Promise((done) => setTimeout(done, 400)); const bins = new Float32Array(a.frequencyBinCount); \
    a.getFloatFrequencyData(bins); const best = bins.reduce((b, v, i) => (v > bins[b] ? i : b), 0); \
    const heard = [best * c.sampleRate / a.fftSize, Math.max(bins[best], -200)]; await c.close(); return heard; })()";

fn says(selector: &str, text: &str) -> String {
    format!(
        "(() => {{ const e = document.querySelector({selector:?}); \
         return !!e && e.getClientRects().length > 0 && e.textContent.includes({text:?}) }})()"
    )
}

/// Milliseconds, as the trace tells.
fn until_flowing(gateway: &Gateway) -> u64 {
    let trace = gateway.trace();
    let at = |wanted: &dyn Fn(&Value) -> bool| {
        trace.iter().find(|event| wanted(event)).and_then(|event| event["at_unix_ms"].as_u64()).expect("it was traced")
    };
    let offered = at(&|event| event["text"] == "brings its audio");
    at(&|event| event["kind"] == "flowing" && event["role"] == "desk") - offered
}

/// Waits until the page plays this tone, or none.
fn plays(page: &mut Browser, tone: Option<f32>) {
    let deadline = Instant::now() + SOON;
    loop {
        let heard = page.eval(LOUDEST);
        let [hertz, loudness] = [0, 1].map(|place| heard[place].as_f64().expect("a number"));
        let right = match tone {
            Some(tone) => (hertz - f64::from(tone)).abs() < 12.0 && loudness > -60.0,
            None => loudness < -80.0,
        };
        if right {
            return;
        }
        assert!(Instant::now() < deadline, "the page plays {hertz} Hz at {loudness} dB instead of {tone:?}");
    }
}

/// A gateway whose only desk is a page, and a caller who talks to the bot.
struct Scene {
    gateway: Gateway,
    page: Browser,
    caller: Talker,
    bot: Talker,
    trunk_sipp: Sipp,
    bot_sipp: Sipp,
    bot_port: u16,
}

fn begin(encrypted: bool) -> Scene {
    let bot_port = free_port();
    let more = format!(
        r#"
[[bots]]
name = "helper"
sip = "sip:{{user}}@127.0.0.1:{bot_port}"
[[desks]]
name = "alice"
audio = "browser"
display = "Alice"
page_token = "only-for-tests"
[[routes]]
dialled = "*"
bot = "helper"
[timers]
pop_wait_ms = 1000
ping_every_s = 0
"#
    );
    let gateway = Gateway::start("stay", &more);
    let at = if encrypted {
        format!("https://127.0.0.1:{}", gateway.https)
    } else {
        format!("http://127.0.0.1:{}", gateway.http)
    };
    let url = format!("{at}/desk#desk=alice&token=only-for-tests");
    let mut page = Browser::with_microphone(&url, (1280, 900), DESK);
    page.until(&says("#link-text", "Connected"), Duration::from_secs(30));
    let [caller, bot] = [CALLER, BOT].map(|tone| Talker::new(tone, CODEC));
    let callee = Callee { port: bot_port, does: Does::Answer(Duration::ZERO), tcp: false, codec: CODEC };
    let bot_sipp = Sipp::callee(callee, &bot);
    let trunk_sipp = Sipp::trunk(Trunk { dials: "7001", refer: 603, tcp: false, codec: CODEC }, gateway.sip, &caller);
    bot.connect(SOON);
    caller.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    caller.press('0');
    page.until(&says("#why-head", "The caller pressed a key for a person"), SOON);
    page.click("#accept");
    Scene { gateway, page, caller, bot, trunk_sipp, bot_sipp, bot_port }
}

#[test]
fn the_human_talks_in_the_page_also_after_a_reload_and_ends_the_call_there() {
    if skipped("chromium") || skipped("sipp") {
        return;
    }
    let Scene { gateway, mut page, caller, bot, trunk_sipp, bot_sipp, .. } = begin(true);
    caller.hears(&[DESK], 10, SOON);
    bot_sipp.succeeds(SOON);
    drop(bot);
    gateway.call_is("joined", SOON);
    plays(&mut page, Some(CALLER));
    eprintln!("{} ms from the page's offer to its first audio", until_flowing(&gateway));
    page.until("document.body?.dataset.audio === 'connected'", SOON);
    page.screenshot(&target().join("interop").join("desk-audio.png"));

    // What the page does is done to its audio as to a telephone's.
    page.press("m");
    caller.hears(&[], 10, SOON);
    page.press("m");
    caller.hears(&[DESK], 10, SOON);
    page.press("h");
    plays(&mut page, None);
    page.press("h");
    plays(&mut page, Some(CALLER));

    let began = Instant::now();
    page.eval("window.before = true; location.reload()");
    page.until("!window.before && document.body?.dataset.audio === 'connected'", SOON);
    let took = began.elapsed();
    eprintln!("audio was back {} ms after the reload began", took.as_millis());
    caller.hears(&[DESK], 10, SOON);
    plays(&mut page, Some(CALLER));
    caller.heard_one_unbroken_stream();
    gateway.call_is("joined", SOON);

    page.press("e");
    page.until(&says("#d-end", "End the call?"), SOON);
    page.click("#end-send");
    trunk_sipp.succeeds(SOON);
    gateway.call_ends(SOON);
    page.until(&says("#banner-text", "Conversation over"), SOON);
    page.until("!document.querySelector('#ear').srcObject", SOON);
}

#[test]
fn a_page_that_dies_leaves_its_caller_to_music_and_then_to_the_bot() {
    if skipped("chromium") || skipped("sipp") {
        return;
    }
    let Scene { gateway, page, caller, bot, mut trunk_sipp, bot_sipp, bot_port } = begin(false);
    caller.hears(&[DESK], 10, SOON);
    bot_sipp.succeeds(SOON);
    gateway.call_is("joined", SOON);
    let callee = Callee { port: bot_port, does: Does::Answer(Duration::ZERO), tcp: false, codec: CODEC };
    let again = Sipp::callee(callee, &bot);
    drop(page);
    bot.connect(Duration::from_secs(30));
    caller.hears(&[BOT], 10, SOON);
    caller.heard_one_unbroken_stream();
    gateway.call_is("with_bot", SOON);
    let trace = gateway.trace();
    let noted = |text: &str| trace.iter().any(|event| event["text"].as_str().is_some_and(|note| note.contains(text)));
    assert!(noted("no audio for 2 s") && noted("its page did not come back"), "{trace:#?}");
    trunk_sipp.hang_up();
    trunk_sipp.succeeds(SOON);
    again.succeeds(SOON);
    gateway.call_ends(SOON);
}
