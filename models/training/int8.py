"""Measures eight-bit weights and activations on the folds: what they cost in accuracy, and what they save.

    python int8.py --data DIR --work DIR

Convolutions and matrix products of the fold models (after export.py) are quantised by onnxruntime: dynamically, and
statically on windows of the speakers they were trained on. Both are judged and timed beside the float models.
"""

import argparse
import pathlib
import time

import numpy as np
from onnxruntime import quantization

import evaluate
import features
import speech
import train


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    args = parser.parse_args()
    clips = [clip for clip in speech.load(args.data) if clip.label >= 0 and clip.shippable]
    with np.load(args.work / "features" / "copy01.npz") as copy:
        pool = train.Pool(clips, [dict(copy)])
    extractor = features.Extractor()
    who, scores, costs = [], {}, {}
    for number, held in enumerate(speech.folds(clips)):
        mine = [clip for clip in clips if clip.speaker in held]
        who += mine
        models = {name: evaluate.session(path) for name, path in quantised(args.work, number, pool, clips, held)}
        for name, model in models.items():
            scores.setdefault(name, []).append(evaluate.judge(model, mine, extractor, evaluate.DEGRADED["clean"]))
        for name, rounds in timed(models, pool.copies[0]).items():
            costs.setdefault(name, []).append(rounds)
        print(f"fold {number} done", flush=True)
    for name in scores:
        print(f"\n{name}: {np.min(costs[name]):.3f} ms a window of the model alone (median {np.median(costs[name]):.3f})")
        evaluate.show(name, evaluate.measure(who, np.concatenate(scores[name])), len(who))


def quantised(work, number, pool, clips, held):
    path, dynamic, static = (work / f"fold{number}{kind}.onnx" for kind in ("", "-dynamic", "-static"))
    quantization.quantize_dynamic(path, dynamic, weight_type=quantization.QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
    rng = np.random.default_rng([3, number])
    trained = np.array([i for i, clip in enumerate(clips) if clip.speaker not in held])
    heard = [pool.window(rng, clip)[0][None].astype(np.float32) for clip in rng.choice(trained, 200, replace=False)]
    quantization.quantize_static(
        path, static, Windows(heard), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        op_types_to_quantize=["Conv", "Gemm"], activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8, extra_options={"ActivationSymmetric": False},
    )  # fmt: skip
    return [("float32", path), ("int8, dynamic", dynamic), ("int8, static", static)]


class Windows(quantization.CalibrationDataReader):
    def __init__(self, windows):
        self.left = iter(windows)

    def get_next(self):
        window = next(self.left, None)
        return None if window is None else {"features": window}


def timed(models, copy):
    """CPU time of one window in ms, many rounds of each model in turn, because the machine is shared."""
    x = copy["rows"][: features.FRAMES].T[None].astype(np.float32)
    rounds = {name: [] for name in models}
    for _ in range(30):
        for name, model in models.items():
            started = time.process_time()
            for _ in range(20):
                model.run(None, {"features": x})
            rounds[name].append((time.process_time() - started) * 50)
    return rounds


if __name__ == "__main__":
    main()
