"""Layers of Keras as layers of torch: names and layouts of their tensors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Variables of a layer -> their names here.
PARTS = {
    "kernel": "weight",
    "W": "weight",  # before Keras 2
    "bias": "bias",
    "b": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "depthwise_kernel": "depthwise.weight",
    "pointwise_kernel": "pointwise.weight",
}

# Variables of a layer in the order in which Keras 3 numbers them, by its class as that spells it.
NUMBERED = {
    "conv2d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}


def numbered_variables(kind: str, values: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The variables of a layer of the class `kind` (conv2d, dense, ...) by name; of other classes by their numbers.

    A batch normalisation of three variables has no gamma: those of Keras Applications are of this kind.
    """
    names = NUMBERED.get(kind, tuple(map(str, range(len(values)))))
    if kind == "batch_normalization" and len(values) == 3:
        names = names[1:]
    return dict(zip(names, values, strict=False))


def as_torch(layers: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The tensors of `layers`, variables by their names in Keras, as torch names and lays them out.

    Kernels (H, W, in, out) become (out, in, H, W), depthwise ones (H, W, in, factor) one group per channel, dense ones
    (in, out) become (out, in). A batch normalisation without gamma or beta gets ones or zeros. What has another name
    stays as it is.
    """
    tensors: dict[str, np.ndarray] = {}
    for layer, variables in layers.items():
        found = {PARTS.get(name, name): _laid_out(name, value) for name, value in variables.items()}
        if "running_var" in found:
            found.setdefault("weight", np.ones_like(found["running_var"]))
            found.setdefault("bias", np.zeros_like(found["running_var"]))
        tensors |= {f"{layer}.{part}" if layer else part: value for part, value in found.items()}
    return tensors


def _laid_out(name: str, value: np.ndarray) -> np.ndarray:
    if name == "depthwise_kernel":
        height, width, channels, factor = value.shape
        return value.transpose(2, 3, 0, 1).reshape(channels * factor, 1, height, width)
    if name in ("kernel", "W", "pointwise_kernel") and value.ndim in (2, 4):
        return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
    return value
