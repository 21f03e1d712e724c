"""What is kept of a thread is all of it: read back at any moment, its runs go on as they would have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.rehearsal import Client
from wiretape.sandbox.bodies import ToolOutput
from wiretape.sandbox.conversation import Conversation
from wiretape.sandbox.documents import conversation, thread_document
from wiretape.sandbox.life import Life
from wiretape.sandbox.server import frame

RUNS = 300
MOMENTS_S = (0.0, 0.21, 0.5, 3.0)
"""After its creation: queued, in the middle, in a later step, over."""


def _only(client: Client) -> Conversation:
    return next(iter(client.sandbox.conversations.values()))


def _rest(life: Life, legs: Any, at_s: float) -> list[bytes]:
    """All that still happens to a run: its calls are answered as they come."""
    told: list[bytes] = []
    while not life.run.ended:
        leg, played = life.leg, len(life.leg.played)
        at_s = max(at_s, life.due_s or 0)
        life.advance(at_s)
        told += [frame(beat) for beat in leg.played[played:]]
        if life.run.status == "requires_action" and life.run.required_action:
            calls = life.run.required_action.submit_tool_outputs.tool_calls
            outputs = [ToolOutput(tool_call_id=call.id, output="21") for call in calls]
            life.submit(outputs, at_s, legs)
    return told


@pytest.mark.parametrize("after_s", MOMENTS_S)
def test_a_thread_read_back_is_the_thread_and_goes_on_like_it(after_s: float) -> None:
    for seed in range(RUNS):
        client = Client(seed)
        life = client.start()
        now_s = client.now_s + after_s
        life.advance(now_s)
        document = thread_document(_only(client))
        again = conversation(document, client.sandbox.options)
        assert thread_document(again) == document
        drawn = client.sandbox.chance.drawn
        went_on = _rest(life, client.sandbox.legs(_only(client), life.run), now_s)
        client.sandbox.chance.drawn = drawn
        other = again.runs[life.run.id]
        assert _rest(other, client.sandbox.legs(again, other.run), now_s) == went_on
        assert thread_document(again) == thread_document(_only(client))


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        conversation(b'{"thread": 1}', Client(0).sandbox.options)
