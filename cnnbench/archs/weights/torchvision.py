"""torchvision's weights, by the names in the published facts; fetched when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from cnnbench.archs.facts import all_facts, facts
from cnnbench.config.arch import from_torchvision
from cnnbench.runtime.cache import is_own
from cnnbench.runtime.errors import UserError, first_sentence


def published_weights(name: str) -> list[str]:
    """What torchvision publishes of the network `name`, as ResNet50_Weights.IMAGENET1K_V1; imports no torch."""
    return [str(weights["name"]) for weights in facts(name)["weights"] if weights["publisher"] == "torchvision"]


def choose_weights(name: str, source: str) -> str:
    """The one of `published_weights(name)` that `source` means: "torchvision", its first weights (IMAGENET1K_V1, by
    recipes near the papers'), or "torchvision:IMAGENET1K_V2", others by their name. ValueError if it has none."""
    published = published_weights(name)
    if not published:
        having = [entry["key"] for entry in all_facts() if published_weights(entry["key"])]
        raise ValueError(f"torchvision has no weights of {name}; it has those of {', '.join(having)}")
    wanted = source.partition(":")[2]
    known = {weights.rpartition(".")[2]: weights for weights in published}
    if wanted and wanted not in known:
        raise ValueError(f"torchvision has no weights {wanted} of {name}: choose one of {', '.join(known)}")
    return known[wanted] if wanted else published[0]


def check_published(config: Any) -> None:
    """Raise UserError if a config with `arch` and `weights` asks for weights that torchvision does not have."""
    weights = config.weights if isinstance(config.weights, list) else [config.weights]
    for source in map(str, weights):
        if config.arch is not None and from_torchvision(source):
            try:
                choose_weights(config.arch.name, source)
            except ValueError as error:
                raise UserError(f"weights={source}: {error}") from error


def fetch_weights(name: str, source: str) -> Path:
    """The file that `choose_weights` chooses, fetched into torch's hub cache if it is not there.

    Raises ValueError if it cannot be fetched."""
    import torch
    from torchvision.models import get_weight

    weights = get_weight(choose_weights(name, source))
    try:
        weights.get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # anything between the network and the disk
        raise ValueError(f"cannot fetch {weights.url}: {first_sentence(error)}") from error
    file = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(urlparse(weights.url).path)
    if not is_own(file):
        raise ValueError(f"{file}, which torch has kept, is not this user's own: remove it, or set TORCH_HOME")
    return file
