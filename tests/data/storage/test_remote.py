"""Shards behind a real HTTP server that honours ranges: the same samples in the same order, and what may go wrong."""

from __future__ import annotations

import asyncio
import builtins
import multiprocessing
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import fsspec
import pytest
from archives import assert_same, make_folders, make_shards

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.read import read_split
from cnnbench.data.storage import http, remote
from cnnbench.runtime.errors import UserError

pytestmark = pytest.mark.slow


class Handler(SimpleHTTPRequestHandler):
    """Python's own server, with the ranges that it lacks and the faults that a test asks for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        if self.server.faults > 0:
            self.server.faults -= 1
            return self.send_error(503)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if to := self.server.moved:
            self.send_response(302)
            self.send_header("Location", to if to.count("/") > 2 else to + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        self.server.authorised.append(self.headers.get("Authorization"))
        if not wanted or not path.is_file() or not self.server.ranges:
            return super().do_GET()
        first, last = map(int, wanted.groups())
        part = path.read_bytes()[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{path.stat().st_size}")
        self.end_headers()
        self.wfile.write(part)
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Serves tmp_path / "served"; its cache of shards is empty."""
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01))
    with serving(tmp_path / "served", "127.0.0.1") as served:
        yield served


@contextmanager
def serving(folder: Path, address: str) -> Iterator[ThreadingHTTPServer]:
    """A server of the files in `folder`, which counts what it is asked for."""
    served = ThreadingHTTPServer((address, 0), partial(Handler, directory=str(folder)))
    served.asked, served.faults, served.ranges = Counter(), 0, True
    served.moved, served.authorised = None, []
    served.handle_error = lambda *_: None  # of a client that has heard enough
    served.url = f"http://{address}:{served.server_port}"
    thread = threading.Thread(target=partial(served.serve_forever, poll_interval=0.02))
    thread.start()
    try:
        yield served
    finally:
        served.shutdown()
        served.server_close()
        thread.join()


@pytest.fixture
def folders(sample: Path, tmp_path: Path, server: ThreadingHTTPServer) -> Path:
    """Class folders; the same images are served as shards."""
    folders = make_folders(sample, tmp_path / "folders")
    make_shards(folders, tmp_path / "served", "cls")
    return folders


def read(path: str, split: str = "train"):
    return read_split(DataConfig(path=path), split)


def test_shards_by_names_and_by_folder(server, folders):
    assert_same(server.url + "/{train-{000000..000003},val-{000000..000001}}.tar", folders)
    asked = server.asked["/train-000000.tar"]
    assert asked < 5 * 4  # 5 images are read twice each; their headers took fewer requests than images
    assert_same(server.url + "/", folders)
    assert server.asked["/train-000000.tar"] == asked + 10  # the headers came from the cache


def test_a_changed_shard_is_read_anew(server, folders, tmp_path):
    assert len(read(server.url + "/train-{000002..000003}.tar")) == 8
    os.replace(tmp_path / "served/train-000002.tar", tmp_path / "served/train-000003.tar")
    assert len(read(server.url + "/train-{000003..000003}.tar")) == 5


def test_faults_that_pass_are_tried_again(server, folders):
    split = read(server.url + "/train-{000000..000003}.tar")
    wanted = split.storage.read_many(range(18))
    server.faults = 2
    assert split.storage.read_many(range(18)) == wanted
    server.faults = 2
    assert len(read(server.url + "/train-{000000..000002}.tar")) == 15
    server.faults = 1000
    with pytest.raises(UserError, match=r"train-00000\d\.tar cannot be read: 503"):
        split.read(0)


@pytest.mark.parametrize(
    ("status", "tries"),
    [(408, 5), (429, 5), (500, 5), (503, 5), (400, 1), (401, 1), (403, 1), (416, 1), (499, 1)],
)
def test_only_what_may_pass_is_tried_again_after_longer_and_longer_pauses(monkeypatch, status, tries):
    """Too many requests (429) and a time-out (408) pass by themselves, as a server's own trouble does; no other 4xx."""

    class Refused(Exception):
        pass

    def ask() -> None:
        asked.append(status)
        error = Refused("no")
        error.status = status
        raise error

    asked, slept = [], []
    monkeypatch.setattr(remote.time, "sleep", slept.append)
    with pytest.raises(UserError, match="http://host/x cannot be read: no"):
        remote._patiently("http://host/x", ask)
    assert len(asked) == tries
    assert slept == [0.5, 1, 2, 4][: tries - 1], "a server that starts again within seconds is waited for"


