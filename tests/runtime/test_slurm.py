"""What srun says of a process is what torchrun would have said."""

from __future__ import annotations

import pytest

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.slurm import cores_of_task, expand_counts, expand_nodes, slurm_environment

STEP = {
    "SLURM_JOB_ID": "1234",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_NODELIST": "gpu[09-10],login",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


def test_a_step_of_several_tasks():
    found = slurm_environment(STEP)
    port = int(found.pop("MASTER_PORT"))
    assert found == {
        "RANK": "3",
        "WORLD_SIZE": "5",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "gpu09",
    }
    assert 1024 < port < 32768, "below the ports that Linux gives out"
    assert slurm_environment(STEP | {"SLURM_STEP_ID": "1"})["MASTER_PORT"] != str(port)
    assert slurm_environment(STEP | {"SLURM_NODEID": "2"})["LOCAL_WORLD_SIZE"] == "1"
    assert slurm_environment(STEP | {"MASTER_ADDR": "10.0.0.1"})["MASTER_ADDR"] == "10.0.0.1"


def test_steps_that_run_beside_each_other_have_ports_of_their_own():
    """Hundreds of jobs share a cluster, and several steps a node: two groups on one port would join each other."""
    ports = [
        int(slurm_environment(STEP | {"SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)})["MASTER_PORT"])
        for job in range(1234, 1434)
        for step in range(10)
    ]
    assert len(set(ports)) == 2000
    assert min(ports) >= 15000
    assert max(ports) < 30000, "Linux gives out those from 32768 on by itself"


def test_elsewhere_nothing():
    batch_script = {name: value for name, value in STEP.items() if "STEP" not in name}
    for environment in ({}, batch_script, STEP | {"SLURM_STEP_NUM_TASKS": "1"}, STEP | {"RANK": "0"}):
        assert slurm_environment(environment) == {}


def test_a_heterogeneous_job_is_refused_in_one_sentence():
    with pytest.raises(
        UserError, match=r"^SLURM_HET_SIZE=2: the parts of a heterogeneous job do not know of each other"
    ):
        slurm_environment(STEP | {"SLURM_HET_SIZE": "2"})
    assert slurm_environment({"SLURM_HET_SIZE": "2"}) == {}, "the batch script's own shell"


def test_a_task_has_its_own_cores():
    task = STEP | {"SLURM_CPUS_PER_TASK": "8"}
    task |= slurm_environment(task)
    assert cores_of_task(task) == 8
    assert cores_of_task({name: value for name, value in task.items() if name != "SLURM_CPUS_PER_TASK"}) == 0
    assert cores_of_task(task | {"SLURM_STEP_NUM_TASKS": "1"}) == 0, "shared by the processes that it starts"
    assert cores_of_task(task | {"TORCHELASTIC_RUN_ID": "job"}) == 0, "shared by those that torchrun starts"
    assert cores_of_task(task | {"RANK": "7"}) == 0


@pytest.mark.parametrize("name", [name for name in STEP if name not in ("SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS")])
def test_a_step_that_is_told_in_part_is_one_sentence(name):
    with pytest.raises(UserError, match=f"{name} is not, as srun sets it: to run alone, `unset SLURM_STEP_ID`"):
        slurm_environment({key: value for key, value in STEP.items() if key != name})


@pytest.mark.parametrize(
    "name", [name for name in STEP if name not in ("SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")]
)
@pytest.mark.parametrize(("value", "wrong"), [("x", "not a whole number"), ("9" * 20, "out of range, 0 to 4294967295")])
def test_what_should_be_a_number_is_named(name, value, wrong):
    with pytest.raises(UserError, match=f"{name}={value} is {wrong}"):
        slurm_environment(STEP | {name: value})


def test_tasks_of_one_machine_meet_where_no_other_machine_reaches():
    here = STEP | {"SLURM_STEP_NODELIST": "gpu09", "SLURM_STEP_TASKS_PER_NODE": "5", "SLURM_NODEID": "0"}
    assert slurm_environment(here)["MASTER_ADDR"] == "127.0.0.1"
    assert slurm_environment(here | {"MASTER_ADDR": "gpu09"})["MASTER_ADDR"] == "gpu09"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"SLURM_NODEID": "3"}, "SLURM_NODEID=3 do not fit SLURM_STEP_NUM_TASKS=5"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2"}, "PER_NODE=2 and SLURM_NODEID=1 do not fit SLURM_STEP_NUM_TASKS=5"),
        ({"SLURM_STEP_TASKS_PER_NODE": "1(x9999999)"}, "cannot be read"),
        *(
            ({"SLURM_STEP_NODELIST": names}, "SLURM_STEP_NODELIST=.* cannot be read: it should look like gpu")
            for names in (",", "gpu[", "gpu[a-b]", "gpu[3-1]", "gpu[1-999999999]", "gpu[]", "gpu[1-2-3]", "gpu[-]")
        ),
    ],
)
def test_what_slurm_would_not_say_is_one_sentence(part, words):
    with pytest.raises(UserError, match=words):
        slurm_environment(STEP | part)


@pytest.mark.parametrize(
    ("names", "nodes"),
    [
        ("n0", ["n0"]),
        ("node[01-03,07]", ["node01", "node02", "node03", "node07"]),
        ("a,b[9-11],c", ["a", "b9", "b10", "b11", "c"]),
        ("r[1-2]-n[0-1].x", ["r1-n0.x", "r1-n1.x", "r2-n0.x", "r2-n1.x"]),
    ],
)
def test_node_lists(names, nodes):
    assert expand_nodes(names) == nodes


def test_counts():
    assert expand_counts("2(x3),1") == [2, 2, 2, 1]
    assert expand_counts("4") == [4]
