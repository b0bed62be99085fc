"""The command: help, versions, and every mistake answered in one line with exit status 2."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cnnbench import __version__
from cnnbench.cli import main as cli

# Words after `cnnbench`, and what the one line has to say.
MISTAKES = [
    ("trian", "did you mean train"),
    ("eval archs=[lenet]", "unknown key 'archs', did you mean arch"),
    ("train epochz=3", "did you mean epochs"),
    ("train lr=0.1", "did you mean optimizer.lr"),
    ("train +foo=1", "unknown key 'foo'"),
    ("train augment.flop.p=1", "'augment.flop.p', did you mean augment.flip.p or augment.flip or augment.pca.p?"),
    ("train optimizer.momentun=0.9", "did you mean optimizer.momentum"),
    ("train arch.options.inti=paper", "did you mean arch.options.init"),
    ("train arch=vgg61", "did you mean vgg"),
    ("train recipe=quikc", "did you mean quick"),
    ("train optimizer=adamm", "optimizer has no option 'adamm'"),
    ("train optimizer=resnet", "choose one of adam, adamw, caffe_sgd, lamb"),
    ("train schedule.kind=cosin", "did you mean cosine"),
    ("train epochs=two", "epochs=two is not possible: it takes a whole number"),
    ("train optimizer.lr=fast", "optimizer.lr=fast is not possible: it takes a number"),
    ("train epochs", "'='"),
    ("train run=[1", "cannot read"),
    ("train --foo", "unknown option '--foo'"),
    ("train --cfg jobs", "--cfg takes one of"),
    ("train label_smoothing=1.5", "below 1"),
    ("train label_smoothing=nan", "below 1"),
    ("train batch=63 processes=2", "batch=64"),
    ("train batch=0", "at least 1"),
    ("train epochs=-1", "at least 1"),
    ("train arch.dropout=1", "below 1"),
    ("train arch=alexnet image_size=62", "at least 63"),
    ("train arch=vgg16 image_size=31", "at least 32"),
    ("train data=/no/such/folder", "there is no such folder"),
    ("train weights=/no/such/file.pt", "there is no such file"),
    ("train augment.order=[crop,flop]", "did you mean flip"),
    ("train augment.order=[flip]", "'crop' exactly once"),
    ("train augment.crop.scale=[0.5,0.1]", "not a range"),
    ("train augment.device=gpu augment.order=[shift,crop,flip]", "move crop before shift"),
    ("train augment.clahe.clip_limit=0", "above 0"),
    ("train augment.order=[crop,mixup]", "takes no 'mixup'"),
    ("train augment=modern augment.device=gpu", "has no policies"),
    ("train recipe=vgg arch=vgg16 augment.crop.short_side=[200,512]", "give at least 224"),
    ("train augment.crop.kind=ten_fixed augment.flip.p=0", "needs augment.flip.p=0.5"),
    ("train augment.erase.scale=[0.3,1.2]", "not a range"),
    ("train augment.erase.ratio=[3.3,0.3]", "augment.erase.ratio=[3.3, 0.3] is not a range"),
    ("train augment.mixup.alpha=0", "above 0"),
    ("train augment.cutmix.p=1.5", "at most 1"),
    ("train augment=modern augment.policy.magnitude=7", "does nothing with augment.policy.kind=trivialaugment"),
    ("train augment.policy.kind=autoagument", "did you mean autoaugment"),
    ("train augment.repeats=0", "at least 1"),
    ("data show data=sample draws=0", "at least 1"),
    ("train schedule.warmup_epochs=1000", "more than epochs=20: give at most schedule.warmup_epochs=20"),
    ("train recipe=a1 arch=resnet18 epochs=1", "more than epochs=1"),
    ("train arch=resnet18 recipe=modern epochs=5", "past the end of epochs=5"),
    ("train seed=0,1", "add --multirun"),
    ("train -m seed=0,1 label_smoothing=0.1,1.5", "label_smoothing=1.5"),
    ("train -m accumulate=2 batch=10,11", "batch=11 does not split evenly"),
    ("train recipe=modern batch=8 accumulate=8 processes=1", "would mix with itself: use batch=16"),
    (
        "train ladder=inception_v3 step=rmsprop arch=vgg16",
        "leave recipe= and arch= out, which ladder=",
    ),
    ("describe recipe=paper", "name the network too"),
    ("train precision=fp16 device=cpu", "needs a GPU"),
    ("train optimizer.nesterov=true optimizer.momentum=0", "momentum above 0"),
    ("train optimizer=adamw optimizer.momentum=0.9", "does nothing with optimizer.kind=adamw, only with sgd"),
    ("train average=emma", "did you mean ema"),
    ("train loss=bse", "did you mean bce"),
    ("eval", "nothing to evaluate"),
    ("eval arch=lenet weights=a.pt data=sample weights_kind=averaged", "give run=NAME"),
    ("eval run=nope", "there is no run in runs/nope"),
    ("eval run=a arch=lenet", "exclude each other"),
    ("eval arch=lenet", "nothing to evaluate"),
    ("eval arch=lenet weights=torchvision data=sample", "torchvision has no weights of lenet; it has those of alexnet"),
    ("data", "there are data"),
    ("data pakc", "did you mean data pack"),
    ("data pack data=sample", "output is missing"),
    ("data pack output=a", "data is missing"),
    ("data pack data=sample output=a form=raw quality=101", "at most 100"),
    ("data pack data=sample output=a form=original short_side=320", "takes no short_side"),
    ("data check data=sample splits=[vla]", "did you mean val"),
    ("data show data=sample output=a.jpg", "needs the ending .png"),
    ("data stats data=sample crop_ratio=0", "above 0"),
    ("data check data=sample report=no/a.json", "report=no/a.json cannot be written: there is no folder"),
    ("data pack data=sample output=/bin/sh", "output=/bin/sh is a file: give output=FOLDER"),
    ("eval run=a output=no/a.json", "output=no/a.json cannot be written: there is no folder"),
    ("eval run=a output=/dev/null", "output=/dev/null is a device or a pipe"),
    ("eval run=a details=/bin/sh", "details=/bin/sh is a file: give details=FOLDER"),
    ("compare a b output=no/a.json", "output=no/a.json cannot be written"),
    ("compare a b sheet=no/a.png", "sheet=no/a.png cannot be written"),
    ("corruptions run=a output=no/a.json", "output=no/a.json cannot be written"),
    ("where run=a output=no/a.json", "output=no/a.json cannot be written"),
    ("predict run=a a.jpg output=no/a.csv", "output=no/a.csv cannot be written"),
    ("predict run=a a.jpg sheet=no/a.png", "sheet=no/a.png cannot be written"),
    ("features run=a layer=fc output=no/a.npy", "output=no/a.npy cannot be written"),
    ("probe run=a layer=fc data=sample output=no/a.json", "output=no/a.json cannot be written"),
    ("verify run=a output=no/a.json", "output=no/a.json cannot be written"),
    ("look run=a image=a.jpg output=/bin/sh/look", "output=/bin/sh/look cannot be made"),
    ("report output=/bin/sh", "output=/bin/sh is a file: give output=FOLDER"),
    ("describe recipe=quick plot=no/a.png", "plot=no/a.png cannot be written"),
    ("lecture densenet_resnet plot=no/a.png", "plot=no/a.png cannot be written"),
    ("lecture all=true output=/bin/sh", "output=/bin/sh is a file: give output=FOLDER"),
    ("lecture wide_resnet image_size=16", "image_size=16 is out of range: it must be at least 17"),
    ("lecture wide_resnet device=xpu", "device=xpu, but torch sees no GPU of that kind"),
    ("lecture reduction map_side=257", "at most 256"),
    ("lecture localisation plot=a.png", "lecture localisation has no picture"),
    ("bench what=model arch=lenet output=/bin/sh/a.json", "output=/bin/sh is a file"),
    ("template slurm output=/bin/sh", "output=/bin/sh is a file"),
    ("export", "nothing to export"),
    ("export arch=lenet", "nothing to export"),
    ("export run=nope", "there is no run in runs/nope"),
    ("export run=a weights=b", "exclude each other"),
    ("export run=a num_classes=5", "exclude each other"),
    ("export run=a form=onx", "did you mean onnx"),
    ("export run=a form=onnx output=a.safetensors", "needs the ending .onnx"),
    ("export arch=resnet18 weights=/no/such/file.pt", "there is no such file"),
    ("export arch=resnet18 weights=torchvision num_classes=0", "at least 1"),
    ("export arch=resnet18 weights=torchvision image_size=16", "at least 17"),
    ("export arch=resnet18 weights=torchvision:V3", "no weights V3 of resnet18: choose one of IMAGENET1K_V1"),
]


@pytest.mark.parametrize(("words", "hint"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistake_is_one_line_and_exit_status_2(command, tmp_path, words, hint):
    done = command(*words.split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("cnnbench: ")
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr
    assert not list(tmp_path.iterdir()), "a mistake leaves nothing behind"


def test_a_launchers_number_of_processes_is_not_overruled(command, monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "4", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    for words in ("train processes=2", "eval arch=lenet weights=a.pt data=sample processes=2"):
        done = command(*words.split())
        assert (done.returncode, done.stdout) == (2, "")
        assert "processes=2, but the launcher has started 4: leave processes= out" in done.stderr


@pytest.mark.parametrize(
    ("environment", "words", "hint"),
    [
        ({"RANK": "1"}, "train epochz=3", "did you mean epochs"),
        ({"RANK": "1", "WORLD_SIZE": "1"}, "train epochz=3", "did you mean epochs"),
        ({"RANK": "1"}, "train recipe=quick", "RANK is set, but WORLD_SIZE and MASTER_ADDR and MASTER_PORT are not"),
        ({"WORLD_SIZE": "8"}, "eval arch=lenet weights=a.pt data=sample", "WORLD_SIZE is set, but RANK and"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "train recipe=quick -m seed=1,2", "but MASTER_ADDR and MASTER_PORT are not"),
        ({"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"}, "train recipe=quick", "SLURM_JOB_ID is not"),
        ({"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "two"}, "train recipe=quick", "SLURM_STEP_NUM_TASKS=two"),
    ],
)
def test_an_environment_that_is_left_over_is_never_answered_by_silence(command, monkeypatch, environment, words, hint):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = command(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cnnbench: ")
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr


def test_one_of_a_group_leaves_the_sentence_to_the_first(command, monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert "did you mean epochs" in command("train", "epochz=3").stderr, "nobody is known to have started the others"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job")
    done = command("train", "epochz=3")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_a_file_of_ones_own_says_which_network_it_is_for(command, tmp_path):
    (tmp_path / "mine/arch").mkdir(parents=True)
    file = tmp_path / "mine/arch/deeper.yaml"
    file.write_text("defaults: [resnet20]\n")
    words = ("describe", "--config-dir=mine", "arch=deeper")
    said = "unknown network 'deeper'; a file of your own for one that is known says which, as in name: resnet50"
    assert command(*words).stderr == f"cnnbench: {said}\n"
    file.write_text("defaults: [resnet20]\nname: resnet20\n")
    assert "269,722" in command(*words).stdout


def test_a_user_without_a_home_folder_is_told_what_to_set(command, monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user whom the system does not know
    done = command("train", "recipe=quick", "weights='~/w.pth'")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cnnbench: this user has no home folder: set HOME, or use paths without ~\n"
    monkeypatch.delenv("CNNBENCH_CACHE")
    done = command("train", "recipe=quick")
    assert done.stderr == "cnnbench: this user has no home folder for caches: set CNNBENCH_CACHE\n"


def test_a_sweep_of_hydras_own_words_is_left_to_hydra(command, tmp_path):
    """Choices by pattern, a folder of one's own, and values that only a job knows."""
    (tmp_path / "mine/arch").mkdir(parents=True)
    (tmp_path / "mine/arch/own.yaml").write_text("defaults: [lenet]\nname: lenet\n")
    for words in (
        ["arch=glob(lenet*)"],
        ["--config-dir", "mine", "arch=own"],
        ["arch=lenet", "plot=${hydra:job.num}.png"],
    ):
        done = command("describe", "recipe=lenet", "-m", *words)
        assert (done.returncode, "full rate" in done.stdout) == (0, True), done.stderr
    assert (tmp_path / "0.png").exists()


def test_a_sweep_that_is_done_is_shown_on_any_hardware(command, small_data):
    words = ("train", "-m", f"data={small_data}", "recipe=quick", "epochs=1", "batch=10", "data.workers=0", "run=s")
    assert command(*words).returncode == 0
    done = command(*words, "processes=3")
    assert (done.returncode, "already complete" in done.stdout) == (0, True), done.stderr


def test_a_folder_of_runs_is_no_run(command, tmp_path):
    for job in ("0", "1"):
        (tmp_path / "runs/sweep" / job).mkdir(parents=True)
        (tmp_path / "runs/sweep" / job / "config.yaml").touch()
    for words in ("eval run=sweep", "verify run=sweep"):
        assert "runs/sweep is a folder of runs: name one, as in run=runs/sweep/0" in command(*words.split()).stderr
    assert "no run in runs/sweeq" in (said := command("eval", "run=sweeq").stderr)
    assert "did you mean" not in said


def test_a_process_of_its_own_says_the_same(cnnbench, command):
    for words in ("trian", "train epochz=3"):
        real, here = cnnbench(*words.split()), command(*words.split())
        assert (real.returncode, real.stdout, real.stderr) == (here.returncode, here.stdout, here.stderr)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("train data={0}/empty", "no train/ folder"),
        ("train data={0}/file", "is a file"),
        ("train data={0}/no_classes", "no class folders"),
        ("train data={0}/no_images", "no images"),
        ("train data={0}/other_class", "class 'dog'"),
        ("train data={0}/broken batch=1 recipe=quick data.max_bad=0", "broken/train/cat/a.png"),
        ("train data={0}/other_class/train", "no train/ folder"),
        ("train batch=10001", "more than the 10000 training images"),
        ("train arch.options.init=zero", "no initialisation 'zero'"),
        ("train arch=resnet50 arch.options.stride_in=5x5", "choose one of 3x3, 1x1"),
        ("train arch=lenet arch.stochastic_depth=0.5", "lenet has no option 'stochastic_depth'"),
        ("eval arch=lenet data=sample weights={0}/file", "cannot be read as weights"),
        ("eval arch=lenet data={0}/bad weights={0}/lenet.pt", "in the file"),
        ("eval arch=resnet18 data={0}/bad weights={0}/lenet.pt", "does not fit ResNet: it lacks"),
        ("eval arch=resnet18 data={0}/bad weights={0}/lenet.pt", "it looks like lenet"),
        ("eval arch=lenet data={0}/bad weights={0}/cut.pt", "cut short or damaged"),
        (
            "eval arch=lenet data={0}/bad weights={0}/module.pt",
            "its classifier output has 10 classes in the file and 1 in",
        ),
        ("train arch=resnet18 data={0}/bad weights={0}/lenet.pt batch=1 epochs=1", "it looks like lenet"),
    ],
)
def test_wrong_data_and_weights(command, tmp_path, small_data, words, hint):
    import torch

    from cnnbench.archs.registry import build

    root = tmp_path / "data"
    for folder in ("empty", "no_classes/train", "no_classes/val", "no_images/train/cat", "no_images/val/cat"):
        (root / folder).mkdir(parents=True)
    for folder in (
        *("other_class/train/cat", "other_class/val/dog", "broken/train/cat"),
        *("broken/val/cat", "bad/train/cat", "bad/val/cat"),
    ):
        (root / folder).mkdir(parents=True)
        (root / folder / "a.png").write_bytes(next((small_data / "val/bag").iterdir()).read_bytes())
    broken = root / "broken/train/cat/a.png"
    broken.write_bytes(broken.read_bytes()[:200])  # the header is whole, the pixels are not
    (root / "other_class/train/val_images").mkdir()
    (root / "file").write_text("not weights")
    torch.save(build("lenet", 10).state_dict(), root / "lenet.pt")
    torch.save(build("lenet", 10), root / "module.pt")
    (root / "cut.pt").write_bytes((root / "lenet.pt").read_bytes()[:5000])
    done = command(*words.format(root).split(), "data.workers=1")
    assert done.returncode == 2, done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    started = hint.startswith("broken/")  # an image that cannot be decoded is found while training
    assert len(list((tmp_path / "runs").glob("*"))) == started, "a run that did not begin leaves no folder"


