"""Bodies: what may be sent at each bound of the reference, and what is refused one step beyond it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from support.corpora import Recorded, recorded
from wiretape.sandbox.bodies import (
    NESTED_MAX,
    AssistantFields,
    MetadataFields,
    NewAssistant,
    NewMessage,
    NewRun,
    NewThread,
    NewThreadRun,
    ThreadFields,
    ToolOutputs,
    is_nested,
    read,
)
from wiretape.sandbox.content import ImageUrlPart, Text, TextPart
from wiretape.sandbox.refusals import Refused

RUN = {"assistant_id": "asst_1"}
MODEL = {"model": "m"}
MESSAGE = {"role": "user", "content": "Hi"}
SCORE = ("ranking_options", "score_threshold")
ARTICLE = {"string": "a", "array": "an"}
D, K, M = 1_024, 256_000, 1_048_576


Make = Callable[[Any], Any]


def _in(base: dict[str, Any], *path: str) -> Make:
    """Bodies that are the base with a value put at the path; `[]` is the only item of a list."""

    def make(value: Any) -> Any:
        for name in reversed(path):
            value = [value] if name == "[]" else {name: value}
        return {**base, **value}

    return make


def _tools(count: int) -> Any:
    return [{"type": "function", "function": {"name": "f"}}] * count


def _pairs(count: int) -> Any:
    return {f"k{n}": "v" for n in range(count)}


def _function(name: str) -> Make:
    make = _in(MODEL, "tools", "[]")
    return lambda value: make({"type": "function", "function": {"name": "f", name: value}})


def _search(*path: str) -> Make:
    make, options = _in(MODEL, "tools", "[]"), _in({}, *path)
    return lambda value: make({"type": "file_search", "file_search": options(value)})


def _schema(name: str) -> Any:
    return {**MODEL, "response_format": {"type": "json_schema", "json_schema": {"name": name}}}


def _last(count: int) -> Any:
    return {**RUN, "truncation_strategy": {"type": "last_messages", "last_messages": count}}


def _output(text: str) -> Any:
    return {"tool_outputs": [{"tool_call_id": "c", "output": text}]}


def _chunks(size: int) -> Any:
    static = {"max_chunk_size_tokens": size, "chunk_overlap_tokens": 0}
    return _in({}, *STORES, "[]", "chunking_strategy")({"type": "static", "static": static})


CODE = ("tool_resources", "code_interpreter", "file_ids")
STORE_IDS = ("tool_resources", "file_search", "vector_store_ids")
STORES = ("tool_resources", "file_search", "vector_stores")
CHUNK = "tool_resources.file_search.vector_stores[0].chunking_strategy.static.max_chunk_size_tokens"
TOOL, FUNCTION = "tools[0].file_search", "tools[0].function"

CASES: tuple[tuple[type, Make, Any, Any, str, str], ...] = (
    (NewAssistant, _in(MODEL, "name"), "n" * 256, "n" * 257, "name", "string 256 257"),
    (NewAssistant, _in(MODEL, "description"), "d" * 512, "d" * 513, "description", "string 512 513"),
    (NewAssistant, _in(MODEL, "instructions"), "i" * K, "i" * (K + 1), "instructions", "string 256000 256001"),
    (NewAssistant, _in(MODEL, "tools"), _tools(128), _tools(129), "tools", "array 128 129"),
    (NewAssistant, _in(MODEL, "temperature"), 2, 2.1, "temperature", "decimal <= 2 2.1"),
    (NewAssistant, _in(MODEL, "temperature"), 0, -0.1, "temperature", "decimal >= 0 -0.1"),
    (NewAssistant, _in(MODEL, "top_p"), 1, 1.5, "top_p", "decimal <= 1 1.5"),
    (NewAssistant, _in(MODEL, "top_p"), 0, -1, "top_p", "decimal >= 0 -1"),
    (NewAssistant, _function("name"), "f" * 64, "f" * 65, f"{FUNCTION}.name", "string 64 65"),
    (NewAssistant, _function("name"), "f", "", f"{FUNCTION}.name", "empty string"),
    (NewAssistant, _function("description"), "d" * D, "d" * (D + 1), f"{FUNCTION}.description", "string 1024 1025"),
    (NewAssistant, _search("max_num_results"), 50, 51, f"{TOOL}.max_num_results", "integer <= 50 51"),
    (NewAssistant, _search("max_num_results"), 1, 0, f"{TOOL}.max_num_results", "integer >= 1 0"),
    (NewAssistant, _search(*SCORE), 1, 1.01, f"{TOOL}.{'.'.join(SCORE)}", "decimal <= 1 1.01"),
    (NewAssistant, _search(*SCORE), 0, -0.5, f"{TOOL}.{'.'.join(SCORE)}", "decimal >= 0 -0.5"),
    (NewAssistant, _schema, "n" * 64, "n" * 65, "response_format.json_schema.name", "string 64 65"),
    (NewThread, _in({}, *CODE), ["file-1"] * 20, ["file-1"] * 21, ".".join(CODE), "array 20 21"),
    (NewThread, _in({}, *STORE_IDS), ["vs_1"], ["vs_1"] * 2, ".".join(STORE_IDS), "array 1 2"),
    (NewThread, _in({}, *STORES), [{}], [{}] * 2, ".".join(STORES), "array 1 2"),
    (NewThread, _chunks, 4096, 4097, CHUNK, "integer <= 4096 4097"),
    (NewThread, _chunks, 100, 99, CHUNK, "integer >= 100 99"),
    (ThreadFields, _in({}, "metadata"), _pairs(16), _pairs(17), "metadata", "object 16 17"),
    (ThreadFields, _in({}, "metadata", "x"), "v" * 512, "v" * 600, "metadata.x", "string 512 600"),
    (NewMessage, _in(MESSAGE, "content"), "x" * K, "x" * (K + 1), "content", "string 256000 256001"),
    (NewMessage, _in(MESSAGE, "content"), "x", "", "content", "empty string"),
    (NewMessage, _in(MESSAGE, "content"), "x", [], "content", "empty array"),
    (NewRun, _in(RUN, "tools"), _tools(20), _tools(21), "tools", "array 20 21"),
    (NewRun, _in(RUN, "temperature"), 2, 3, "temperature", "decimal <= 2 3"),
    (NewRun, _in(RUN, "top_p"), 1, 2, "top_p", "decimal <= 1 2"),
    (NewRun, _in(RUN, "max_prompt_tokens"), 256, 255, "max_prompt_tokens", "integer >= 256 255"),
    (NewRun, _in(RUN, "max_completion_tokens"), 1, 0, "max_completion_tokens", "integer >= 1 0"),
    (NewRun, _last, 1, 0, "truncation_strategy.last_messages", "integer >= 1 0"),
    (ToolOutputs, _output, "o" * M, "o" * (M + 1), "tool_outputs[0].output", "string 1048576 1048577"),
)
"""What is just allowed, what is just not, and its refusal: the parameter, what it is, the bound, what was sent."""


@pytest.mark.parametrize(
    ("kind", "make", "allowed", "beyond", "param", "short"), CASES, ids=[f"{case[4]}: {case[5]}" for case in CASES]
)
def test_each_bound_of_the_reference_is_kept(
    kind: type, make: Make, allowed: Any, beyond: Any, param: str, short: str
) -> None:
    assert read(json.dumps(make(allowed)).encode(), kind)
    words, code = _spelled(short)
    assert refused(kind, make(beyond)) == (400, param, code, f"Invalid '{param}': {words} instead.")


def _spelled(short: str) -> tuple[str, str]:
    """The words and the code of a refusal from its short form."""
    match short.split():
        case ["empty", what]:
            expected = f"Expected {ARTICLE[what]} {what} with minimum length 1"
            return f"empty {what}. {expected}, but got an empty {what}", f"empty_{what}"
        case ["object", most, got]:
            expected = f"Expected an object with at most {most} properties, but got an object with {got} properties"
            return f"too many properties. {expected}", "object_above_max_properties"
        case [what, "<=", most, got]:
            return f"{what} above maximum value. Expected a value <= {most}, but got {got}", f"{what}_above_max_value"
        case [what, ">=", least, got]:
            return f"{what} below minimum value. Expected a value >= {least}, but got {got}", f"{what}_below_min_value"
        case _:
            what, most, got = short.split()
            a = f"{ARTICLE[what]} {what}"
            expected = f"Expected {a} with maximum length {most}, but got {a} with length {got}"
            return f"{what} too long. {expected}", f"{what}_above_max_length"


def refused(kind: type, sent: Any) -> tuple[int, str | None, str | None, str]:
    """How a body is refused: status, param, code and message."""
    with pytest.raises(Refused) as caught:
        read(sent if isinstance(sent, bytes) else json.dumps(sent).encode(), kind)
    error = caught.value.body.error
    return caught.value.status, error.param, error.code, error.message


def test_16_completion_tokens_were_taken_though_the_reference_says_256() -> None:
    """Captured: ruby-openai's runs_create*.yml and seven more send 16 and are answered 200."""
    started = [one for one in recorded() if one.method == "POST" and one.target.endswith("/runs") and one.status == 200]
    assert {json.loads(one.request).get("max_completion_tokens") for one in started} == {None, 16}
    assert read(json.dumps({**RUN, "max_completion_tokens": 16}).encode(), NewRun).max_completion_tokens == 16


