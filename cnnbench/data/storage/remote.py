"""Files behind URLs (http, https, s3 and what else fsspec knows): sizes, listings, and ranges of bytes.

fsspec and the packages of `cnnbench[remote]` do the work; here are the retries and the sentences for what goes wrong.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from cnnbench.config.data import without_secrets
from cnnbench.runtime.errors import UserError, reason

PAUSES = (0.5, 1, 2, 4)  # seconds before each further try
PERMANENT = (FileNotFoundError, PermissionError, ImportError, ValueError)
RETRIED_STATUSES = (408, 429)  # of HTTP's 4xx, those that pass by themselves: time-out, too many requests
GONE = (404, 410)
REDIRECTS = {  # what aiohttp raises, and what to say of it: it gives an address alone, or nothing
    "TooManyRedirects": "its redirects lead from one to the next without an end",
    "NonHttpUrlRedirectClientError": "a redirect is refused: it leads to neither http nor https",
    "InvalidUrlRedirectClientError": "a redirect is refused: it leads to no address",
}

Result = TypeVar("Result")


def is_remote(path: str) -> bool:
    return "://" in path


def info(url: str) -> dict[str, Any]:
    """What the server says of `url`: "size" in bytes, and mostly "ETag" or a time of change."""
    try:
        found = _patiently(url, lambda: _filesystem(url).info(_asked(url)))
    except FileNotFoundError as error:
        raise UserError(f"{url}: there is no such file") from error
    if found.get("size") is None:
        raise UserError(f"{url}: the server does not say its size, which reading parts of it needs")
    return found


def exists(url: str) -> bool:
    try:
        return _patiently(url, lambda: bool(_filesystem(url).info(_asked(url))))
    except FileNotFoundError:
        return False


def list_folder(url: str) -> list[str]:
    """The URLs of what lies in the folder `url` (for http: what its page links to), sorted; [] if there is none."""
    files = _filesystem(url)
    try:
        names = _patiently(url, lambda: files.ls(url.rstrip("/") + "/", detail=False))
    except FileNotFoundError:
        return []
    return sorted(files.unstrip_protocol(name) for name in names)


def read_ranges(urls: list[str], offsets: list[int], lengths: list[int]) -> list[bytes]:
    """`lengths[i]` bytes at `offsets[i]` of `urls[i]`, fetched at the same time; what fails is tried again."""
    contents: dict[int, bytes] = {}

    def fetch_missing() -> None:
        missing = [i for i in range(len(urls)) if i not in contents]
        ends = [offsets[i] + lengths[i] for i in missing]
        fetched = _filesystem(urls[0]).cat_ranges(
            [_asked(urls[i]) for i in missing], [offsets[i] for i in missing], ends, on_error="return"
        )
        contents.update((i, content) for i, content in zip(missing, fetched, strict=True) if isinstance(content, bytes))
        for error in fetched:
            if isinstance(error, BaseException):
                raise error

    try:
        _patiently(urls[0], fetch_missing)
    except FileNotFoundError as error:
        gone = without_secrets(str(error.args[0])) if error.args else urls[0]
        raise UserError(f"{gone.removesuffix('?***')} is not there (any more)") from error
    for i, length in enumerate(lengths):
        if len(contents[i]) > length:
            raise UserError(f"{urls[i]}: the server does not honour ranges of bytes, which reading shards needs")
        if len(contents[i]) < length:
            raise UserError(f"{urls[i]} is cut short: it ends before byte {offsets[i] + length:,}")
    return [contents[i] for i in range(len(urls))]


def _asked(url: str) -> str:
    """`url` as the server is asked for it: with the query of the environment, a token, which is written nowhere."""
    query = os.environ.get("CNNBENCH_URL_QUERY", "").lstrip("?")
    return f"{url}?{query}" if query and url.startswith(("http://", "https://")) else url


def _patiently(url: str, action: Callable[[], Result]) -> Result:
    """`action`'s result, tried again with longer and longer pauses; FileNotFoundError passes, others as UserError."""
    for pause in (*PAUSES, None):
        try:
            return action()
        except UserError:
            raise
        except Exception as error:  # each kind of server has exceptions of its own
            cause = _cause(error)
            if isinstance(cause, UserError):
                raise cause from None
            if isinstance(cause, FileNotFoundError):
                raise cause from None
            if pause is None or not _may_pass(cause):
                said = REDIRECTS.get(type(cause).__name__) or reason(cause)
                raise UserError(f"{url} cannot be read: {without_secrets(said)}") from error
        time.sleep(pause)
    raise AssertionError


def _cause(error: Exception) -> Exception:
    """What is wrong: fsspec's info() calls everything a FileNotFoundError, also a server that cannot be reached."""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) else None
    return cause if isinstance(cause, Exception) and getattr(cause, "status", None) not in GONE else error


def _may_pass(error: Exception) -> bool:
    status = getattr(error, "status", None)
    client_error = isinstance(status, int) and 400 <= status < 500 and status not in RETRIED_STATUSES
    return not isinstance(error, PERMANENT) and not client_error


def _filesystem(url: str) -> Any:
    return _process_filesystem(url.partition("://")[0], os.getpid())


@lru_cache
def _process_filesystem(protocol: str, process: int) -> Any:
    """fsspec's file system; a forked process needs its own, since connections and the event loop stay behind."""
    try:
        import fsspec

        return fsspec.filesystem(protocol, **_options(protocol))
    except ImportError as error:
        raise UserError(f"reading {protocol}:// needs more packages: pip install 'cnnbench[remote]'") from error
    except ValueError as error:
        raise UserError(f"{protocol}:// is not a kind of address that can be read: {reason(error)}") from error


def _options(protocol: str) -> dict[str, Any]:
    if protocol not in ("http", "https"):
        return {}
    from cnnbench.data.storage.http import client

    return {"get_client": client}