def test_help_and_version(cnnbench, command):
    assert cnnbench("--version").stdout == f"cnnbench {__version__}\n"
    overview = command("--help").stdout
    assert "train" in overview
    assert "eval" in overview
    text = command("train", "--help", "arch=alexnet").stdout
    for word in ("arch.name=alexnet", "lrn=paper", "batch=", "GLOBAL", "resnet50", "simple90", "--multirun"):
        assert word in text


def test_every_key_has_help():
    from cnnbench.cli.commands import COMMANDS
    from cnnbench.config.fields import entries

    for command in COMMANDS.values():
        for name, item in entries(command.schema).items():
            assert item.metadata.get("help"), name


def test_fast_paths_do_not_import_torch(cache):
    script = (
        "import sys; from cnnbench.cli.main import main\n"
        "for words in ('--help', '--version', 'train --help', 'train --cfg job', 'train epochz=3'):\n"
        "    try: main(words.split())\n"
        "    except SystemExit: pass\n"
        "    assert 'torch' not in sys.modules, f'torch was imported: {words}'"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_cfg_job_prints_the_resolved_config(command, tmp_path):
    done = command("train", "arch=vgg16", "data=/imagenet", "--cfg", "job")
    assert "path: /imagenet" in done.stdout
    assert "lr: 0.01" in done.stdout  # interpolated from the network's file
    assert "${" not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--help"], ["train", "--cfg", "job"], ["trian"]])
def test_a_reader_that_has_had_enough_ends_a_command_quietly(words, monkeypatch, capfd):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        monkeypatch.setattr(sys, "stderr", output)
        with pytest.raises(SystemExit) as left:
            cli.main(words)
    assert left.value.code == 141
    assert capfd.readouterr() == ("", "")


def test_a_pipe_to_somebody_else_that_breaks_is_told(monkeypatch):
    def breaks(_words: list[str]) -> None:
        raise BrokenPipeError("a worker is gone")

    monkeypatch.setattr(cli, "_run", breaks)
    with pytest.raises(BrokenPipeError, match="a worker"):
        cli.main([])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("optimizer.lr=-1", "optimizer.lr=-1.0 is out of range"),
        ("batch=7 accumulate=2", "use batch=8"),
        ("schedule.kind=x", "schedule.kind=x is unknown"),
        ("label_smoothing=1 --package optimizer", "label_smoothing=1.0 is out of range"),
        ("schedule.warmup_start=0.1 schedule.warmup_epochs=0", "acts only with schedule.warmup_epochs above 0"),
    ],
)
def test_cfg_job_refuses_what_cannot_work(words, said, command):
    done = command("train", "arch=lenet", *words.split(), "--cfg", "job")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
