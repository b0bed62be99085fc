"""ResNet-20 on CIFAR-10 by the command against a bare PyTorch script of the same recipe (He et al. 2016, section 4.2).

    python tools/bare_resnet20.py steps FOLDER                   # the same start and batches: 200 steps, equal weights?
    python tools/bare_resnet20.py train FOLDER --runs runs/bare  # whole runs, errors beside each other; goes on where
                                                                 # it stopped

FOLDER holds CIFAR-10 (cifar-10-batches-bin or -py). Everything below `# bare` is plain PyTorch and torchvision; of
cnnbench it takes the decoded images alone, and in `steps` the batches that the command trained on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchvision.transforms.v2 import functional as images_functional

from cnnbench.archs.registry import build
from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading.normalise import Normalise
from cnnbench.runs import checkpoint
from cnnbench.runs.config import load_config
from cnnbench.runtime.distributed import Process
from cnnbench.training.data import open_loaders, rest_of_run
from cnnbench.training.splits import read_splits
from cnnbench.training.state import TrainState

STEPS, BATCH = 200, 128
WORDS = ["arch=resnet20", "device=cpu", "processes=1", "precision=float32", "channels_last=false", "log_every=600"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("steps", "train"))
    parser.add_argument("data")
    parser.add_argument("--runs", type=Path, help="train: where runs are kept")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if options.what == "steps":
        compare_steps(options.data)
    elif options.runs is None:
        parser.error("train needs --runs FOLDER")
    else:
        compare_runs(options.data, options.runs, options.epochs, options.seeds)


def compare_steps(data: str) -> None:
    """Train by the command and by the bare loop from the same start on the same batches, and print the difference."""
    with tempfile.TemporaryDirectory() as folder:
        start, run = Path(folder) / "start.pt", Path(folder) / "run"
        torch.manual_seed(0)
        torch.save(build("resnet20", 10).state_dict(), start)
        share = STEPS * BATCH / 50_000
        words = [f"data.train_fraction={share}", "epochs=1", "schedule=constant", "data.workers=0", f"weights={start}"]
        command(data, run, words)
        theirs = checkpoint.load(run / "checkpoints/last.pt")["model"]
        bare = BareResNet20()
        bare.load_state_dict(renamed(torch.load(start), bare))
        optimizer = CaffeSGD(bare.parameters())
        steps = 0
        for images, labels in batches_of(run):
            optimizer.step_on(bare, images, labels, 0.1)
            steps += 1
    pairs = zip(bare.state_dict().values(), renamed(theirs, bare).values(), strict=True)
    largest = max(float((ours - other).abs().max()) for ours, other in pairs if ours.is_floating_point())
    print(f"{steps} steps of {BATCH}: the largest difference of a weight or a running statistic is {largest:.3g}")
    if steps != STEPS or largest > 1e-5:
        sys.exit(1)


def batches_of(run: Path) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """What the command trained on: images float32 (N, 3, 32, 32), normalised, and labels."""
    config, process = load_config(run), Process(0, 1, 0)
    normalise = Normalise(config.arch, torch.device("cpu"), channels_last=False)
    with open_loaders(config, read_splits(config), process, torch.device("cpu")) as (data, loader):
        for batch in loader.batches(rest_of_run(config, data.images, TrainState(), process)):
            yield normalise(batch), batch.labels.clone()


def compare_runs(data: str, folder: Path, epochs: int, seeds: list[int]) -> None:
    """Whole runs of both, the schedule shortened in proportion, and a table of their errors."""
    milestones = [epochs / 2, epochs * 3 / 4]
    rows = {}
    for seed in seeds:
        run, bare = folder / f"command-{seed}", folder / f"bare-{seed}.json"
        if not (run / "result.json").exists():
            shortened = f"schedule.milestones={milestones}".replace(" ", "")
            command(data, run, [f"epochs={epochs}", shortened, f"seed={seed}", f"evaluate_every={epochs}"])
        if not bare.exists():
            bare.write_text(json.dumps(bare_run(data, epochs, milestones, seed)))
        rows[seed] = json.loads((run / "result.json").read_text())["top1_error"], json.loads(bare.read_text())["error"]
    print(f"ResNet-20, CIFAR-10, {epochs} epochs, rate divided by 10 after {milestones}: top-1 error in percent")
    for seed, (ours, bare_error) in rows.items():
        print(f"seed {seed}: the command {ours:.2f}, the bare script {bare_error:.2f}")
    means = [sum(column) / len(column) for column in zip(*rows.values(), strict=True)]
    print(f"mean:   the command {means[0]:.2f}, the bare script {means[1]:.2f}")


def command(data: str, run: Path, words: list[str]) -> None:
    """The command itself; it goes on where it was stopped."""
    line = [sys.executable, "-m", "cnnbench", "train", f"data={data}", f"run={run}", *WORDS, *words]
    subprocess.run(line, check=True)


# bare


class BareResNet20(nn.Module):
    """ResNet-20 with shortcuts of option A; images (N, 3, 32, 32) -> logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        sizes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
        self.blocks = nn.Sequential(*(Block(*size) for size in sizes))
        self.classifier = nn.Linear(64, 10)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=(2 / (9 * layer.out_channels)) ** 0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.blocks(torch.relu(self.norm(self.conv(images))))
        return self.classifier(maps.mean((2, 3)))


class Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.stride, self.more = stride, width - before

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(images)))))
        shortcut = functional.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        return torch.relu(maps + shortcut)


class CaffeSGD:
    """v <- 0.9 v - rate (gradient + 1e-4 w);  w <- w + v."""

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        self.weights = list(weights)
        self.velocities = [torch.zeros_like(weight) for weight in self.weights]

    def step_on(self, network: nn.Module, images: torch.Tensor, labels: torch.Tensor, rate: float) -> None:
        """One step."""
        network.zero_grad()
        functional.cross_entropy(network(images), labels).backward()
        with torch.no_grad():
            for weight, velocity in zip(self.weights, self.velocities, strict=True):
                assert weight.grad is not None
                velocity.mul_(0.9).add_(weight.grad.add(weight, alpha=1e-4), alpha=-rate)
                weight.add_(velocity)


def renamed(weights: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """`weights` by the names of `network`, in order."""
    return dict(zip(network.state_dict(), weights.values(), strict=True))


def bare_run(data: str, epochs: int, milestones: list[float], seed: int) -> dict[str, float]:
    """Train from the start by the bare loop; its error on the test images, percent, and the seconds."""
    torch.manual_seed(seed)
    images, labels = pixels(data, "train")
    network, began = BareResNet20(), time.monotonic()
    optimizer = CaffeSGD(network.parameters())
    for epoch in range(epochs):
        rate = 0.1 * 0.1 ** sum(epoch >= milestone for milestone in milestones)
        for chosen in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            optimizer.step_on(network, augmented(images[chosen]), labels[chosen], rate)
        print(f"bare script, seed {seed}: epoch {epoch + 1} of {epochs}", flush=True)
    network.eval()
    images, labels = pixels(data, "val")
    with torch.no_grad():
        answers = torch.cat([network(part).argmax(1) for part in images.split(1000)])
    return {"error": 100 * float((answers != labels).float().mean()), "seconds": time.monotonic() - began}


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Each image moved by up to 4 pixels in a border of zeros, and mirrored half of the time."""
    moved = []
    for image in functional.pad(images, (4, 4, 4, 4)):
        top, left = torch.randint(0, 9, (2,)).tolist()
        part = image[:, top : top + 32, left : left + 32]
        moved.append(images_functional.horizontal_flip(part) if torch.rand(()) < 0.5 else part)
    return torch.stack(moved)


def pixels(data: str, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """All images of a split, float32 (N, 3, 32, 32), normalised by the mean and deviation of each channel."""
    found = read_split(DataConfig(path=data), split)
    raw = np.stack([np.asarray(found.read(number)) for number in range(len(found))])  # (N, 32, 32, 3)
    levels = torch.from_numpy(raw).permute(0, 3, 1, 2).float() / 255
    mean, deviation = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2470, 0.2435, 0.2616])
    return (levels - mean.view(3, 1, 1)) / deviation.view(3, 1, 1), torch.from_numpy(np.asarray(found.labels)).long()


if __name__ == "__main__":
    main()
