"""The lecture's claims about whole networks. Needs the whole zoo."""

import pytest
import torch

from cnnbench.analysis.lecture import (
    convolutions,
    densenet,
    depth,
    errors,
    inception,
    modules,
    networks,
    normalisation,
    operations,
    wide_resnet,
)
from cnnbench.analysis.lecture.claims import LECTURE, function
from cnnbench.analysis.tables import render
from cnnbench.archs.facts import facts, headline, published
from cnnbench.archs.registry import build
from cnnbench.config.analyse import FORMATS

pytestmark = pytest.mark.slow


def rows(table) -> dict:
    return {row[0]: row[1:] for row in table.rows}


SLOW = ("wide_resnet", "gradients", "densenet_gradients", "residual_scaling", "batch_norm")  # tested by themselves


@pytest.mark.parametrize("name", [name for name in LECTURE if name not in SLOW])
def test_every_claim_runs_without_arguments_and_renders(name):
    tables = function(LECTURE[name].show)()
    for form in FORMATS:
        assert render(tables, form)
    assert all(len(line) <= 120 for line in render(tables).splitlines())


def test_googlenet_against_alexnet():
    (table,) = networks.googlenet_alexnet()
    assert [round(row[3], 1) for row in table.rows] == [8.7, 10.2, 4.6, 9.2, 8.8]
    assert "96.2 % of AlexNet's parameters" in table.notes[1]


def test_plain_against_residual():
    cifar, kept, table, removed = networks.plain_residual()
    assert rows(cifar)["plain56"] == (853_018, pytest.approx(125.49, abs=0.01), None)
    assert rows(cifar)["resnet56"][2] == 6.97
    assert {row[0] for row in kept.rows} == {"plain20", "plain56", "resnet20", "resnet56"}
    assert rows(table)["plain18"] == (11_515_688, pytest.approx(1.794805760), 27.94)
    assert rows(table)["resnet18"] == (11_515_688, pytest.approx(1.794805760), 27.88)
    assert rows(table)["plain34"][::2] == (21_623_848, 28.54)
    assert rows(table)["resnet34"][::2] == (21_623_848, 25.03)
    assert "plain +0.60 points, residual -2.85" in table.notes[0]
    assert rows(removed)["resnet50"] == (23.9, 31.2, pytest.approx(7.3))  # ResNeXt paper, residual-connection table
    assert rows(removed)["resnext50_32x4d"] == (22.2, 26.1, pytest.approx(3.9))


def test_resnet_against_resnext():
    (table,) = networks.resnet_resnext()
    shown = rows(table)
    assert shown["all"][:2] == (25_557_032, 25_028_904)
    assert shown["all"][3:5] == (pytest.approx(4089.184256), pytest.approx(4230.479872))
    stages = [shown[stage] for stage in networks.STAGES]
    for i in (0, 1, 3, 4):
        assert sum(stage[i] for stage in stages) == pytest.approx(shown["all"][i])
    assert "69,632 and 70,144" in table.notes[1]
    printed = shown["the paper's table"]
    assert printed[2] == pytest.approx(printed[1] / printed[0], abs=0.01)
    assert printed[5] == pytest.approx(printed[4] / printed[3], abs=0.01)


def test_inception_ladder():
    steps, successors = inception.ladder()
    assert rows(steps)["GoogLeNet"][3] == pytest.approx(1.582671872)
    assert rows(steps)["BN-GoogLeNet"][3] == pytest.approx(1.582671872), "batch normalisation costs no multiply-adds"
    assert rows(steps)["Inception-v2"][3] == pytest.approx(5.885964480)
    assert rows(steps)["+ factorised 7x7"][3] == pytest.approx(6.299294304)
    assert "10-crop error (9.15); with a single crop, as the other rows, it has 10.07" in steps.notes[0]
    assert all(row[3] for row in successors.rows)


def test_the_lectures_inception_ladder_is_the_papers():
    """Szegedy et al. 2016a, Table 3; the facts hold all rows of it but those of GoogLeNet with other training."""
    shown = {step: (top1, top5, cost) for step, top1, top5, cost, *_ in inception.LECTURE_STEPS}
    assert shown["GoogLeNet"] == (29.0, 9.2, 1.5)
    assert shown["BN-GoogLeNet"] == (26.8, None, 1.5)
    bn = headline(facts("bn_inception"))
    assert shown["BN-Inception"] == (bn["top1_err"], round(bn["top5_err"], 1), 2.0)
    details = {
        "Inception-v2": ("base", 3.8),
        "+ RMSProp": ("+ RMSProp", 3.8),
        "+ label smoothing": ("+ label smoothing", 3.8),
        "+ factorised 7x7": ("+ factorised 7x7 stem", 4.8),
        "+ BN-auxiliary = Inception-v3": ("+ BN-auxiliary", 4.8),
    }
    for step, (detail, cost) in details.items():
        row = published("inception_v2", detail=detail)
        assert shown[step] == (row["top1_err"], row["top5_err"], cost), step


def test_the_lectures_wide_resnet_table_is_the_papers():
    for name, top1, top5, *_ in wide_resnet.PUBLISHED:
        entry = headline(facts(name))
        assert (top1, top5) == (entry["top1_err"], entry["top5_err"]), name


