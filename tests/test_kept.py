"""What a test learns of its own runs and spans, from the thread that it is in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.reports import a_run, an_exchange
from support.sdk import client
from wiretape import kept, taped
from wiretape.kept import Kept
from wiretape.taped import Taped, Wanted
from wiretape.telemetry.tree import tree
from wiretape.telemetry.vocabulary import PROFILES

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def say(tape: Taped) -> str:
    with client(tape.url) as api:
        assistant = api.beta.assistants.create(model="gpt-4o-mini", name="Ada")
        thread = {"messages": [{"role": "user", "content": "Hello!"}]}
        with api.beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=thread) as stream:
            stream.until_done()
    assert stream.current_run is not None
    return stream.current_run.id


def test_a_run_is_there_as_soon_as_its_client_has_the_last_byte(tmp_path: Path) -> None:
    told = []
    for mode in ("record", "replay"):
        with taped.taped(Wanted((str(tmp_path / "talk"),), mode), {}, lost=pytest.fail) as tape:
            run_id = say(tape)
            (run,) = tape.runs
            assert (run.run_id, run.outcome, run.mode) == (run_id, "completed", mode)
            told.append((run.usage, [(step.type, step.usage) for step in run.steps], shape(tape)))
    assert told[0] == told[1]
    assert told[0][0] is not None


def shape(tape: Taped) -> list[str]:
    """The trees, without the times at the ends of their lines."""
    return [line.rsplit("  ", 1)[0] for line in tree(tape.spans).splitlines()]


def test_an_exchange_that_does_not_end_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taped, "SETTLE_S", 0.05)
    with (
        taped.taped(Wanted((str(tmp_path / "talk"),), "forward"), {}, lost=pytest.fail) as tape,
        client(tape.url) as api,
    ):
        assistant = api.beta.assistants.create(model="gpt-4o-mini", instructions="Wait.")
        asked = {"assistant_id": assistant.id, "metadata": {"sandbox": "stall"}, "stream": True}
        with api.beta.threads.create_and_run(**asked) as stream:
            next(iter(stream))
            began_s = time.monotonic()
            assert tape.runs == []
            assert time.monotonic() - began_s < taped.SETTLE_S + 5


def test_reports_that_do_not_come_are_not_waited_for_long() -> None:
    one = Kept()
    one.exchange(an_exchange())
    assert one.wait_for(1, 0)
    assert not one.wait_for(2, 0.01)


def test_what_is_kept_is_bounded_and_what_is_not_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_MAX", 2)
    one = Kept()
    for _ in range(3):
        one.exchange(an_exchange())
        one.run(a_run())
    assert (len(one.exchanges), len(one.runs), one.left_out) == (2, 2, 2)
    assert one.wait_for(3, 0)


def test_the_spans_follow_the_profile() -> None:
    one = Kept()
    one.run(a_run())
    names = {
        name: {key for span in one.spans(profile) for key in span.attributes or {}}
        for name, profile in PROFILES.items()
    }
    assert "llm.token_count.total" in names["openinference"] - names["otel"]
