"""A wheel built from the tree, installed in another environment, works from another folder: the configs are inside."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_installed_wheel_trains_from_another_folder(tmp_path, small_data):
    source = tmp_path / "source"
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path / "dist"]
    run(*build, source, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").iterdir()

    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel, cwd=tmp_path)
    site = next(environment.glob("lib/python*/site-packages"))
    # torch and the rest, from the environment of the tests; an editable cnnbench there is not reachable this way
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

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
