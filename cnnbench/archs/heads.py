"""What the heads of networks do not allow; does not import torch, so that it is said at once."""

from fnmatch import fnmatchcase

# Networks that cannot be run on whole images, and why.
FIXED: dict[str, str] = {
    "alexnet_tv": "its adaptive pooling brings the map of any image to 6x6, so that its classifier sees one place only",
}

# Networks with a fully connected layer as wide as a map, their own or that of an auxiliary head.
ONE_SIDE = ("lenet", "alexnet", "zfnet", "vgg*", "googlenet*", "inception_v2", "inception_v3")


def has_one_side(arch: str) -> bool:
    """Whether the network `arch`, as it is by default, takes images of the side that it was built for only."""
    return any(fnmatchcase(arch, pattern) for pattern in ONE_SIDE)
