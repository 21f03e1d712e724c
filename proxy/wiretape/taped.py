"""A proxy, or a sandbox, in a thread with a loop of its own: for tests that block, or whose loop is another one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan

from wiretape.app import Outcome, Proxy
from wiretape.cassette.plan import Mode
from wiretape.config import SANDBOX, Config, load
from wiretape.edge.sessions import SessionReport, told
from wiretape.edge.store import tape_path
from wiretape.errors import CassetteError, ConfigError
from wiretape.kept import Kept
from wiretape.runs.report import RunReport
from wiretape.telemetry.vocabulary import PROFILES

SETTLE_S = 2.0
"""Seconds that what a test asks of its runs waits for exchanges that have not ended, and for their reports."""
KEY = "sk-wiretape-needs-no-key"
"""What OPENAI_API_KEY is set to where any key will do: it opens nothing."""
_LOOPBACK = "127.0.0.1,localhost,::1"
T = TypeVar("T")


class Run(Protocol):
    """Runs a coroutine on the thread's loop and waits for what it gives."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Raises what the coroutine raises."""
        ...


class Wanted(Struct, frozen=True):
    """What a test asks for: cassettes by stem, the proxy's mode, pace and faults."""

    stems: tuple[str, ...]
    mode: str = "replay"
    speed: float = 0.0
    faults: tuple[str, ...] = ()
    """Left aside where no cassette answers."""
    port: int = 0
    """Where to listen on the loopback if it is free; 0 is anywhere."""


class Problems(Struct, frozen=True):
    """What should not have happened: how much of it, and a paragraph for a person."""

    count: int
    text: str


@contextmanager
def looping(name: str) -> Iterator[Run]:
    """Run a loop in a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    try:
        yield run
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def taped(wanted: Wanted, environ: Mapping[str, str], lost: Callable[[str], None]) -> Iterator[Taped]:
    """Run a proxy for a test; `lost` is told when a recording is not whole.

    Settings come from `wiretape.toml` and `WIRETAPE_*` variables too, the upstream above all. Raises the errors of
    configuration and cassettes.
    """
    with looping("wiretape") as run:
        kept = Kept()
        proxy = run(_started(wanted, environ, kept))
        try:
            yield Taped(proxy, run, kept)
        finally:
            outcome = run(proxy.close())
    if problem := _lost(outcome):
        lost(problem)


class Taped:
    """What the fixture `wiretape` gives: where a client has to ask, and what came of it."""

    def __init__(self, proxy: Proxy, run: Run, kept: Kept) -> None:
        self.url = proxy.traffic.url
        """The proxy's root."""
        self.base_url = f"{self.url}/v1"
        """What an SDK takes as its base URL; `OPENAI_BASE_URL` says the same."""
        self.session = "default"
        """The session of clients that name none; `{url}/s/<name>/v1` is another one, with a cursor of its own."""
        self.port = urlsplit(self.url).port or 0
        self.mode = proxy.config.mode.value
        self.cassettes = [tape_path(Path(stem)) for stem in proxy.config.cassette]
        self._proxy = proxy
        self._run = run
        self._kept = kept

    @property
    def runs(self) -> list[RunReport]:
        """The test's runs that have ended, in order: outcome, tokens, times, steps; live and replayed alike.

        Waits for exchanges that are about to end, `SETTLE_S` at most. A run that never ends is not among them.
        """
        self._settle()
        return sorted(self._kept.runs, key=lambda run: run.start_ns)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans of what has ended, by their start, in the profile of `[telemetry]`; `runs` says what is waited for.

        `server.*` is left out, as a replay has none.
        """
        self._settle()
        return self._kept.spans(PROFILES[self._proxy.config.telemetry.profile])

    @property
    def reports(self) -> list[SessionReport]:
        """What each session has come to so far; none in modes without sessions."""

        async def read() -> list[SessionReport]:
            return [] if self._proxy.sessions is None else self._proxy.sessions.reports()

        return self._run(read())

    @property
    def misses(self) -> list[str]:
        """Why each request that was refused had no answer, also where the application swallowed the error."""
        return [miss for report in self.reports for miss in report.misses]

    @property
    def drift(self) -> list[str]:
        """Where live answers differ from recorded ones, in mode verify."""
        return [line for report in self.reports for line in report.drift]

    @property
    def unplayed(self) -> list[str]:
        """Recorded requests that no session has made."""

        async def read() -> list[str]:
            return [] if self._proxy.sessions is None else list(map(told, self._proxy.sessions.unplayed()))

        return self._run(read())

    def _settle(self) -> None:
        async def idle() -> int:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await self._proxy.relay.idle()
            return self._proxy.relay.reported

        self._kept.wait_for(self._run(idle()), SETTLE_S)

    def assert_nothing_refused(self) -> None:
        """Raise AssertionError with what was refused, and in mode verify with what drifted."""
        problems = self.problems()
        assert not problems.count, problems.text  # noqa: S101  what an assertion of a test is

    def assert_all_played(self) -> None:
        """The same, and with the recorded requests that nobody made."""
        problems = self.problems(played_all=True)
        assert not problems.count, problems.text  # noqa: S101  as above

    def problems(self, *, played_all: bool = False) -> Problems:
        """What was refused or has drifted; with `played_all` also what was not played, where cassettes answer.

        A live run may be polled more or less often than the recorded one was.
        """
        left = self.unplayed if played_all and self._proxy.config.mode.asks else []
        refused, drifted = sum(one.refused for one in self.reports), sum(one.drifted for one in self.reports)
        found = (
            (refused, "request", "refused", self.misses),
            (drifted, "answer", "drifted", self.drift),
            (len(left), "request", "not made", left),
        )
        told = [*(_paragraph(*one) for one in found if one[0]), *map(_named, self.cassettes), *self._proxy.notes]
        return Problems(sum(count for count, *_ in found), "\n".join(told))

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What a client's environment is to say: base URL, a key where none is needed or there, loopback direct."""
        config = self._proxy.config
        key = "" if config.mode is Mode.REPLAY or config.upstream == SANDBOX else environ.get("OPENAI_API_KEY", "")
        direct = no_proxy(environ)
        ours = {"OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": key or KEY}
        return {**ours, "NO_PROXY": direct, "no_proxy": direct}


