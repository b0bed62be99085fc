"""The published facts: complete, of one shape, and figure by figure those that were read in the papers. That they are
true of the networks: analysis/describe/test_describe.py."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from torchvision.models import get_weight

from cnnbench.analysis.papers.published import STRIKES_BACK
from cnnbench.archs.facts import all_facts, conventions, facts, headline, published, source_of

GOLDEN = Path(__file__).parents[1] / "golden/published.tsv"
COLUMNS = (
    *("network", "kind", "split", "protocol", "of", "detail", "where", "top1", "mean_top1", "top5", "quoted"),
    *("source", "differs"),
)

RESULT = {
    *("split", "protocol", "detail", "of", "top1_err", "mean_top1_err", "top5_err", "where", "status"),
    *("differs", "note"),
}
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


def figures() -> list[dict[str, str]]:
    """Every published figure that the package holds, a row each, with what decides to which network and test it
    belongs; as text, as a file of tab-separated values has it."""
    found = []
    for entry in all_facts():
        network = {"network": entry["key"]}
        for result in entry["results"]:
            row = {"kind": "result", "source": source_of(entry, result), "differs": result.get("differs")}
            found.append(network | _errors(result) | row)
        for weights in entry["weights"]:
            where = f"{weights['publisher']}: {weights['name']}"
            row = {"kind": "weights", "where": where, "source": source_of(entry, weights)}
            found.append(network | _errors(weights) | row)
        for quoted in entry["quoted"]:
            row = {"kind": "quoted", "where": quoted["what"], "quoted": quoted["value"]}
            found.append(network | row | {"source": source_of(entry, quoted)})
    for (recipe, network), error in STRIKES_BACK.items():
        where = {"protocol": "single crop", "where": "Wightman et al. 2021, Table 1", "source": "arXiv 2110.00476"}
        found.append({"network": network, "kind": "recipe", "split": "val", **where, "detail": recipe, "top1": error})
    return [{name: _text(row.get(name)) for name in COLUMNS} for row in found]


def _errors(entry: dict[str, Any]) -> dict[str, Any]:
    errors = {"top1": entry["top1_err"], "top5": entry["top5_err"], "mean_top1": entry.get("mean_top1_err")}
    return {name: entry.get(name) for name in ("split", "protocol", "of", "detail", "where")} | errors


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def test_every_published_figure_is_the_one_that_was_read():
    """A figure in golden/published.tsv is changed by hand and after another look at its source, never by a program."""
    with open(GOLDEN, newline="") as file:
        golden = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row, expected in zip(figures(), golden, strict=True):
        assert row == expected


KEYS = ("network", "split", "protocol", "where", "detail")  # which figure a second source prints too
AGAIN = 0.4  # points that an evaluation of the same weights by others, or another training, may be away


def test_second_sources_agree():
    """golden/second_sources.tsv: who else prints a figure. To the digits that they print, where they repeat it; within
    AGAIN, where they measured it themselves."""
    with open(GOLDEN.with_name("second_sources.tsv"), newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    known: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for figure in figures():
        known.setdefault(tuple(figure[key] for key in KEYS), []).append(figure)
    for row in rows:
        [figure] = known[tuple(row[key] for key in KEYS)]
        assert row["source"] != figure["source"]
        for name in ("top1", "mean_top1", "top5"):
            if row[name]:
                away = 0.5 * 10.0 ** -len(row[name].partition(".")[2]) if row["how"] == "repeated" else AGAIN
                assert float(figure[name]) == pytest.approx(float(row[name]), abs=away + 1e-9), (row, figure)
    assert {row["how"] for row in rows} == {"repeated", "measured again"}
    assert len({tuple(row[key] for key in KEYS) for row in rows}) >= 60


def test_every_figure_has_its_source_and_each_source_is_used():
    sources = {row["source"] for row in figures()}
    assert all(len(source) > 10 for source in sources)
    assert set(conventions()["sources"].values()) <= sources


def test_the_errors_of_torchvisions_weights_are_those_that_torchvision_states():
    count = 0
    for entry in all_facts():
        for weights in entry["weights"]:
            if weights["publisher"] != "torchvision":
                continue
            stated = get_weight(weights["name"]).meta["_metrics"]["ImageNet-1K"]
            errors = [100 - stated[name] for name in ("acc@1", "acc@5")]
            assert [weights["top1_err"], weights["top5_err"]] == pytest.approx(errors), weights["name"]
            count += 1
    assert count > 20


# Percent, top 1 and top 5: no network here is better or worse on these images.
PLAUSIBLE = {
    "val": ((16, 45), (3, 22)),
    "val_non_blacklisted": ((17, 30), (3, 10)),
    "test": ((15, 40), (3, 20)),
    "ilsvrc2010_test": ((30, 45), (10, 20)),
    "mnist_test": ((0.5, 1.5), (0, 1)),
    "cifar10_test": ((3, 10), (0, 1)),
    "cifar100_test": ((15, 35), (2, 10)),
}


def test_errors_are_plausible():
    for entry in all_facts():
        for result in (*entry["results"], *({"split": "val"} | weights for weights in entry["weights"])):
            errors, ranges = (result["top1_err"], result["top5_err"]), PLAUSIBLE[result["split"]]
            for error, (low, high) in zip(errors, ranges, strict=True):
                assert error is None or low < error < high, (entry["key"], result)
            assert None in errors or errors[1] < errors[0] / 2, (entry["key"], result)


def test_more_views_of_an_image_do_not_make_the_same_network_worse():
    """Of the same training: the protocols in the order of their cost."""
    ladder = ("single crop", "12 crops", "144 crops")
    for key in ("inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2"):
        results = [result for result in facts(key)["results"] if "of" not in result]
        by = {result["protocol"]: result["top1_err"] for result in reversed(results)}
        errors = [by[protocol] for protocol in ladder if by.get(protocol) is not None]
        assert len(errors) > 1
        assert errors == sorted(errors, reverse=True), key


def test_the_headline_is_of_the_network_itself():
    assert headline(facts("inception_v2"))["top1_err"] == 21.6
    assert "of" not in headline(facts("resnet50"))
    assert headline(facts("preact_resnet152")) is None


def test_a_caller_cannot_change_the_facts():
    facts("alexnet")["results"].clear()
    assert facts("alexnet")["results"]


def test_a_network_that_nobody_published_has_the_same_keys_and_nothing_in_them():
    unknown = facts("net_of_another_package")
    assert set(unknown) == set(facts("resnet50"))
    assert (unknown["params"]["total"], unknown["input"]["size"], unknown["results"]) == (None, None, [])
    assert headline(unknown) is None
    with pytest.raises(ValueError, match="0 published results"):
        published("net_of_another_package")
