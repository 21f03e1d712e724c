"""Addresses are read as written, taken once, and left clean."""

import fcntl
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from wiretape.edge.address import Address, Reserved, UnixAddress, parse_address, reserve
from wiretape.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8787", Address("127.0.0.1", 8787)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:8787", Address("::1", 8787)),
        ("[fe80::1%lo]:1", Address("fe80::1%lo", 1)),
        ("unix:/run/w.sock", UnixAddress("/run/w.sock")),
    ],
)
def test_an_address_is_shown_as_it_is_written(text: str, address: Address | UnixAddress) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8787", "an address is host:port, such as 127.0.0.1:8787, or unix:/path; got '8787'"),
        ("host:", "an address is host:port"),
        ("[]:1", "an address is host:port"),
        ("host:65536", "an address is host:port"),
        ("host:" + "1" * 5_000, "an address is host:port"),
        ("host:٣", "an address is host:port"),
        ("::1:8787", "an IPv6 host stands in brackets, such as [::1]:8787; got '::1:8787'"),
        ("unix:w.sock", "a unix socket is unix:/path, with an absolute path; got 'unix:w.sock'"),
        ("unix:/" + "x" * 103, "a unix socket's path has at most 103 bytes"),
    ],
)
def test_what_is_no_address_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "is_local"),
    [("127.0.0.9:1", True), ("[::1]:1", True), ("unix:/x", True), ("0.0.0.0:1", False), ("[::]:1", False)],
)
def test_only_loopback_and_unix_sockets_are_local(text: str, is_local: bool) -> None:
    assert parse_address(text).is_local is is_local


def test_a_unix_socket_is_its_owners_alone_unless_a_mode_is_given(tmp_path: Path) -> None:
    for mode, given in ((0o600, {}), (0o660, {"mode": 0o660})):
        reserved = reserve(UnixAddress(str(tmp_path / "s")), **given)
        assert stat.S_IMODE((tmp_path / "s").lstat().st_mode) == mode
        reserved.close()
        assert not (tmp_path / "s").exists()


def test_a_dead_processs_socket_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
        dead.listen()
    reserved = reserve(UnixAddress(str(tmp_path / "s")))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
    reserved.close()


@pytest.mark.parametrize("backlog", [0, 128], ids=["with a full backlog", "with room"])
def test_a_live_processs_socket_is_refused_and_left_alone(tmp_path: Path, backlog: int) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX) as waiting:
        live.bind(path)
        live.listen(backlog)
        waiting.connect(path)
        with pytest.raises(ConfigError, match=f"cannot listen on unix:{path}: another process does"):
            reserve(UnixAddress(path))
        assert live.accept()[0].close() is None


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("mine")
    with pytest.raises(ConfigError, match="a file that is no socket is there; it was left alone"):
        reserve(UnixAddress(str(tmp_path / "s")))
    assert (tmp_path / "s").read_text() == "mine"


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on unix:.*: No such file or directory; choose another path"):
        reserve(UnixAddress(str(tmp_path / "no" / "s")))


def test_a_socket_that_another_put_in_our_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    ours = reserve(UnixAddress(str(path)))
    path.unlink()
    theirs = reserve(UnixAddress(str(path)))
    ours.close()
    assert path.is_socket()
    theirs.close()


def test_one_that_has_vanished_never_removes_a_successors_socket(tmp_path: Path) -> None:
    """A drain removes the file at its begin, and the end asks for that again, just as a successor may come."""
    address = UnixAddress(str(tmp_path / "s"))
    for _ in range(200):
        ours = reserve(address)
        ours.vanish()
        start = threading.Barrier(2)

        def vanish(ours: Reserved = ours, start: threading.Barrier = start) -> None:
            start.wait()
            for _ in range(10):
                ours.vanish()

        thread = threading.Thread(target=vanish)
        thread.start()
        start.wait()
        theirs = reserve(address)
        thread.join()
        assert (tmp_path / "s").is_socket()
        ours.close()
        theirs.close()


def test_of_many_that_find_a_dead_socket_one_takes_it(tmp_path: Path) -> None:
    """Without the lock, one could remove what another has just made."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    taken, refused = [], []
    start = threading.Barrier(8)

    def take() -> None:
        start.wait()
        try:
            taken.append(reserve(UnixAddress(path)))
        except ConfigError as error:
            refused.append(error)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 7)
    taken[0].close()


def test_a_folder_that_another_keeps_locked_is_told_and_not_waited_for_without_end(tmp_path: Path) -> None:
    """In a folder like /tmp anybody can hold the lock."""
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(ConfigError, match="another process keeps it locked"):
        reserve(UnixAddress(str(tmp_path / "s")))
    os.close(held)
    reserve(UnixAddress(str(tmp_path / "s"))).close()


def test_a_shared_port_is_taken_twice_and_only_by_those_who_share() -> None:
    first = reserve(Address("127.0.0.1", 0), shared=True)
    second = reserve(first.address, shared=True)
    with pytest.raises(ConfigError, match="Address already in use"):
        reserve(first.address)
    first.close()
    second.close()
