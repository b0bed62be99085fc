"""The network that a config describes."""

from __future__ import annotations

import pytest

from cnnbench.archs.from_config import build_network
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults
from cnnbench.config.arch import ArchConfig
from cnnbench.runtime.errors import UserError


def test_a_network_that_no_memory_holds_is_refused_in_one_sentence():
    """LeNet's first dense layer is as wide as the map."""
    values = defaults(COMMANDS["describe"], ["arch=lenet"])
    names = {name.removeprefix("arch."): value for name, value in values.items() if name.startswith("arch.")}
    arch = ArchConfig(**{name: value for name, value in names.items() if "." not in name})
    with pytest.raises(UserError, match=r"^lenet for images of 200000 pixels is too large for the memory there is"):
        build_network(arch, 10, 200_000)
