"""Ten thousand runs, each of a seed of its own: every stream is in order, and what it came to is what is read."""

from __future__ import annotations

from collections import Counter

from support.rehearsal import Client

RUNS = 10_000
EVENTS = {
    "thread.created", "thread.run.created", "thread.run.queued", "thread.run.in_progress",
    "thread.run.requires_action", "thread.run.completed", "thread.run.incomplete", "thread.run.failed",
    "thread.run.cancelling", "thread.run.cancelled", "thread.run.expired", "thread.run.step.created",
    "thread.run.step.in_progress", "thread.run.step.delta", "thread.run.step.completed", "thread.run.step.failed",
    "thread.run.step.cancelled", "thread.run.step.expired", "thread.message.created", "thread.message.in_progress",
    "thread.message.delta", "thread.message.completed", "thread.message.incomplete", "error", "done",
}  # fmt: skip
"""All 25 (reference chapter 5)."""


def test_ten_thousand_seeded_runs_are_in_order_and_add_up() -> None:
    seen: Counter[str] = Counter()
    for seed in range(RUNS):
        client = Client(seed)
        client.check_reads(client.talk())
        seen += client.seen
    assert set(seen) == EVENTS
