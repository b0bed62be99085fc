"""The site: `make site`, which is `sphinx-build -W -c docs . build/site`. The pages are those that GitHub shows.

The front page is the README, and the navigation is the list of docs/README.md: a page that is not on it, a link that
leads nowhere and an anchor that no heading has are warnings, and these are errors.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath
from typing import Any

ROOT = Path(__file__).parents[1]
CONTENTS = "docs/README"

project = "cnnbench"
copyright = "the cnnbench developers, MIT licence"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "cnnbench"
html_static_path = ["site"]
html_css_files = ["wide.css"]
html_extra_path = ["site/index.html"]  # leads to README.html
html_show_sphinx = False
html_show_sourcelink = False
html_copy_source = False

root_doc = "README"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"]
exclude_patterns = [path.name for path in ROOT.iterdir() if path.name != "docs" and path.suffix != ".md"]

myst_heading_anchors = 3
highlight_language = "none"  # an indented block is a command, or what one printed
default_role = "code"  # a name between single backticks, as docstrings have it
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"


def navigation(contents: str) -> str:
    """The headings of the list of pages `contents`, each with its links, as tables of contents that are not shown."""
    blocks = []
    for section in contents.split("\n## ")[1:]:
        links = re.findall(r"^- \[(.*?)\]\((.*?)\)", section, re.M)
        pages = [f"{title} </{normpath(f'docs/{link}').removesuffix('.md')}>" for title, link in links]
        lines = [f"All pages </{CONTENTS}>" if page.endswith(f"</{root_doc}>") else page for page in pages]
        title = section.splitlines()[0]
        blocks.append("\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *lines, "```"]))
    return "\n\n".join(blocks)


def add_what_github_would_not_show(app: Any, name: str, text: list[str]) -> None:
    """Behind the front page, the navigation; behind the page on Python, the reference from the docstrings."""
    if name == root_doc:
        contents = ROOT / f"{CONTENTS}.md"
        app.env.note_dependency(str(contents))  # the front page is read again when the list changes
        text[0] += "\n\n" + navigation(contents.read_text())
    if name == "docs/python":
        text[0] += "\n\n## Reference\n\n```{eval-rst}\n.. automodule:: cnnbench.api\n   :members:\n```\n"


def setup(app: Any) -> None:
    app.connect("source-read", add_what_github_would_not_show)
