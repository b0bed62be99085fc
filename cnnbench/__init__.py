"""Train, evaluate, measure and compare the classical convolutional networks of ILSVRC.

From Python: docs/python.md. What `__all__` names is in cnnbench/api.py, which is imported when one of them is first
used: `import cnnbench` itself imports neither torch nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnbench.api import Evaluation, Images, Model, evaluate, features, load, load_run, open_data, predict

__version__ = "0.2.0"
__all__ = ["Evaluation", "Images", "Model", "evaluate", "features", "load", "load_run", "open_data", "predict"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cnnbench' has no attribute '{name}'")
    from cnnbench import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
