"""Where a group listens: on one machine at the loopback, on several at the address of MASTER_ADDR alone."""

from __future__ import annotations

import os
import socket

import pytest

from cnnbench.runtime import network
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import Place

SEVERAL = Place(0, 4, 0, 2)
ONE = Place(0, 2, 0, 2, one_machine=True)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in network.INTERFACES:
        monkeypatch.setenv(name, "")  # and back at the end
        monkeypatch.delenv(name)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")


def chosen() -> list[str | None]:
    return [os.environ.get(name) for name in network.INTERFACES]


def test_on_one_machine_all_listen_at_the_loopback(monkeypatch):
    network.choose_interfaces(ONE)
    assert chosen() == ["lo", "lo"]
    monkeypatch.setenv("MASTER_ADDR", "node1")
    assert network.meeting_address(ONE) == "127.0.0.1"


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "ib0")
    network.choose_interfaces(ONE)
    assert chosen() == ["lo", "ib0"]


def test_on_several_machines_gloo_listens_where_process_0_is_reached():
    network.choose_interfaces(SEVERAL)
    assert chosen() == ["lo", None], "MASTER_ADDR is 127.0.0.1, and NCCL chooses by itself"


def test_a_machines_name_for_itself_is_not_what_the_others_know_it_by(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("127.0.1.1", 0))])
    monkeypatch.setattr(network, "_own_address", {network.SOME_ADDRESS: "10.0.0.7"}.get)
    monkeypatch.setenv("MASTER_ADDR", "node1")
    assert network.meeting_address(SEVERAL) == "10.0.0.7"
    monkeypatch.setenv("MASTER_ADDR", "127.0.1.1")
    assert network.meeting_address(SEVERAL) == "127.0.1.1", "as it was told"


def test_process_0_listens_at_one_address_and_says_if_the_port_is_taken():
    with network.listen("127.0.0.1", 0) as taken:
        address, port = taken.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(
            UserError, match=rf"cannot listen at 127.0.0.1 port {port}, .* \(another program listens th"
        ):
            network.listen("127.0.0.1", port)
    with pytest.raises(UserError, match="it is not this machine's"):
        network.listen("192.0.2.77", 0)
