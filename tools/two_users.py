"""What another user of this machine can do to a run, and what a run makes of what another user has left for it.

    python tools/two_users.py        # as root, with setpriv of util-linux

"We" are root without any capability, whom the system holds to permissions as everybody; "the other" is user OTHER.
While two processes of ours train, the other tries to open what they hold, to send them signals, to change the run, its
caches and shared memory, and to talk to what listens. Then the other is the owner of what a command of ours is to read.
Prints a table; exit status 1 if an attempt had success, or a command said more or less than one sentence.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from outcome import difference, outcome

OTHER = 54321
BARE = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
WORDS = ("arch=lenet", "recipe=quick", "epochs=8", "data.train_fraction=0.1", "data.workers=1", "device=cpu")
RUN = (*WORDS, "processes=2", "batch=40")
HANDLES = range(200)  # numbers of open files that are tried

Row = tuple[str, str, list[str]]  # what the other does, what should come of it, and what came of it instead


def main() -> None:
    if not able():
        sys.exit("SKIPPED: only root can be two users, and setpriv has to be there")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print("| what the other does | what comes of it |\n|---|---|")
        done = ours(folder, "train", *RUN, "run=whole")
        assert done.returncode == 0, done.stderr
        rows = [_row(*row) for row in itertools.chain(attacked(folder), left_by_the_other(folder))]
    sys.exit(not all(rows))


def able() -> bool:
    return os.geteuid() == 0 and shutil.which("setpriv") is not None


def _row(what: str, right: str, wrong: list[str]) -> bool:
    print(f"| {what} | {'; '.join(wrong[:3]) or right} |", flush=True)
    return not wrong


def attacked(folder: Path) -> Iterator[Row]:
    """The run `whole` once more, while the other tries what it can."""
    run = start(folder, "train", *RUN, "run=attacked")
    yield from attempts(folder, run)
    assert run.poll() is None, "the run was shorter than the attempts"
    status = run.wait()
    differs = "" if status else difference(*(outcome(folder / "runs" / name) for name in ("whole", "attacked")))
    wrong = f"exit status {status}" if status else differs
    yield "nothing more, and the run goes on", "the same bits", [wrong] if wrong else []


def attempts(folder: Path, run: subprocess.Popen[str]) -> Iterator[Row]:
    """What the other tries once the first epoch of the run `attacked` is done, and what of it has success."""
    shared = set(_entries("/dev/shm"))
    while not (folder / "runs/attacked/metrics.jsonl").exists() and run.poll() is None:
        time.sleep(0.02)
    processes = family(run.pid)
    new = [path for path in _entries("/dev/shm") if path not in shared]
    listens = sorted({port for each in processes for port in listening(each)})
    assert len(processes) > 2, "two processes train"
    assert listens, "and speak through sockets"
    tries: list[tuple[str, Callable[[Any], list[str]], Any]] = [
        (f"opens what {len(processes)} processes of the run hold", opened, processes),
        ("sends them signals", signalled, processes),
        ("changes the run's files, folders, caches and temporary files", changed, below(folder)),
        (f"changes the {len(new)} new entries of /dev/shm", changed, new),
        (f"sends bytes to the {len(listens)} ports at which they listen", answered, listens),
    ]
    for what, attempt, target in tries:
        yield what, "refused", as_other(attempt, target)


def left_by_the_other(folder: Path) -> Iterator[Row]:
    """What the other has left where a command of ours reads or writes, and what of the answer is no single sentence."""
    run, data = folder / "runs/whole", folder / "data"
    (data / "train").mkdir(parents=True)
    check, again = ("data", "check", "data=data", "workers=0"), ("eval", "run=whole", "device=cpu")
    for what, path, mode, words in (
        ("closes a data folder", data, 0o700, check),
        ("closes a run", run, 0o700, again),
        ("closes a checkpoint", run / "checkpoints/last.pt", 0o600, again),
        ("owns the folder of a new run", run, 0o755, ("train", *RUN, "run=runs/whole/new")),
        ("has made the cache folder first", folder / "cache", 0o777, ("train", *RUN, "run=new")),
    ):
        with owned(path, mode):
            yield what, "2, one sentence", unlike_a_refusal(ours(folder, *words))


def unlike_a_refusal(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What of the answer is not exit status 2 and one sentence."""
    lines = [line for line in done.stderr.splitlines() if line]
    whole = done.returncode == 2 and len(lines) == 1 and lines[0].startswith("cnnbench: ")
    return [] if whole else [f"exit status {done.returncode}: {' / '.join(lines[-2:])}"]