def no_proxy(environ: Mapping[str, str]) -> str:
    """What lets clients go straight to the loopback, and to where they went straight before.

    Both spellings are joined: clients read one or the other.
    """
    known = (environ.get(name) for name in ("NO_PROXY", "no_proxy"))
    return ",".join(dict.fromkeys(filter(None, (*known, _LOOPBACK))))


async def _started(wanted: Wanted, environ: Mapping[str, str], kept: Kept) -> Proxy:
    try:
        return await Proxy.start(_config(wanted, environ), environ={}, sinks=[kept])
    except ConfigError:
        if not wanted.port:
            raise
    return await Proxy.start(_config(replace(wanted, port=0), environ), environ={}, sinks=[kept])


def _config(wanted: Wanted, environ: Mapping[str, str]) -> Config:
    mode = Mode(wanted.mode)
    played = {"speed": wanted.speed, "fault": wanted.faults} if mode.asks else {}
    cassette = {} if mode is Mode.FORWARD else {"cassette": _there(wanted.stems, mode)}
    listens = {"listen": f"127.0.0.1:{wanted.port}", "admin": "127.0.0.1:0", "drain_s": 0.0}
    return load({**listens, "ledger": "none", "mode": mode.value, **played, **cassette}, environ).config


def _there(stems: tuple[str, ...], mode: Mode) -> tuple[str, ...]:
    """The stems; raises CassetteError for a cassette that would have to be there."""
    missing = [tape_path(Path(stem)) for stem in stems if not tape_path(Path(stem)).exists()]
    if missing and mode in {Mode.REPLAY, Mode.VERIFY}:
        raise CassetteError(f"there is no cassette {missing[0]}")
    return stems


def _lost(outcome: Outcome) -> str:
    """What is wrong with a recording; empty where nothing is."""
    if outcome.stopped:
        return f"wiretape: {outcome.stopped}"
    incomplete = outcome.unrecorded + (outcome.sealed.incomplete if outcome.sealed else 0)
    return f"wiretape: {incomplete} exchanges are not recorded, or not to their end" if incomplete else ""


def _paragraph(count: int, what: str, became: str, lines: list[str]) -> str:
    """However many there were: of what is not kept any more (`match.misses_max`) only the number is told."""
    more = f"; {len(lines)} of them" if len(lines) < count else ""
    counted = f"{count} {what}{'' if count == 1 else 's'} {became}{more}"
    return "\n".join([f"wiretape: {counted}", *(f"  {line}" for line in lines)])


def _named(path: Path) -> str:
    return f"Cassette: {path}"
