"""Features from the gateway's own Rust code: a pipe to the `prosody-features` binary."""

import json
import pathlib
import struct
import subprocess

import numpy as np

import speech

ROWS, FRAMES = 64, 150
ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """Builds the extractor and says where it is."""
    command = ["cargo", "build", "--release", "--package", "prosody-features", "--message-format=short"]
    subprocess.run(command, cwd=ROOT, check=True)
    return target() / "release" / "prosody-features"


def target():
    """Where cargo puts what it builds."""
    command = ["cargo", "metadata", "--no-deps", "--format-version=1"]
    metadata = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"])


class Extractor:
    def __init__(self):
        self.process = subprocess.Popen(
            [binary(), "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 20
        )

    def __call__(self, audio):
        """Float audio (full scale 1) to (features [frames, 64], speech gate [frames])."""
        samples = speech.to_int16(audio)
        self.process.stdin.write(struct.pack("<I", len(samples)) + samples.tobytes())
        self.process.stdin.flush()
        (frames,) = struct.unpack("<I", self.process.stdout.read(4))
        values = np.frombuffer(self.process.stdout.read(frames * (ROWS + 1) * 4), "<f4").reshape(frames, ROWS + 1)
        return values[:, :ROWS], values[:, ROWS]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
