"""Every foreign recording of the corpora: imported with its bodies and replayed to who asks again, or refused.

What a file holds is read a second time here, by the standard library and PyYAML alone, and compared.
"""

import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer
from yarl import URL

from support.corpora import root
from support.proxied import proxied
from support.tapes import resealed, sealed
from wiretape.cassette.convert.exports import EXPORTS
from wiretape.cassette.convert.formats import FORMATS, Imported, read
from wiretape.cassette.format import Interaction
from wiretape.cassette.match import Library
from wiretape.cassette.plan import Mode
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets, unnumbered
from wiretape.edge.store import tape_path, write_tape
from wiretape.errors import ImportRefused
from wiretape.exchange import Request
from wiretape.wire.sse import Framer

KEYS = "This is no recording of a format that is known: its keys are `request`, `response`;"
TEXT = "This is no recording of a format that is known, or a damaged one. "
REFUSED = {
    # Datadog's test agent: one exchange, without a mark that tells it from others'.
    "openai_audio_translations_post_4205779c.json": KEYS,
    "openai_chat_completions_post_67e8e833.json": KEYS,
    "openai_chat_completions_post_754a7349.json": KEYS,
    "openai_chat_completions_post_ddb692c6.json": KEYS,
    "openai_completions_post_4ce6ce50.json": KEYS,
    "openai_completions_post_98c30019.json": KEYS,
    "openai_responses_post_9bc1aaed.json": KEYS,
    # httprr.
    "TestClient_CreateChatCompletionStream.httprr": TEXT + "This YAML cannot be read: mapping values are not allowed",
    "TestFunctionCall.httprr": TEXT + "This YAML cannot be read: mapping values are not allowed",
    "TestOpenRouterStreaming.httprr": TEXT + "This YAML cannot be read: mapping values are not allowed",
    # WireMock.
    "io.opentelemetry.instrumentation.openai.v1_1.abstractchattest.stream.yaml":
        "This is no recording of a format that is known: its keys are `request`, `response`, `persistent`, `name`",
    "io.opentelemetry.instrumentation.openai.v1_1.abstractchattest.streamtoolcalls.yaml":
        TEXT + "This YAML cannot be read: a second document begins; a recording is one, in line 100",
    # nock.
    "openai-chat-completions-records-tool-calls.json":
        "This is no recording of a format that is known: its outermost value is a list",
    "openai-streaming-chat-completions-adds-genai-conventions.json":
        "This is no recording of a format that is known: its outermost value is a list",
    # Data of events, one to a line, without the framing of a stream.
    "openai-apply-patch-tool-delete.1.chunks.txt": TEXT + "This JSON cannot be read: JSON is malformed: trailing",
    "openai-error.1.chunks.txt": TEXT + "This JSON cannot be read: JSON is malformed: trailing characters",
    "openai-mcp-tool-approval.1.chunks.txt": TEXT + "This JSON cannot be read: JSON is malformed: trailing characters",
}  # fmt: skip
"""Every file that is in none of the formats, and how its refusal begins."""

FILES = {"vcr": 55, "ruby-vcr": 196, "go-vcr": 10, "har": 7, "azure": 61, "sse": 14}
INTERACTIONS = {"vcr": 292, "ruby-vcr": 409, "go-vcr": 11, "har": 7, "azure": 511, "sse": 14}


class Source(NamedTuple):
    """One exchange as its file holds it."""

    method: str
    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    sent: bytes
    status: int
    body: bytes

    @property
    def target(self) -> str:
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # two classes of one kind
    """Safe, and reads Ruby's binary strings."""


Loader.add_constructor("!binary", yaml.SafeLoader.construct_yaml_binary)


def pairs(headers: Any) -> tuple[tuple[bytes, bytes], ...]:
    listed = ((name, value if isinstance(value, list) else [value]) for name, value in (headers or {}).items())
    return tuple((name.encode(), value.encode()) for name, given in listed for value in given)


def plain(data: Any) -> bytes:
    """The bytes of a body, however it was kept; compressed ones begin as gzip does."""
    if isinstance(data, dict) and "base64_string" in data:
        data = base64.b64decode(data["base64_string"])
    elif isinstance(data, dict):
        data = data["string"]
    found = data if isinstance(data, bytes) else (data or "").encode()
    return gzip.decompress(found) if found.startswith(b"\x1f\x8b") else found


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def of_yaml(data: bytes) -> Iterator[Source]:
    document = yaml.load(data, Loader)  # noqa: S506  a safe loader, with one tag more
    for one in document.get("interactions") or document["http_interactions"]:
        asked, answer = one["request"], one["response"]
        status = answer.get("status")
        codes = status if isinstance(status, dict) else answer
        url = asked["uri"] if "uri" in asked else asked["url"]
        bodies = [
            compact(side["parsed_body"]) if "parsed_body" in side else plain(side.get("body", side.get("content")))
            for side in (asked, answer)
        ]
        code = codes.get("code", codes.get("status_code"))
        yield Source(asked["method"].upper(), url, pairs(asked.get("headers")), bodies[0], code, bodies[1])


