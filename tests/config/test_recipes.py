"""Every recipe fits the networks that it is for, and says so to the others; ladders add one change after another."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, asdict, is_dataclass, replace
from itertools import pairwise
from pathlib import Path
from random import Random

import goldens
import numpy as np
import pytest
import yaml
from composing import composed
from omegaconf import OmegaConf

from cnnbench.analysis.papers.published import held_against_nothing, protocols_of
from cnnbench.archs.registry import kind_of, names
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults, own_recipes
from cnnbench.cli.help import groups
from cnnbench.config import recipes
from cnnbench.config.fields import entries, value_of
from cnnbench.config.image_size import training_image_sizes
from cnnbench.config.train import TrainConfig
from cnnbench.data.augment import erase
from cnnbench.runtime.errors import UserError
from cnnbench.training.optimizers.build import scaled_learning_rate
from cnnbench.training.schedules import rate_factor

pytestmark = pytest.mark.slow

CONF = Path(recipes.__file__).parents[2] / "conf"
TRAIN = COMMANDS["train"]
RECIPES = groups(TRAIN)["recipe"]
LADDERS = groups(TRAIN)["ladder"]
OWN = own_recipes()
PAPERS = sorted(set(OWN.values()))
GROUPS = ("augment", "optimizer", "schedule", "average", "resolution")
OPTIONS = {group: groups(TRAIN)[group] for group in GROUPS}
OF_A1 = {
    **{"stochastic_depth": 0.05, "stochastic_depth_from": "first_block", "zero_init": True},
    **{"crop_ratio": 0.95, "interpolation": "bicubic"},
}


def test_every_network_has_its_papers_recipe_and_every_papers_recipe_a_file():
    assert sorted(OWN) == sorted(names())
    assert set(OWN.values()) <= set(RECIPES)
    assert len(PAPERS) == 23
    assert all(OWN[goldens.first_network(recipe)] == recipe for recipe in PAPERS)
    expected = {
        "resnet50": "resnet",
        "plain34": "resnet",
        "plain20": "cifar_resnet",
        "resnext29_8x64d": "cifar_resnext",
        "resnext29_8x64d_post": "cifar_resnext_post",
    }
    assert {name: OWN[name] for name in expected} == expected


def test_a_networks_recipe_is_read_from_whatever_folder_its_file_is_in(command, tmp_path):
    """A file of one's own builds on another, names a recipe of its own, or has none; one that is not there is said."""

    def described(*words: str, folder: str = "--config-dir=mine") -> str:
        done = command("describe", "recipe", folder, *words, "--cfg", "job")
        assert (done.returncode == 0) == (not done.stderr)
        return done.stderr or yaml.safe_load(done.stdout)["recipe"]

    (tmp_path / "mine/arch").mkdir(parents=True)
    (tmp_path / "mine/arch/wider.yaml").write_text("defaults: [vgg16]\nname: vgg16\n")
    (tmp_path / "mine/arch/named.yaml").write_text("defaults: [wider, _self_]\nrecipe: quick\n")
    (tmp_path / "mine/arch/none.yaml").write_text("defaults: [vgg16]\nname: vgg16\nrecipe: null\n")
    assert described("arch=wider") == "vgg"
    assert described("arch=named") == "quick"
    assert "cnnbench: arch=none has no paper's recipe, the key recipe of its file: give recipe=" in described(
        "arch=none"
    )
    assert described("arch=none", "recipe=quick") == "quick"
    assert "arch has no option 'widr', did you mean wider" in described("arch=widr")
    elsewhere = f"hydra.searchpath=[file://{tmp_path}/mine]"
    assert "cannot find the file of arch=wider to read its recipe" in described("arch=wider", folder=elsewhere)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_fits_each_network_that_it_is_for(recipe):
    """Composed and checked for one network of each kind: `python tools/golden.py` composes all."""
    first = composed(f"recipe={recipe}", f"arch={goldens.first_network(recipe)}")
    assert first.recipe == recipe
    assert first.recipe_source
    own = [name for name, its in OWN.items() if its == recipe]
    assert not first.recipe_for or all(recipes.fits(name, first.recipe_for) for name in own)
    expected = goldens.expected(recipe)
    assert [*expected] == sorted(goldens.networks(recipe)), "run `python tools/golden.py`"
    for name in {kind_of(name): name for name in expected}.values():
        assert goldens.values(composed(f"recipe={recipe}", f"arch={name}")) == expected[name], name


