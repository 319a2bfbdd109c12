"""Trains the prosody model: features, folds, final model. One command, resumable: run it again and it goes on.

    python train.py --data DIR --work DIR

DIR of --data (repeatable) holds a manifest.csv; only sets marked `shippable=yes` are used unless --all-sets is given,
and then the result is marked as not shippable. --work keeps features and checkpoints, outside the repository.
"""

import argparse
import hashlib
import json
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional as F

import augment
import features
import network
import speech

FRAMES = features.FRAMES


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    clips = [clip for clip in speech.load(args.data) if clip.label >= 0 and clip.split == "train"]
    if not args.all_sets:
        clips = [clip for clip in clips if clip.shippable]
    if not clips:
        raise SystemExit("no clip may be used: is any set in the manifests marked shippable=yes?")
    print(f"{len(clips)} clips of {len({clip.speaker for clip in clips})} speakers", flush=True)
    copies = [copy_of(args, clips, i) for i in range(args.copies)]
    pool = Pool(clips, copies)
    held = speech.folds(clips)
    shippable = all(clip.shippable for clip in clips)
    sets = sorted({f"{clip.corpus} ({clip.licence})" for clip in clips})
    facts = {"shippable": shippable, "training_sets": sets, "clips": len(clips), "folds": held}
    (args.work / "facts.json").write_text(json.dumps(facts, indent=1))
    if args.folds:
        for i, speakers in enumerate(held):
            train(args, f"fold{i}", pool, clips, speakers, args.fold_steps, seed=100 + i)
    for seed in range(args.seeds):
        train(args, f"final{seed}", pool, clips, [], args.steps, seed=seed)
    print("done; next: export.py")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--all-sets", action="store_true", help="also sets whose licence forbids shipping the weights")
    parser.add_argument("--copies", type=int, default=40, help="augmented copies of each clip")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--fold-steps", type=int, default=1200)
    parser.add_argument("--no-folds", dest="folds", action="store_false")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="faster where the processor has AVX512-BF16 or AMX")
    return parser.parse_args()


# --- augmented features, one file a copy -----------------------------------------------------------------------------


def copy_of(args, clips, number):
    """Features of every clip in one augmented version; copy 0 is clean."""
    path = args.work / "features" / f"copy{number:02}.npz"
    names = hashlib.sha256("\n".join(str(clip.path.name) for clip in clips).encode()).hexdigest()
    if path.exists():
        with np.load(path) as stored:
            if str(stored["names"]) == names:
                return dict(stored)
    path.parent.mkdir(parents=True, exist_ok=True)
    started = time.time()
    extractor = features.Extractor()
    rng = np.random.default_rng([7, number])
    babble = np.concatenate([clips[i].audio for i in rng.permutation(len(clips))[:40]])
    babble = sum(np.roll(babble, int(rng.integers(len(babble)))) for _ in range(5))
    rows, gates, starts = [], [], [0]
    for clip in clips:
        siblings = [other for other in clips if other.speaker == clip.speaker and other.label == clip.label]
        clean = augment.passage(rng, clip, siblings)
        active = augment.active_frames(clean)
        audio = clean
        if number > 0:
            audio = augment.telephone(rng, clean, np.roll(babble, int(rng.integers(len(babble)))))
        values, _ = extractor(audio)
        values = values[: len(active)]
        rows.append(values.astype(np.float16))
        gates.append(active[: len(values)])
        starts.append(starts[-1] + len(values))
    copy = {"rows": np.concatenate(rows), "gate": np.concatenate(gates), "starts": np.array(starts), "names": names}
    extractor.close()
    np.savez(path, **copy)
    print(f"features {number + 1}/{args.copies} in {time.time() - started:.0f} s", flush=True)
    return copy


class Pool:
    """Random windows from all copies."""

    def __init__(self, clips, copies):
        self.copies = copies
        self.labels = np.array([clip.label for clip in clips])
        self.soft = np.stack([clip.soft for clip in clips])
        self.arousal = np.array([clip.arousal for clip in clips], np.float32)
        self.speakers = np.array([clip.speaker for clip in clips])

    def choose(self, rng, allowed, count):
        """Clip indices: classes evened out half-way, speakers as they come."""
        labels = self.labels[allowed]
        weight = (1.0 / np.sqrt(np.bincount(labels, minlength=6) + 1e-9))[labels]
        return rng.choice(allowed, count, p=weight / weight.sum())

    def window(self, rng, clip):
        copy = self.copies[rng.integers(len(self.copies))]
        start, end = copy["starts"][clip], copy["starts"][clip + 1]
        warp = rng.uniform(0.87, 1.15) if rng.random() < 0.3 else 1.0
        span = int(FRAMES * warp)
        for _ in range(4):
            offset = rng.integers(0, max(1, end - start - span + 1))
            at = start + np.minimum((np.arange(FRAMES) * warp).astype(int) + offset, end - start - 1)
            gate = copy["gate"][at]
            if gate.mean() > 0.3:
                break
        return copy["rows"][at].T, gate

    def batch(self, rng, allowed, count):
        chosen = self.choose(rng, allowed, count)
        windows = [self.window(rng, clip) for clip in chosen]
        x = torch.from_numpy(np.stack([w[0] for w in windows]).astype(np.float32))
        gate = torch.from_numpy(np.stack([w[1] for w in windows]).astype(np.float32))
        emotion = torch.from_numpy(self.soft[chosen])
        target = torch.cat([emotion, emotion[:, speech.ANGRY : speech.ANGRY + 1], torch.from_numpy(self.arousal[chosen])[:, None]], 1)
        heard = (gate.mean(1) > 0.15).float()
        return x, gate, target, heard


