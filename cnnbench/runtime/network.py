"""Which address a group uses: the loopback on one machine, that of the job's network on several, never all of them."""

from __future__ import annotations

import errno
import os
import socket
import sys

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import Place

LOOPBACK = "127.0.0.1"
LOOPBACK_INTERFACE = "lo0" if sys.platform == "darwin" else "lo"
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")  # of the CPUs' messages, and of the GPUs'
SOME_ADDRESS = "192.0.2.1"  # of a network that is nowhere (RFC 5737): the way to it is the way to other machines
ASK_ADDRESS = 0x8915  # SIOCGIFADDR of Linux


def choose_interfaces(place: Place) -> None:
    """Have gloo and NCCL listen at this machine's loopback alone if all of the group is here; else gloo at the
    interface that leads to process 0, where it would take whatever the machine's name resolves to.

    What the user has set stays. NCCL, which may use several interfaces of a machine at once, chooses them by itself.
    """
    if place.one_machine:
        for name in INTERFACES:
            os.environ.setdefault(name, LOOPBACK_INTERFACE)
    elif (interface := _interface_of(_own_address(meeting_address(place)))) is not None:
        os.environ.setdefault(INTERFACES[0], interface)


def meeting_address(place: Place) -> str:
    """The address of process 0 as the others reach it. OSError if MASTER_ADDR is the name of no machine."""
    if place.one_machine:
        return LOOPBACK
    host = os.environ["MASTER_ADDR"]
    address = str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    if address.startswith("127.") and host not in ("localhost", address):  # Debian's name for the machine itself
        return _own_address(SOME_ADDRESS) or address
    return address


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens at `port` of `address` alone. UserError if the port is taken or the address not ours."""
    try:
        return socket.create_server((address, port), family=_family(address), backlog=2048)
    except OSError as error:
        taken = {errno.EADDRINUSE: "another program listens there", errno.EADDRNOTAVAIL: "it is not this machine's"}
        raise UserError(
            f"process 0 cannot listen at {address} port {port}, where its group is to meet "
            f"({taken.get(error.errno or 0) or error.strerror or error}): set MASTER_PORT to a free port, and "
            "MASTER_ADDR to the machine of process 0"
        ) from error


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _own_address(other: str) -> str | None:
    """This machine's address on the way to the address `other`, or None. Nothing is sent."""
    try:
        with socket.socket(_family(other), socket.SOCK_DGRAM) as probe:
            probe.connect((other, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _interface_of(address: str | None) -> str | None:
    """The interface of this machine that has the IPv4 `address`, or None. Linux tells."""
    if address is None or ":" in address or sys.platform != "linux":
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(probe, ASK_ADDRESS, name.encode()[:15].ljust(256, b"\0"))
            except OSError:  # an interface without an address
                continue
            if socket.inet_ntoa(answer[20:24]) == address:
                return name
    return None
