"""Writes the ONNX files of a trained model, with the contract's metadata and the golden vector.

    python export.py --work DIR --out ../ [--version 0.1.0] [--calibration FILE]

prosody.onnx (N=1, for the pure-Rust backend), prosody-batch.onnx (dynamic N, for libonnxruntime),
golden.json (input and output). The fold models go to --work as fold*.onnx.
"""

import argparse
import hashlib
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import torch

import features
import network
import speech
import train

OUTPUTS = ["emotion", "anger", "arousal", "speech_ratio"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--calibration", type=pathlib.Path, help="made by calibrate.py; neutral placeholder without it")
    parser.add_argument("--private", action="store_true", help="weights whose licence forbids shipping, for yourself")
    args = parser.parse_args()
    facts = json.loads((args.work / "facts.json").read_text()) if (args.work / "facts.json").exists() else {}
    if not facts.get("shippable", False) and not args.private:
        sets = ", ".join(facts.get("training_sets", ["sets that nobody wrote down"]))
        raise SystemExit(f"trained on {sets}: these weights may not be shipped; --private writes them for yourself")
    calibration = json.loads(args.calibration.read_text()) if args.calibration else None
    finals = sorted(args.work.glob("final*.pt"))
    write(ensemble(finals), args.out / "prosody", metadata(args, facts, calibration), batch=True)
    golden(args.out)
    for path in sorted(args.work.glob("fold*.pt")):
        write(ensemble([path]), path.with_suffix(""), metadata(args, facts, calibration), batch=False)


class Ensemble(torch.nn.Module):
    """Averages the logits of several seeds."""

    def __init__(self, models):
        super().__init__()
        self.models = torch.nn.ModuleList(models)

    def forward(self, x):
        logits, gates = 0.0, 0.0
        for model in self.models:
            a, b, gate = model.logits(x)
            logits, gates = logits + (a + b) * (0.5 / len(self.models)), gates + gate / len(self.models)
        return (
            torch.softmax(logits[:, :6], 1),
            torch.sigmoid(logits[:, 6:7]),
            torch.sigmoid(logits[:, 7:8]),
            torch.sigmoid(gates).mean(2),
        )


def ensemble(paths):
    if not paths:
        raise SystemExit("no trained model: run train.py first")
    return Ensemble([train.averaged(path) for path in paths]).eval()


def metadata(args, facts, calibration):
    neutral = {"threshold_per_hour": {"1": 1.0}, "scale": 1.0, "population_logit": -1.5, "hours": 0.0, "sets": []}
    return {
        "warmline.contract": "1",
        "warmline.name": "warmline-prosody",
        "warmline.version": args.version,
        "warmline.sample_rate": "8000",
        "warmline.window_frames": "150",
        "warmline.hop_frames": "50",
        "warmline.classes": ",".join(speech.CLASSES),
        "warmline.training_sets": "; ".join(facts.get("training_sets", [])),
        "warmline.licence": "MIT OR Apache-2.0" if facts.get("shippable") else "not shippable: see training sets",
        "warmline.calibration": json.dumps(calibration or neutral, sort_keys=True),
    }


def golden_input():
    """A window that anyone can make again: a wandering buzz over a noise floor, by integer arithmetic."""
    seed, x = 12345, np.zeros((features.ROWS, features.FRAMES), np.float32)
    for row in range(features.ROWS):
        for frame in range(features.FRAMES):
            seed = (seed * 1664525 + 1013904223) % 2**32
            random = (seed >> 8) / 2**24
            wave = ((frame // 8 + row // 3) % 7) / 7.0
            x[row, frame] = -9.0 + 6.0 * wave + random if row < 40 else 0.3 * wave * random
    return x[None]


def write(model, stem, properties, batch):
    example = torch.from_numpy(golden_input())
    with torch.no_grad():
        expected = model(example)
    answer = np.concatenate([e.numpy().ravel() for e in expected]).astype("<f4")
    digest = {
        "warmline.golden_output_sha256": hashlib.sha256(answer.tobytes()).hexdigest(),
        "warmline.golden_input_sha256": hashlib.sha256(example.numpy().astype("<f4").tobytes()).hexdigest(),
        "warmline.golden_output": ",".join(f"{v:.6f}" for v in answer),
    }
    targets = [(stem.with_suffix(".onnx"), None)]
    if batch:
        axes = {name: {0: "N"} for name in ["features", *OUTPUTS]}
        targets.append((stem.with_name(stem.name + "-batch.onnx"), axes))
    for path, axes in targets:
        torch.onnx.export(
            model, (example,), str(path), input_names=["features"], output_names=OUTPUTS, dynamic_axes=axes,
            opset_version=17, dynamo=False, do_constant_folding=True,
        )  # fmt: skip
        proto = onnx.load(str(path))
        onnx.helper.set_model_props(proto, properties | digest)
        proto.producer_name, proto.doc_string = "warmline", ""
        for node in proto.graph.node:
            node.doc_string = ""
        onnx.save(proto, str(path))
        got = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(OUTPUTS, {"features": example.numpy()})
        worst = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(got, expected))
        if worst > 1e-4:
            raise SystemExit(f"{path}: ONNX Runtime differs from PyTorch by {worst}")
        print(f"{path}: {path.stat().st_size // 1024} KiB, differs from PyTorch by {worst:.1e}")


def golden(out):
    """The golden vector as a file of its own, for people and other programs."""
    path = out / "prosody.onnx"
    x = golden_input()
    got = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(OUTPUTS, {"features": x})
    props = {prop.key: prop.value for prop in onnx.load(str(path)).metadata_props}
    text = {
        "model_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input": "features [1,64,150]; made by golden_input() in training/export.py",
        "input_sha256": hashlib.sha256(x.astype("<f4").tobytes()).hexdigest(),
        "output": {name: [round(float(v), 6) for v in value.ravel()] for name, value in zip(OUTPUTS, got)},
        "output_sha256": props["warmline.golden_output_sha256"],
    }
    (out / "golden.json").write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()
