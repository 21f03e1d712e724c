"""How two rows of one thing become one, whichever came first and however often.

Of some columns the greatest value counts, and a known one goes before an unknown one. The others stand in groups, and
a group is taken whole from the row that ranks first in it: by what makes its figures better, then by the figures
themselves, so that two rows that differ are never alike. Each of both is the least upper bound of an order, so merging
is commutative, associative and idempotent: rows of several processes, or of several ledgers, meet in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct


class Group(Struct, frozen=True):
    """Columns that belong together."""

    columns: tuple[str, ...]
    rank: tuple[str, ...] = ()
    """SQL of what makes a row go first, least first; `{row}` is the row."""

    def goes_first(self, table: str) -> str:
        """SQL that says whether the new row's figures are the ones to keep."""
        order = (*self.rank, *(part for name in self.columns for part in _orders(name)))
        new, old = (", ".join(part.format(row=row) for part in order) for row in ("excluded", table))
        return f"({new}) < ({old})"


class Table(Struct, frozen=True):
    """A table whose rows merge; one without groups and `greatest` keeps what it has."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    groups: tuple[Group, ...] = ()
    greatest: tuple[str, ...] = ()

    def upsert(self) -> str:
        """The statement that writes a row, or merges it into the one that is there; values by place."""
        names = ", ".join(self.columns)
        places = ", ".join("?" * len(self.columns))
        merged = ", ".join(self._merged())
        then = f"UPDATE SET {merged}" if merged else "NOTHING"
        key = ", ".join(self.key)
        return f"INSERT INTO {self.name} ({names}) VALUES ({places}) ON CONFLICT ({key}) DO {then}"  # noqa: S608 - names are ours

    def _merged(self) -> Iterator[str]:
        for name in self.greatest:
            mine, theirs = f"{self.name}.{name}", f"excluded.{name}"
            yield f"{name} = max(coalesce({mine}, {theirs}), coalesce({theirs}, {mine}))"
        for group in self.groups:
            goes_first = group.goes_first(self.name)
            for name in group.columns:
                yield f"{name} = CASE WHEN {goes_first} THEN excluded.{name} ELSE {self.name}.{name} END"


def _orders(name: str) -> tuple[str, str]:
    """A column's value as parts of an order: nothing compares with NULL."""
    return f"{{row}}.{name} IS NULL", f"coalesce({{row}}.{name}, 0)"


USAGE: Final = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")

BETTER_SOURCE: Final = "CASE {row}.usage_source WHEN 'run' THEN 0 WHEN 'steps' THEN 1 ELSE 2 END"
_MORE_TOKENS: Final = ("-coalesce({row}.input_tokens, -1)", "-coalesce({row}.output_tokens, -1)")

RUN: Final = Table(
    name="run",
    key=("upstream", "run_id"),
    columns=(
        *("upstream", "run_id", "thread_id", "assistant_id", "assistant_name", "model_requested", "model", "mode"),
        *("cassette", "is_foreign", "streamed", "created_us", "queue_us", "first_event_us", "first_token_us"),
        *("first_token_kind", "model_us", "tool_wait_us", "duration_us", "polls", "exchanges", "events", "steps"),
        *("tool_calls", *USAGE, "usage_source", "cost_nano", "price_version", "status", "outcome", "error"),
        *("trace_id", "key_hash", "key_alias", "gap_sketch", "overhead_us"),
    ),
    groups=(
        # What only the process that relayed the creation knows; one that saw the end too goes first, then the earlier.
        Group(
            (
                *("is_foreign", "mode", "cassette", "created_us", "queue_us", "first_event_us", "first_token_us"),
                *("first_token_kind", "model_us", "tool_wait_us", "duration_us", "trace_id", "key_hash", "key_alias"),
                "gap_sketch",
            ),
            rank=("{row}.is_foreign", "{row}.duration_us IS NULL", "{row}.created_us"),
        ),
        # Tokens are of one source, never mixed, and their cost goes with them.
        Group(
            (*USAGE, "usage_source", "cost_nano", "price_version"),
            rank=(BETTER_SOURCE, *_MORE_TOKENS, "{row}.price_version IS NULL"),
        ),
        Group(("status", "outcome", "error"), rank=("{row}.outcome = 'abandoned'",)),
    ),
    greatest=(
        *("thread_id", "assistant_id", "assistant_name", "model_requested", "model", "streamed", "polls"),
        *("exchanges", "events", "steps", "tool_calls", "overhead_us"),
    ),
)

STEP: Final = Table(
    name="step",
    key=("upstream", "run_id", "step_id"),
    columns=(
        *("upstream", "run_id", "step_id", "type", "status", "created_us", "duration_us", "error", "tools"),
        *USAGE,
    ),
    groups=(
        Group(
            ("type", "status", "created_us", "duration_us", "error", "tools"),
            rank=("{row}.duration_us IS NULL",),
        ),
        Group(USAGE, rank=_MORE_TOKENS),
    ),
)

REQUEST: Final = Table(
    name="request",
    key=("start_us", "span_id"),
    columns=(
        *("start_us", "span_id", "trace_id", "upstream", "run_id", "session", "mode", "cassette", "played", "method"),
        *("route", "status", "how", "code", "streamed", "passed_us", "head_us", "first_chunk_us", "duration_us"),
        *("overhead_us", "bytes_in", "bytes_out", "chunks", "events", "upstream_request_id"),
        *("upstream_processing_ms", "key_hash"),
    ),
)

PRICE: Final = Table(
    name="price",
    key=("version",),
    columns=(
        *("version", "model", "provider", "upstream", "since", "input_pico", "cached_pico", "output_pico", "source"),
    ),
)

CORRECTION: Final = Table(
    name="correction",
    key=("digest",),
    columns=(
        *("digest", "upstream", "run_id", "at_us", "is_foreign", "status", "outcome", "error", *USAGE),
        "usage_source",
    ),
)

TABLES: Final = (RUN, STEP, REQUEST, PRICE, CORRECTION)
"""All of the ledger that merges."""
