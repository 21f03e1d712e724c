"""What holds for every test: nothing but the loopback is reached, and no setting leaks in from the machine."""

import functools
import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

pytest_plugins = ["pytester"]

hypothesis.settings.register_profile("wiretape", deadline=None)  # machines are shared; benchmarks measure
hypothesis.settings.load_profile("wiretape")

LOCAL_NAMES = {"localhost", "", None}


def _refuse_strangers(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in LOCAL_NAMES and not _is_loopback(str(name)):
        message = f"a test tried to reach {name}: only the loopback is allowed"
        raise AssertionError(message)


def _guard(owner: Any, name: str, host_of: Callable[..., object]) -> None:
    call = getattr(owner, name)

    @functools.wraps(call)
    def guarded(*arguments: Any, **options: Any) -> Any:
        _refuse_strangers(host_of(*arguments))
        return call(*arguments, **options)

    setattr(owner, name, guarded)


def _host_of_address(_: object, address: object) -> object:
    return address[0] if isinstance(address, tuple) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.endswith(".invalid")  # RFC 2606 section 2: it never resolves


# Not by an audit hook: it is Python code that runs inside sys.settrace, and there CPython 3.11 stands no other thread
# that starts to be traced ("Cannot install a trace function while another trace function is being installed").
for _name in ("connect", "connect_ex"):
    _guard(socket.socket, _name, _host_of_address)
for _name in ("getaddrinfo", "gethostbyname"):
    _guard(socket, _name, lambda host, *_: host)


@pytest.fixture(autouse=True)
def _a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("WIRETAPE_", "OTEL_", "OPENAI_")) and name != "WIRETAPE_CORPORA":
            monkeypatch.delenv(name)


@pytest.fixture
def corpora() -> Path:
    """Give the folder of recordings made by others, or skip by name."""
    folder = os.environ.get("WIRETAPE_CORPORA")
    if not folder:
        pytest.skip("WIRETAPE_CORPORA is not set")
    return Path(folder)
