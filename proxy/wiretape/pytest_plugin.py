"""What pytest gets: `wiretape`, recorded answers for a test, and `wiretape_sandbox`, an Assistants server of its own.

Nothing heavy is imported before a test uses one of them.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from wiretape.edge.listen import Listener
    from wiretape.sandbox.options import SandboxOptions
    from wiretape.taped import Taped

KEY = "sk-wiretape-sandbox"
"""What OPENAI_API_KEY is set to where no `api_key` is: any key will do."""
MARKERS = {
    "wiretape(*cassettes, mode='replay', speed=0, faults=(), strict=False)": (
        "answer the test from these cassettes, or from one named after it; a request that no recording answers fails "
        "the test, and with strict so does a recorded one that was not made"
    ),
    "wiretape_sandbox(**options)": (
        "settings of the test's sandbox, as in [sandbox] of wiretape.toml (seed=…, script=…, pace_s=…); runs do not "
        "wait unless told to"
    ),
}
MODES = {"replay": "replay", "record": "rewrite", "auto": "auto", "forward": "forward", "verify": "verify"}
"""The plugin's words, and the proxy's modes: a test that is recorded again replaces what it had."""
SETTINGS = ("mode", "speed", "faults", "strict")
_NAME_MAX = 100
_UNFIT = re.compile(r"[^\w.\[\]-]+")


class SandboxServer:
    """A sandbox that is running; `url` is its root, `base_url` what an SDK takes."""

    def __init__(self, url: str, api_key: str = KEY) -> None:
        self.url = url
        self.base_url = f"{url}/v1"
        self.api_key = api_key


class Marked(NamedTuple):
    """What a test's marker and the command line ask for."""

    cassettes: tuple[str, ...]
    mode: str
    speed: float
    faults: tuple[str, ...]
    strict: bool


class Open:
    """A test's proxy, and how much of what went wrong was told already."""

    def __init__(self, tape: Taped, strict: bool) -> None:
        self.tape = tape
        self.strict = strict
        self.told = 0


_OPEN = pytest.StashKey[Open]()
_PORT = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("wiretape", "recorded answers of assistant APIs")
    told = "What tests with `wiretape` do, whatever their marker says: replay (the default), record, auto, ..."
    group.addoption("--wiretape", choices=sorted(MODES), help=told)
    group.addoption("--wiretape-dir", metavar="DIR", help="Where cassettes lie [`cassettes` beside the test's file]")


def pytest_configure(config: pytest.Config) -> None:
    """Announce the markers."""
    for marker, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the marker alone be enough; first of all fixtures, for others may make a client."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is not None and item.get_closest_marker("wiretape") and "wiretape" not in names:
            names.insert(0, "wiretape")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that was refused something, although it passed; tell one that failed what was refused."""
    try:
        result = yield
    except BaseException:
        if problem := _problem(item):
            item.add_report_section("call", "wiretape", problem)
        raise
    if problem := _problem(item, ended=True):
        pytest.fail(problem, pytrace=False)
    return result


@pytest.fixture
def wiretape(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Taped]:
    """A proxy that answers this test from its cassette, on a free loopback port, in a thread of its own.

    `OPENAI_BASE_URL` and `OPENAI_API_KEY` are set, so that a client finds it by itself.
    """
    marked = _marked(request.node)
    with ExitStack() as opened:
        tape = _opened(request.node, marked, opened)
        for name, value in tape.environment(os.environ).items():
            monkeypatch.setenv(name, value)
        request.node.stash[_OPEN] = Open(tape, marked.strict)
        yield tape
        if problem := _problem(request.node):
            pytest.fail(problem, pytrace=False)


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
    from wiretape.taped import looping  # noqa: PLC0415  nothing is imported before it is used

    options = _options(settings)
    with looping("wiretape-sandbox") as run:
        listener = run(_started(options))
        try:
            yield SandboxServer(listener.url, options.api_key or KEY)
        finally:
            run(listener.close())


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


def _marked(item: pytest.Item) -> Marked:
    """What marker and command line ask for; the command line comes first."""
    marker = item.get_closest_marker("wiretape") or pytest.mark.wiretape().mark
    if unknown := sorted(set(marker.kwargs) - set(SETTINGS)):
        raise pytest.UsageError(f"the marker wiretape has no setting {unknown[0]}; known are {', '.join(SETTINGS)}")
    mode = item.config.getoption("--wiretape") or marker.kwargs.get("mode", "replay")
    if mode not in MODES:
        raise pytest.UsageError(f"the marker wiretape has no mode {mode!r}; known are {', '.join(MODES)}")
    faults = marker.kwargs.get("faults", ())
    return Marked(
        cassettes=tuple(map(os.fspath, marker.args)) or (_name(item),),
        mode=mode,
        speed=marker.kwargs.get("speed", 0.0),
        faults=(faults,) if isinstance(faults, str) else tuple(faults),
        strict=marker.kwargs.get("strict", False),
    )


def _name(item: pytest.Item) -> str:
    """A cassette's name from a test's: its file, then its class and name; a hash where a file cannot be named so."""
    words = item.nodeid.partition("::")[2].replace("::", ".")
    fit = _UNFIT.sub("-", words)[:_NAME_MAX]
    if fit != words:
        fit += f"-{blake2b(words.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"
    return f"{item.path.stem}/{fit}"


def _opened(item: pytest.Item, marked: Marked, opened: ExitStack) -> Taped:
    """Start the test's proxy; one that cannot start fails the test with a sentence."""
    from wiretape.errors import UsageError  # noqa: PLC0415  nothing is imported before it is used
    from wiretape.taped import Wanted, taped  # noqa: PLC0415  as above

    folder = Path(item.config.getoption("--wiretape-dir") or item.path.parent / "cassettes").absolute()
    stems = tuple(str(folder / name) for name in marked.cassettes)
    # The port of the test before, where it is free: an application may keep one client for all tests.
    wanted = Wanted(stems, MODES[marked.mode], marked.speed, marked.faults, item.config.stash.get(_PORT, 0))
    try:
        tape = opened.enter_context(taped(wanted, os.environ, lost=_fail))
    except UsageError as error:
        raise pytest.fail.Exception(f"wiretape: {error}\n{_hint(item)}", pytrace=False) from None
    item.config.stash[_PORT] = tape.port
    return tape


def _fail(problem: str) -> None:
    pytest.fail(problem, pytrace=False)


def _problem(item: pytest.Item, *, ended: bool = False) -> str:
    """What went wrong since it was told last; of a test that has `ended`, also what it left unplayed."""
    opened = item.stash.get(_OPEN, None)
    if opened is None:
        return ""
    problems = opened.tape.problems(played_all=ended and opened.strict)
    new, opened.told = problems.count > opened.told, max(problems.count, opened.told)
    return f"{problems.text}\n{_hint(item)}" if new else ""


def _hint(item: pytest.Item) -> str:
    return f"Record it anew: pytest --wiretape=record {shlex.quote(item.nodeid)}"
