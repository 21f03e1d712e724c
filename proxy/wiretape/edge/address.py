"""Addresses: `host:port` or `unix:/path`, read, taken before anything answers on them, and left clean."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from wiretape.errors import ConfigError

BACKLOG = 128
PORT_MAX = 65_535
_PORT = re.compile(r"[0-9]{1,5}")  # a longer one need not be computed, and beyond 4300 digits Python will not
UNIX = "unix:"
UNIX_PATH_BYTES_MAX = 103
"""What every system's `sockaddr_un` takes; Linux would take four more."""
OWNER_ALONE = 0o600
LOCK_S = 1.0
"""Seconds that a folder may be locked by others: ours hold it for a few system calls, and anybody may who reads it."""
LOCK_RETRY_S = 0.01


class Address(Struct, frozen=True):
    """A host and a port; port 0 picks a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it; a name is not looked up, so only an address can be."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class UnixAddress(Struct, frozen=True):
    """The path of a unix socket."""

    path: str

    def __str__(self) -> str:
        return UNIX + self.path

    @property
    def is_local(self) -> bool:
        """A file's mode says who reaches it."""
        return True


def parse_address(text: str) -> Address | UnixAddress:
    """Read `host:port` or `unix:/path`; an IPv6 host stands in brackets. Raises ConfigError."""
    if text.startswith(UNIX):
        return UnixAddress(unix_path(text))
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not bare or not _PORT.fullmatch(port) or int(port) > PORT_MAX:
        raise ConfigError(f"an address is host:port, such as 127.0.0.1:8787, or unix:/path; got {text!r}")
    if bare == host and ":" in host:
        raise ConfigError(f"an IPv6 host stands in brackets, such as [::1]:8787; got {text!r}")
    return Address(bare, int(port))


def unix_path(text: str) -> str:
    """Take the path out of `unix:/path`; raises ConfigError where it is none, or too long for a socket."""
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or "\0" in path:
        raise ConfigError(f"a unix socket is unix:/path, with an absolute path; got {text!r}")
    if len(os.fsencode(path)) > UNIX_PATH_BYTES_MAX:
        raise ConfigError(f"a unix socket's path has at most {UNIX_PATH_BYTES_MAX} bytes; got {path!r}")
    return path


class Reserved:
    """An address that is ours: its socket listens already, and nobody answers yet."""

    def __init__(self, taken: socket.socket, address: Address | UnixAddress) -> None:
        self.socket = taken
        self.address = address
        self._file = _identity(address.path) if isinstance(address, UnixAddress) else None

    def vanish(self) -> None:
        """Remove a unix socket's file, if it is still ours.

        To be called while the socket is open: until then no other file can have its inode.
        """
        ours, self._file = self._file, None
        # Once alone: where nothing was, a successor's socket may be by the time of the unlink.
        if isinstance(self.address, UnixAddress) and ours is not None and ours == _identity(self.address.path):
            Path(self.address.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Give the address back."""
        self.vanish()
        self.socket.close()


def reserve(address: Address | UnixAddress, *, shared: bool = False, mode: int = OWNER_ALONE) -> Reserved:
    """Take an address before anything answers on it; raises ConfigError when it is taken or not ours.

    `shared` lets other processes of the same user take it too (SO_REUSEPORT); `mode` is a unix socket's.
    """
    try:
        return _unix(address, mode) if isinstance(address, UnixAddress) else _tcp(address, shared=shared)
    except (OSError, UnicodeError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such host"
        hint = "choose another path" if isinstance(address, UnixAddress) else "choose another, or port 0"
        raise ConfigError(f"cannot listen on {address}: {reason}; {hint}") from error


def _tcp(address: Address, *, shared: bool) -> Reserved:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with _closed_on_error(socket.socket(family, socket.SOCK_STREAM)) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind((address.host, address.port))
        taken.listen(BACKLOG)  # binding alone would let another bind as well, and fail only later
        host, port = taken.getsockname()[:2]
        return Reserved(taken, Address(host, port))


def _unix(address: UnixAddress, mode: int) -> Reserved:
    with _folder_locked(Path(address.path).parent), _closed_on_error(socket.socket(socket.AF_UNIX)) as taken:
        _clear(address)
        taken.bind(address.path)
        reserved = Reserved(taken, address)
        try:
            # Nobody can connect before `listen`, so the mode that bind gave it was never of use.
            Path(address.path).chmod(mode)
            taken.listen(BACKLOG)
        except OSError:
            reserved.vanish()
            raise
        return reserved


def _clear(address: UnixAddress) -> None:
    """Remove a socket that nobody listens on any more; raises ConfigError for any other file, and a live one."""
    try:
        found = os.lstat(address.path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigError(f"cannot listen on {address}: a file that is no socket is there; it was left alone")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)  # a full backlog would hold us
        answered = probe.connect_ex(address.path)
    if answered != errno.ECONNREFUSED:
        raise ConfigError(f"cannot listen on {address}: another process does; stop it, or choose another path")
    Path(address.path).unlink()


@contextlib.contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Keep others of us away for the few system calls in which a dead socket's path is taken over."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        _lock(opened, folder, time.monotonic() + LOCK_S)
        yield
    finally:
        os.close(opened)


def _lock(opened: int, folder: Path, until_s: float) -> None:
    while True:
        try:
            return fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= until_s:
                raise ConfigError(f"cannot listen in {folder}: another process keeps it locked") from error
        time.sleep(LOCK_RETRY_S)  # noqa: TID251  at the start, for LOCK_S at most, where flock itself would block


@contextlib.contextmanager
def _closed_on_error(taken: socket.socket) -> Iterator[socket.socket]:
    try:
        yield taken
    except BaseException:
        taken.close()
        raise


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