def test_the_default_is_the_networks_own_and_paper_names_it():
    for words in (["arch=vgg16"], ["arch=vgg16", "recipe=paper"]):
        chosen = composed(*words)
        assert (chosen.recipe, chosen.optimizer.lr, chosen.schedule.kind) == ("vgg", 0.01, "plateau")
        assert (chosen.epochs, chosen.recipe_batch, chosen.augment.crop.kind) == (74, 256, "scale_jitter")
    assert composed("arch=resnet20").schedule.milestones == [82, 123]


@pytest.mark.parametrize("recipe", sorted({*PAPERS} - {"cifar_resnext_post"}))  # of which its authors print no figure
def test_a_paper_has_an_error_by_its_recipes_protocol(recipe):
    config = composed(f"recipe={recipe}", f"arch={goldens.first_network(recipe)}")
    own = [name for name, its in OWN.items() if its == recipe]
    configs = [replace(config, arch=replace(config.arch, name=name)) for name in own]
    if recipe == "lenet":  # the paper's own network is another one
        assert held_against_nothing(config, config.protocol)
    else:
        assert any(config.protocol in protocols_of(each) for each in configs)


def test_the_page_on_evaluation_has_the_protocol_of_each_recipe():
    page = (CONF.parent / "docs/evaluation.md").read_text().partition("| recipe | `protocol` |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1:3] for line in page.splitlines()[2:]]
    listed = {name: protocol.strip(" `") for names, protocol in rows for name in re.findall(r"`(\w+)`", names)}
    protocols = {name: next(iter(goldens.expected(name).values()))["protocol"] for name in RECIPES}
    assert listed == {name: protocol for name, protocol in protocols.items() if protocol != "center"}


def test_a_protocol_that_the_network_cannot_do_is_refused_before_training():
    with pytest.raises(UserError, match="protocol=dense cannot be done with alexnet_tv"):
        composed("arch=alexnet_tv", "protocol=dense")


def test_a_recipe_of_another_family_is_refused_unless_insisted_on():
    with pytest.raises(UserError, match=r"recipe=alexnet is for alexnet\*, not resnet50: leave recipe= out"):
        composed("arch=resnet50", "recipe=alexnet")
    assert composed("arch=resnet50", "recipe=alexnet", "recipe_for=[resnet50]").recipe == "alexnet"
    assert composed("arch=vgg16", "recipe=simple90").recipe == "simple90"


@pytest.mark.parametrize("name", LADDERS)
def test_every_row_of_a_ladder_composes(name):
    ladder, _, row = name.partition("/")
    chosen = composed(f"ladder={ladder}", f"step={row}")
    assert chosen.ladder == name
    assert goldens.values(chosen) == goldens.expected(name)["its own"]


def test_each_row_of_the_inception_table_changes_one_thing():
    def row(name: str) -> dict[str, object]:
        chosen = composed("ladder=inception_v3", f"step={name}")
        values = {key: value_of(chosen, key) for key in entries(TrainConfig) if not is_dataclass(value_of(chosen, key))}
        return values | {f"arch.options.{key}": value for key, value in chosen.arch.options.items()}

    names = ["inception_v2", "rmsprop", "label_smoothing", "factorised_7x7", "bn_auxiliary"]
    rows = [row(name) for name in names]
    changes = [
        {key: below[key] for key in below if below[key] != above[key] and key not in ("ladder", "arch.options")}
        for above, below in pairwise(rows)
    ]
    assert changes == [
        {"optimizer.kind": "tensorflow_rmsprop", "optimizer.alpha": 0.9, "optimizer.eps": 1.0},
        {"label_smoothing": 0.1}, {"arch.options.stem": "factorised"}, {"arch.options.aux_batch_norm": True},
    ]  # fmt: skip


def test_the_rate_of_the_inception_papers_is_of_1600_images_and_the_scripts_of_256():
    """J. Shlens, tensorflow/models issue 119; inception_train.py. A batch that is given is cut into no parts."""
    paper, released = composed("arch=inception_v3"), composed("recipe=inception_released", "arch=inception_v3")
    assert (paper.recipe_batch, paper.accumulate, paper.bn_group) == (1600, 5, 32)
    assert scaled_learning_rate(paper.optimizer, 1600) == 0.045
    assert scaled_learning_rate(released.optimizer, 256) == 0.1
    rates = [rate_factor(released.schedule, epoch, 1, released.epochs) for epoch in (0, 29, 30, 60)]
    assert rates == pytest.approx([1, 1, 0.16, 0.0256])
    assert [composed("arch=inception_v3", *words).accumulate for words in (["batch=64"], ["accumulate=10"])] == [1, 10]
    changed = {
        *("recipe", "recipe_source", "recipe_batch", "accumulate", "clip_norm"),
        *("optimizer.lr", "optimizer.base_batch", "schedule.step_epochs", "schedule.gamma"),
    }
    first, second = goldens.values(paper), goldens.values(released)
    assert {key for key in first if first[key] != second[key]} == changed


def test_resnext_and_resnet_110_have_recipes_of_their_own():
    """Divided three times (Xie et al. 2017, section 4); a tenth of the rate for an epoch (He et al. 2016, 4.2)."""
    resnext, resnet110 = composed("arch=resnext50_32x4d"), composed("arch=resnet110")
    rates = [rate_factor(resnext.schedule, epoch, 1, resnext.epochs) for epoch in (29, 30, 60, 89, 90, 99)]
    assert rates == pytest.approx([1, 0.1, 0.01, 0.01, 0.001, 0.001])
    rates = [rate_factor(resnet110.schedule, step, 390, resnet110.epochs) for step in (0, 389, 390, 82 * 390)]
    assert rates == pytest.approx([0.1, 0.1, 1, 0.1])


def test_the_average_of_torchvisions_recipe_begins_after_its_warm_up():
    modern = composed("arch=resnet50", "recipe=modern")
    assert modern.average.start_epoch == modern.schedule.warmup_epochs == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ladder=inception_v3", "step=label_smooting"], "did you mean label_smoothing"),
        (["ladder=inception_v4", "step=rmsprop"], "did you mean inception_v3"),
        (["ladder=inception_v3"], "go together"),
        (["step=rmsprop"], "go together"),
    ],
)
def test_a_ladder_that_is_not_there_is_answered_with_the_nearest(words, said):
    with pytest.raises(UserError, match=said):
        composed(*words)


