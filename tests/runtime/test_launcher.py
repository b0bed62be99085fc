"""How the processes of a group are started."""

from __future__ import annotations

from cnnbench.runtime import launcher


def test_a_group_is_of_this_machine_alone_and_waits_for_no_other(monkeypatch):
    asked = []

    def start(config, function):
        asked.append(config)
        return lambda *arguments: {0: function(*arguments)}

    monkeypatch.setattr(launcher, "elastic_launch", start)
    assert launcher.launch(divmod, 3, 17, 5) == (3, 2)
    assert (asked[0].min_nodes, asked[0].max_nodes, asked[0].nproc_per_node, asked[0].max_restarts) == (1, 1, 3, 0)
