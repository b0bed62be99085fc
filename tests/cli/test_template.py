"""`cnnbench template`: the files lie in the package, are written as they are, and bash reads them."""

from __future__ import annotations

import subprocess
from importlib.resources import files

import pytest

from cnnbench.cli.template import FILES
from cnnbench.config.shell import TEMPLATES

FOLDER = files("cnnbench.cli.templates")


def test_every_file_of_the_package_belongs_to_a_template():
    there = {entry.name for entry in FOLDER.iterdir()} - {"__init__.py", "__pycache__"}
    assert there == {name for names in FILES.values() for name in names}
    assert set(FILES) == set(TEMPLATES)


@pytest.mark.parametrize("name", FILES)
def test_a_template_is_written_once(command, tmp_path, name):
    done = command("template", name, "output=here")
    assert (done.returncode, done.stderr) == (0, "")
    for file in FILES[name]:
        assert (tmp_path / "here" / file).read_text() == FOLDER.joinpath(file).read_text()
        assert f"here/{file}: " in done.stdout
    again = command("template", name, "output=here")
    assert again.returncode == 2
    assert "is there already: give output=FOLDER" in again.stderr


def test_without_a_name_they_are_listed(command, tmp_path):
    assert all(name in command("template").stdout for name in FILES)
    assert not list(tmp_path.iterdir())
    assert "did you mean slurm" in command("template", "slurmm").stderr
    assert "acts only with a template" in command("template", "output=here").stderr


@pytest.mark.parametrize("name", [name for names in FILES.values() for name in names if name.endswith(".sbatch")])
def test_a_batch_file_passes_its_cores_on_and_takes_a_container(name):
    text = FOLDER.joinpath(name).read_text()
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    assert 'export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"' in text
    (step,) = [line for line in text.splitlines() if line.startswith("srun ")]
    assert '"${container[@]}"' in step