def of_har(data: bytes) -> Iterator[Source]:
    for one in json.loads(data)["log"]["entries"]:
        asked, content = one["request"], one["response"]["content"]
        text = content["text"]
        body = b"".join(map(base64.b64decode, json.loads(text))) if "encoding" in content else text.encode()
        headers = tuple((field["name"].encode(), field["value"].encode()) for field in asked["headers"])
        sent = asked["postData"]["text"].encode()
        yield Source(asked["method"], asked["url"], headers, sent, one["response"]["status"], plain(body))


def of_azure(data: bytes) -> Iterator[Source]:
    for one in json.loads(data)["Entries"]:
        bodies = []
        for side in ("Request", "Response"):
            kept, media = one[f"{side}Body"], one[f"{side}Headers"].get("Content-Type", "")
            if isinstance(kept, list):
                line = "multipart" in media and (lambda x: base64.b64decode(x[4:]) if x[:4] == "b64:" else x.encode())
                bodies.append(b"".join(map(line or str.encode, kept)))
            elif isinstance(kept, str):
                bodies.append(kept.encode() if media.startswith("text/") else base64.b64decode(kept))
            else:
                bodies.append(b"" if kept is None else compact(kept))
        headers = pairs(one["RequestHeaders"])
        yield Source(one["RequestMethod"], one["RequestUri"], headers, bodies[0], one["StatusCode"], bodies[1])


def of_sse(data: bytes) -> Iterator[Source]:
    """The request is the importer's own choice: what the first block gives away."""
    kinds = {
        b"response.": "/v1/responses",
        b"chat.completion": "/v1/chat/completions",
        b"transcript.": "/v1/audio/transcriptions",
    }
    thread = re.match(rb'event: thread\.run.*\ndata: .*"thread_id":"(\w+)"', data)
    usual = f"/v1/threads/{thread[1].decode()}/runs" if thread else "/v1/threads/runs"
    first = data.partition(b"\n\n")[0]
    target = next((target for kind, target in kinds.items() if kind in first), usual)
    yield Source("POST", target, ((b"content-type", b"application/json"),), b'{"stream":true}', 200, data)


SECOND_READERS = {
    "vcr": of_yaml,
    "ruby-vcr": of_yaml,
    "go-vcr": of_yaml,
    "har": of_har,
    "azure": of_azure,
    "sse": of_sse,
}


def files() -> Iterator[Path]:
    beside = {"LICENSE", "LICENSES", "MANIFEST.md"}
    found = (path for path in sorted((root() / "traffic").rglob("*")) if path.is_file())
    return (path for path in found if not beside & {path.name, path.parent.name})


@cache
def imported() -> tuple[tuple[Path, Imported, tuple[Source, ...]], ...]:
    return tuple(chain.from_iterable(map(taken, files())))


def taken(path: Path) -> Iterator[tuple[Path, Imported, tuple[Source, ...]]]:
    data = path.read_bytes()
    if path.name not in REFUSED:
        found = read(data, f"imported from {path.name}")
        yield path, found, tuple(SECOND_READERS[found.kind](data))


def redacted_by_look(source: bytes, *, streamed: bool) -> bytes:
    """Redaction by look alone, frame by frame in a stream; the corpus has no keys left."""
    redactor = Redactor(Secrets(), b"/", ())
    framer = Framer(1 << 24)
    parts = [frame.raw for frame in (*framer.feed(source), *framer.finish())] if streamed else [source]
    return unnumbered(b"".join(redactor.text(part) for part in parts))


def test_each_file_is_imported_or_refused_with_a_reason_that_is_right() -> None:
    assert {path.name for path in files()} >= set(REFUSED)
    reasons = {}
    for path in files():
        if path.name in REFUSED:
            with pytest.raises(ImportRefused) as caught:
                read(path.read_bytes())
            reasons[path.name] = str(caught.value)
    assert {name: reason for name, reason in reasons.items() if not reason.startswith(REFUSED[name])} == {}
    assert len(reasons) == len(REFUSED)


def test_the_formats_are_told_apart() -> None:
    kinds = Counter(found.kind for _, found, _ in imported())
    interactions = Counter(dict.fromkeys(kinds, 0))
    for _, found, _ in imported():
        interactions[found.kind] += len(found.tape.interactions)
    assert (dict(kinds), dict(interactions)) == (FILES, INTERACTIONS)


def test_every_import_reads_back_and_its_checksums_fit() -> None:
    for path, found, _ in imported():
        again = resealed(found.tape)
        assert (path.name, again.notes) == (path.name, ())
        assert again.interactions == found.tape.interactions
        assert sealed(again) == sealed(found.tape)
        assert all(one.playable for one in again.interactions)


def held(body: bytes, source: Source, *, streamed: bool) -> str:
    """In which way a body is the source's."""
    keys = [value.rpartition(b" ")[2] for name, value in source.headers if name.lower() == b"authorization"]
    if body == source.body:
        return "exact"
    if unnumbered(body) == redacted_by_look(source.body, streamed=streamed):
        return "a value that looks like a key redacted"
    if keys and unnumbered(body) == source.body.replace(keys[0], b"{{secret}}"):
        return "the request's own key redacted"
    if streamed and b"password" in pieced(source.body):
        assert pieced(unnumbered(body)) == re.sub(rb'(password": ")\w+', rb"\1{{secret}}", pieced(source.body))
        return "a password's value that came in pieces redacted"
    return "the same JSON, escaped as in the file" if json.loads(body) == json.loads(source.body) else "another"


