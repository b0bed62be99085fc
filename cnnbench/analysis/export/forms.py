"""A trained network in a file that other programs read, compared with the network before it counts as written."""

from __future__ import annotations

import copy
import io
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.runtime.files import replacing, writing

COMPARED_IMAGES = 3  # images of the comparison; a network is traced with two, so that a fixed batch is found out


@dataclass(frozen=True)
class ExportReport:
    """`difference`: largest absolute difference of two logits; `bound`: the most that was allowed; `size`: bytes."""

    path: Path
    form: str
    size: int
    difference: float
    bound: float


@dataclass(frozen=True)
class Form:
    """`pack(model, images, record)` makes the content; `load(model, path)` reads a function of images, of `model`
    at most its graph; `tolerance`: the difference that is allowed, as a share of the largest logit."""

    pack: Callable[[nn.Module, torch.Tensor, dict[str, str]], bytes]
    load: Callable[[nn.Module, Path], Callable[[torch.Tensor], torch.Tensor]]
    tolerance: float


def export(
    model: nn.Module,
    path: str | Path,
    form: str,
    image_size: int,
    in_channels: int = 3,
    record: dict[str, str] | None = None,
) -> ExportReport:
    """Write `model`, put into evaluation mode and onto the CPU, to `path` in `form`, a key of EXPORT_FORMS.

    "safetensors" holds the weights; "onnx" and "torch_export" also the graph, from float32 "images" (N, `in_channels`,
    `image_size`, `image_size`), any N, to "logits" (N, classes). `record`: plain facts kept in the file.

    The file is written under another name, read back and run on random images; where its logits differ from the
    model's by more than the bound, or anything fails, nothing is left at `path` that was not there before. Raises
    ValueError, in one sentence, for an unknown form, missing packages, a file that cannot be written, or a difference.
    """
    if form not in EXPORT_FORMS:
        raise ValueError(f"cannot export to '{form}': choose one of {', '.join(EXPORT_FORMS)}")
    path, how = Path(path), EXPORT_FORMS[form]
    model = model.cpu().eval()
    images = torch.randn(
        COMPARED_IMAGES, in_channels, image_size, image_size, generator=torch.Generator().manual_seed(0)
    )
    with writing(path), replacing(path) as scratch, torch.no_grad():
        scratch.write_bytes(how.pack(model, images[:2], record or {}))
        expected, found = model(images), how.load(model, scratch)(images)
        difference = (expected - found).abs().max().item()
        bound = how.tolerance * expected.abs().max().item()
        if not difference <= bound:  # also where it is not a number
            raise ValueError(
                f"the logits of {form} differ from the network's by {difference:g}; at most {bound:g} is allowed"
            )
        size = scratch.stat().st_size
    return ExportReport(path, form, size, difference, bound)


def _pack_safetensors(model: nn.Module, _: torch.Tensor, record: dict[str, str]) -> bytes:
    from safetensors.torch import save

    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    return save(weights, metadata={"format": "pt", **record})


def _load_safetensors(model: nn.Module, path: Path) -> nn.Module:
    from safetensors.torch import load_file

    other = copy.deepcopy(model)
    other.load_state_dict(load_file(path), strict=True)
    return other


def _pack_onnx(model: nn.Module, images: torch.Tensor, record: dict[str, str]) -> bytes:
    _onnx_packages()
    for library in ("onnxscript", "onnx_ir"):  # they report every pass of their optimiser
        logging.getLogger(library).setLevel(logging.WARNING)
    program = torch.onnx.export(
        model,
        (images,),
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=_any_batch(),
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # torch gives a program whenever it exports by dynamo
    program.model.metadata_props.update(record)
    return program.model_proto.SerializeToString()


def _load_onnx(_: nn.Module, path: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    session = _onnx_packages().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def _pack_torch_export(model: nn.Module, images: torch.Tensor, record: dict[str, str]) -> bytes:
    program = torch.export.export(model, (images,), dynamic_shapes=_any_batch())
    content = io.BytesIO()
    torch.export.save(program, content, extra_files={"cnnbench.json": json.dumps(record)})
    return content.getvalue()


def _load_torch_export(_: nn.Module, path: Path) -> nn.Module:
    return torch.export.load(path).module()


def _any_batch() -> tuple[dict[int, Any]]:
    return ({0: torch.export.Dim("batch", min=1)},)


def _onnx_packages() -> Any:
    """onnxruntime, after it is sure that exporting has all it needs."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ValueError(f"onnx needs the package {error.name}: pip install 'cnnbench[export]'") from error
    return onnxruntime


# The same operations in the same order give the same numbers; another runtime sums in another order.
EXPORT_FORMS = {
    "safetensors": Form(_pack_safetensors, _load_safetensors, 0.0),
    "onnx": Form(_pack_onnx, _load_onnx, 1e-4),
    "torch_export": Form(_pack_torch_export, _load_torch_export, 1e-5),
}
