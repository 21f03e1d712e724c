import json

import pytest
from msgspec.structs import replace

from support.golden import FOLDER
from support.tapes import STREAM, request, taken, tape
from wiretape.cassette.format import Header, Tape
from wiretape.cassette.observed import runs
from wiretape.cassette.stats import Spread, stats
from wiretape.edge.store import load
from wiretape.exchange import How

NAMES = sorted(path.name.removesuffix(".tape.jsonl") for path in FOLDER.glob("*.tape.jsonl"))
FACTS = ("run_id", "status", "outcome", "error", "polls", "events", "streamed", "usage_source", "model", "exchanges")


@pytest.mark.parametrize("name", NAMES)
def test_the_runs_of_a_cassette_are_those_that_replaying_it_reports(name: str) -> None:
    expected = json.loads((FOLDER / f"{name}.expected.json").read_text())["runs"]
    told = [{fact: getattr(run, fact) for fact in FACTS} for run in runs(load(FOLDER / f"{name}.tape.jsonl"))]
    assert told == [{fact: run[fact] for fact in FACTS} for run in expected]


def poll(status: str, index: int, at_ms: int) -> list[bytes]:
    usage = '{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}' if status == "completed" else "null"
    body = f'{{"id":"run_a","object":"thread.run","status":"{status}","model":"m","usage":{usage}}}'
    return taken(request("GET", "/v1/threads/thread_a/runs/run_a", at_ms=at_ms), chunks=[body.encode()], index=index)


def polled() -> Tape:
    start = b'{"id":"run_a","object":"thread.run","status":"queued","model":"m"}'
    return tape(
        taken(request("POST", "/v1/threads/thread_a/runs"), b"{}", chunks=[start]),
        poll("in_progress", 2, 100),
        poll("completed", 3, 200),
        taken(request("POST", "/x", at_ms=300), headers=STREAM, chunks=[b"data: 1\n\n", b"data: 2\n\n"], index=4),
        taken(request("POST", "/y", at_ms=300), how=How.CANCELLED, index=5)[:1],
    )


def test_a_cassette_is_told_in_numbers() -> None:
    found = stats(polled())
    assert (found.interactions, found.sessions, found.streams, found.events) == (5, 1, 1, 2)
    assert found.requests == {"GET": 2, "POST": 3}
    assert found.statuses == {"200": 4, "none": 1}
    assert found.endings == {"complete": 4, "recorder": 1}
    assert (found.length_ms, found.first_event_ms) == (320, Spread(1, 10, 10, 10))
    assert found.first_byte_ms == Spread(4, 10, 10, 10)
    assert (found.input_tokens, found.output_tokens) == (9, 4)
    (run,) = found.runs
    assert (run.run_id, run.outcome, run.model, run.polls) == ("run_a", "completed", "m", 2)
    assert (run.duration_ms, run.first_token_ms) == (210.0, None)


def test_what_has_no_times_has_no_lengths() -> None:
    content = polled()
    timeless = replace(content, interactions=tuple(replace(one, times_known=False) for one in content.interactions))
    found = stats(timeless)
    assert (found.length_ms, found.first_byte_ms, found.first_event_ms) == (None, None, None)
    assert [run.duration_ms for run in found.runs] == [None]


def test_an_empty_cassette_has_nothing_to_count() -> None:
    found = stats(Tape(header=Header()))
    assert (found.interactions, found.requests, found.runs) == (0, {}, ())