def test_a_silent_server_is_given_up_within_minutes():
    """A training waits for its data meanwhile: a try ends after 20 s without a connection or 60 s without a byte; and
    after 300 s a server that sends a byte now and then: no answer is more than an image, or a page."""

    async def timeout() -> aiohttp.ClientTimeout:
        async with await http.client() as session:
            return session.timeout

    for protocol in ("http", "https"):
        assert remote._options(protocol) == {"get_client": http.client}
    limit = asyncio.run(timeout())
    assert (limit.sock_connect, limit.sock_read, limit.total) == (20, 60, 300)
    assert (len(remote.PAUSES) + 1) * limit.sock_read + sum(remote.PAUSES) < 6 * 60


def test_a_forked_worker_reads_too(server, folders):
    split = read(server.url + "/train-{000000..000003}.tar")
    wanted = split.read(3)  # connections of this process are open now
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    worker = context.Process(target=lambda: queue.put(split.read(3)))
    worker.start()
    assert queue.get(timeout=30) == wanted
    worker.join()


def test_what_is_not_there(server, folders, tmp_path):
    with pytest.raises(UserError, match=r"train-000004\.tar: there is no such file"):
        read(server.url + "/train-{000000..000009}.tar")
    with pytest.raises(UserError, match="no shards named after the train split"):
        read(server.url + "/nothing/")
    split = read(server.url + "/train-{000000..000003}.tar")
    for shard in (tmp_path / "served").glob("*.tar"):
        shard.unlink()
    with pytest.raises(UserError, match=r"train-00000\d\.tar is not there"):
        split.read(0)


def test_a_server_without_ranges(server, folders):
    server.ranges = False
    with pytest.raises(UserError, match="does not honour ranges"):
        read(server.url + "/train-000000.tar")


def test_a_shard_cut_short_on_the_server(server, folders, tmp_path):
    shard = tmp_path / "served/train-000000.tar"
    split = read(server.url + "/train-000000.tar")
    os.truncate(shard, 2100)
    with pytest.raises(UserError, match=r"train-000000\.tar is cut short: it ends at byte 2,100"):
        read(server.url + "/train-000000.tar")
    with pytest.raises(UserError, match=r"train-000000\.tar (is cut short|cannot be read)"):
        split.storage.read_many(range(5))


def test_no_server(server):
    server.shutdown()
    server.server_close()
    for name in ("train-0.tar", ""):
        with pytest.raises(UserError, match=rf"http://127\.0\.0\.1:\d+/{name} cannot be read: Cannot connect"):
            read(f"{server.url}/{name}")


def test_missing_packages_and_unknown_addresses(monkeypatch):
    with pytest.raises(UserError, match=r"gopher:// is not a kind of address"):
        read("gopher://host/train-0.tar")
    real = builtins.__import__

    def without_aiohttp(name, *rest):
        if name == "aiohttp":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "cnnbench.data.storage.http")
    monkeypatch.setattr(builtins, "__import__", without_aiohttp)
    remote._process_filesystem.cache_clear()
    with pytest.raises(UserError, match=r"pip install 'cnnbench\[remote\]'"):
        read("http://host/train-0.tar")


def test_s3(server, folders, tmp_path, monkeypatch):
    (tmp_path / "served").rename(tmp_path / "bucket")
    (tmp_path / "served").mkdir()
    (tmp_path / "bucket").rename(tmp_path / "served/bucket")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": server.url, "anon": True})
    assert_same("s3://bucket/{train-{000000..000003},val-{000000..000001}}.tar", folders)


@pytest.fixture
def elsewhere(server, tmp_path) -> Iterator[ThreadingHTTPServer]:
    """Serves the same files at another address, which is of this machine too."""
    with serving(tmp_path / "served", "127.0.0.2") as other:
        yield other


def test_a_redirect_from_a_public_address_leads_to_no_other(server, elsewhere, folders, monkeypatch):
    """Of the two addresses of this machine the first counts as public, then both, then none."""
    url = server.url + "/train-000000.tar"
    split = read(url)
    wanted = split.read(0)
    for public, refused in (("127.0.0.1", True), ("127.0.0.", False), ("none", False)):
        monkeypatch.setattr(http, "is_public", lambda address, public=public: address.startswith(public))
        server.moved = elsewhere.url
        if refused:
            with pytest.raises(UserError, match=rf"{url} is refused: it leads to 127.0.0.2, an address within"):
                split.read(0)
        else:
            assert split.read(0) == wanted
    assert sum(elsewhere.asked.values()) == 2


