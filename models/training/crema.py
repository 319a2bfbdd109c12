"""Writes the manifest of a CREMA-D folder, with the votes of those who only heard the clips as soft labels.

    python crema.py --crema DIR --split FILE.csv --out DIR [--shippable]

DIR of --crema is a copy of the CREMA-D repository (AudioWAV/ and processedResults/tabulatedVotes.csv; ODbL 1.0).
FILE of --split has a line `speaker,split` for every actor: 1001 to 1091, and train, validation or test; only train
trains. The clips are brought to the telephone (8 kHz, 300 to 3400 Hz) and written to --out with manifest.csv, for
--data of train.py. --shippable is yours to say: the ODbL asks for attribution and share-alike of the data.
"""

import argparse
import csv
import pathlib

import numpy as np
import soundfile
from scipy import signal

import speech

NAMES = {"NEU": "neutral", "HAP": "happy", "SAD": "sad", "ANG": "angry", "FEA": "fear", "DIS": "disgust"}
LETTERS = {"A": "angry", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}
# Rows of tabulatedVotes.csv from here up to the next hundred thousand are of those who heard and did not see.
VOICE_ONLY = 100_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crema", type=pathlib.Path, required=True)
    parser.add_argument("--split", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--shippable", action="store_true")
    args = parser.parse_args()
    with open(args.split, newline="") as file:
        split = {row["speaker"]: row["split"] for row in csv.DictReader(file)}
    votes = voice_votes(args.crema / "processedResults" / "tabulatedVotes.csv")
    (args.out / "crema").mkdir(parents=True, exist_ok=True)
    rows = []
    for path in sorted((args.crema / "AudioWAV").glob("*.wav")):
        speaker, _, emotion, _ = path.stem.split("_")
        if speaker not in split:
            raise SystemExit(f"{args.split} does not say where speaker {speaker} belongs")
        telephone(path, args.out / "crema" / path.name)
        row = {
            "file": f"crema/{path.name}", "corpus": "crema", "speaker": f"crema_{speaker}", "emotion": NAMES[emotion],
            "licence": "ODbL-1.0", "shippable": "yes (ODbL-1.0)" if args.shippable else "no", "split": split[speaker],
        }  # fmt: skip
        rows.append(row | {f"votes_{name}": votes.get(path.stem, {}).get(name, "") for name in speech.CLASSES})
    if not rows:
        raise SystemExit(f"{args.crema / 'AudioWAV'} holds no WAV files")
    with open(args.out / "manifest.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} clips, {sum(name.stem in votes for name in args.crema.glob('AudioWAV/*.wav'))} with votes")


def voice_votes(path):
    """Votes by clip and emotion."""
    found = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            number = int(float(next(iter(row.values()))))
            if VOICE_ONLY <= number < 2 * VOICE_ONLY:
                found[row["fileName"]] = {name: float(row[letter] or 0) for letter, name in LETTERS.items()}
    return found


def telephone(source, target):
    audio, rate = soundfile.read(source, dtype="float32", always_2d=True)
    audio = signal.resample_poly(audio.mean(1), speech.RATE, rate)
    audio = signal.sosfilt(signal.butter(4, [300, 3400], "bandpass", fs=speech.RATE, output="sos"), audio)
    soundfile.write(target, np.clip(audio, -1, 1), speech.RATE, subtype="ULAW")


if __name__ == "__main__":
    main()
