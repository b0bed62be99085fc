"""The decoder in C."""

from __future__ import annotations

import pytest

from cnnbench.data.decode.native import library
from cnnbench.data.decode.native.library import Library


@pytest.fixture(scope="package")
def native() -> Library:
    """With vector code, where the processor has it."""
    found = library.load()
    if found is None:
        pytest.skip("the library was not built: no C compiler here")
    return found
