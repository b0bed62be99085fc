"""`cnnbench describe`: a network's layers and totals, beside what is published of it."""

from __future__ import annotations

from cnnbench.analysis.describe.names import with_names
from cnnbench.analysis.describe.network import describe, published_classes
from cnnbench.analysis.describe.table import render_description
from cnnbench.archs.facts import facts
from cnnbench.archs.from_config import build_on_meta
from cnnbench.archs.layer_names import layer_names
from cnnbench.archs.norms import about_norms
from cnnbench.config.analyse import DescribeConfig
from cnnbench.runtime.errors import UserError


def show_description(config: DescribeConfig) -> None:
    """Print a network's layers and totals, with the published totals beside them where there are any."""
    arch = config.arch
    assert arch is not None  # required by check_describe
    size = config.image_size if config.image_size is not None else arch.image_size
    classes = config.num_classes if config.num_classes is not None else published_classes(arch.name)
    try:
        model = build_on_meta(arch, classes, size)
        description = with_names(describe(model, size, arch.in_channels), layer_names(model, size, arch.in_channels))
    except ValueError as error:
        raise UserError(str(error)) from error
    title = f"{arch.name}, input {arch.in_channels}x{size}x{size}, {classes} classes"
    norms = about_norms(model)
    title += f", batch normalisations: {norms}" if norms else ""
    print(render_description(description, config.format, title, facts(arch.name)))