KINDS = (
    (re.compile("/v1/assistants"), NewAssistant),
    (re.compile("/v1/assistants/[^/]+"), AssistantFields),
    (re.compile("/v1/threads"), NewThread),
    (re.compile("/v1/threads/runs"), NewThreadRun),
    (re.compile("/v1/threads/(?!runs$)[^/]+"), ThreadFields),
    (re.compile("/v1/threads/[^/]+/messages"), NewMessage),
    (re.compile("/v1/threads/[^/]+/messages/[^/]+"), MetadataFields),
    (re.compile("/v1/threads/[^/]+/runs"), NewRun),
    (re.compile("/v1/threads/[^/]+/runs/[^/]+"), MetadataFields),
    (re.compile("/v1/threads/[^/]+/runs/[^/]+/submit_tool_outputs"), ToolOutputs),
)


def test_every_body_that_version_2_took_is_taken() -> None:
    taken = [one for one in recorded() if one.method == "POST" and one.status == 200]
    known = [(kind, one) for one in taken for path, kind in KINDS if path.fullmatch(one.target.partition("?")[0])]
    bodies = [(kind, one) for kind, one in known if not _is_version_1(one)]
    assert len(bodies) > 400
    for kind, one in bodies:
        assert isinstance(read(one.request, kind), kind), one.source


