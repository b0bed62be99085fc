"""Data sets, and files about them, that are not there are refused before anything starts."""

from __future__ import annotations

import os

import pytest

from cnnbench.config.data import MISSING, DataConfig, check_data_path, check_file, check_source
from cnnbench.runtime.errors import UserError


def test_an_empty_path_is_no_path():
    with pytest.raises(UserError, match=MISSING):
        check_source(DataConfig(path=""))


def test_a_device_is_no_data_set():
    with pytest.raises(UserError, match="data=/dev/null is neither a folder nor a file: give the folder"):
        check_data_path(os.devnull)


def test_a_folder_in_place_of_a_file_is_called_one(tmp_path):
    with pytest.raises(UserError, match=r"labels=.* is a folder: give the file in it"):
        check_file("labels", str(tmp_path))