def test_wide_resnet_is_timed():
    (table,) = wide_resnet.time_per_batch(image_size=32, batch=2)
    times = [row[7] for row in table.rows]
    assert all(time > 0 for time in times)
    assert [row[8] for row in table.rows] == [pytest.approx(time / times[0]) for time in times]
    assert [row[5] for row in table.rows] == [49, 82, 115, 93]
    assert [row[6] for row in table.rows] == [pytest.approx(time / 49) for time in (49, 82, 115, 93)]
    assert all(row[3] == pytest.approx(row[4], abs=0.06) for row in table.rows)


def test_densenet_against_resnet():
    (table,) = densenet.densenet_resnet()
    assert rows(table)["densenet201"] == (pytest.approx(20.013928), pytest.approx(4.291365888), 22.58, "Table 3")
    assert rows(table)["resnet101"][2:] == (22.44, "fb.resnet.torch")


def test_errors():
    lecture, papers = errors.errors()
    here = {row[0]: row[2] for row in lecture.rows}
    assert here["AlexNet (9 layers) on one slide"] == "layers with weights: 8"
    assert here["GoogLeNet: 12x less parameters than AlexNet"] == "ratio: 8.7"
    assert here["dropout: AlexNet and ZFNet only"] == "rates in googlenet: 0.7, 0.7, 0.4"
    assert here["LeNet: CONV-POOL-CONV-POOL-FC-FC"] == "fully connected layers: 3"
    assert {row[0]: row[2] for row in papers.rows}["DenseNet, Table 1"] == "265 layers with weights"
    winners, counted = errors.winners()
    assert rows(winners)["AlexNet"][-1] == "18.2 (10 crops)"
    assert [row[2] for row in counted.rows] == [8, 8, 22, 152]
    assert [row[-1] for row in counted.rows] == [True, True, False, True], "the slide forgets GoogLeNet's dropout"
    assert rows(counted)["AlexNet"][2] == "crops (fixed_random), flip, pca"


def test_resnext_forms_are_one_function():
    (table,) = operations.resnext_forms()
    assert len(table.rows) == 3
    assert all(row[1] < 1e-12 for row in table.rows)


def test_receptive_fields_of_the_zoo():
    (table,) = convolutions.receptive_field()
    shown = {row[0]: row[2] for row in table.rows}
    assert (shown["zfnet"], shown["googlenet"], shown["resnet152"], shown["densenet121"]) == (171, 715, 1451, 2071)


def test_a_deeper_network_is_the_shallower_one_to_the_bit():
    (table,) = depth.identity()
    assert [row[3:] for row in table.rows] == [(True, 0.0), (True, 0.0)]
    assert [row[2] for row in table.rows] == [853_018 - 269_722] * 2


def test_an_identity_that_is_off_by_a_little_is_seen():
    shallow, images = build("plain20", num_classes=10).eval(), torch.randn(1, 3, 32, 32)

    def nearly(block) -> None:
        depth.as_identity(block)
        block.bn1.weight.data += 1e-4

    deep = depth.deepened(shallow, build("plain56", num_classes=10).eval(), nearly)
    assert not torch.equal(shallow(images), deep(images))


def test_resnets_rule_and_bottleneck():
    (table,) = depth.resnet_rule()
    assert [row[1:3] for row in table.rows] == [(56, 64), (28, 128), (14, 256), (7, 512)]
    assert len({row[5] for row in table.rows}) == 1, "equal cost"
    (blocks,) = depth.bottleneck()
    assert [row[2] for row in blocks.rows] == [2 * 9 * 64**2, 2 * 64 * 256 + 9 * 64**2, 2 * 9 * 256**2]


def test_gradients_explode_without_shortcuts(monkeypatch):
    shallower = {name: (key, options and {"depths": (8, 8, 8)}) for name, (key, options) in depth.DEEP.items()}
    monkeypatch.setattr(depth, "DEEP", shallower)
    plain, residual, dense = depth.gradient_norms(seed=1, images=4).values()
    assert len(plain) == len(residual) == 1 + 2 * 24
    assert plain[0] / plain[-1] > 10 * residual[0] / residual[-1]
    assert len(dense) == 1 + 48


def test_residuals_that_are_not_scaled_grow(monkeypatch):
    monkeypatch.setattr(normalisation, "SCALES", (1.0, 0.1))
    unscaled, scaled = normalisation.activation_growth(seed=1).values()
    assert len(unscaled) == 40
    assert unscaled[9] / unscaled[0] > 1.3 > 1.05 > scaled[9] / scaled[0]


def test_batch_normalisation_is_the_papers_formula_and_is_folded():
    formula, folded = normalisation.batch_norm("preact_resnet18")
    assert all(row[2] < 1e-12 for row in formula.rows)
    ((_, count, done, left, largest, difference),) = folded.rows
    assert (count, done, left) == (17, 9, 8)
    assert difference < 1e-10 < 1e-3 < largest


def test_blocks_of_wide_resnet_have_the_papers_parameters():
    blocks, widths = modules.wide_blocks()
    for table in (blocks, widths):
        printed, counted = (list(table.columns).index(name) for name in ("params (M), paper", "counted (M)"))
        assert all(row[counted] == pytest.approx(row[printed], abs=0.06) for row in table.rows)
