"""What autocast does on the simulated device: the table of torch's autocast for CUDA (aten/src/ATen/autocast_mode.h),
as far as this project's networks go. torch has none for devices of somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree as pytree

KEY = "AutocastPrivateUse1"
# In the lower precision: AT_FORALL_LOWER_PRECISION_FP.
LOWER = ("conv1d", "conv2d", "conv3d", "convolution", "linear", "matmul", "mm", "mv", "bmm", "addmm", "baddbmm")
LOWER += ("addmv", "addbmm", "prelu", "conv_transpose2d.input")
# In float32: AT_FORALL_FP32, and AT_FORALL_FP32_SET_OPT_DTYPE but for an output type that was asked for.
FLOAT32 = ("exp", "log", "log1p", "reciprocal", "rsqrt", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "softplus")
FLOAT32 += ("layer_norm", "group_norm", "nll_loss", "nll_loss2d", "kl_div", "mse_loss", "l1_loss", "smooth_l1_loss")
FLOAT32 += ("binary_cross_entropy_with_logits", "logsumexp", "softmax.int", "log_softmax.int", "cumsum", "prod")
FLOAT32 += ("sum", "sum.dim_IntList", "linalg_vector_norm", "norm.Scalar", "upsample_bilinear2d", "upsample_bicubic2d")


class Table:
    """The kernels, as long as this object lives."""

    def __init__(self, device: str) -> None:
        self.rest = torch.library.Library("_", "IMPL")
        self.rest.fallback(torch.library.fallthrough_kernel, KEY)
        self.own = torch.library.Library("aten", "IMPL", KEY)
        for names, dtype_of in ((LOWER, torch.get_autocast_dtype), (FLOAT32, _float32)):
            for name in names:
                self.own.impl(name, _cast(_overload(name), device, dtype_of))


def _float32(_: str) -> torch.dtype:
    return torch.float32


def _overload(name: str) -> Any:
    base, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, base), overload or "default")


def _cast(operation: Any, device: str, dtype_of: Callable[[str], torch.dtype]) -> Callable[..., Any]:
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)

    def kernel(*args: Any, **kwargs: Any) -> Any:
        dtype = dtype_of(device)

        def cast(value: Any) -> Any:
            if not isinstance(value, torch.Tensor) or value.device.type != device:
                return value
            return value.to(dtype) if value.is_floating_point() and value.dtype != torch.float64 else value

        with torch._C._ExcludeDispatchKeyGuard(keys):
            args, kwargs = pytree.tree_map(cast, (args, kwargs))
            return operation(*args, **kwargs)

    return kernel
