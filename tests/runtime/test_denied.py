"""Memory, threads and files that the system denies are one sentence that says which limit to raise."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cnnbench.runtime.denied import denial, granted
from cnnbench.runtime.errors import UserError

NUMPYS = "\n\nIMPORTANT: PLEASE READ THIS\n\nOriginal error was: x.so: cannot map: Cannot allocate memory\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), r"\(libtorch_cpu.so: .*ulimit -v"),
        (ImportError(NUMPYS), r"not given .* \(Original error was: x.so: cannot map: Cannot allocate memory\): raise"),
        (OSError(12, "Cannot allocate memory", "file"), "not given the memory .*'file'.*ulimit -v"),
        (MemoryError(), "not given the memory"),
        (MemoryError("Unable to allocate 4.00 GiB"), "Unable to allocate 4.00 GiB"),
        (RuntimeError("can't start new thread"), r"no further thread or process \(can't start new thread\).*ulimit -u"),
        (BlockingIOError(11, "Resource temporarily unavailable"), "no further thread or process .*ulimit -u"),
        (OSError(24, "Too many open files"), "no further file .*ulimit -n"),
    ],
)
def test_what_is_denied_is_one_sentence_with_the_limit(error, said):
    with pytest.raises(UserError, match=said), granted():
        raise error


@pytest.mark.parametrize("error", [OSError(2, "No such file"), ValueError("can't start new thread"), UserError("x")])
def test_other_errors_stay(error):
    assert denial(error) is None
    with pytest.raises(type(error)) as raised, granted():
        raise error
    assert raised.value is error


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit is not kept")
def test_a_limit_that_torch_does_not_fit_into_is_one_sentence():
    limited = (
        "import resource; from cnnbench.cli.main import main; limit = 300 << 20; "
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit)); main(['describe', 'arch=lenet'])"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cnnbench: this process is not given the memory that it needs (")
    assert done.stderr.count("\n") == 1