def pieced(stream: bytes) -> bytes:
    """Join what the deltas of a function's arguments say."""
    pieces: list[str] = re.findall(r'"arguments":("(?:[^"\\]|\\.)*")', stream.decode())
    return "".join(map(json.loads, pieces)).encode()


def test_what_was_imported_is_what_the_file_holds() -> None:
    ways: Counter[str] = Counter()
    for path, found, sources in imported():
        for one, source in zip(found.tape.interactions, sources, strict=True):
            assert (path.name, one.method, one.status) == (path.name, source.method, source.status)
            ways[held(one.body, source, streamed=bool(one.frames))] += 1
    assert ways == {
        "exact": 1225,
        "the request's own key redacted": 9,
        "a value that looks like a key redacted": 5,
        "the same JSON, escaped as in the file": 2,
        "a password's value that came in pieces redacted": 3,
    }


def test_a_client_that_sends_the_recorded_requests_gets_the_recorded_answers() -> None:
    for path, found, sources in imported():
        tape = resealed(found.tape)
        cursor = Library([tape]).session("default")
        for one, source in zip(tape.interactions, sources, strict=True):
            answer = cursor.find(Request(source.method, source.target, source.headers, 0, 0), source.sent)
            assert (path.name, one.index, answer) == (path.name, one.index, one)
        assert (list(cursor.misses), cursor.unplayed()) == ([], [])


@pytest.mark.parametrize("kind", [None, *FORMATS])
def test_hostile_files_are_refused_by_every_importer(kind: str | None) -> None:
    hostile = [path for path in (root() / "hostile").rglob("*") if path.is_file()]
    assert len(hostile) > 400
    for path in hostile:
        with pytest.raises(ImportRefused):
            read(path.read_bytes(), kind=kind)


@pytest.mark.parametrize("kind", ["har", "vcr"])
def test_what_was_imported_survives_an_export(kind: str) -> None:
    for path, found, _ in imported():
        ((_, data),) = EXPORTS[kind](found.tape).parts
        again = read(data).tape
        assert (path.name, [*map(whole, again.interactions)]) == (path.name, [*map(whole, found.tape.interactions)])


def test_vcr_py_itself_reads_every_export() -> None:
    for path, found, _ in imported():
        ((_, data),) = EXPORTS["vcr"](found.tape).parts
        requests, answers = deserialize(data.decode(), yamlserializer)
        played = [
            (asked.method, asked.body or b"", answer["status"]["code"], answer["body"]["string"])
            for asked, answer in zip(requests, answers, strict=True)
        ]
        taped = [(one.method, one.request_body, one.status, one.body) for one in found.tape.interactions]
        assert (path.name, played) == (path.name, taped)


def whole(one: Interaction) -> tuple[object, ...]:
    """All but the order of equal fields and the times, which not every format holds."""
    heads = sorted(one.request_headers), sorted(one.headers)
    return one.method, one.target, heads, one.request_body, one.status, one.body, one.frames


def sample() -> list[tuple[Path, Imported, tuple[Source, ...]]]:
    """The first and the longest file of each project in each format."""
    groups: dict[tuple[str, str], list[tuple[Path, Imported, tuple[Source, ...]]]] = {}
    for one in imported():
        project = one[0].relative_to(root() / "traffic").parts[0]
        groups.setdefault((project, one[1].kind), []).append(one)
    firsts = [some[0] for some in groups.values()]
    return firsts + [max(some, key=lambda one: len(one[2])) for some in groups.values() if len(some) > 1]


async def test_a_sample_replays_over_a_socket(tmp_path: Path) -> None:
    played: Counter[str] = Counter()
    for number, (_, found, sources) in enumerate(sample()):
        stem = tmp_path / str(number)
        write_tape(found.tape, tape_path(stem))
        async with proxied(mode=Mode.REPLAY, cassette=(str(stem),)) as proxy, aiohttp.ClientSession() as client:
            for one, source in zip(found.tape.interactions, sources, strict=True):
                status, body = await asked(client, proxy.traffic.url, source)
                assert (status, body) == (source.status, one.body)
                played[found.kind] += 1
    assert set(played) == set(FILES)
    assert played.total() > 100


async def asked(client: aiohttp.ClientSession, url: str, source: Source) -> tuple[int, bytes]:
    dropped = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
    headers = [
        (name.decode(), value.decode()) for name, value in source.headers if name.decode().lower() not in dropped
    ]
    where = URL(url + source.target, encoded=True)
    async with client.request(
        source.method, where, headers=headers, data=source.sent or None, skip_auto_headers=["Content-Type"],
        allow_redirects=False,
    ) as answer:  # fmt: skip
        return answer.status, await answer.read()
