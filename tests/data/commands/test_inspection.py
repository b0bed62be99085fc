"""What is said of one file."""

from __future__ import annotations

import pytest

from cnnbench.data.commands.inspection import inspect_file


@pytest.mark.parametrize(("content", "kind"), [(b"", "empty"), (b"no image", "corrupt")])
def test_a_file_without_pixels_has_no_size(content, kind):
    found = inspect_file(content, "a.jpg")
    assert [*found.kinds] == [kind]
    assert (found.size, found.width, found.height) == (len(content), 0, 0), "so it counts in no distribution of sizes"
