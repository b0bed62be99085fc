"""A wheel built from the tree, installed in another environment, works from another folder: the configs are inside.

The source archive holds the whole tree and makes the same wheel.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from cnnbench.cli.commands import COMMANDS
from cnnbench.config.fields import entries
from cnnbench.data.decode.native import library

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def run(*command: object, cwd: Path, **environment: str) -> str:
    """What a command prints; `environment`: variables besides those of the tests."""
    variables = {**os.environ, **environment}
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(form: str, source: Path, output: Path, **environment: str) -> Path:
    """The archive that the tree `source` makes: `form` is wheel or sdist."""
    output.mkdir(exist_ok=True)
    code = f"import sys, setuptools.build_meta as backend; print(backend.build_{form}(sys.argv[1]))"
    return output / run(sys.executable, "-c", code, output, cwd=source, **environment).split()[-1]


def files_of_git() -> list[str]:
    """What is in the repository, or would be at the next commit."""
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    return [name for name in names if (ROOT / name).is_file()]


def test_what_commands_write_where_they_are_started_is_no_part_of_it() -> None:
    """Somebody who follows the README in the clone runs the tests afterwards."""
    schemas = [entries(command.schema) for command in COMMANDS.values()]
    written = {"runs"} | {schema["output"].default for schema in schemas if "output" in schema} - {None, "."}
    assert written > {"report", "look", "lecture", "sheet.png"}
    assert set(run("git", "check-ignore", "--no-index", *(f"{name}/" for name in written), cwd=ROOT).split()) == {
        f"{name}/" for name in written
    }


def copy_of_the_tree(folder: Path) -> Path:
    for name in files_of_git():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


LIBRARY = "cnnbench/data/decode/native/_library.abi3.so"  # not in git: it is built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the tree makes."""
    folder = tmp_path_factory.mktemp("built")
    return build("wheel", copy_of_the_tree(folder / "tree"), folder)


def test_the_wheel_holds_what_git_has_and_the_source_archive_makes_the_same(tmp_path, built):
    tracked = files_of_git()
    wheel = contents(built)
    inside = {name: f"cnnbench/{name}" if name.startswith("conf/") else name for name in tracked}
    expected = {inside[name] for name in tracked if name.startswith(("cnnbench/", "conf/"))}
    assert {name for name in wheel if ".dist-info/" not in name} - {LIBRARY} == expected
    assert {"cnnbench/py.typed", "cnnbench/conf/train.yaml", "cnnbench/conf/arch/lenet.yaml"} <= expected

    sdist = build("sdist", copy_of_the_tree(tmp_path / "other tree"), tmp_path)
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert {*tracked} <= held
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    second = contents(build("wheel", unpacked, tmp_path / "second"))
    assert {name: content for name, content in second.items() if ".dist-info/RECORD" not in name} == {
        name: content for name, content in wheel.items() if ".dist-info/RECORD" not in name
    }


def test_without_a_compiler_the_wheel_is_the_same_but_for_the_library(tmp_path, built):
    """One wheel for every Python from 3.10 on, as the library uses nothing of Python."""
    tree = copy_of_the_tree(tmp_path / "tree")
    none = build("wheel", tree, tmp_path / "none", CC=str(tmp_path / "none/gcc"))
    assert "-cp310-abi3-" in none.name
    assert LIBRARY not in contents(none)
    if library.load() is not None:  # there is a compiler here
        assert {*contents(built)} == {*contents(none), LIBRARY}


def test_installed_wheel_trains_from_another_folder(tmp_path, small_data, built):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", built, cwd=tmp_path)
    site = next(environment.glob("lib/python*/site-packages"))
    # torch and the rest, from the environment of the tests; an editable cnnbench there is not reachable this way
    (site / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = run(python, "-c", "import cnnbench, cnnbench.conf; print(cnnbench.conf.__path__[0])", cwd=elsewhere)
    assert where.startswith(str(site))
    out = run(
        environment / "bin/cnnbench", "train", "arch=lenet", "recipe=quick", "epochs=1", "batch=12",
        f"data={small_data}", "run=x", cwd=elsewhere,
    )  # fmt: skip
    assert "top-1" in out
    assert (elsewhere / "runs/x/result.json").exists()
    conf = ROOT / "conf"
    values = {file.relative_to(conf): file.read_bytes() for file in conf.rglob("*.yaml")}
    assert {file: (Path(where.strip()) / file).read_bytes() for file in values} == values
    text = run(environment / "bin/cnnbench", "train", "--help", cwd=elsewhere)
    for group in ("arch", "augment", "optimizer", "recipe", "schedule"):
        options = {file.stem for file in (ROOT / "conf" / group).glob("*.yaml")}
        assert all(option in text for option in options)