def _is_version_1(one: Recorded) -> bool:
    """Version 1 turned `true` into text, and had files of messages and assistants."""
    sent = json.loads(one.request or b"{}")
    return "file_ids" in sent or (sent.get("metadata") or {}).get("modified") is True


def test_text_is_a_plain_string_in_requests_and_an_object_in_answers() -> None:
    sent = read(b'{"role":"user","content":"Hi"}', NewMessage)
    listed = read(
        b'{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"u"}}]}',
        NewMessage,
    )
    assert sent.parts == (TextPart(Text("Hi")),)
    assert listed.parts == (TextPart(Text("Hi")), ImageUrlPart({"url": "u", "detail": "auto"}))


def test_the_detail_of_a_picture_elsewhere_is_filled_in_as_captured() -> None:
    """Sent without, answered with `auto`: openai-dotnet's ThreadWithInitialMessagesWorks.json."""
    bodies = [json.loads(one.request) for one in recorded() if one.source == "ThreadWithInitialMessagesWorks.json"
              and one.method == "POST" and one.target == "/v1/threads"]  # fmt: skip
    sent = bodies[0]["messages"]
    parts = [part for message in sent for part in read(json.dumps(message).encode(), NewMessage).parts]
    assert b'{"url":"https://test.openai.com/image.png"}' in json.dumps(sent, separators=(",", ":")).encode()
    assert ImageUrlPart({"url": "https://test.openai.com/image.png", "detail": "auto"}) in parts


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"model":' * 100_000, b'{"model":"\\ud800"}', b"\xff\xfe", b"{"])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """The words: ChatGPTNextWeb/NextChat#4064."""
    status, param, code, message = refused(NewAssistant, body)
    assert (status, param, code) == (400, None, None)
    assert message.startswith("We could not parse the JSON body of your request. (HINT: This likely means")


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    assert read(b'{"model":1,"model":"m"}', NewAssistant).model == "m"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" * NESTED_MAX + b"]" * NESTED_MAX, False),
        (b"[" * (NESTED_MAX + 1) + b"]" * (NESTED_MAX + 1), True),
        (b"[" + b"{}," * NESTED_MAX + b"{}]", False),
        (b'["' + b"[" * (NESTED_MAX + 1) + rb"\"[{" + b'"]', False),
        (b'{"a":' * (NESTED_MAX + 1) + b"1", True),
    ],
)
def test_brackets_count_as_nested_where_they_are_within_each_other(body: bytes, expected: bool) -> None:
    assert is_nested(body) is expected
