"""A process that srun started as one of several: what torchrun would have told it, from Slurm's variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import number

# What srun tells each task of a step, besides the step's number and size.
OF_A_STEP = (
    *("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"),
)

LOOPBACK = "127.0.0.1"  # where the tasks of one machine meet: no other reaches it
MOST = 100_000  # nodes or tasks per node: more, and Slurm did not write it


def slurm_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT of this process of an srun step.

    Empty outside of a step of several tasks (a batch script's own shell is not one), and where a launcher has set RANK
    already. A MASTER_ADDR or MASTER_PORT that the user has set stays. UserError if srun's variables are there in part.
    """
    tasks = number(environment, "SLURM_STEP_NUM_TASKS", 1)
    if "SLURM_STEP_ID" in environment and number(environment, "SLURM_HET_SIZE", 1) > 1:
        raise UserError(
            f"SLURM_HET_SIZE={environment['SLURM_HET_SIZE']}: the parts of a heterogeneous job do not know of each "
            "other: ask for nodes of one kind, without hetjob or `:`"
        )
    if tasks == 1 or "SLURM_STEP_ID" not in environment or environment.get("RANK"):
        return {}
    if missing := [name for name in OF_A_STEP if not environment.get(name)]:
        raise UserError(
            f"SLURM_STEP_ID and SLURM_STEP_NUM_TASKS are set, but {missing[0]} is not, as srun sets it: "
            "to run alone, `unset SLURM_STEP_ID`"
        )
    per_node = expand_counts(environment["SLURM_STEP_TASKS_PER_NODE"])
    node = number(environment, "SLURM_NODEID", 0)
    if sum(per_node) != tasks or node >= len(per_node):
        raise UserError(
            f"SLURM_STEP_TASKS_PER_NODE={environment['SLURM_STEP_TASKS_PER_NODE']} and SLURM_NODEID={node} do not fit "
            f"SLURM_STEP_NUM_TASKS={tasks}: to run alone, `unset SLURM_STEP_ID`"
        )
    first = LOOPBACK if len(per_node) == 1 else expand_nodes(environment["SLURM_STEP_NODELIST"])[0]
    # One port per step, so that two jobs on one node do not meet; below the range that systems give out by themselves.
    step = number(environment, "SLURM_JOB_ID", 0) * 31 + number(environment, "SLURM_STEP_ID", 0)
    return {
        "RANK": str(number(environment, "SLURM_PROCID", 0)),
        "WORLD_SIZE": str(tasks),
        "LOCAL_RANK": str(number(environment, "SLURM_LOCALID", 0)),
        "LOCAL_WORLD_SIZE": str(per_node[node]),
        "MASTER_ADDR": environment.get("MASTER_ADDR", first),
        "MASTER_PORT": environment.get("MASTER_PORT", str(15000 + step % 15000)),
    }


def cores_of_task(environment: Mapping[str, str]) -> int:
    """Cores that Slurm has given this task of a step of several; 0 where it does not say, or where it is no such task:
    a process that a launcher inside a task has started shares them."""
    one_of_several = number(environment, "SLURM_STEP_NUM_TASKS", 1) > 1 and "SLURM_STEP_ID" in environment
    own = environment.get("RANK") == environment.get("SLURM_PROCID") and "TORCHELASTIC_RUN_ID" not in environment
    return number(environment, "SLURM_CPUS_PER_TASK", 0) if one_of_several and own else 0


def expand_nodes(names: str) -> list[str]:
    """Every node of Slurm's short form: "gpu[01-03,07],login" is gpu01, gpu02, gpu03, gpu07, login. UserError for
    another form."""
    nodes: list[str] = []
    for name in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", names):
        found = [""]
        for text, ranges in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", name):
            found = [start + end for start in found for end in ([text] if text else _numbers(ranges, names))]
        nodes += found
    if not nodes or len(nodes) > MOST or names.count("[") != names.count("]"):
        raise _unread_nodes(names)
    return nodes


def expand_counts(counts: str) -> list[int]:
    """One number per node of Slurm's short form: "2(x3),1" is 2, 2, 2, 1."""
    found = []
    for part in counts.split(","):
        match = re.fullmatch(r"(\d{1,6})(?:\(x(\d{1,6})\))?", part, re.ASCII)
        if match is None:
            raise UserError(f"SLURM_STEP_TASKS_PER_NODE={counts} cannot be read: it should look like 2(x3),1")
        found += [int(match[1])] * int(match[2] or 1)
    return found


def _numbers(ranges: str, names: str) -> list[str]:
    """ "01-03,07" is 01, 02, 03, 07; `names` is the whole, for the UserError that says it cannot be read."""
    found = []
    for part in ranges.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part, re.ASCII)
        if match is None or (count := int(match[2] or match[1]) - int(match[1]) + 1) < 1 or count > MOST:
            raise _unread_nodes(names)
        found += [f"{int(match[1]) + offset:0{len(match[1])}d}" for offset in range(count)]
    return found


def _unread_nodes(names: str) -> UserError:
    return UserError(f"SLURM_STEP_NODELIST={names} cannot be read: it should look like gpu[01-03,07],login")
