from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.sandbox.bodies import NewAssistant, NewMessage, NewRun, NewThread, ToolOutputs, read
from wiretape.sandbox.content import ImageUrlPart, Text, TextPart
from wiretape.sandbox.refusals import Refused


@pytest.mark.parametrize(
    ("kind", "body", "param", "code", "message"),
    [
        (NewAssistant, b"", "model", "missing_required_parameter", "Missing required parameter: 'model'."),
        (
            NewThread,
            b'{"messages":[{"role":"user"}]}',
            "messages[0].content",
            "missing_required_parameter",
            "Missing required parameter: 'messages[0].content'.",
        ),
        (
            NewAssistant,
            b'{"model":"m","metadata":{"a":true}}',
            "metadata",
            "invalid_type",
            "Invalid value for 'metadata': Expected 'str', got 'bool'.",
        ),
        (
            NewRun,
            b'{"assistant_id":"a","temperature":3}',
            "temperature",
            "invalid_value",
            "Invalid value for 'temperature': Expected 'float' <= 2.0.",
        ),
        (NewAssistant, b"[]", None, "invalid_type", "Invalid body: Expected 'object', got 'array'."),
        (NewAssistant, b"{", None, None, "We could not parse the JSON body of your request. It must be a JSON object."),
    ],
)
def test_a_body_that_may_not_be_is_refused_by_its_parameter(
    kind: type, body: bytes, param: str | None, code: str | None, message: str
) -> None:
    with pytest.raises(Refused) as caught:
        read(body, kind)
    error = caught.value.body.error
    assert (caught.value.status, error.param, error.code, error.message) == (400, param, code, message)


def test_text_is_a_plain_string_in_requests_and_an_object_in_answers() -> None:
    sent = read(b'{"role":"user","content":"Hi"}', NewMessage)
    listed = read(
        b'{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"u"}}]}',
        NewMessage,
    )
    assert sent.parts == (TextPart(Text("Hi")),)
    assert listed.parts == (TextPart(Text("Hi")), ImageUrlPart({"url": "u"}))


@given(st.binary(max_size=200), st.sampled_from([NewAssistant, NewThread, NewMessage, NewRun, ToolOutputs]))
def test_any_bytes_are_read_or_refused(body: bytes, kind: type) -> None:
    with suppress(Refused):
        assert isinstance(read(body, kind), kind)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"model":' * 100_000, b'{"model":"\\ud800"}', b"\xff\xfe"])
def test_nasty_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        read(body, NewAssistant)
