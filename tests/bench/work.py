"""The work that contenders do, in a long and in a quick form."""

from __future__ import annotations

from msgspec import Struct

DELTAS, PACE_US = 200, 20_000
JSON, FAST, PACED_1, PACED_50, PACED_500 = "json", "fast", "paced 1", "paced 50", "paced 500"
REPLAYED, REPLAYED_STREAMS = "replayed", "replayed streams"
UPLOAD_1K, UPLOAD_1M, UPLOAD_50M, LONG = "upload 1 KB", "upload 1 MB", "upload 50 MB", "long"
MIB = 1 << 20
CLIENT_SESSION_MAX = 100


class Work(Struct, frozen=True, kw_only=True):
    """What the load does in one sample."""

    name: str
    title: str
    kind: str
    """`json`, `stream` or `upload`, as `load.c` has it."""
    connections: int
    values: dict[str, float]
    """`name=value` of `load.c`."""
    rounds: int
    slow_rounds: int
    """Rounds in which slow peers take part."""
    slow: frozenset[str] = frozenset()
    """Contenders that are slow at this work alone."""
    deadline_s: float = 30.0
    """Where a sample ends that does not end by itself."""

    def words(self) -> list[str]:
        """Give what `load` is started with, but for the port."""
        values = {**self.values, "deadline_s": self.deadline_s}
        return [self.kind, str(self.connections), *(f"{name}={value}" for name, value in values.items())]


WARMING_REPLAY = (
    Work(name="", title="", kind="json", connections=8, values={"each": 50}, rounds=1, slow_rounds=1),
    Work(name="", title="", kind="stream", connections=4, values={"by_get": 1, "each": 20}, rounds=1, slow_rounds=1),
)
WARMING = (
    Work(name="", title="", kind="json", connections=8, values={"each": 20}, rounds=1, slow_rounds=1),
    Work(name="", title="", kind="stream", connections=4, values={"deltas": 50}, rounds=1, slow_rounds=1),
    Work(name="", title="", kind="upload", connections=4, values={"bytes": 1024}, rounds=1, slow_rounds=1),
)
"""What each contender does unmeasured when it has started."""


class Plan(Struct, frozen=True, kw_only=True):
    """One run of the benchmark."""

    work: tuple[Work, ...]
    idle: int
    """Idle connections that are opened, where descriptors allow it."""
    idle_deadline_s: float
    pairs: Work
    """For one process against two."""
    without: frozenset[str]
    """Contenders that are left out."""
    restarts: bool
    """Whether each work has its contenders started anew; a second for each, and memory that is that of the work."""
    installs: bool
    """Whether missing peers are installed."""
    decoder_rounds: int
    sandbox_rounds: int
    replay: tuple[Work, ...]
    """What those do that play back."""
    in_process_s: float
    """For how long each kind is played in one process."""
    cassettes: tuple[int, ...]
    """Interactions of the cassettes that are opened."""
    recorded_events: int
    """Of each stream that is recorded."""
    paced: tuple[int, ...]
    """Streams at once that are played at their pace."""
    no_harm: tuple[Work, Work] | None
    """Answers in JSON and paced streams, for proxies whose sinks fail; to start them takes longer than `quick` has."""


def _streams(name: str, at_once: int, rounds: int, slow_rounds: int, **values: float) -> Work:
    """Streams that are paced, begun apart so that they do not beat in step."""
    values = {"deltas": DELTAS, "pace_us": PACE_US, **values}
    # ClientSession opens 100 connections unless told otherwise: with more streams the naive proxy takes them in turns.
    slow = frozenset({"naive aiohttp"}) if at_once > CLIENT_SESSION_MAX else frozenset()
    length_s = values["deltas"] * PACE_US / 1e6
    of = f"{values['deltas']:,.0f} deltas, one each {PACE_US // 1000} ms"
    title = f"{at_once} paced stream{'s' * (at_once > 1)} at once: {of}"
    return Work(
        name=name, title=title, kind="stream", connections=at_once, values=values, rounds=rounds,
        slow_rounds=slow_rounds, slow=slow, deadline_s=3 * length_s + 10,
    )  # fmt: skip


