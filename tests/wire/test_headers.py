from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.exchange import Headers
from wiretape.wire import headers

NAMES = st.sampled_from([b"Connection", b"Keep-Alive", b"X-One", b"x-one", b"Set-Cookie", b"TE"])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b"close", b"x-one, te", b"a", b""])), max_size=8).map(tuple)


def test_values_come_in_order_whatever_the_case_of_the_name() -> None:
    fields = ((b"Set-Cookie", b"a"), (b"X", b"-"), (b"set-cookie", b"b"))
    assert list(headers.values(fields, b"set-cookie")) == ["a", "b"]


def test_value_is_the_first_or_none() -> None:
    fields = ((b"A", b"1"), (b"a", b"2"))
    assert (headers.value(fields, b"a"), headers.value(fields, b"b")) == ("1", None)


def test_values_keep_every_byte() -> None:
    every = bytes(range(256))
    assert headers.value(((b"a", every),), b"a") == every.decode("latin-1")


def test_without_leaves_the_others_in_their_order_and_case() -> None:
    fields = ((b"B", b"1"), (b"A", b"2"), (b"b", b"3"), (b"C", b"4"))
    assert headers.without(fields, {b"b"}) == ((b"A", b"2"), (b"C", b"4"))


@pytest.mark.parametrize("name", sorted(headers.HOP_BY_HOP))
def test_hop_by_hop_fields_are_not_forwarded(name: bytes) -> None:
    assert headers.end_to_end(((name.title(), b"x"), (b"Host", b"h"))) == ((b"Host", b"h"),)


def test_fields_that_connection_names_are_not_forwarded() -> None:
    fields = ((b"Connection", b"close, X-One ,"), (b"x-one", b"1"), (b"connection", b"x-two"), (b"X-Two", b"2"))
    assert headers.end_to_end(fields) == ()


@given(FIELDS)
def test_forwarding_twice_is_forwarding_once(fields: Headers) -> None:
    once = headers.end_to_end(fields)
    assert headers.end_to_end(once) == once


@pytest.mark.parametrize(
    ("value", "media_type", "is_stream"),
    [
        (b"text/event-stream; charset=utf-8", "text/event-stream", True),
        (b"TEXT/Event-Stream", "text/event-stream", True),
        (b"text/event-stream2", "text/event-stream2", False),
        (b"application/json", "application/json", False),
        (b"", "", False),
    ],
)
def test_media_type_is_lower_case_without_parameters(value: bytes, media_type: str, is_stream: bool) -> None:
    fields = ((b"Content-Type", value),)
    assert (headers.media_type(fields), headers.is_event_stream(fields)) == (media_type, is_stream)


def test_no_content_type_is_no_event_stream() -> None:
    assert (headers.media_type(()), headers.is_event_stream(())) == ("", False)


@pytest.mark.parametrize(
    ("told", "expected"),
    [(b"88", 88), (b"0", 0), (b"", None), (b"-1", None), (b"1.5", None), ("²".encode("latin-1"), None)],
)
def test_the_services_own_time_is_a_number_or_nothing(told: bytes, expected: int | None) -> None:
    assert headers.milliseconds(((b"OpenAI-Processing-Ms", told),)) == expected


def test_without_the_field_the_services_own_time_is_unknown() -> None:
    assert headers.milliseconds(()) is None
