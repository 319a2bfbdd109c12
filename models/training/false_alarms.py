"""Counts false alarms of the shipped model on calm telephone voices, such as Debian's asterisk-core-sounds-*-wav.

    python false_alarms.py --voices /usr/share/asterisk/sounds [--model ../prosody.onnx]

Every folder directly under --voices that is no link is one speaker. The recordings are joined into calls of three minutes, with pauses;
the gateway's own listening code judges them. Nothing here trains or calibrates anything.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import soundfile

import augment
import calibrate
import speech

CALL_SECONDS = 180
# The rule of config/rules.toml: this distress for this many seconds.
RULE_DISTRESS, RULE_WINDOWS = 0.7, 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", type=pathlib.Path, required=True)
    parser.add_argument("--model", default=str(calibrate.features.ROOT / "models" / "prosody.onnx"))
    args = parser.parse_args()
    count(args.voices, args.model)


def count(voices, model):
    """Prints a line a voice; hours and shifts altogether."""
    listen = calibrate.build()
    total = np.zeros(4)
    print("voice                          calls  hours  shifts to upset  rule fires")
    for folder in sorted(path for path in voices.iterdir() if path.is_dir() and not path.is_symlink()):
        with tempfile.TemporaryDirectory() as temp:
            paths = make_calls(folder, pathlib.Path(temp))
            if not paths:
                continue
            command = [*listen, "--model", model, *paths]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        calls = [json.loads(line)["windows"] for line in done.stdout.splitlines()]
        shifts = sum(window["shift"] == "Upset" for call in calls for window in call)
        row = np.array([len(calls), len(calls) * CALL_SECONDS / 3600, shifts, sum(map(fires, calls))])
        total += row
        print(f"{folder.name:30} {row[0]:5.0f}  {row[1]:5.2f}  {row[2]:15.0f}  {row[3]:10.0f}")
    print(f"{'all':30} {total[0]:5.0f}  {total[1]:5.2f}  {total[2]:15.0f}  {total[3]:10.0f}")
    print(f"per hour: {total[2] / total[1]:.2f} shifts, {total[3] / total[1]:.2f} handoffs by the default rule")
    return total[1], total[2]


def make_calls(folder, out):
    rng = np.random.default_rng(5)
    parts, length, paths = [], 0, []
    for file in sorted(folder.rglob("*.wav")):
        audio, rate = soundfile.read(file, dtype="float32")
        if rate != speech.RATE or audio.ndim > 1 or len(audio) < speech.RATE:
            continue
        parts += [audio, np.zeros(int(rng.uniform(0.3, 2.0) * speech.RATE), np.float32)]
        length += len(parts[-1]) + len(parts[-2])
        if length >= CALL_SECONDS * speech.RATE:
            call = np.concatenate(parts)[: CALL_SECONDS * speech.RATE]
            call = augment.mulaw(call + 10 ** (-55 / 20) * augment.noise(rng, len(call), 1.0))
            paths.append(out / f"{len(paths)}.wav")
            soundfile.write(paths[-1], call, speech.RATE, subtype="PCM_16")
            parts, length = [], 0
    return paths


def fires(call):
    """Whether the default rule would have handed over: once a call is enough."""
    run = 0
    for window in call:
        run = run + 1 if window["distress"] >= RULE_DISTRESS else 0
        if run >= RULE_WINDOWS:
            return True
    return False


if __name__ == "__main__":
    main()
