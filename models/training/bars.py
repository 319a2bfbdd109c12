"""Prints every bar the model is held to: figure, 95 % interval from resampling speakers, aim, and the speech behind it.

    python bars.py --data DIR --work DIR [--model ../prosody-batch.onnx] [--voices DIR] [--onnxruntime LIB] [--only PART]...

Needs train.py (with folds) and export.py to have run. Clips of trained speakers are judged by the fold models that
never heard them. Parts: accuracy, degraded, calls, voices, cost. `--voices` are calm telephone voices, one folder each
(Debian's asterisk-core-sounds-*-wav); `--onnxruntime` is libonnxruntime.so.
"""

import argparse
import itertools
import json
import pathlib
import subprocess

import numpy as np
from scipy import stats

import calibrate
import evaluate
import false_alarms
import features
import speech

PARTS = ["accuracy", "degraded", "calls", "voices", "cost"]
# (corpus, figure): aim. nEMO has three speakers: reported, and no bar.
ACCURACY = {
    ("ravdess", "AUC anger-rest"): 0.88,
    ("ravdess", "R5"): 0.50,
    ("emodb", "UAR"): 0.70,
    ("emodb", "R5"): 0.75,
    ("nemo", "AUC anger-rest"): None,
}
DEGRADED = ["noise 15 dB", "loss 5 %", "A-law"]
MOST_LOST = 0.02
# A caller who turns angry counts as noticed within this many seconds.
WITHIN_S = 15


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, default=features.ROOT / "models" / "prosody-batch.onnx")
    parser.add_argument("--voices", type=pathlib.Path)
    parser.add_argument("--onnxruntime", type=pathlib.Path)
    parser.add_argument("--calls", type=int, default=8, help="calls of each kind for each speaker")
    parser.add_argument("--only", action="append", choices=PARTS)
    args = parser.parse_args()
    parts = args.only or PARTS
    print(f"{'bar':58} {'figure':>7}  {'95 % interval':16} {'aim':>6}  met   speech")
    if "accuracy" in parts or "degraded" in parts:
        accuracy(args, parts)
    if "calls" in parts:
        call_level(args)
    if "voices" in parts and args.voices:
        hours, shifts = false_alarms.count(args.voices, str(features.ROOT / "models" / "prosody.onnx"))
        line("false alarms an hour on calm telephone voices", shifts / hours, 1.0, f"{hours:.1f} h", lower=True)
    if "cost" in parts:
        cost(args)


def line(name, value, aim, speech_behind, interval=None, lower=False):
    shown = f"[{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    met = "" if aim is None else ("yes" if (value <= aim if lower else value >= aim) else "NO")
    aim = "" if aim is None else f"{'<=' if lower else '>='}{aim:g}"
    print(f"{name:58} {value:7.3f}  {shown:16} {aim:>6}  {met:4}  {speech_behind}", flush=True)


# --- clips -----------------------------------------------------------------------------------------------------------


def accuracy(args, parts):
    clips = speech.load(args.data)
    extractor = features.Extractor()
    for corpus in ("ravdess", "emodb", "nemo"):
        part = [clip for clip in clips if clip.corpus == corpus]
        if not part:
            continue
        behind = f"{len(part)} clips, {sum(len(c.audio) for c in part) / speech.RATE / 3600:.2f} h"
        pairs = evaluate.judges(args.model, args.work, part)
        clean = None
        for name in ["clean", *DEGRADED]:
            if name != "clean" and (corpus == "nemo" or "degraded" not in parts):
                continue
            who, scores = evaluate.judged(pairs, part, extractor, evaluate.DEGRADED[name])
            row = evaluate.measure(who, scores)
            if name == "clean":
                clean = row["AUC anger-rest"][0]
                for (of, figure), aim in ACCURACY.items():
                    if of == corpus:
                        value, *interval = row[figure]
                        line(f"{corpus}: {figure}", value, aim, behind, interval)
            else:
                line(f"{corpus}: AUC lost, {name}", clean - row["AUC anger-rest"][0], MOST_LOST, behind, lower=True)


# --- whole calls -----------------------------------------------------------------------------------------------------