def _uploads(name: str, at_once: int, size: int, rounds: int, slow_rounds: int, **values: float) -> Work:
    title = f"uploads of {name.removeprefix('upload ')}, {at_once} at once"
    values = {"bytes": size, **values}
    return Work(
        name=name, title=title, kind="upload", connections=at_once, values=values, rounds=rounds,
        slow_rounds=slow_rounds,
    )  # fmt: skip


def _json(rounds: int, slow_rounds: int, seconds: float, connections: int = 32) -> Work:
    title = f"JSON answers of 1.2 KB, {connections} connections"
    return Work(
        name=JSON, title=title, kind="json", connections=connections, values={"seconds": seconds}, rounds=rounds,
        slow_rounds=slow_rounds,
    )  # fmt: skip


def _replay(rounds: int, seconds: float) -> tuple[Work, ...]:
    streams = {"seconds": seconds, "deltas": DELTAS, "by_get": 1}
    asked = {REPLAYED: ("json", 32, {"seconds": seconds}), REPLAYED_STREAMS: ("stream", 16, streams)}
    return tuple(
        Work(name=name, title=name, kind=kind, connections=at_once, values=values, rounds=rounds, slow_rounds=rounds)
        for name, (kind, at_once, values) in asked.items()
    )


def _fast(rounds: int, slow_rounds: int, seconds: float) -> Work:
    title = f"50 streams at once as fast as they go: {DELTAS} deltas each"
    values = {"deltas": DELTAS, "seconds": seconds}
    return Work(
        name=FAST, title=title, kind="stream", connections=50, values=values, rounds=rounds, slow_rounds=slow_rounds
    )


def _long(deltas: int) -> Work:
    title = f"one stream of {deltas:,} events"
    return Work(
        name=LONG, title=title, kind="stream", connections=1, values={"deltas": deltas}, rounds=1, slow_rounds=1
    )


FULL = Plan(
    work=(
        _json(5, 3, 1.0),
        _fast(5, 2, 0.7),
        _streams(PACED_1, 1, 5, 2, deltas=25, each=3),
        _streams(PACED_50, 50, 5, 2, deltas=50, spread_ms=500),
        _streams(PACED_500, 500, 5, 1, spread_ms=1000),
        _uploads(UPLOAD_1K, 32, 1024, 5, 2, seconds=0.5),
        _uploads(UPLOAD_1M, 8, MIB, 5, 2, seconds=0.7),
        _uploads(UPLOAD_50M, 2, 50 * MIB, 5, 2, each=1),
        _long(100_000),
    ),
    idle=10_000,
    idle_deadline_s=40.0,
    pairs=_json(5, 0, 1.0, 128),
    without=frozenset(),
    restarts=True,
    installs=True,
    decoder_rounds=200,
    sandbox_rounds=3,
    replay=_replay(5, 1.0),
    in_process_s=3.0,
    cassettes=(10, 1_000, 100_000),
    recorded_events=100_000,
    paced=(1, 64, 500),
    no_harm=(_json(4, 0, 0.4), _streams("no harm", 100, 4, 0, deltas=25, spread_ms=200)),
)
QUICK = Plan(
    work=(
        _json(2, 1, 0.4),
        _fast(2, 1, 0.3),
        _streams(PACED_1, 1, 2, 1, deltas=15, each=1),
        _streams(PACED_50, 50, 1, 1, deltas=25, spread_ms=200),
        _streams(PACED_500, 500, 2, 0, deltas=50, spread_ms=600),
        _uploads(UPLOAD_1K, 32, 1024, 2, 1, seconds=0.2),
        _uploads(UPLOAD_1M, 8, MIB, 1, 1, seconds=0.2),
        _uploads(UPLOAD_50M, 1, 50 * MIB, 2, 1, each=1),
        _long(20_000),
    ),
    idle=1_000,
    idle_deadline_s=5.0,
    pairs=_json(2, 0, 0.5, 128),
    without=frozenset({"wiretape, reference"}),
    restarts=False,
    installs=False,
    decoder_rounds=20,
    sandbox_rounds=1,
    replay=_replay(2, 0.3),
    in_process_s=0.5,
    cassettes=(10, 10_000),
    recorded_events=5_000,
    paced=(64,),
    no_harm=None,
)