def test_progressive_sides_are_those_of_ffcv():
    """160 pixels up to epoch 11, the nearest multiple of 32 to the line to 192 in between, 192 from epoch 13 on."""
    sides = training_image_sizes(composed("arch=resnet50", "recipe=fast16"))
    assert sides == [160] * 12 + [192] * 4
    assert set(training_image_sizes(composed("arch=resnet50", "recipe=modern"))) == {176}
    assert set(training_image_sizes(composed("arch=resnet50", "recipe=a3"))) == {160}
    assert set(training_image_sizes(composed("arch=inception_v3"))) == {299}
    with pytest.raises(UserError, match="grow_until=3 must be above"):
        composed("resolution.first=0.5", "resolution.grow_from=5", "resolution.grow_until=3")


def test_the_rate_and_the_square_of_cifar_fast_are_those_of_ffcvs_example():
    """train_cifar.py:159 and :88: a triangle with its peak after 5 of 24 epochs, and 4 x 4 of 32 x 32 pixels."""
    config, steps = composed("arch=cifar_resnet18", "recipe=cifar_fast"), 97  # of 512 of 50,000 images, whole batches
    theirs = np.interp(range(24 * steps), [0, 5 * steps, 24 * steps], [0, 1, 0])
    assert np.allclose([rate_factor(config.schedule, step, steps, 24) for step in range(24 * steps)], theirs)
    for seed in range(20):
        changed = erase.apply(np.zeros((32, 32, 3), np.uint8), erase.draw(config.augment.erase, Random(seed)))
        rows, columns = np.nonzero(changed[:, :, 0])
        assert (len(rows), np.ptp(rows), np.ptp(columns)) == (16, 3, 3)


@pytest.mark.parametrize("recipe", ["modern", "a3", "fast16"])
def test_a_recipe_of_smaller_images_is_one_override_away_for_networks_of_one_side(recipe):
    for name in ("lenet", "alexnet", "vgg16_bn", "googlenet", "inception_v3"):
        config = composed(f"arch={name}", f"recipe={recipe}")
        assert set(training_image_sizes(config)) == {config.arch.image_size}


def test_a_recipe_is_one_file_or_builds_on_one_other():
    """A group among its defaults would come after the schema's own values, and not be replaced whole."""
    for file in CONF.glob("recipe/*.yaml"):
        assert set(yaml.safe_load(file.read_text()).get("defaults", [])) <= set(RECIPES), file


def test_a_recipe_that_is_named_leaves_nothing_of_the_networks_own():
    chosen = composed("arch=vgg16", "recipe=a1", "recipe_for=[]")
    assert chosen.arch.dropout is None
    own = {key: value for key, value in goldens.values(chosen).items() if key != "recipe_for"}
    of_a1 = goldens.expected("a1")["resnet50"]
    assert all(key.startswith("arch.") for key in own if own[key] != of_a1[key])
    assert chosen.arch == replace(composed("arch=vgg16", "recipe=quick").arch, **OF_A1)


