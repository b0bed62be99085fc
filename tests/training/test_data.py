"""The list of training images that were replaced outlives kills and restarts."""

from __future__ import annotations

from types import SimpleNamespace

from cnnbench.runtime.distributed import Process
from cnnbench.training.data import list_broken, record_broken


def test_broken_images_of_every_start_are_listed_once(tmp_path, disk_calls, capsys):
    assert record_broken(tmp_path, SimpleNamespace(broken={}), Process())[1] == 0
    assert not list(tmp_path.iterdir())
    record_broken(tmp_path, SimpleNamespace(broken={7: "b.jpg: cut", 3: "a.jpg: empty"}), Process())
    file = tmp_path / "broken-images-0.txt"
    assert file.read_text() == "a.jpg: empty\nb.jpg: cut\n"
    disk_calls.clear()
    record_broken(tmp_path, SimpleNamespace(broken={7: "b.jpg: cut"}), Process())
    assert disk_calls == [], "what is right is not written again"
    list_broken(tmp_path, SimpleNamespace(broken={9: "c.jpg: cut", 7: "b.jpg: cut"}), Process())
    assert file.read_text() == "a.jpg: empty\nb.jpg: cut\nc.jpg: cut\n"
    assert f"3 broken training images were replaced: {file}" in capsys.readouterr().out
