"""Every command: its one-line summary, the schema of its keys, the check across keys, and the function that runs it.

The functions import what they need when they are called, so that help and config errors stay fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnnbench.config import bench as config_bench
from cnnbench.config import checks, checks_data, data_commands
from cnnbench.config import schema as config


@dataclass(frozen=True)
class Command:
    name: str
    summary: str
    examples: tuple[str, ...]
    schema: type
    check: Callable[[Any], None]
    run: Callable[[Any], float | None]
    makes_run: bool = False  # whether each job of a sweep has a run folder of its own
    bare: str | None = None  # key that words without an equals sign fill, as the claim in `lecture relu`

    @property
    def config_name(self) -> str:
        """Its file in conf/, if it has one, without the ending: data_show for `cnnbench data show`."""
        return self.name.replace(" ", "_")


def _train(settings: config.TrainConfig) -> float:
    from cnnbench.training.command import train

    return train(settings)


def _evaluate(settings: config.EvalConfig) -> float:
    from cnnbench.evaluation.command import evaluate_command

    return evaluate_command(settings)


def _bench(settings: config_bench.BenchConfig) -> None:
    from cnnbench.analysis.bench.command import bench_command

    bench_command(settings)


def _zoo(settings: config.ZooConfig) -> None:
    from cnnbench.analysis.show import show_zoo

    show_zoo(settings)


def _describe(settings: config.DescribeConfig) -> None:
    from cnnbench.analysis.show import show_description

    show_description(settings)


def _describe_recipe(settings: config.DescribeRecipeConfig) -> None:
    from cnnbench.analysis.describe_recipe import show_recipe

    show_recipe(settings)


def _recipes(settings: config.RecipesConfig) -> None:
    from cnnbench.analysis.recipe_table import recipe_table
    from cnnbench.analysis.tables import render
    from cnnbench.cli.compose import defaults, own_recipes
    from cnnbench.cli.help import groups

    names, describe = groups(COMMANDS["train"])["recipe"], COMMANDS["describe recipe"]
    table = recipe_table(names, own_recipes(), lambda name: defaults(describe, [f"recipe={name}"]))
    print(render(table, settings.format))


def _verify(settings: config.VerifyConfig) -> None:
    from cnnbench.analysis.papers.verify import verify
    from cnnbench.cli.compose import defaults

    verify(settings, lambda overrides: defaults(COMMANDS["train"], overrides))


def _report(settings: config.ReportConfig) -> None:
    from cnnbench.analysis.report.command import report_command

    report_command(settings)


def _lecture(settings: config.LectureConfig) -> None:
    from cnnbench.analysis.show import show_lecture

    show_lecture(settings)


def _export(settings: config.ExportConfig) -> float:
    from cnnbench.analysis.export_command import export_command

    return export_command(settings)


def _data_index(settings: data_commands.DataIndexConfig) -> None:
    from cnnbench.data.commands.index import index_command

    index_command(settings)


def _data_pack(settings: data_commands.PackConfig) -> None:
    from cnnbench.data.commands.pack import pack

    pack(settings)


def _data_check(settings: data_commands.CheckConfig) -> None:
    from cnnbench.data.commands.check import check

    check(settings)


def _data_stats(settings: data_commands.StatsConfig) -> None:
    from cnnbench.data.commands.stats import stats

    stats(settings)


def _data_show(settings: data_commands.ShowConfig) -> None:
    from cnnbench.data.commands.show import show

    show(settings)


def _data_prepare(settings: data_commands.PrepareConfig) -> None:
    from cnnbench.data.commands.prepare import prepare

    prepare(settings)


COMMANDS = {
    "train": Command(
        "train",
        "train a network, or continue a run, and report its top-1 and top-5 error",
        (
            "cnnbench train arch=lenet recipe=quick",
            "cnnbench train arch=vgg16 data=/imagenet run=vgg16",
            "cnnbench train arch=resnet18 data=/imagenet batch=512 optimizer.lr=0.1 label_smoothing=0.1",
            "cnnbench train --multirun recipe=quick seed=0,1,2",
        ),
        config.TrainConfig,
        checks.check_train,
        _train,
        makes_run=True,
    ),
    "eval": Command(
        "eval",
        "top-1 and top-5 error of a run, of a checkpoint file, or of several together, by exact counts",
        (
            "cnnbench eval run=vgg16",
            "cnnbench eval run=vgg16 protocol=ten_crop details=vgg16-details",
            "cnnbench eval runs=[vgg16,resnet50]",
            "cnnbench eval arch=resnet50 weights=resnet50.pth data=/imagenet",
        ),
        config.EvalConfig,
        checks.check_eval,
        _evaluate,
    ),
    "bench": Command(
        "bench",
        "measured speed: of networks, the input pipeline, training and evaluation",
        (
            "cnnbench bench arch=resnet50 batch=16",
            "cnnbench bench archs=[resnet50,wide_resnet50_2] what=all data=/imagenet output=bench.json",
            "cnnbench bench what=loader data=/imagenet",
        ),
        config_bench.BenchConfig,
        checks.check_bench,
        _bench,
    ),
    "zoo": Command(
        "zoo",
        "all networks: parameters, multiply-adds, published errors",
        ("cnnbench zoo", "cnnbench zoo family=resnet sort=macs format=markdown"),
        config.ZooConfig,
        checks.check_zoo,
        _zoo,
    ),
    "describe": Command(
        "describe",
        "a network layer by layer: output size, receptive field, parameters, multiply-adds",
        ("cnnbench describe arch=resnet50", "cnnbench describe arch=vgg16 image_size=384 format=json"),
        config.DescribeConfig,
        checks.check_describe,
        _describe,
    ),
    "describe recipe": Command(
        "describe recipe",
        "a recipe: its values, and rate and image size epoch by epoch; `describe recipe=NAME` is short for it",
        (
            "cnnbench describe recipe=resnet",
            "cnnbench describe recipe=modern arch=resnet50 batch=512 plot=modern.png",
        ),
        config.DescribeRecipeConfig,
        checks.check_describe_recipe,
        _describe_recipe,
    ),
    "recipes": Command(
        "recipes",
        "all recipes: rate, schedule, length and source of each",
        ("cnnbench recipes", "cnnbench recipes format=markdown"),
        config.RecipesConfig,
        checks.check_zoo,
        _recipes,
    ),
    "verify": Command(
        "verify",
        "hold a finished run against the published error; exit status 1 if it is outside, or nothing is comparable",
        ("cnnbench verify run=resnet50", "cnnbench verify run=resnet50 sigmas=3 tolerance=0.2 format=json"),
        config.VerifyConfig,
        checks.check_verify,
        _verify,
    ),
    "report": Command(
        "report",
        "runs beside each other and beside what is published: one HTML page, Markdown, CSV and plots",
        (
            "cnnbench report",
            "cnnbench report vgg16 resnet50",
            "cnnbench report runs/vgg16 runs/resnet50 output=vgg-resnet bench=bench.json",
        ),
        config.ReportConfig,
        checks.check_report,
        _report,
        bare="runs",
    ),
    "lecture": Command(
        "lecture",
        "the lecture's tables and claims, computed now, beside what was published",
        ("cnnbench lecture", "cnnbench lecture small_filters", "cnnbench lecture densenet_resnet plot=densenet.png"),
        config.LectureConfig,
        checks.check_zoo,
        _lecture,
        bare="name",
    ),
    "export": Command(
        "export",
        "write the network of a run, or of a weights file, as safetensors, ONNX or a torch.export program",
        (
            "cnnbench export run=vgg16 checkpoint=best",
            "cnnbench export arch=resnet50 weights=torchvision form=onnx output=resnet50.onnx",
        ),
        config.ExportConfig,
        checks.check_export,
        _export,
    ),
    "data index": Command(
        "data index",
        "list a data set once and keep the list, so that every start after it is quick",
        ("cnnbench data index data=/imagenet", "cnnbench data index data=/imagenet beside=true"),
        data_commands.DataIndexConfig,
        checks_data.check_data_index,
        _data_index,
    ),
    "data pack": Command(
        "data pack",
        "write a data set into one random-access file per split: smaller, faster to decode, checked when read",
        (
            "cnnbench data pack data=/imagenet output=/fast/imagenet320",
            "cnnbench data pack data=/imagenet output=/fast/imagenet256 form=raw splits=[val]",
        ),
        data_commands.PackConfig,
        checks_data.check_pack,
        _data_pack,
    ),
    "data check": Command(
        "data check",
        "what is wrong or odd with a data set; exit status 1 if there are problems",
        ("cnnbench data check data=/imagenet", "cnnbench data check data=/imagenet splits=[val] report=check.json"),
        data_commands.CheckConfig,
        checks_data.check_check,
        _data_check,
    ),
    "data stats": Command(
        "data stats",
        "mean and standard deviation of the images' channels, and their sizes",
        ("cnnbench data stats data=/imagenet", "cnnbench data stats data=sample area=whole"),
        data_commands.StatsConfig,
        checks_data.check_stats,
        _data_stats,
    ),
    "data show": Command(
        "data show",
        "a sheet of images with the names of their classes, as a PNG file",
        (
            "cnnbench data show data=/imagenet output=sheet.png",
            "cnnbench data show data=/imagenet split=val classes=[n01440764,n01443537] count=8",
        ),
        data_commands.ShowConfig,
        checks_data.check_show,
        _data_show,
    ),
    "data prepare": Command(
        "data prepare",
        "unpack archives, as ILSVRC's own tars, into a folder per class; training reads them packed too",
        ("cnnbench data prepare data=/downloads output=/imagenet",),
        data_commands.PrepareConfig,
        checks_data.check_prepare,
        _data_prepare,
    ),
}
