"""The published facts: complete and of one shape. That they are true of the networks: analysis/test_describe.py."""

import pytest

from cnnbench.archs.facts import all_facts, conventions, facts, headline

RESULT = {"split", "protocol", "detail", "of", "top1_err", "mean_top1_err", "top5_err", "where", "status"}
WEIGHTS = {"publisher", "name", "top1_err", "top5_err", "protocol", "detail", "status"}


@pytest.mark.parametrize("entry", all_facts(), ids=lambda entry: entry["key"])
def test_an_entry_has_every_part(entry):
    known = conventions()
    assert set(entry["paper"]) == {"title", "authors", "year", "venue", "arxiv"}
    assert 1998 <= entry["paper"]["year"] <= 2016
    assert set(entry["input"]) == {"channels", "size"}
    assert entry["depth"]["value"] > 0
    assert entry["macs"] > 0
    assert entry["params"].get("with_aux", entry["params"]["total"]) >= entry["params"]["total"] > 0
    for result in entry["results"]:
        assert set(result) <= RESULT
        assert result["protocol"] in known["protocols"]
        assert result["split"] in known["splits"]
        assert result["status"] in known["status"]
        assert result["top1_err"] is not None or result["top5_err"] is not None
        assert all(0 < result[key] < 60 for key in ("top1_err", "top5_err") if result[key] is not None)
    for weights in entry["weights"]:
        assert set(weights) <= WEIGHTS
        assert 0 < weights["top5_err"] < weights["top1_err"] < 60


def test_the_headline_is_of_the_network_itself():
    assert headline(facts("inception_v2"))["top1_err"] == 21.6
    assert "of" not in headline(facts("resnet50"))
    assert headline(facts("preact_resnet152")) is None


def test_a_caller_cannot_change_the_facts():
    facts("alexnet")["results"].clear()
    assert facts("alexnet")["results"]


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="no published facts of a network 'resnet51', did you mean resnet"):
        facts("resnet51")
