"""Shapes of answers: values and repeats never count, types, keys and the order of events do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import JSON, STREAM
from wiretape.cassette.shape import Answered, Drift, drift, pairs

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
)


def answer(value: object, status: int = 200) -> Answered:
    return Answered(status, JSON, json.dumps(value).encode())


def streamed(*events: tuple[str, object]) -> Answered:
    frames = [f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events]
    return Answered(200, STREAM, "".join(frames).encode())


def told(recorded: Answered, live: Answered) -> list[tuple[str, str, str]]:
    return [(one.where, one.recorded, one.live) for one in drift(recorded, live)]


def other_values(value: Any) -> Any:
    """The same shape with nothing equal in it, and every array longer."""
    match value:
        case dict():
            return {name: other_values(one) for name, one in value.items()}
        case list():
            return [other_values(one) for one in value] * 2
        case bool() | None:
            return value
        case int() | float():
            return value + 1
        case _:
            return f"{value}!"


@given(values)
def test_other_values_and_repeats_are_no_drift(value: object) -> None:
    assert told(answer(value), answer(value)) == []
    assert told(answer(value), answer(other_values(value))) == []


@given(values, values)
def test_any_two_values_compare_and_what_is_missing_here_is_new_there(one: object, other: object) -> None:
    there, back = told(answer(one), answer(other)), told(answer(other), answer(one))
    missing = {(where, kind) for where, kind, now in there if now == "nothing"}
    assert missing == {(where, kind) for where, before, kind in back if before == "nothing"}


@pytest.mark.parametrize(
    ("recorded", "live", "drifts"),
    [
        ({"a": 1}, {"a": "1"}, [("$.a", "number", "string")]),
        ({"a": 1}, {"a": True}, [("$.a", "number", "boolean")]),
        ({"a": 1, "b": {"c": 1}}, {"a": 1}, [("$.b", "object", "nothing")]),
        ({"a": 1}, {"a": 1, "b": {"c": 1}}, [("$.b", "nothing", "object")]),
        ({"a": None}, {"a": {"b": 1}}, []),
        ({"a": {"b": 1}}, {"a": None}, []),
        ({"a": []}, {"a": [{"b": 1}]}, []),
        ({"a": [{"b": 1}, {"b": 2, "c": 1}]}, {"a": [{"b": 3}]}, [("$.a[].c", "number", "nothing")]),
        ({"a": [1, "x"]}, {"a": [1]}, []),
        ({"a": [1]}, {"a": [1, "x"]}, [("$.a[]", "number", "number or string")]),
        ({"a": {}}, {"a": []}, [("$.a", "object", "array")]),
        ([1], [2, 3], []),
    ],
)
def test_drift_names_path_and_types(recorded: object, live: object, drifts: list[tuple[str, str, str]]) -> None:
    assert told(answer(recorded), answer(live)) == drifts


def test_status_media_type_and_kind_of_body_come_first() -> None:
    plain = Answered(200, ((b"Content-Type", b"text/plain; charset=utf-8"),), b"x")
    assert told(answer({"a": 1}), answer({"b": 1}, 404)) == [("status", "200", "404")]
    assert told(answer({}), plain) == [("content-type", "application/json", "text/plain")]
    assert told(Answered(200, (), b""), plain) == [("content-type", "nothing", "text/plain")]
    assert told(plain, Answered(200, plain.headers, b"")) == [("body", "no JSON", "nothing")]
    assert told(answer({}), Answered(200, JSON, b"{")) == [("body", "JSON", "no JSON")]


DELTA = ("delta", {"text": "a"})


@pytest.mark.parametrize(
    ("recorded", "live", "drifts"),
    [
        ([("made", {}), DELTA, ("end", 1)], [("made", {}), DELTA, DELTA, ("end", 2)], []),
        ([("made", {}), ("end", 1)], [("end", 1)], [("event 1", "made", "end")]),
        ([("made", {}), ("end", 1)], [("made", {})], [("event 2", "end", "nothing")]),
        ([("made", {})], [("made", {}), ("end", 1)], [("event 2", "nothing", "end")]),
        ([DELTA], [("delta", {"text": 1})], [("delta $.text", "string", "number")]),
        ([("", {"a": 1})], [("", {})], [("unnamed event $.a", "number", "nothing")]),
    ],
)
def test_streams_are_compared_by_the_order_of_names_and_the_shape_of_each(
    recorded: list[tuple[str, object]], live: list[tuple[str, object]], drifts: list[tuple[str, str, str]]
) -> None:
    assert told(streamed(*recorded), streamed(*live)) == drifts


def test_comments_and_data_that_is_no_json_have_no_shape() -> None:
    assert told(Answered(200, STREAM, b": x\n\ndata: [DONE]\n\n"), Answered(200, STREAM, b"data: [OVER]\n\n")) == []


def test_strings_at_the_same_place_are_pairs() -> None:
    recorded, live = {"id": "a", "list": [{"id": "b"}], "n": 1}, {"id": "x", "list": [{"id": "y"}, {}], "n": "z"}
    assert sorted(pairs(answer(recorded), answer(live))) == [("a", "x"), ("b", "y")]
    events = [("made", {"id": "a"}), ("made", {"id": "b"}), ("end", {"id": "c"})]
    there = [("made", {"id": "x"}), ("end", {"id": "z"})]
    assert sorted(pairs(streamed(*events), streamed(*there))) == [("a", "x"), ("c", "z")]


def test_a_deep_value_is_walked() -> None:
    deep = b"[" * 900 + b"]" * 900
    assert list(drift(Answered(200, JSON, deep), Answered(200, JSON, deep))) == []
    assert Drift("a", "b", "c") == Drift("a", "b", "c")
