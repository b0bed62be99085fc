"""What pyproject.toml cannot say: the packages are found, conf/ is one of them, as cnnbench.conf, and the decoder in C
is built where there is a compiler."""

import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

NATIVE = Path("cnnbench", "data", "decode", "native")


class BuildLibrary(build_ext):
    """A library that is called through ctypes: it has no function by which Python would initialise it."""

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return ext.export_symbols


def library() -> Extension:
    """Optional: an installation without a compiler succeeds, and the other decoders serve."""
    return Extension(
        ".".join((*NATIVE.parts, "_library")),
        sources=sorted(map(str, NATIVE.glob("*.c"))),
        depends=sorted(map(str, NATIVE.glob("*.h"))),
        extra_compile_args=[]
        if sys.platform == "win32"
        else ["-std=c11", "-O3", "-g0", "-ffp-contract=off", "-fvisibility=hidden"],
        py_limited_api=True,  # it uses nothing of Python at all
        optional=True,
    )


setup(
    packages=[*find_packages(include=["cnnbench", "cnnbench.*"]), "cnnbench.conf"],
    package_dir={"cnnbench.conf": "conf"},
    package_data={"": ["*"], "cnnbench.conf": ["**/*.yaml"]},
    ext_modules=[library()],
    cmdclass={"build_ext": BuildLibrary},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
