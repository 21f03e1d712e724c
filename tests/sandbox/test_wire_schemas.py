"""Every object the sandbox answers, and every one that others captured, keeps the schema of reference chapter 6."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from support.corpora import Recorded, files
from support.golden import FOLDER
from support.wire_schemas import DEVIATIONS, schema_for
from wiretape.edge.store import load

SEEN_MIN = {"assistant", "thread", "thread.run", "thread.run.step", "thread.message", "thread.run.step.delta",
            "thread.message.delta", "list", "thread.deleted"}  # fmt: skip


def complaints(answer: Any, *, streamed: bool) -> list[str]:
    """What is wrong about an answer or an event's data."""
    found = _validator(msgspec.json.encode(schema_for(answer, streamed=streamed))).iter_errors(answer)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


@cache
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(msgspec.json.decode(schema))


def events(body: bytes) -> Iterator[Any]:
    """The data of a stream's events, but for `done`."""
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            yield msgspec.json.decode(line[6:])


GOLDEN = sorted(FOLDER.glob("*.tape.jsonl"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_every_object_of_the_golden_cassettes_keeps_the_schema(path: Any) -> None:
    answered = Counter[str]()
    for one in load(path).interactions:
        headers = {name.lower(): value for name, value in one.headers}
        streamed = headers[b"content-type"].startswith(b"text/event-stream")
        if not streamed and (headers[b"content-type"] != b"application/json" or "/threads" not in one.target + "/x"):
            continue
        if "/files" in one.target or "/vector_stores" in one.target:
            continue
        for answer in events(one.body) if streamed else [msgspec.json.decode(one.body)]:
            assert complaints(answer, streamed=streamed) == []
            answered[answer.get("object", "error")] += 1
    assert answered


def test_every_captured_object_keeps_the_schema() -> None:
    seen, wrong = Counter[str](), []
    for one in captured():
        told = list(events(one.body)) if one.streamed else [msgspec.json.decode(one.body)]
        for answer in told:
            seen[answer["object"]] += 1
            wrong += [(one.source, complaint) for complaint in complaints(answer, streamed=one.streamed)]
    assert wrong == []
    assert set(seen) >= SEEN_MIN
    assert seen.total() > 1_000


def captured() -> Iterator[Recorded]:
    """The recordings of 2025 and 2026, which chapter 6 was written from: older ones lack fields that came later."""
    for path, exchanges in files():
        is_newest = "traceloop__openllmetry" in path.parts and "@" not in path.name
        if "openai__openai-dotnet" in path.parts or is_newest:
            yield from (one for one in exchanges if one.status == 200 and one.body)


def test_each_deviation_from_the_published_schema_has_its_capture(corpora: Any) -> None:
    named = [capture.split() for capture in DEVIATIONS.values()]
    missing = [name for _, name in named if not list((corpora / "traffic").rglob(name))]
    assert missing == []
