"""The bundled sample: 12,000 real images of Fashion-MNIST (10 classes, 28x28, MIT licence) in ILSVRC's layout."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from cnnbench.runtime.cache import cache_folder, is_own, own_cache_folder, remove_abandoned
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import writing

ARCHIVE = Path(__file__).with_name("fashion_mnist.tar.xz")


def sample_folder() -> Path:
    """The sample's folder (train/, val/), unpacked on first use into the cache folder.

    The cache folder is $CNNBENCH_CACHE, else $XDG_CACHE_HOME/cnnbench, else ~/.cache/cnnbench. Safe when several
    processes start at once: each unpacks beside the final place, and the first to rename wins. What one that was killed
    has left is removed. UserError if the folder is not this user's own.
    """
    cache = cache_folder()
    folder = cache / f"sample-{hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()[:12]}"
    if folder.is_dir():
        if not is_own(cache) or not is_own(folder):
            raise UserError(f"the sample in {folder} is not this user's own: set CNNBENCH_CACHE, or remove that folder")
        return folder
    with writing(f"the cache folder {cache}", "set CNNBENCH_CACHE"):
        own_cache_folder()
        remove_abandoned(cache, "unpacking-*")
        scratch = Path(tempfile.mkdtemp(prefix="unpacking-", dir=cache))
    try:
        with tarfile.open(ARCHIVE) as tar:
            tar.extractall(scratch, filter="data")
        scratch.chmod(0o755)
        os.rename(scratch, folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was first
            raise UserError(f"cannot unpack the sample into {cache} ({error.strerror}): set CNNBENCH_CACHE") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder
