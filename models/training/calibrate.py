"""Turns anger logits into false alarms per hour, on simulated calls of speakers the fold models never heard.

    python calibrate.py --data DIR --work DIR

An alarm an hour means: of ten hours of callers, nine are calm and one is lively (happy, sad, afraid or disgusted turns
mixed in, but no anger). Acted calm speech alone is too easy and would promise too much.

Needs train.py (with folds) and export.py to have run. The calls are scored by the gateway's own listening code
(`warmline listen`). Writes calibration.json to --work, for export.py --calibration, and prints
call-level figures: how many callers who turn angry are noticed, how fast, at what price.
"""

import argparse
import json
import pathlib
import subprocess

import numpy as np
import onnx
import soundfile

import augment
import features
import speech

RATES = [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0]
# As in crates/prosody/src/listening.rs.
ENTER, LEAVE, LEAVE_SCALE = 2, 3, 0.5
CALM_SECONDS, TURN_AFTER = 180, 40
LIVELY_SHARE = 0.1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--calls", type=int, default=8, help="calls of each kind for each speaker")
    args = parser.parse_args()
    held = json.loads((args.work / "facts.json").read_text())["folds"]
    trained = {speaker for pair in held for speaker in pair}
    clips = [clip for clip in speech.load(args.data) if clip.speaker in trained and clip.label >= 0]
    listen = build()
    jobs = make_calls(args, clips, held)

    neutral = {"threshold_per_hour": {"1": 1.0}, "scale": 1.0, "population_logit": -1.5}
    some = {kind: [job for job in paths if job[1].stem.endswith(("-0", "-1"))] for kind, paths in jobs.items()}
    first = score(args, listen, some, neutral, kinds=["calm"])
    logits = [np.log(w["anger"] / (1 - w["anger"] + 1e-9) + 1e-9) for call in first["calm"] for w in call]
    neutral["population_logit"] = round(float(np.mean(logits)), 3)
    calls = score(args, listen, jobs, neutral, kinds=["calm", "mixed", "turning"])

    tracks = {kind: [np.array([w["corrected"] for w in call]) for call in calls[kind]] for kind in calls}
    hours = len(tracks["calm"]) * CALM_SECONDS / 3600
    calm = float(np.mean(np.concatenate(tracks["calm"])))
    scale = 1.0
    for _ in range(3):
        table = {rate: threshold(tracks, hours, rate, scale) for rate in RATES}
        # A calm caller's distress lies around 0.05 on average at one alarm an hour.
        scale = max(0.3, (table[1.0] - calm) / 3)
    calibration = {
        "threshold_per_hour": {f"{rate:g}": round(value, 3) for rate, value in table.items()},
        "scale": round(scale, 3),
        "population_logit": neutral["population_logit"],
        "hours": round(hours, 2),
        "speakers": len(trained),
        "sets": sorted({clip.corpus for clip in clips}),
    }
    (args.work / "calibration.json").write_text(json.dumps(calibration, indent=1))
    print(json.dumps(calibration, indent=1))
    report(calls, tracks, table, scale, hours)


def build():
    """Builds the gateway and says how it is asked to listen."""
    command = ["cargo", "build", "--release", "--package", "gateway", "--bin", "warmline", "--message-format=short"]
    subprocess.run(command, cwd=features.ROOT, check=True)
    return [features.target() / "release" / "warmline", "listen", "--json"]


# --- calls -----------------------------------------------------------------------------------------------------------


def make_calls(args, clips, held):
    """WAV files of every kind, by fold."""
    folder = args.work / "calls"
    folder.mkdir(exist_ok=True)
    jobs = {"calm": [], "mixed": [], "turning": []}
    for fold, pair in enumerate(held):
        for speaker in pair:
            mine = [clip for clip in clips if clip.speaker == speaker]
            for number in range(args.calls):
                for kind, out in jobs.items():
                    path = folder / f"{speaker}-{kind}-{number}.wav"
                    if not path.exists():
                        rng = np.random.default_rng([fold, int(speaker[-2:]), number, len(kind)])
                        audio = call(rng, mine, kind)
                        soundfile.write(path, audio, speech.RATE, subtype="PCM_16")
                    out.append((fold, path))
    return jobs


