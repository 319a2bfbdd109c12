"""The corpora: manifests, licences, emotions, speaker folds, audio."""

import csv
import pathlib

import numpy as np
import soundfile

RATE = 8000
CLASSES = ["neutral", "happy", "sad", "angry", "fear", "disgust"]
# Contract: boredom and calm count as neutral. Surprise is no class of the model; it is a negative when anger is judged.
NAMES = {name: i for i, name in enumerate(CLASSES)} | {"boredom": 0, "calm": 0}
ANGRY = CLASSES.index("angry")
# 1: activated, 0: not. Disgust and surprise are neither.
AROUSAL = {"angry": 1.0, "fear": 1.0, "happy": 1.0, "neutral": 0.0, "calm": 0.0, "boredom": 0.0, "sad": 0.0}


class Clip:
    def __init__(self, row, folder):
        self.path = folder / row["file"]
        self.corpus, self.speaker, self.emotion = row["corpus"], row["speaker"], row["emotion"]
        self.intensity = row.get("intensity", "")
        self.licence = row.get("licence", "")
        self.shippable = row.get("shippable", "").startswith("yes")
        self.label = NAMES.get(self.emotion, -1)
        self.arousal = AROUSAL.get(self.emotion, 0.5)
        # Empty for a team's own calls: those train.
        self.split = row.get("split", "") or "train"
        votes = np.array([float(row.get(f"votes_{name}") or 0) for name in CLASSES], np.float32)
        self.soft = votes / votes.sum() if votes.sum() > 0 else np.eye(6, dtype=np.float32)[self.label]
        self._audio = None

    @property
    def audio(self):
        """Samples as float32, full scale 1, 8 kHz mono."""
        if self._audio is None:
            audio, rate = soundfile.read(self.path, dtype="float32", always_2d=True)
            if rate != RATE:
                raise SystemExit(f"{self.path}: {rate} samples per second; bring it to {RATE} first")
            self._audio = audio.mean(1)
        return self._audio


def load(folders):
    """All clips of the folders' manifests (`manifest.csv`: file, corpus, speaker, emotion, licence, shippable)."""
    clips = []
    for folder in map(pathlib.Path, folders):
        manifest = folder / "manifest.csv"
        if not manifest.exists():
            raise SystemExit(f"{manifest} is missing: every --data folder needs one")
        with open(manifest, newline="") as file:
            clips += [Clip(row, folder) for row in csv.DictReader(file)]
    return clips


def folds(clips):
    """Held-out speakers of each fold: pairs in sorted order (EmoDB: 03+08, 09+10, 11+12, 13+14, 15+16)."""
    speakers = sorted({clip.speaker for clip in clips})
    return [speakers[i : i + 2] for i in range(0, len(speakers), 2)]


def to_int16(audio):
    return np.clip(np.round(np.asarray(audio) * 32768.0), -32768, 32767).astype("<i2")