def call_level(args):
    """Detection at one false alarm an hour, the threshold chosen on the other folds' speakers."""
    held = json.loads((args.work / "facts.json").read_text())["folds"]
    trained = {speaker for pair in held for speaker in pair}
    clips = [clip for clip in speech.load(args.data) if clip.speaker in trained and clip.label >= 0]
    jobs = calibrate.make_calls(args, clips, held)
    card = json.loads((args.work / "calibration.json").read_text())
    calls = calibrate.score(args, calibrate.build(), jobs, card, kinds=["calm", "mixed", "turning"])
    fold = {kind: np.array(sorted(f for f, _ in jobs[kind])) for kind in calls}
    tracks = {kind: [np.array([w["corrected"] for w in call]) for call in calls[kind]] for kind in calls}
    lively = calibrate.LIVELY_SHARE
    # Whose alarms are counted, and their shares of the callers; the second is how the shipped thresholds are chosen.
    kinds = (
        ("calm negatives", {"calm": 1.0}, 0.75),
        ("one lively to nine calm", {"calm": 1 - lively, "mixed": lively}, 0.75),
        ("emotional negatives too", {"calm": 0.5, "mixed": 0.5}, 0.60),
    )
    for (name, negatives, aim), margin in itertools.product(kinds, (False, True)):
        name += ", with a margin" if margin else ""
        seen, alarms = {}, dict.fromkeys(negatives, 0)
        hours = {kind: len(tracks[kind]) * calibrate.CALM_SECONDS / 3600 for kind in negatives}
        for k in range(len(held)):
            chosen = threshold(tracks, fold, negatives, lambda f: f != k, card["scale"], margin)
            for kind in negatives:
                mine = [t for t, f in zip(tracks[kind], fold[kind]) if f == k]
                alarms[kind] += sum(len(calibrate.alarms(t, chosen, card["scale"])) for t in mine)
            for call, track, (f, path) in zip(calls["turning"], tracks["turning"], sorted(jobs["turning"], key=by_fold)):
                if f == k:
                    at = [call[i]["t"] - calibrate.TURN_AFTER for i in calibrate.alarms(track, chosen, card["scale"])]
                    seen.setdefault(path.name.split("-")[0], []).append(any(0 < t <= WITHIN_S for t in at))
        every = [hit for hits in seen.values() for hit in hits]
        behind = f"{sum(hours.values()):.1f} h, {len(every)} calls that turn angry, {len(seen)} speakers"
        line(f"calls, {name}: noticed within {WITHIN_S} s", np.mean(every), aim, behind, spread(seen))
        realised = sum(share * alarms[kind] / hours[kind] for kind, share in negatives.items())
        line(f"calls, {name}: alarms realised an hour", realised, 1.0, behind, lower=True)
        if len(negatives) > 1:
            line(f"calls, {name}: of calm callers only", alarms["calm"] / hours["calm"], 1.0, behind, lower=True)


def by_fold(job):
    return job[0]


def threshold(tracks, fold, negatives, wanted, scale, margin):
    """The lowest one with at most one alarm an hour on these folds' negatives; with a margin, by the upper 95 % limit of
    their rate, because few alarms in a few hours promise more than new speakers keep."""
    mine = {kind: [t for t, f in zip(tracks[kind], fold[kind]) if wanted(f)] for kind in negatives}
    hours = sum(map(len, mine.values())) * calibrate.CALM_SECONDS / 3600
    for value in np.arange(8.0, -3.0, -0.02):
        count = 0.0
        for kind, share in negatives.items():
            each = np.mean([len(calibrate.alarms(t, value, scale)) for t in mine[kind]])
            count += share * each * 3600 / calibrate.CALM_SECONDS * hours
        most = stats.chi2.ppf(0.95, 2 * (count + 1)) / 2 if margin else count
        if most / hours > 1.0 + 1e-9:
            return float(value + 0.02)
    return -3.0


def spread(seen):
    """95 % interval of the mean, speakers drawn with replacement."""
    dice, names = evaluate.rng(), sorted(seen)
    draws = [np.mean(np.concatenate([seen[n] for n in dice.choice(names, len(names))])) for _ in range(400)]
    return tuple(float(q) for q in np.percentile(draws, [2.5, 97.5]))


# --- cost ------------------------------------------------------------------------------------------------------------


def cost(args):
    warmline = calibrate.build()[0]
    backends = [("pure Rust", [], 0.9)]
    if args.onnxruntime:
        backends.append(("libonnxruntime", ["--onnxruntime", args.onnxruntime], 0.5))
    for name, options, aim in backends:
        done = subprocess.run([warmline, "model", "bench", "--json", *options], check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        behind = f"{found['audio_s']:.0f} s, {found['at_once']} at once; features {found['features_ms_per_s']:.3f}"
        line(f"CPU ms for each second of speech, {name}", found["all_ms_per_s"], aim, behind, lower=True)


if __name__ == "__main__":
    main()