@contextlib.contextmanager
def owned(path: Path, mode: int) -> Iterator[None]:
    """Within this block the other owns `path`, with these permissions."""
    before = path.stat()
    os.chown(path, OTHER, OTHER)
    path.chmod(mode)
    try:
        yield
    finally:
        os.chown(path, before.st_uid, before.st_gid)
        path.chmod(before.st_mode & 0o7777)


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """`cnnbench WORDS` as us, in `folder`, with its caches and temporary files there."""
    folder.chmod(0o755)
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o1777)  # as /tmp
    settings = {**os.environ, "CNNBENCH_CACHE": f"{folder}/cache", "TMPDIR": f"{folder}/tmp", "OMP_NUM_THREADS": "1"}
    line = [*BARE, sys.executable, "-m", "cnnbench", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, cwd=folder, env=settings, stdout=subprocess.DEVNULL, stderr=pipe, text=True)


def ours(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *words)
    said = process.communicate()[1]
    return subprocess.CompletedProcess(words, process.returncode, "", said)


def as_other(function: Callable[[Any], list[str]], argument: Any) -> list[str]:
    """What `function(argument)` returns in a process of the other's."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            os.setgroups([])
            os.setgid(OTHER)
            os.setuid(OTHER)
            os.write(writer, json.dumps(function(argument)[:20]).encode())
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said or '["the attempt itself failed"]')


def had_success(way: Callable[[str], object], paths: Iterable[str]) -> list[str]:
    """The paths for which the system did not refuse `way`."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            way(path)
            found.append(f"{way.__name__} {path}")
    return found


def opened(processes: list[int]) -> list[str]:
    names = ["mem", "environ", "maps", "cwd/.", *(f"fd/{handle}" for handle in HANDLES)]
    return had_success(read, [f"/proc/{pid}/{name}" for pid in processes for name in names])


def signalled(processes: list[int]) -> list[str]:
    return had_success(terminate, map(str, processes))


def changed(paths: list[str]) -> list[str]:
    return [success for way in (permit, write, rename) for success in had_success(way, paths)]


def read(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def terminate(pid: str) -> None:
    os.kill(int(pid), signal.SIGTERM)


def permit(path: str) -> None:
    os.chmod(path, 0o777)


def write(path: str) -> None:
    within = os.path.isdir(path)
    os.close(os.open(os.path.join(path, "theirs") if within else path, os.O_WRONLY | (os.O_CREAT if within else 0)))


def rename(path: str) -> None:
    os.rename(path, f"{path}-theirs")


def answered(ports: list[int]) -> list[str]:
    """The ports that answer bytes of no meaning with more than an end."""
    found = []
    for port in ports:
        with contextlib.suppress(OSError), socket.socket() as line:
            line.settimeout(2)
            line.connect(("127.0.0.1", port))
            line.sendall(os.urandom(4096))
            if line.recv(1):
                found.append(f"port {port}")
    return found


def below(folder: Path) -> list[str]:
    return [str(path) for path in (folder, *sorted(folder.rglob("*"))) if path != folder / "tmp"]


def family(pid: int) -> list[int]:
    """`pid` and all processes below it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return found


def listening(pid: int) -> list[int]:
    """TCP ports at which the process listens."""
    with contextlib.suppress(OSError):
        held = {os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()}
        lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
        own = [line for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in held]
        return [int(line[1].partition(":")[2], 16) for line in own]
    return []


def _entries(folder: str) -> list[str]:
    return [entry.path for entry in os.scandir(folder)]


if __name__ == "__main__":
    main()
