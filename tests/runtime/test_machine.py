"""What the machine says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnbench.runtime import machine


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        (None, None, 2048 * 1024),
        ("max", "7", 2048 * 1024),
        ("1000000", "400000", 600000),
        ("9000000", "0", 2048 * 1024),
        ("5", "9", 0),
    ],
)
def test_available_memory_is_what_is_free_within_the_containers_limit(limit, used, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "Path", lambda name: Path(str(tmp_path) + name))
    assert machine.available_memory() is None, "a system without /proc does not say"
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 4096 kB\nMemFree: 1 kB\nMemAvailable: 2048 kB\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    for name, value in (("max", limit), ("current", used)):
        if value is not None:
            (tmp_path / f"sys/fs/cgroup/memory.{name}").write_text(f"{value}\n")
    assert machine.available_memory() == expected
