"""Runs as they are known now: what a correction knows better stands in place of what was written at the run's end.

A view holds no rows, so it is made anew with every migration, and shows what the tables then have.
"""

from __future__ import annotations

from typing import Final

from wiretape.ledger.merge import BETTER_SOURCE, RUN, USAGE

_OF_RUN: Final = "{row}.place = 1 AND {row}.upstream = run.upstream AND {row}.run_id = run.run_id"

# The same as Price.nano_usd, for prices and tokens that corrections bring together. Products beyond 64 bits, of figures
# that no service means, would be no whole numbers: the cast makes them the greatest of these, as is written for a run.
_COST: Final = """
    CAST(((spent.input_tokens - min(spent.cached_tokens, spent.input_tokens)) * price.input_pico
    + min(spent.cached_tokens, spent.input_tokens) * price.cached_pico
    + spent.output_tokens * price.output_pico + 500) / 1000 AS INTEGER)
"""


def _column(name: str) -> str:
    if name in {*USAGE, "usage_source"}:
        return f"CASE WHEN spent.place = 1 THEN spent.{name} ELSE run.{name} END AS {name}"
    if name in {"status", "outcome", "error"}:
        return f"CASE WHEN ending.place = 1 THEN ending.{name} ELSE run.{name} END AS {name}"
    if name == "cost_nano":
        return f"CASE WHEN spent.place = 1 THEN {_COST} ELSE run.cost_nano END AS cost_nano"
    return f"run.{name}"


def _latest(where: str, rank: str) -> str:
    order = f"{rank}at_us DESC, digest"
    return (
        f"(SELECT *, row_number() OVER (PARTITION BY upstream, run_id ORDER BY {order}) AS place "  # noqa: S608 - words are ours
        f"FROM correction WHERE {where})"
    )


CORRECTED: Final = f"""
    CREATE VIEW corrected AS SELECT {", ".join(map(_column, RUN.columns))} FROM run
    LEFT JOIN {_latest("usage_source <> 'none'", BETTER_SOURCE.format(row="correction") + ", ")} AS spent
        ON {_OF_RUN.format(row="spent")} AND {BETTER_SOURCE.format(row="spent")} <= {BETTER_SOURCE.format(row="run")}
    LEFT JOIN {_latest("outcome <> 'abandoned'", "")} AS ending
        ON {_OF_RUN.format(row="ending")} AND run.outcome = 'abandoned'
    LEFT JOIN price ON price.version = run.price_version
"""  # noqa: S608 - words are ours
"""The latest correction of the better source, where that is no worse than the run's own; and an ending for a run that
was given up."""

VIEWS: Final = {"corrected": CORRECTED}
"""Name and making of each."""
