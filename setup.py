"""What pyproject.toml cannot say: the packages are found, and conf/ is one of them, as cnnbench.conf."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["cnnbench", "cnnbench.*"]), "cnnbench.conf"],
    package_dir={"cnnbench.conf": "conf"},
    package_data={"": ["*"], "cnnbench.conf": ["**/*.yaml"]},
)
