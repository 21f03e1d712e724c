"""What the observer of one exchange knows of it, and what it is told of how the exchange was served."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from wiretape.exchange import Trace
from wiretape.runs.report import AgentCreated
from wiretape.runs.tracker import Key


class Seen(Struct, frozen=True, kw_only=True):
    """What a Watch knows of its exchange; the fields of an ExchangeReport."""

    route: str
    events: int = 0
    events_unknown: int = 0
    fields_unknown: int = 0
    decoder_errors: int = 0
    run_key: Key | None = None
    run_trace: Trace | None = None
    run_span_id: int | None = None
    agent_created: AgentCreated | None = None
    streamed: bool = False


class Context(Struct, frozen=True):
    """How the proxy served an exchange, and where it has the number of a new span from."""

    mode: str
    cassette: str | None
    new_span_id: Callable[[], int]