def test_a_recipe_of_ones_own_that_names_a_group_is_told_to_write_it_out(command, tmp_path):
    (tmp_path / "recipe").mkdir()
    text = "# @package _global_\ndefaults: [/optimizer: lamb, _self_]\nepochs: 1\n"
    (tmp_path / "recipe/own.yaml").write_text(text)
    for more in ([], ["optimizer=sgd"]):
        done = command("train", f"--config-dir={tmp_path}", "recipe=own", *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("cnnbench: optimizer is chosen twice: a recipe's file writes its values out")


def of_group(group: str, option: str, rate: float) -> dict[str, object]:
    """The keys below `group` that the schema and the option's file give, by a plain merge."""

    def flat(node: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
        for key, value in node.items():
            yield from flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]

    whole = asdict(TrainConfig.__dataclass_fields__[group].default_factory())
    file = OmegaConf.load(CONF / group / f"{option}.yaml")
    own = OmegaConf.to_container(OmegaConf.merge({"arch": {"learning_rate": rate}}, file), resolve=True)
    del own["arch"]
    assert set(dict(flat(own))) <= set(dict(flat(whole)))
    return {f"{group}.{key}": value for key, value in {**dict(flat(whole)), **dict(flat(own))}.items()}


def check_groups(words: list[str], number: int) -> None:
    """One option of each group, the one with the `number`, chosen after `words`: its values to the last key."""
    options = {group: OPTIONS[group][number % len(OPTIONS[group])] for group in GROUPS}
    values = defaults(TRAIN, [*words, *(f"{group}={option}" for group, option in options.items())])
    for group, option in options.items():
        expected = of_group(group, option, values["arch.learning_rate"])
        assert "???" not in expected.values()
        assert {key: values[key] for key in expected} == expected


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_option_of_a_group_replaces_what_the_recipe_says(recipe):
    check_groups([f"recipe={recipe}"], RECIPES.index(recipe))


@pytest.mark.parametrize("number", range(max(map(len, OPTIONS.values()))))
def test_an_option_of_a_group_leaves_no_key_of_any_recipe(number, tmp_path):
    """On a recipe that says something else of every key that there is."""
    others: dict[str, object] = {}
    for key, item in entries(TrainConfig).items():
        *above, last = key.split(".")
        if key.startswith(tuple(f"{group}." for group in GROUPS)) and not is_dataclass(item.default_factory):
            node = functools.reduce(lambda node, name: node.setdefault(name, {}), above, others)
            node[last] = another(item)
    others |= {"recipe": "other", "epochs": 1}
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe/other.yaml").write_text("# @package _global_\n" + yaml.safe_dump(others))
    words = ["recipe=other", f"hydra.searchpath=[file://{tmp_path}]"]
    check_groups(words, number)


def another(item: Field) -> object:
    """A value of the type of a key that is not its default."""
    default = item.default if item.default_factory is MISSING else item.default_factory()
    kind = str(item.type).removesuffix(" | None")
    by_type = {"bool": not default, "int": 77, "float": 0.77, "str": "another", "list[str]": ["another"]}
    return by_type.get(kind, [77])


def test_networks_that_take_one_side_refuse_to_train_at_another():
    with pytest.raises(UserError, match=r"cannot train at 176 and be tested at 224: add resolution=full$"):
        composed("arch=vgg16", "resolution.train=0.7857")
    with pytest.raises(UserError, match=r"add resolution=full, or .* arch\.options\.aux_heads=false"):
        composed("arch=googlenet", "resolution.train=0.7857")
    assert set(training_image_sizes(composed("arch=googlenet", "recipe=modern"))) == {224}
    assert set(training_image_sizes(composed("arch=googlenet", "recipe=modern", "arch.options.aux_heads=false"))) == {
        176
    }


def test_a_papers_recipe_trains_and_images_grow(command, small_data):
    """Two epochs of two steps through the loop: the sides change between them, and the banner says what is trained."""
    words = (
        "train",
        f"data={small_data}",
        "batch=30",
        "epochs=2",
        "data.workers=0",
        "log_every=0",
        "precision=float32",
    )
    words += ("arch=resnet20", "resolution=progressive", "resolution.first=0.5", "resolution.train=1")
    words += ("resolution.multiple=16", "resolution.grow_from=0", "resolution.grow_until=1")
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert "paper = cifar_resnet (He et al. 2016, section 4.2): 2 epochs of 2 steps" in done.stdout
    assert "trained at 16, 32 from epoch 2; tested at 32" in done.stdout
    assert "0.0234375 = 0.1 x 30/128" in done.stdout
