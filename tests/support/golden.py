"""What a golden cassette is expected to come to: its exchanges, its events, its runs. Times are left out."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from support.proxied import proxied
from support.scenarios import Scenario, asking
from wiretape.cassette.plan import Mode
from wiretape.runs.report import RunReport
from wiretape.testing import CollectingSink

FOLDER = Path(__file__).parents[2] / "cassettes"
RUN_FACTS = (
    "run_id", "thread_id", "assistant_id", "assistant_name", "model", "streamed", "foreign", "status", "outcome",
    "error", "usage", "usage_source", "polls", "exchanges", "events", "first_token_kind",
)  # fmt: skip


async def expected(stem: str, scenario: Scenario) -> dict[str, Any]:
    """Replay a cassette to its own conversation and tell what was seen."""
    collector = CollectingSink()
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), sinks=(collector,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, answers):
            await scenario(ask)
        outcome = await proxy.close()
    return {
        "refused": outcome.refused,
        "unplayed": outcome.unplayed,
        "exchanges": [
            {"route": f"{one.method} {one.route}", "status": one.status, "how": one.how, "events": one.events}
            for one in collector.exchanges
        ],
        "unknown": sum(one.events_unknown + one.fields_unknown + one.decoder_errors for one in collector.exchanges),
        "events": _events(answers),
        "runs": [_run(report) for report in collector.runs],
    }


def _events(answers: list[Any]) -> dict[str, int]:
    streams = [one for one in answers if one.body.startswith(b"event: ")]
    return dict(Counter(event for one in streams for event, _ in one.events()))


def _run(report: RunReport) -> dict[str, Any]:
    facts = {name: msgspec.to_builtins(getattr(report, name)) for name in RUN_FACTS}
    steps = [
        {"type": one.type, "status": one.status, "tools": [tool.name for tool in one.tools]} for one in report.steps
    ]
    return {**facts, "steps": steps}