def test_a_name_that_changes_its_address_meanwhile_is_refused_when_it_is_asked(server, elsewhere, folders, monkeypatch):
    split = read(server.url + "/train-000000.tar")

    async def public(url) -> bool:
        return True

    monkeypatch.setattr(http, "_is_public_host", public)
    server.moved = elsewhere.url
    with pytest.raises(UserError, match=r"a redirect is refused: it leads to 127\.0\.0\.2, an address within"):
        split.read(0)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *(("8.8.8.8", True), ("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False), ("::1", False)),
        *(("fe80::1%eth0", False), ("::ffff:10.0.0.1", False), ("::ffff:8.8.8.8", True), ("0.0.0.0", False)),
        *(("2001:4860:4860::8888", True), ("fd00::1", False), ("100.64.0.1", False)),
    ],
)
def test_which_addresses_anyone_can_reach(address, public):
    assert http.is_public(address) is public


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_redirects_are_followed_over_http_alone(server, folders, to):
    split = read(server.url + "/train-000000.tar")
    server.moved = to
    with pytest.raises(
        UserError, match=r"train-000000\.tar cannot be read: a redirect is refused: it leads to neither"
    ):
        split.read(0)


def test_redirects_without_an_end_are_said(server, folders):
    split = read(server.url + "/train-000000.tar")
    server.moved = server.url
    with pytest.raises(UserError, match=r"cannot be read: its redirects lead from one to the next without an end$"):
        split.read(0)


def test_a_password_does_not_follow_to_another_host(server, elsewhere, folders, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    split = read(server.url + "/train-000000.tar")
    assert set(server.authorised) == {"Basic bWU6c2VjcmV0"}
    server.moved = elsewhere.url
    split.read(0)
    assert elsewhere.authorised == [None]


def test_what_a_server_answers_is_bounded(server, folders, tmp_path, monkeypatch):
    """A page that lists files, longer than any; and a range that is all of a large file."""
    monkeypatch.setattr(http, "LARGEST_PAGE", 100_000)
    (tmp_path / "served/index.html").write_text("<a href='train-000000.tar'>" + "x" * 100_000)
    with pytest.raises(UserError, match="answers with more than 100,000 bytes, where a list of files was asked for"):
        read(server.url + "/")
    split = read(server.url + "/train-000000.tar")
    with open(tmp_path / "served/train-000000.tar", "ab") as file:
        file.truncate(1 << 30)
    server.ranges = False
    with pytest.raises(UserError, match="does not honour ranges"):
        split.read(0)


@pytest.mark.parametrize(
    "address", ["http://me:se@cret@host/{train,val}.tar", "s3://key:secret@bucket/", "http://h/x.tar?secret"]
)
def test_an_address_with_a_password_or_a_token_is_refused_and_not_repeated(command, tmp_path, address):
    for words in (
        ["train", f"data={address}", "run=one"],
        ["data", "check", f"data={address}"],
        ["train", f"weights={address}"],
    ):
        done = command(*words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "***" in done.stderr
        assert "cret" not in done.stderr + done.stdout
    assert not (tmp_path / "runs").exists()


def test_a_token_of_the_environment_goes_to_the_server_and_nowhere_else(
    server, folders, command, tmp_path, monkeypatch
):
    monkeypatch.setenv("CNNBENCH_URL_QUERY", "token=secret")
    url = server.url + "/{train-{000000..000003},val-{000000..000001}}.tar"
    done = command("train", f'data="{url}"', "recipe=quick", "epochs=1", "batch=9", "run=one", "data.workers=0")
    assert done.returncode == 0, done.stderr
    assert all(path.endswith(("?token=secret", "/classes.txt?token=secret")) for path in server.asked)
    for file in (tmp_path / "runs/one").rglob("*"):
        assert not file.is_file() or b"secret" not in file.read_bytes()
    assert "secret" not in done.stdout + done.stderr
    server.faults = 1000
    done = command("eval", "run=one", "data.workers=0")
    assert done.returncode == 2
    assert "cannot be read: 503" in done.stderr
    assert "secret" not in done.stdout + done.stderr