def call(rng, clips, kind):
    """One caller's side of a call: turns of a few sentences, pauses while the other side talks, one line."""
    calm = [clip for clip in clips if clip.label == 0]
    other = [clip for clip in clips if clip.label not in (0, speech.ANGRY)]
    angry = [clip for clip in clips if clip.label == speech.ANGRY]
    total = CALM_SECONDS if kind != "turning" else TURN_AFTER + 30
    parts, length = [], 0
    while length < total * speech.RATE:
        moods = calm
        if kind == "mixed" and rng.random() < 0.3:
            moods = other
        if kind == "turning" and length >= TURN_AFTER * speech.RATE:
            moods = angry
        for _ in range(rng.integers(1, 5)):
            parts += [moods[rng.integers(len(moods))].audio, np.zeros(int(rng.uniform(0.1, 0.5) * speech.RATE))]
        parts.append(np.zeros(int(rng.uniform(0.5, 4.0) * speech.RATE)))
        length = sum(map(len, parts))
    audio = np.concatenate(parts)[: total * speech.RATE].astype(np.float32)
    active = np.sqrt(np.mean(audio[np.abs(audio) > 0.01] ** 2))
    audio = audio + active * 10 ** (-rng.uniform(15, 40) / 20) * augment.noise(rng, len(audio), rng.choice([0.0, 1.0]))
    if rng.random() < 0.5:
        audio = augment.tilt(rng, audio)
    if rng.random() < 0.3:
        audio = augment.lose(rng, audio, rng.uniform(0, 0.03))
    return augment.mulaw(audio * 10 ** (rng.uniform(-9, 3) / 20))


def score(args, listen, jobs, calibration, kinds):
    """Windows of every call, by the fold model that never heard its speaker."""
    out = {kind: [] for kind in kinds}
    for fold in sorted({fold for fold, _ in jobs["calm"]}):
        model = args.work / f"fold{fold}.onnx"
        proto = onnx.load(str(model))
        props = {prop.key: prop.value for prop in proto.metadata_props}
        onnx.helper.set_model_props(proto, props | {"warmline.calibration": json.dumps(calibration)})
        onnx.save(proto, str(model))
        for kind in kinds:
            paths = args.work / f"calls-{fold}-{kind}.txt"
            paths.write_text("\n".join(str(path) for f, path in jobs[kind] if f == fold))
            command = [*listen, "--model", model, "--list", paths]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            out[kind] += [json.loads(line)["windows"] for line in done.stdout.splitlines()]
        print(f"fold {fold}: calls scored", flush=True)
    return out


# --- figures ---------------------------------------------------------------------------------------------------------


def alarms(corrected, threshold, scale):
    """Indices of windows at which the caller becomes upset, as the gateway decides it."""
    upset, run, found = False, 0, []
    for i, value in enumerate(corrected):
        against = value < threshold - LEAVE_SCALE * scale if upset else value >= threshold
        run = run + 1 if against else 0
        if run >= (LEAVE if upset else ENTER):
            upset, run = not upset, 0
            if upset:
                found.append(i)
    return found


def threshold(tracks, hours, rate, scale):
    """The lowest threshold with at most `rate` alarms an hour. From above, because far below everything hardly any
    caller *becomes* upset: all are, from the start."""
    for value in np.arange(8.0, -3.0, -0.02):
        if rate_at(tracks, hours, value, scale) > rate:
            return float(value + 0.02)
    return -3.0


def rate_at(tracks, hours, value, scale):
    calm, mixed = (sum(len(alarms(t, value, scale)) for t in tracks[kind]) / hours for kind in ("calm", "mixed"))
    return (1 - LIVELY_SHARE) * calm + LIVELY_SHARE * mixed


def report(calls, tracks, table, scale, hours):
    print(f"\n{hours:.1f} h of calm calls, the same of lively calls (30 % of turns happy, sad, afraid, disgusted),")
    print(f"{len(calls['turning'])} calls that turn angry after {TURN_AFTER} s")
    print("alarms/h aimed  threshold  calm/h  lively/h  noticed in 15 s  median delay s")
    for rate, value in table.items():
        calm, mixed = (sum(len(alarms(t, value, scale)) for t in tracks[kind]) / hours for kind in ("calm", "mixed"))
        delays = []
        for call, track in zip(calls["turning"], tracks["turning"]):
            at = [call[i]["t"] - TURN_AFTER for i in alarms(track, value, scale)]
            delays += [min([t for t in at if t > 0], default=np.inf)]
        delays = np.array(delays)
        seen = delays <= 15
        delay = np.median(delays[seen]) if seen.any() else float("nan")
        print(f"{rate:14g}  {value:9.2f}  {calm:6.2f}  {mixed:8.2f}  {seen.mean():15.2f}  {delay:14.1f}")


if __name__ == "__main__":
    main()
