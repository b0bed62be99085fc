"""Where Hydra finds the files of networks that other packages add: in the folder `conf` beside their module."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from cnnbench.cli.options import conf_packages


class OtherPackages(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for package in conf_packages()[1:]:
            search_path.append(provider=package, path=f"pkg://{package}")


def register() -> None:
    """Make the other packages' files known to Hydra."""
    Plugins.instance().register(OtherPackages)
