"""The table of commands."""

from __future__ import annotations

from cnnbench.cli.command import Command
from cnnbench.config.analyse import (
    ConvertConfig,
    DescribeConfig,
    DescribeRecipeConfig,
    ExportConfig,
    LectureConfig,
    RecipesConfig,
    ReportConfig,
    RunsConfig,
    VerifyConfig,
    ZooConfig,
)
from cnnbench.config.bench import BenchConfig
from cnnbench.config.checkpoint_mean import CheckpointMeanConfig
from cnnbench.config.compare import CompareConfig
from cnnbench.config.corruptions import CorruptionsConfig
from cnnbench.config.data_commands import (
    CheckConfig,
    DataIndexConfig,
    PackConfig,
    PrepareConfig,
    ShowConfig,
    StatsConfig,
)
from cnnbench.config.dry_run import DryRunConfig
from cnnbench.config.evaluate import EvalConfig
from cnnbench.config.features import FeaturesConfig
from cnnbench.config.look import LookConfig
from cnnbench.config.predict import PredictConfig
from cnnbench.config.probe import ProbeConfig
from cnnbench.config.shell import CompletionConfig, TemplateConfig
from cnnbench.config.train import TrainConfig
from cnnbench.config.where import WhereConfig

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
        TrainConfig,
        "training.command:train",
        ("config.checks.train:check_train", "archs.weights.torchvision:check_published", "runs.batch:check_batch"),
        makes_run=True,
    ),
    "train --dry-run": Command(
        "train --dry-run",
        "what `cnnbench train` would do: every check of its start, batch and rate, memory, disk and time; no step",
        (
            "cnnbench train --dry-run arch=vgg16 data=/imagenet device=cuda world=64",
            "cnnbench train --dry-run arch=resnet50 data=/imagenet batch=1024 world=8 bench=bench.json",
        ),
        DryRunConfig,
        "analysis.dry_run.command:dry_run",
        ("config.checks.train:check_train", "archs.weights.torchvision:check_published"),
        values_of="train",
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
        EvalConfig,
        "evaluation.command:evaluate_command",
        ("config.checks.evaluate:check_eval", "archs.weights.torchvision:check_published"),
    ),
    "average": Command(
        "average",
        "the mean of a run's last checkpoints, with batch normalisation's statistics anew, as one more checkpoint",
        (
            "cnnbench average run=resnet50",
            "cnnbench average run=resnet50 checkpoints=[60,90,best] name=average3",
        ),
        CheckpointMeanConfig,
        "analysis.checkpoint_mean:average_command",
        ("config.checkpoint_mean:check_checkpoint_mean",),
    ),
    "predict": Command(
        "predict",
        "what a trained network says of pictures without labels: the most probable classes of each",
        (
            "cnnbench predict run=vgg16 holiday/ cat.jpg",
            "cnnbench predict run=vgg16 holiday/ output=answers.csv sheet=answers.png",
            "cnnbench predict arch=resnet50 weights=torchvision cat.jpg top=1 format=jsonl",
        ),
        PredictConfig,
        "analysis.predict.command:predict_command",
        ("config.predict:check_predict", "archs.weights.torchvision:check_published"),
        bare="files",
    ),
    "features": Command(
        "features",
        "the values of any layers for all images of a split as a file, and the nearest neighbours of a picture",
        (
            "cnnbench features run=vgg16 layer=fc7 output=fc7.npy",
            "cnnbench features run=vgg16 layer=[pool5,fc7] data=/flowers split=train output=flowers.safetensors",
            "cnnbench features run=vgg16 layer=fc7 query=[cat.jpg] sheet=neighbours.png",
        ),
        FeaturesConfig,
        "analysis.features.command:features_command",
        ("config.features:check_features", "archs.weights.torchvision:check_published"),
        bare="files",
    ),
    "probe": Command(
        "probe",
        "the error of a linear classifier on the frozen features of each layer, on any data set",
        (
            "cnnbench probe run=vgg16 data=/flowers layer=fc7",
            "cnnbench probe run=vgg16 data=/flowers layer=[pixels,all] curve=flowers.svg output=flowers.json",
            "cnnbench probe runs=[lenet-0,lenet-1,lenet-2] data=/mnist layer=[pixels,all] curve=mnist.svg",
            "cnnbench probe archs=[resnet18,resnet50] weights=torchvision data=/flowers layer=[layer2,layer3,layer4]",
        ),
        ProbeConfig,
        "analysis.probe.command:probe_command",
        ("config.probe:check_probe", "archs.weights.torchvision:check_published"),
    ),
    "bench": Command(
        "bench",
        "measured speed: of networks, the input pipeline, training and evaluation",
        (
            "cnnbench bench arch=resnet50 batch=16",
            "cnnbench bench archs=[resnet50,wide_resnet50_2] what=all data=/imagenet output=bench.json",
            "cnnbench bench what=loader data=/imagenet",
        ),
        BenchConfig,
        "analysis.bench.command:bench_command",
        ("config.checks.bench:check_bench",),
    ),
    "zoo": Command(
        "zoo",
        "all networks: parameters, multiply-adds, published errors",
        ("cnnbench zoo", "cnnbench zoo family=resnet sort=macs format=markdown"),
        ZooConfig,
        "analysis.zoo:show_zoo",
        ("config.checks.analyse:check_keys",),
    ),
    "describe": Command(
        "describe",
        "a network layer by layer: output size, receptive field, parameters, multiply-adds",
        ("cnnbench describe arch=resnet50", "cnnbench describe arch=vgg16 image_size=384 format=json"),
        DescribeConfig,
        "analysis.describe.command:show_description",
        ("config.checks.analyse:check_describe",),
    ),
    "describe recipe": Command(
        "describe recipe",
        "a recipe: its values and their sources, rate and image size epoch by epoch; short: `describe recipe=NAME`",
        (
            "cnnbench describe recipe=resnet",
            "cnnbench describe recipe=modern arch=resnet50 batch=512 plot=modern.png",
        ),
        DescribeRecipeConfig,
        "cli.composed:show_recipe_with_sources",
        ("config.checks.analyse:check_describe_recipe",),
    ),
    "recipes": Command(
        "recipes",
        "all recipes: rate, schedule, length and source of each",
        ("cnnbench recipes", "cnnbench recipes sources=true format=json", "cnnbench recipes format=markdown"),
        RecipesConfig,
        "cli.composed:show_recipes",
        ("config.checks.analyse:check_keys",),
    ),
    "verify": Command(
        "verify",
        "hold a finished run, or published weights, against the published error; exit status 1 if it is outside, or "
        "nothing is comparable",
        (
            "cnnbench verify run=resnet50",
            "cnnbench verify run=resnet50 sigmas=3 tolerance=0.2 format=json",
            "cnnbench verify arch=resnet50 weights=torchvision:IMAGENET1K_V2 data=/imagenet",
        ),
        VerifyConfig,
        "cli.composed:verify_run",
        ("config.checks.analyse:check_verify", "archs.weights.torchvision:check_published"),
    ),
    "compare": Command(
        "compare",
        "which of several networks is better on the same images, and how sure that is: tests, intervals, seeds needed",
        (
            "cnnbench compare vgg16 resnet50",
            "cnnbench compare vgg16 resnet50 googlenet sheet=differ.png output=compare.json",
            "cnnbench compare a/predictions.csv b/predictions.csv difference=0.3",
        ),
        CompareConfig,
        "analysis.compare.command:compare_command",
        ("config.compare:check_compare", "config.runs:check_runs"),
        bare="runs",
    ),
    "corruptions": Command(
        "corruptions",
        "the errors on ImageNet-C's 15 corruptions in five severities, computed from any images, and mCE",
        (
            "cnnbench corruptions run=resnet50 frost=frost output=corruptions.json",
            "cnnbench corruptions run=demo corruptions=[fog,jpeg_compression] severities=[1,3,5] images=500",
        ),
        CorruptionsConfig,
        "analysis.corruptions.command:corruptions_command",
        ("config.corruptions:check_corruptions", "archs.weights.torchvision:check_published"),
    ),
    "where": Command(
        "where",
        "calibration (ECE, temperature), and the error by kind of class, image size, colour and JPEG quality",
        (
            "cnnbench where run=vgg16 plot=reliability.svg",
            "cnnbench where run=vgg16 by=[class_group,size] output=where.json",
        ),
        WhereConfig,
        "analysis.where.command:where_command",
        ("config.where:check_where", "archs.weights.torchvision:check_published"),
    ),
    "runs": Command(
        "runs",
        "the runs in runs/: how each stands, its epoch, its error, and the time that is left",
        ("cnnbench runs", "cnnbench runs format=json"),
        RunsConfig,
        "analysis.runs_table:list_runs",
        ("config.checks.analyse:check_keys",),
        bare="runs",
    ),
    "report": Command(
        "report",
        "runs beside each other and beside what is published: one HTML page, Markdown, CSV and plots",
        (
            "cnnbench report",
            "cnnbench report vgg16 resnet50",
            "cnnbench report runs/vgg16 runs/resnet50 output=vgg-resnet bench=bench.json",
        ),
        ReportConfig,
        "analysis.report.command:report_command",
        ("config.checks.analyse:check_report",),
        bare="runs",
    ),
    "look": Command(
        "look",
        "what a network has learned and what it sees in a picture: one HTML page and the pictures as PNG and SVG",
        (
            "cnnbench look run=demo image=cat.jpg",
            "cnnbench look run=vgg16 image=cat.jpg pictures=[activations,deconvolution] layer=conv4_3 unit=17",
            "cnnbench look arch=resnet50 weights=torchvision image=cat.jpg pictures=[grad_cam] target=tabby",
        ),
        LookConfig,
        "analysis.look.command:look_command",
        ("config.look:check_look", "archs.weights.torchvision:check_published"),
    ),
    "lecture": Command(
        "lecture",
        "the lecture's tables and claims, computed now, beside what was published",
        (
            "cnnbench lecture",
            "cnnbench lecture small_filters",
            "cnnbench lecture densenet_resnet plot=densenet.png",
            "cnnbench lecture all=true output=lecture",
        ),
        LectureConfig,
        "analysis.lecture.command:show_lecture",
        ("config.checks.analyse:check_lecture",),
        bare="name",
    ),
    "export": Command(
        "export",
        "write the network of a run, or of a weights file, as safetensors, ONNX or a torch.export program",
        (
            "cnnbench export run=vgg16 checkpoint=best",
            "cnnbench export arch=resnet50 weights=torchvision form=onnx output=resnet50.onnx",
        ),
        ExportConfig,
        "analysis.export.command:export_command",
        ("config.checks.analyse:check_export", "archs.weights.torchvision:check_published"),
    ),
    "convert": Command(
        "convert",
        "read a file of weights of any form (torch, Keras, numpy, ONNX, TensorFlow.js) and write it as safetensors",
        (
            "cnnbench convert resnet50.h5 arch=resnet50_v1 output=resnet50.safetensors",
            "cnnbench convert model.onnx output=model.safetensors",
        ),
        ConvertConfig,
        "analysis.export.convert:convert_command",
        ("config.checks.analyse:check_convert", "archs.weights.torchvision:check_published"),
        bare="weights",
    ),
    "data index": Command(
        "data index",
        "list a data set once and keep the list, so that every start after it is quick",
        ("cnnbench data index data=/imagenet", "cnnbench data index data=/imagenet beside=true"),
        DataIndexConfig,
        "data.commands.index:index_command",
        ("config.data_commands:check_data_index",),
    ),
    "data pack": Command(
        "data pack",
        "write a data set into one random-access file per split: smaller, faster to decode, checked when read",
        (
            "cnnbench data pack data=/imagenet output=/fast/imagenet320",
            "cnnbench data pack data=/imagenet output=/fast/imagenet256 form=raw splits=[val]",
        ),
        PackConfig,
        "data.commands.pack:pack",
        ("config.data_commands:check_pack",),
    ),
    "data check": Command(
        "data check",
        "what is wrong or odd with a data set; exit status 1 if there are problems",
        ("cnnbench data check data=/imagenet", "cnnbench data check data=/imagenet splits=[val] report=check.json"),
        CheckConfig,
        "data.commands.check:check",
        ("config.data_commands:check_check",),
    ),
    "data stats": Command(
        "data stats",
        "mean and standard deviation of the images' channels, and their sizes",
        ("cnnbench data stats data=/imagenet", "cnnbench data stats data=sample area=whole"),
        StatsConfig,
        "data.commands.stats:stats",
        ("config.data_commands:check_stats",),
    ),
    "data show": Command(
        "data show",
        "a sheet of images with the names of their classes, as a PNG file",
        (
            "cnnbench data show data=/imagenet output=sheet.png",
            "cnnbench data show data=/imagenet split=val classes=[n01440764,n01443537] count=8",
        ),
        ShowConfig,
        "data.commands.show:show",
        ("config.data_commands:check_show",),
    ),
    "data prepare": Command(
        "data prepare",
        "unpack archives, as ILSVRC's own tars, into a folder per class; training reads them packed too",
        ("cnnbench data prepare data=/downloads output=/imagenet",),
        PrepareConfig,
        "data.commands.prepare:prepare",
        ("config.data_commands:check_prepare",),
    ),
    "template": Command(
        "template",
        "write batch files for Slurm and torchrun, a Dockerfile, an Apptainer or a conda recipe",
        ("cnnbench template", "cnnbench template slurm", "cnnbench template apptainer output=containers"),
        TemplateConfig,
        "cli.template:write_template",
        ("config.shell:check_template",),
        bare="name",
    ),
    "completion": Command(
        "completion",
        "print the script that lets the shell complete commands, keys and values",
        (
            "cnnbench completion bash > ~/.local/share/bash-completion/completions/cnnbench",
            "cnnbench completion zsh > ~/.zfunc/_cnnbench",
            "cnnbench completion fish > ~/.config/fish/completions/cnnbench.fish",
        ),
        CompletionConfig,
        "cli.completion:print_script",
        ("config.shell:check_completion",),
        bare="shell",
    ),
}
