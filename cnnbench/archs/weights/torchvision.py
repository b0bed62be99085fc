"""torchvision's weights, fetched when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlparse

import torch

from cnnbench.archs.weights.keymaps import TORCHVISION
from cnnbench.archs.weights.read import first_sentence


def torchvision_weights(name: str, source: str = "torchvision") -> Path:
    """The file of torchvision's weights for the network `name`, fetched into torch's hub cache if it is not there.

    `source`: "torchvision" for its first weights (IMAGENET1K_V1, by recipes near the papers'), or
    "torchvision:IMAGENET1K_V2" for others by their name. Raises ValueError if torchvision has none, or for a failure.
    """
    if name not in TORCHVISION:
        raise ValueError(f"torchvision has no weights of {name}; it has those of {', '.join(TORCHVISION)}")
    from torchvision.models import get_model_weights

    published = {str(entry.name): entry for entry in get_model_weights(TORCHVISION[name])}
    published = {key: entry for key, entry in published.items() if key.startswith("IMAGENET1K_V")}
    chosen = source.partition(":")[2] or "IMAGENET1K_V1"
    if chosen not in published:
        raise ValueError(f"torchvision has no weights {chosen} of {name}: choose one of {', '.join(published)}")
    url = published[chosen].url
    try:
        published[chosen].get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # anything between the network and the disk
        raise ValueError(f"cannot fetch {url}: {first_sentence(error)}") from error
    return Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(urlparse(url).path)