# --- training --------------------------------------------------------------------------------------------------------


def train(args, name, pool, clips, held, steps, seed):
    path = args.work / f"{name}.pt"
    state = torch.load(path, weights_only=False) if path.exists() else None
    if state and state["step"] >= steps:
        return
    torch.manual_seed(seed)
    allowed = np.array([i for i, clip in enumerate(clips) if clip.speaker not in held])
    model = network.Prosody()
    normalise(model, pool, allowed)
    average = {key: value.clone() for key, value in model.state_dict().items()}
    optimiser = torch.optim.AdamW(model.parameters(), args.rate, weight_decay=0.02)
    step = 0
    if state:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, step = state["average"], state["step"]
    started, losses, begun = time.time(), [], step
    while step < steps:
        for group in optimiser.param_groups:
            group["lr"] = args.rate * min(1.0, (step + 1) / 150) * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-6
        rng = np.random.default_rng([seed, step])
        model.train()
        loss = loss_of(model, rng, *pool.batch(rng, allowed, args.batch), args.bf16)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        keep = min(0.998, (step + 1) / (step + 20))
        for key, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                average[key].mul_(keep).add_(value, alpha=1 - keep)
            else:
                average[key].copy_(value)
        step += 1
        losses.append(loss.item())
        if step % 100 == 0 or step == steps:
            pace = (time.time() - started) / (step - begun)
            left = pace * (steps - step)
            print(f"{name}: step {step}/{steps} loss {np.mean(losses[-100:]):.3f}, {left / 60:.1f} min left", flush=True)
        if step % 500 == 0 or step == steps:
            stored = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "average": average, "step": step}
            torch.save(stored | {"held": held}, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").rename(path)


def loss_of(model, rng, x, gate, target, heard, bf16=False):
    """Both branches on mixed-up windows, plus the speech gate."""
    mix, other = None, None
    if rng.random() < 0.7:
        share = torch.from_numpy(rng.beta(0.3, 0.3, len(x)).astype(np.float32))
        share = torch.maximum(share, 1 - share)
        other = torch.from_numpy(rng.permutation(len(x)))
        mix = share.view(-1, 1, 1)
        x = mix * x + (1 - mix) * x[other]
        gate = torch.maximum(gate * (mix[:, 0] > 0.3), gate[other] * (mix[:, 0] < 0.7))
        target = mix[:, 0] * target + (1 - mix[:, 0]) * target[other]
        heard = heard * heard[other]
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        a, b, guess = (value.float() for value in model.logits(x))
    soft = target[:, :6] * 0.9 + 0.1 / 6
    total = F.binary_cross_entropy_with_logits(guess[:, 0], gate) * 0.3
    for branch in (a, b):
        emotion = -(soft * F.log_softmax(branch[:, :6], 1)).sum(1)
        sure = target[:, 6:8] * 0.9 + 0.05
        binary = F.binary_cross_entropy_with_logits(branch[:, 6:8], sure, reduction="none")
        total = total + ((emotion + binary[:, 0] * 1.5 + binary[:, 1] * 0.7) * heard).sum() / heard.sum().clamp(min=1)
    return total


def normalise(model, pool, allowed):
    """Means and deviations of the rows over speech of the allowed clips (copy 0), into the graph."""
    copy = pool.copies[0]
    at = np.concatenate([np.arange(copy["starts"][i], copy["starts"][i + 1]) for i in allowed])
    at = at[copy["gate"][at]]
    rows = copy["rows"][at].astype(np.float32)
    level = rows[:, : network.BANDS].mean()
    values = np.concatenate([np.clip(rows[:, : network.BANDS] - level, -6, 8), rows[:, network.BANDS :]], 1)
    model.norm.mean.copy_(torch.from_numpy(values.mean(0)).view(1, -1, 1))
    model.norm.scale.copy_(torch.from_numpy(1.0 / (values.std(0) + 1e-3)).view(1, -1, 1))


def averaged(path):
    """The model of a checkpoint, with its averaged weights, ready to evaluate."""
    model = network.Prosody()
    model.load_state_dict(torch.load(path, weights_only=False)["average"])
    return model.eval()


if __name__ == "__main__":
    main()
