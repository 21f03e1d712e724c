from __future__ import annotations

from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.corpora import recorded
from support.order_cases import BROKEN, FAILURE, GOOD, NEW_THREAD
from support.orders import CALLS, EITHER, RESUME, RESUMED, START, TEXT, Event, Stage, findings, found, full
from support.streams import NAMES, frames, stream
from wiretape.dialects.assistants.decode import EVENTS
from wiretape.dialects.assistants.grammar import FOLLOWS
from wiretape.runs.order import Severity, order

FATES = (
    "say hello there",
    "fail server_error",
    "fail invalid_prompt",
    "incomplete max_prompt_tokens",
    "expire",
    "stall",
)
QUESTIONS = ("Hello", "The weather in Paris and the time in Rome?", "What is new?", "Time!")

LEGAL = {
    # a thread is announced only where it is new
    ("function_call", "delete", "thread.created"),
    # nobody knows how images and outputs come in deltas (reference chapter 13), so they are not compared
    ("code_interpreter", "delete", "thread.run.step.delta"),
    ("code_interpreter", "double", "thread.run.step.delta"),
    ("code_interpreter", "delete", "thread.message.delta"),
    ("code_interpreter", "double", "thread.message.delta"),
    ("code_interpreter", "swap", "thread.run.step.delta"),
    ("code_interpreter", "swap", "thread.message.delta"),
    # an error may stand in place of anything, another error too
    ("error", "delete", "thread.run.in_progress"),
    ("error", "double", "error"),
}
"""What may be done to our recordings and leave a legal stream; each once."""


@pytest.mark.parametrize("name", GOOD)
def test_a_good_stream_gives_no_finding(name: str) -> None:
    asked, events = GOOD[name]
    assert (found(events, asked), found(events)) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_our_recordings_give_no_finding(name: str) -> None:
    assert findings(stream(name), RESUME if name == "tool_outputs" else START) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found_where_it_is_broken(name: str) -> None:
    events, expected = BROKEN[name]
    assert found(events) == expected


def test_the_opening_is_the_one_that_was_asked_for() -> None:
    assert found(TEXT, RESUME) == [(1, "opening", "error")]
    assert found(RESUMED, START)[0] == (1, "opening", "error")


def test_no_other_path_has_an_order() -> None:
    assert order("POST", "/v1/responses") is None


def test_a_finding_says_what_was_seen_and_what_was_expected() -> None:
    (finding,) = findings(stream("failed")[: -len(b"event: done\ndata: [DONE]\n\n")])
    assert finding.told == "Seen: the end of the stream after thread.run.failed; expected: done or error."


def test_a_finding_tells_no_text() -> None:
    body = stream("tool_outputs").replace(b'"value":"High"', b'"value":"Dusk"')
    (finding,) = findings(body)
    assert finding.told == (
        "Seen: 18 characters of part 0 in deltas, other from character 0 on; expected: the 18 characters of the whole."
    )


def test_every_event_has_a_place_and_comes_somewhere() -> None:
    assert set(EVENTS) <= set(FOLLOWS)
    assert set(EVENTS) == {event for after in FOLLOWS.values() for event in after} & set(EVENTS)


def test_whatever_is_deleted_doubled_or_swapped_is_found_unless_it_leaves_a_legal_stream() -> None:
    missed = [
        (name, *missing) for name in NAMES for missing in _missed([(f.event, f.data) for f in frames(stream(name))])
    ]
    assert sorted(missed) == sorted(LEGAL)


def _missed(events: list[Event]) -> list[tuple[str, str]]:
    told = [(name.removeprefix("thread."), data) for name, data in events]
    edits = [("delete", at, [*told[:at], *told[at + 1 :]]) for at in range(len(told))]
    edits += [("double", at, [*told[: at + 1], *told[at:]]) for at in range(len(told))]
    edits += [("swap", one, _swapped(told, one, other)) for one, other in combinations(range(len(told)), 2)]
    return [(kind, events[at][0]) for kind, at, edited in edits if edited != told and not found(edited)]


def _swapped(events: list[Event], one: int, other: int) -> list[Event]:
    swapped = list(events)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    return swapped


def test_streams_of_the_sandbox_give_no_finding() -> None:
    ends = set()
    for seed in range(300):
        fate = {"sandbox": FATES[seed // 4 % 12]} if seed // 4 % 12 < len(FATES) else {}
        cancel_after_s = None if seed % 3 else (seed % 67) * 0.01
        for body, resumes in Stage(seed).streams(QUESTIONS[seed % 4], cancel_after_s, **fate):
            assert (seed, findings(body, RESUME if resumes else START)) == (seed, [])
            ends.add(frames(body)[-2].event.removeprefix("thread.run."))
    assert ends == {"requires_action", "completed", "incomplete", "failed", "cancelled", "expired"}


def test_streams_that_others_recorded_give_no_error() -> None:
    """One warning: in April 2024 the service sent an `incomplete` run in `thread.run.completed`."""
    streams = [one for one in recorded() if one.streamed and one.status == 200]
    told = {(one.source, finding) for one in streams for finding in findings(one.body, (one.method, _path(one.target)))}
    assert len(streams) >= 15
    assert {(source, finding.rule, finding.severity) for source, finding in told} == {
        ("runs_streamed_create.yml", "status", Severity.WARNING)
    }


def _path(target: str) -> str:
    return target.partition("?")[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TOLD = [*TEXT, *CALLS, *RESUMED, FAILURE, NEW_THREAD]


@given(st.data())
def test_no_events_make_it_raise(data: st.DataObject) -> None:
    """Known events in any order, with any one of their fields replaced; others with any bytes."""
    check = order(*EITHER)
    assert check is not None
    for name, told in data.draw(st.lists(st.sampled_from(TOLD), max_size=12)):
        odd = {data.draw(st.sampled_from(sorted(told))): data.draw(JSON)} if isinstance(told, dict) else {}
        check.feed(full(name), msgspec.json.encode(told | odd if odd else told))
    check.feed(data.draw(st.sampled_from(["", "message", "odd", *EVENTS])), data.draw(st.binary(max_size=20)))
    numbers = [finding.number for finding in check.finish()]
    assert numbers == sorted(numbers)


@given(st.lists(st.sampled_from(TOLD), max_size=30))
def test_known_events_in_any_order_are_checked_to_the_end(events: list[Event]) -> None:
    numbers = [number for number, _, _ in found(events)]
    assert numbers == sorted(numbers)
    assert all(0 <= number <= len(events) for number in numbers)
