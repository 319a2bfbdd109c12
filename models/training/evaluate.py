"""Prints what a model can do: per corpus, and degraded, with 95 % intervals from resampling speakers.

    python evaluate.py --model ../prosody-batch.onnx --data DIR [--work DIR] [--json FILE]

Every clip is one judgement: the mean logit of its 3 s windows (1 s hop; a shorter clip is followed by silence).
Clips of the training sets are judged by the fold models of --work that never heard their speakers, never by --model.
"""

import argparse
import json
import pathlib

import numpy as np
import onnxruntime

import augment
import features
import speech

HOP = 50


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    clips = speech.load(args.data)
    extractor = features.Extractor()
    report = {}
    for corpus in sorted({clip.corpus for clip in clips}):
        part = [clip for clip in clips if clip.corpus == corpus]
        pairs = judges(args.model, args.work, part)
        if not pairs:
            print(f"{corpus}: skipped; its speakers were trained on (give --work for the fold models)")
            continue
        for name, change in DEGRADED.items():
            if name != "clean" and corpus == "nemo":
                continue
            who, scores = judged(pairs, part, extractor, change)
            report[f"{corpus} {name}"] = row = measure(who, scores)
            show(f"{corpus} {name}", row, len(who))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


def judges(model, work, clips):
    """Who judges whom: (session, speakers). Speakers that were trained on have their fold's model; none without it."""
    trained = json.loads((work / "facts.json").read_text())["folds"] if work else []
    held = [i for i, pair in enumerate(trained) if any(clip.speaker in pair for clip in clips)]
    if held:
        return [(session(work / f"fold{i}.onnx"), trained[i]) for i in held]
    return [] if clips[0].shippable else [(session(model), sorted({clip.speaker for clip in clips}))]


def judged(pairs, clips, extractor, change):
    """The clips in the order they were judged, and their scores."""
    scores = [judge(model, [c for c in clips if c.speaker in who], extractor, change) for model, who in pairs]
    return [c for _, who in pairs for c in clips if c.speaker in who], np.concatenate(scores)


def rng():
    return np.random.default_rng(99)


def noisy(decibels):
    def change(audio):
        level = np.sqrt(np.mean(audio**2)) * 10 ** (-decibels / 20)
        return audio + level * augment.noise(rng(), len(audio), 1.0)

    return change


DEGRADED = {
    "clean": lambda audio: audio,
    "noise 15 dB": noisy(15),
    "noise 5 dB": noisy(5),
    "loss 5 %": lambda audio: augment.lose(rng(), audio, 0.05),
    "A-law": augment.alaw,
    "-12 dB": lambda audio: augment.mulaw(audio * 0.25),
}


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def windows(audio, extractor):
    """Windows of one clip: every second, and its end. What is missing to 3 s is silence."""
    need = features.FRAMES * 160
    if len(audio) < need:
        audio = np.concatenate([audio, np.zeros(need - len(audio), np.float32)])
    rows, _ = extractor(audio)
    last = len(rows) - features.FRAMES
    starts = sorted({*range(0, last + 1, HOP), last})
    return [rows[start : start + features.FRAMES].T for start in starts]


def judge(model, clips, extractor, change):
    """Per clip: six emotion probabilities, anger logit, arousal."""
    out = []
    for clip in clips:
        x = np.stack(windows(change(clip.audio).astype(np.float32), extractor)).astype(np.float32)
        emotion, anger, arousal, _ = model.run(["emotion", "anger", "arousal", "speech_ratio"], {"features": x})
        anger = np.clip(anger, 1e-6, 1 - 1e-6)
        out.append(np.concatenate([emotion.mean(0), [np.log(anger / (1 - anger)).mean()], arousal.mean(0)]))
    return np.array(out).reshape(-1, 8)


# --- figures ---------------------------------------------------------------------------------------------------------


def measure(clips, scores):
    speakers = np.array([clip.speaker for clip in clips])
    labels = np.array([clip.label for clip in clips])
    emotion = np.array([clip.emotion for clip in clips])
    arousal = np.array([clip.arousal for clip in clips])
    every = figures(labels, emotion, arousal, scores)
    names, dice, draws = sorted(set(speakers)), rng(), []
    for _ in range(400):
        at = np.concatenate([np.flatnonzero(speakers == name) for name in dice.choice(names, len(names))])
        draws.append(figures(labels[at], emotion[at], arousal[at], scores[at]))
    return {
        key: (value, *(float(q) for q in np.nanpercentile([draw[key] for draw in draws], [2.5, 97.5])))
        for key, value in every.items()
    }


def figures(labels, emotion, arousal, scores):
    angry = labels == speech.ANGRY
    logit = scores[:, 6]
    calm = labels == 0
    known = labels >= 0
    rated = arousal != 0.5
    return {
        "AUC anger-rest": auc(logit[angry], logit[~angry]),
        "R5": recall(logit[angry], logit[~angry], 0.05),
        "R2": recall(logit[angry], logit[~angry], 0.02),
        "EER": equal_error(logit[angry], logit[~angry]),
        "AUC anger-neutral": auc(logit[angry], logit[calm]),
        "R5 anger-neutral": recall(logit[angry], logit[calm], 0.05),
        "UAR": uar(labels[known], scores[known, :6].argmax(1)),
        "AUC arousal": auc(scores[rated & (arousal == 1), 7], scores[rated & (arousal == 0), 7]),
    }


def auc(positive, negative):
    if not len(positive) or not len(negative):
        return float("nan")
    values = np.concatenate([positive, negative])
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2) / len(positive) / len(negative))


def recall(positive, negative, false_positives):
    if not len(positive) or not len(negative):
        return float("nan")
    return float((positive > np.quantile(negative, 1 - false_positives)).mean())


def equal_error(positive, negative):
    if not len(positive) or not len(negative):
        return float("nan")
    at = np.sort(np.concatenate([positive, negative]))
    missed = np.searchsorted(np.sort(positive), at) / len(positive)
    false = 1 - np.searchsorted(np.sort(negative), at) / len(negative)
    best = np.argmin(np.abs(missed - false))
    return float((missed[best] + false[best]) / 2)


def uar(labels, guesses):
    return float(np.mean([(guesses[labels == label] == label).mean() for label in np.unique(labels)]))


def show(name, row, count):
    print(f"\n{name} ({count} clips)")
    for key, (value, low, high) in row.items():
        print(f"  {key:18} {value:.3f}  [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
