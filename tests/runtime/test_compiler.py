"""torch's compiler is imported by what compiles, and by nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

STEPS = """
import sys
import torch
from cnnbench.archs.forward_pass import forward_pass
from cnnbench.archs.registry import build
from cnnbench.config.optimizer import OPTIMIZERS, OptimizerConfig
from cnnbench.runtime.compiler import StandIn, leave_compiler_unimported
from cnnbench.training.optimizers.build import build_optimizer

leave_compiler_unimported()
network = build("lenet", 10)
forward_pass(network, 32, 3)
for kind in OPTIMIZERS:
    optimizer = build_optimizer(network, OptimizerConfig(kind=kind, lr=0.1), 64)
    network(torch.rand(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
assert isinstance(sys.modules["torch._dynamo"], StandIn), "something has imported the compiler"
assert torch.compile(torch.nn.Linear(2, 3), backend="eager")(torch.ones(2)).shape == (3,)
assert not isinstance(sys.modules["torch._dynamo"], StandIn)
from torch._dynamo.utils import same
"""


def test_the_compiler_is_imported_by_what_compiles():
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
