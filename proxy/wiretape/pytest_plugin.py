"""What pytest gets: `wiretape_sandbox`, an Assistants server of the test's own; nothing heavy is imported unused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from wiretape.edge.listen import Listener
    from wiretape.sandbox.options import SandboxOptions

KEY = "sk-wiretape-sandbox"
"""What OPENAI_API_KEY is set to where no `api_key` is: any key will do."""
MARKER = (
    "wiretape_sandbox(**options): settings of the test's sandbox, as in [sandbox] of wiretape.toml "
    "(seed=…, script=…, pace_s=…); runs do not wait unless told to"
)


class SandboxServer:
    """A sandbox that is running; `url` is its root, `base_url` what an SDK takes."""

    def __init__(self, url: str, api_key: str = KEY) -> None:
        self.url = url
        self.base_url = f"{url}/v1"
        self.api_key = api_key


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def wiretape_sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """An Assistants server on a free loopback port, for this test alone, in a thread of its own.

    `OPENAI_BASE_URL` and `OPENAI_API_KEY` are set, so that a client finds it by itself.
    """
    marker = request.node.get_closest_marker("wiretape_sandbox")
    if marker and marker.args:
        raise pytest.UsageError("the marker wiretape_sandbox takes settings by their names (script=…, seed=…)")
    with running(**(dict(marker.kwargs) if marker else {})) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        yield server


@contextmanager
def running(**settings: Any) -> Iterator[SandboxServer]:  # noqa: ANN401  the options check them
    """Run a sandbox in a thread. Raises ConfigError for settings that are wrong."""
    import asyncio  # noqa: PLC0415  nothing is imported before it is used
    import threading  # noqa: PLC0415  as above

    options = _options(settings)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="wiretape-sandbox", daemon=True)
    thread.start()
    try:
        listener = asyncio.run_coroutine_threadsafe(_started(options), loop).result()
        try:
            yield SandboxServer(listener.url, options.api_key or KEY)
        finally:
            asyncio.run_coroutine_threadsafe(listener.close(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _options(settings: dict[str, Any]) -> SandboxOptions:
    import msgspec  # noqa: PLC0415  as above

    from wiretape.config import Config, checked  # noqa: PLC0415  as above
    from wiretape.errors import ConfigError  # noqa: PLC0415  as above
    from wiretape.sandbox.options import SandboxOptions  # noqa: PLC0415  as above

    known = SandboxOptions.__struct_fields__
    if unknown := sorted(set(settings) - set(known)):
        raise ConfigError(f"the sandbox has no setting {unknown[0]}; known are {', '.join(known)}")
    given = {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in settings.items()}
    try:
        options = msgspec.convert({"pace_s": 0.0, "queue_s": 0.0, **given}, SandboxOptions)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the sandbox's settings: {error}") from error
    return checked(Config(sandbox=options)).sandbox


async def _started(options: SandboxOptions) -> Listener:
    from wiretape.app import start_sandbox  # noqa: PLC0415  as above
    from wiretape.edge.address import Address  # noqa: PLC0415  as above

    return await start_sandbox(options, Address("127.0.0.1", 0))
