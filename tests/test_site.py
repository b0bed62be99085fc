"""The site is built without a warning, so that every link and anchor of the pages leads somewhere; docs/conf.py."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "# Front\n\n[a](docs/a.md#first-part)\n",
    "docs/README.md": "# All\n\n## Group\n\n- [Front](../README.md)\n- [A](a.md)\n",
    "docs/a.md": "# A\n\n## First part\n\n[back](../README.md), [code](../code.py)\n",
    "code.py": "",
}

build = pytest.importorskip("sphinx.cmd.build", reason="needs pip install 'cnnbench[docs]'")
pytest.importorskip("furo")
pytest.importorskip("myst_parser")
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*Sphinx:PendingDeprecationWarning", "ignore:.*Sphinx:DeprecationWarning"
)


def built(root: Path, output: Path, builder: str) -> int:
    words = ["-W", "--keep-going", "-q", "-b", builder, "-c", root / "docs", "-d", output / "read"]
    return build.main([*map(str, [*words, root, output / "site"])])


@pytest.mark.slow
def test_the_site(tmp_path, capsys):
    assert built(ROOT, tmp_path, "html") == 0, capsys.readouterr().err
    front = (tmp_path / "site/README.html").read_text()
    for page in ROOT.glob("docs/*.md"):
        assert f'href="docs/{page.stem}.html"' in front
    captions = re.findall(r'class="caption-text">(.*?)<', front)
    assert captions == re.findall(r"^## (.*)", (ROOT / "docs/README.md").read_text(), re.M)
    assert "evaluate" in (tmp_path / "site/docs/python.html").read_text().partition("Reference")[2]
    assert "README.html" in (tmp_path / "site/index.html").read_text()


@pytest.mark.parametrize(
    ("page", "more", "said"),
    [
        ("docs/a.md", "[good](../README.md)", ""),
        ("docs/a.md", "[x](b.md)", "b.md"),
        ("README.md", "[x](docs/a.md#second-part)", "second-part"),
        ("docs/a.md", "[x](#nowhere)", "nowhere"),
        ("docs/a.md", "[x](../no_code.py)", "no_code.py"),
        ("docs/b.md", "# Not on the list", "toctree"),
    ],
    ids=["nothing wrong", "page", "anchor", "anchor of its own", "file", "page not listed"],
)
def test_a_link_that_leads_nowhere_is_an_error(page, more, said, tmp_path, capsys):
    root = tmp_path / "root"
    for name, text in PAGES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    shutil.copytree(ROOT / "docs/site", root / "docs/site")
    shutil.copy(ROOT / "docs/conf.py", root / "docs")
    with open(root / page, "a") as file:
        file.write(f"\n{more}\n")
    assert built(root, tmp_path, "dummy") == (1 if said else 0)
    errors = capsys.readouterr().err
    assert said in errors
    assert bool(errors) == bool(said)
