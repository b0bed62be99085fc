"""What processes send each other comes back as it was, and no pickle is among it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnbench.runtime.messages import decode, encode


def test_plain_values_come_back_as_they_were():
    value = {
        "none": None,
        "numbers": [1, -(2**60), 0.1, float("inf"), True],
        "texts": {"a": "è\udc80\n", "list": "list"},
        "path": Path("runs/\udcff"),
        "empty": [[], {}],
    }
    assert decode(encode(value)) == value
    assert isinstance(decode(encode(value))["path"], Path)


def test_tensors_and_arrays_keep_type_shape_and_bits():
    tensors = [torch.tensor(2.5, dtype=torch.bfloat16), torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)]
    arrays = [np.zeros((0, 3), np.int64), np.array([True, False]), np.arange(6.0).reshape(2, 3).T]
    for one, other in zip(tensors + arrays, decode(encode(tensors + arrays)), strict=True):
        assert type(one) is type(other)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert (one == other).all()


def test_what_could_run_code_is_neither_written_nor_read():
    class Bomb:
        def __reduce__(self) -> tuple:
            return pytest.fail, ("run",)

    with pytest.raises(TypeError):
        encode({"bomb": Bomb()})
    with pytest.raises(Exception, match=r"(?i)header"):
        decode(pickle.dumps(Bomb()))
