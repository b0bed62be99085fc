"""`cnnbench` as a process of its own whose groups are forked from it, which saves them the import of torch."""

from __future__ import annotations

import sys

CODE = """
import torch._dynamo
import cnnbench.training.process
from cnnbench.cli.main import main
from cnnbench.runtime import launcher

launcher.METHOD = "fork"
main()
"""
CNNBENCH = (sys.executable, "-c", CODE)
