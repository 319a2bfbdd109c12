"""The network of the contract: features [N, 64, 150] in, probabilities out. Normalisation is part of the graph.

Two branches see the same normalised features: a small convolutional network with attentive statistics pooling, and a
multi-layer perceptron on speech-weighted functionals. Their logits are averaged. Only operators that tract runs, and
fast: softmax over rows cost a third of the whole there, sums over time a tenth, so both are matrix products here.
"""

import torch
from torch import nn
from torch.nn import functional as F

BANDS, LAGS, FRAMES = 40, 24, 150


# In training with --bf16 these stay as precise as the sums that they stand for.
exact = torch.autocast("cpu", enabled=False)


def full(x):
    return x if x.dtype == torch.float32 else x.float()


@exact
def total(x):
    """Sums over time, at half the frames."""
    return torch.matmul(full(x), torch.ones(FRAMES // 2, 1)).squeeze(2)


@exact
def weighted(x, weight):
    """Sums over time of [N, rows, frames] times [N, 1, frames]."""
    return torch.matmul(full(x), full(weight).transpose(1, 2)).squeeze(2)


@exact
def combined(x, weights):
    """Sums over rows of [N, rows, frames] times [sums, rows, 1]."""
    return F.conv1d(full(x), weights)


class Norm(nn.Module):
    """Level-invariant features and a soft speech weight for each frame."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, BANDS + LAGS, 1))
        self.register_buffer("scale", torch.ones(1, BANDS + LAGS, 1))
        self.gate = nn.Sequential(
            nn.Conv1d(BANDS + LAGS + 1, 24, 5, padding=2), nn.ReLU(), nn.Conv1d(24, 1, 5, padding=2)
        )

    def forward(self, x):
        mel, lags = x[:, :BANDS], x[:, BANDS:]
        energy = combined(mel, torch.full((1, BANDS, 1), 1.0 / BANDS))
        peak = energy.amax(2, keepdim=True)
        # The gate sees the shape relative to the peak, and how loud the peak is at all (-13.8 is digital silence).
        loud = ((peak + 9.0) / 4.0).clamp(-1.5, 1.0).expand(-1, -1, FRAMES)
        relative = ((mel - peak + 4.0) / 3.0).clamp(-3.0, 3.0)
        gate = self.gate(torch.cat([relative, lags * 4.0, loud], 1))
        speech = torch.sigmoid(gate)
        level = ((speech + 0.01) * energy).sum(2, keepdim=True) / (speech + 0.01).sum(2, keepdim=True)
        y = torch.cat([(mel - level).clamp(-6.0, 8.0), lags], 1)
        return (y - self.mean) * self.scale, speech, gate


def highest(lags):
    """The largest of the rows."""
    for half in (LAGS // 2, LAGS // 4, LAGS // 8):
        lags = torch.maximum(lags[:, :half], lags[:, half : 2 * half])
    return torch.maximum(torch.maximum(lags[:, :1], lags[:, 1:2]), lags[:, 2:])


class Block(nn.Module):
    """Depthwise-separable temporal convolution with squeeze and excitation, residual."""

    def __init__(self, width, dilation):
        super().__init__()
        self.temporal = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation, groups=width, bias=False)
        self.norm1 = nn.BatchNorm1d(width)
        self.mix = nn.Conv1d(width, width, 1, bias=False)
        self.norm2 = nn.BatchNorm1d(width)
        self.squeeze = nn.Linear(width, width // 4)
        self.excite = nn.Linear(width // 4, width)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        y = F.relu(self.norm1(self.temporal(x)))
        y = self.norm2(self.mix(y))
        gain = torch.sigmoid(self.excite(F.relu(self.squeeze(total(y) * (2 / FRAMES)))))
        return F.relu(x + self.drop(y * gain.unsqueeze(2)))


class Convolutional(nn.Module):
    def __init__(self, width=112):
        super().__init__()
        self.mel = nn.Sequential(
            nn.Conv2d(1, 16, (5, 5), stride=(2, 2), padding=(2, 2), bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, (3, 3), stride=(2, 1), padding=(1, 1), bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.lags = nn.Sequential(
            nn.Conv1d(LAGS, 32, 5, stride=2, padding=2, bias=False), nn.BatchNorm1d(32), nn.ReLU()
        )
        self.join = nn.Sequential(nn.Conv1d(320 + 32, width, 1, bias=False), nn.BatchNorm1d(width), nn.ReLU())
        self.blocks = nn.Sequential(*[Block(width, dilation) for dilation in (1, 2, 1, 3)])
        self.attend = nn.Sequential(nn.Conv1d(width, 32, 1), nn.Tanh(), nn.Conv1d(32, width, 1))
        self.out = nn.Sequential(
            nn.BatchNorm1d(2 * width), nn.Dropout(0.3), nn.Linear(2 * width, 64), nn.ReLU(), nn.Dropout(0.2)
        )
        self.heads = nn.Linear(64, 8)

    def forward(self, x, speech):
        mel = self.mel(x[:, :BANDS].unsqueeze(1)).reshape(-1, 320, 75)
        y = self.blocks(self.join(torch.cat([mel, self.lags(x[:, BANDS:])], 1)))
        weight = F.avg_pool1d(speech, 2)
        attention = torch.exp(self.attend(y).clamp(-8.0, 8.0)) * (weight + 0.01)
        attention = attention / total(attention).unsqueeze(2)
        attended = attention * y
        mean = total(attended)
        deviation = torch.sqrt((total(attended * y) - mean * mean).clamp(min=1e-4))
        return self.heads(self.out(torch.cat([mean, deviation], 1)))


class Functionals(nn.Module):
    def __init__(self):
        super().__init__()
        rows = BANDS + LAGS
        self.register_buffer("lag", torch.linspace(-1.0, 1.0, LAGS).view(1, LAGS, 1))
        count = rows * 3 + rows * 2 + 4
        self.out = nn.Sequential(
            nn.BatchNorm1d(count), nn.Dropout(0.4), nn.Linear(count, 128), nn.ReLU(), nn.Dropout(0.3),
            nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.2),
        )  # fmt: skip
        self.heads = nn.Linear(64, 8)

    def forward(self, x, speech):
        weight = (speech + 0.003) / (speech + 0.003).sum(2, keepdim=True)
        mean = weighted(x, weight)
        centred = x - mean.unsqueeze(2)
        squares = centred * centred
        variance = weighted(squares, weight).clamp(min=1e-4)
        skew = (weighted(squares * centred, weight) / (variance * torch.sqrt(variance))).clamp(-4.0, 4.0)
        parts = [mean, torch.sqrt(variance), skew]
        # How fast it changes, at two scales: 20 ms and 120 ms.
        for step in (1, 6):
            both = weight[:, :, step:] * (speech[:, :, :-step] + 0.003)
            moved = x[:, :, step:] - x[:, :, :-step]
            share = both.sum(2).clamp(min=1e-4)
            parts.append(torch.sqrt(weighted(moved * moved, both) / share + 1e-4))
        # A soft pitch track: the expected lag, counted where one lag stands out.
        lags = x[:, BANDS:]
        likely = torch.exp((lags * 2.0).clamp(-40.0, 40.0))
        both = combined(likely, torch.cat([self.lag, torch.ones_like(self.lag)]))
        track = both[:, :1] / both[:, 1:]
        voicing = highest(lags)
        voiced = weight * voicing.clamp(min=0.01)
        voiced = voiced / voiced.sum(2, keepdim=True)
        pitch = (voiced * track).sum(2)
        spread = torch.sqrt((voiced * track * track).sum(2) - pitch * pitch + 1e-3)
        strength = (weight * voicing).sum(2)
        parts += [pitch, spread, strength, (voiced * track * track * track).sum(2)]
        return self.heads(self.out(torch.cat(parts, 1)))


class Prosody(nn.Module):
    """Both branches. `forward` returns what the contract names; `logits` what training needs."""

    def __init__(self):
        super().__init__()
        self.norm = Norm()
        self.convolutional = Convolutional()
        self.functionals = Functionals()

    def logits(self, x):
        y, speech, gate = self.norm(x)
        if self.training:
            y = mask(y)
        return self.convolutional(y, speech), self.functionals(y, speech), gate

    def forward(self, x):
        a, b, gate = self.logits(x)
        both = (a + b) * 0.5
        return (
            torch.softmax(both[:, :6], 1),
            torch.sigmoid(both[:, 6:7]),
            torch.sigmoid(both[:, 7:8]),
            torch.sigmoid(gate).mean(2),
        )


def mask(y):
    """SpecAugment: two stripes of bands and two of time, to the mean."""
    keep = torch.ones_like(y)
    for _ in range(2):
        low = torch.randint(0, BANDS, (len(y), 1, 1))
        size = torch.randint(0, 7, (len(y), 1, 1))
        at = torch.arange(y.shape[1]).view(1, -1, 1)
        keep = keep * ~((at >= low) & (at < low + size) & (at < BANDS))
        low = torch.randint(0, FRAMES, (len(y), 1, 1))
        size = torch.randint(0, 16, (len(y), 1, 1))
        at = torch.arange(FRAMES).view(1, 1, -1)
        keep = keep * ~((at >= low) & (at < low + size))
    return y * keep
