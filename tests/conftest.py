"""What holds for every test: nothing but the loopback is reached, and no setting leaks in from the machine."""

import ipaddress
import os
import sys
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["pytester"]

hypothesis.settings.register_profile("wiretape", deadline=None)  # machines are shared; benchmarks measure
hypothesis.settings.load_profile("wiretape")

LOCAL_NAMES = {"localhost", "", None}


def _refuse_strangers(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(address := arguments[1], tuple):
        host = address[0]
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if name not in LOCAL_NAMES and not _is_loopback(str(name)):
        message = f"a test tried to reach {name}: only the loopback is allowed"
        raise AssertionError(message)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.endswith(".invalid")  # RFC 2606 section 2: it never resolves


sys.addaudithook(_refuse_strangers)


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
