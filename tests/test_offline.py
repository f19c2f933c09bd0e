"""No test can reach another machine."""

from __future__ import annotations

import socket

import pytest
from pytest_socket import SocketConnectBlockedError

ELSEWHERE = ("192.0.2.1", 80)  # an address that documentation may use and nobody has (RFC 5737)


def test_a_connection_to_elsewhere_is_refused_before_it_is_tried() -> None:
    refusal = SocketConnectBlockedError, UserWarning  # it warns first, and warnings are errors here
    with socket.socket() as one, pytest.raises(refusal, match=r"192\.0\.2\.1"):
        one.connect(ELSEWHERE)


def test_a_connection_to_this_machine_is_not() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as one,
    ):
        assert one.getpeername() == server.getsockname()
