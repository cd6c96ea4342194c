"""Ports are remembered, give way when taken, and the one who holds one is named."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from deploy.local import ports, problems
from deploy.local.identity import holder_of, identity, same

pytestmark = pytest.mark.usefixtures("servers")


def listening() -> socket.socket:
    return socket.create_server((ports.LOOPBACK, 0))


def test_a_port_somebody_listens_on_is_not_free() -> None:
    with listening() as taken:
        assert not ports.is_free(taken.getsockname()[1])


def test_remembered_ports_are_kept_and_new_ones_follow_the_origin() -> None:
    first = ports.assign(["a", "b"], 21000, {})
    assert len(set(first.values())) == 2
    assert all(21000 < port < 32768 for port in first.values())
    assert ports.assign(["a", "b"], 22000, first) == first


def test_a_remembered_port_that_is_taken_gives_way() -> None:
    with listening() as taken:
        port = taken.getsockname()[1]
        assert ports.assign(["a"], 21000, {"a": port})["a"] != port


def test_the_origin_is_never_given_to_another() -> None:
    assert ports.assign(["a"], 21000, {"a": 21000})["a"] != 21000


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_the_holder_of_a_port_is_named_in_the_message() -> None:
    with listening() as taken:
        port = taken.getsockname()[1]
        holder = holder_of(port)
        assert holder is not None
        assert str(os.getpid()) in holder
        assert holder in problems.port_in_use(port, holder).what


def test_a_process_is_its_id_and_its_start() -> None:
    mine = identity(os.getpid())
    assert mine is not None
    assert same(os.getpid(), mine)
    assert not same(os.getpid(), mine + "0")
    assert identity(2**22 + 1) is None
