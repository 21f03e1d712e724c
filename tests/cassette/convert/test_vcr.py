import base64
import contextlib
import gzip
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import KEY, only, resealed, sealed
from wiretape.cassette.convert.vcr import read
from wiretape.cassette.format import Ended, Tape
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets, unnumbered
from wiretape.errors import ImportRefused
from wiretape.wire.sse import Framer

SAMPLE = f"""
interactions:
- request:
    body: '{{"assistant_id": "asst_abc123"}}'
    headers:
      authorization: [Bearer {KEY.decode()}]
      content-length: ['31']
      content-type: [application/json]
    method: POST
    uri: https://user:pass@api.example.com/v1/threads?api_key=abcdef123
  response:
    body:
      string: !!binary |
        {base64.b64encode(gzip.compress(b'{"id":"thread_abc123"}')).decode()}
    headers:
      Content-Encoding: [gzip]
      Content-Type: [application/json]
      Transfer-Encoding: [chunked]
      set-cookie: [a=1, b=2]
    status: {{code: 200, message: OK}}
- request:
    body: null
    headers: {{}}
    method: GET
    uri: https://other.example.com
  response:
    body:
      string: "event: thread.created\\ndata: {{\\"id\\":\\"thread_abc123\\"}}\\n\\ndata: [DONE]\\n\\n"
    headers:
      Content-Encoding: [gzip]
      content-type: text/event-stream
    status: {{code: 200, message: OK}}
version: 1
"""


def document(**response: object) -> str:
    status = {} if "status" in response or "status_code" in response else {"status": {"code": 200}}
    request = {"method": "GET", "uri": "https://x/v1/y?z=1", "headers": {}, "body": None}
    return yaml.safe_dump({"version": 1, "interactions": [{"request": request, "response": status | response}]})


def body_of(content: str) -> bytes:
    return only(read(content)).body


def test_a_cassette_of_vcr_py_becomes_a_tape() -> None:
    content = read(SAMPLE, "wiretape test")
    created, listed = content.interactions
    assert (created.method, created.target, created.status) == ("POST", "/v1/threads?api_key={{secret:key#1}}", 200)
    assert created.request_headers == (
        (b"authorization", b"{{secret:bearer#1}}"),
        (b"content-type", b"application/json"),
    )
    assert (created.body, created.enc, created.how) == (b'{"id":"thread_abc123"}', "gzip", Ended.COMPLETE)
    assert [name for name, _ in created.headers] == [b"Content-Type", b"set-cookie", b"set-cookie"]
    assert (listed.target, listed.enc, len(listed.frames), [gap for gap, _ in listed.chunks]) == ("/", None, 2, [0, 0])
    assert not created.times_known
    assert (content.header.by, content.header.recorded) == ("wiretape test", "")
    assert content.header.upstream == "https://api.example.com"
    assert content.notes == (
        "Interaction 2 was recorded from https://other.example.com; replay answers it by its path alone.",
    )


def test_an_import_seals_and_loads_back_the_same() -> None:
    content = read(SAMPLE)
    assert resealed(content).interactions == content.interactions
    assert sealed(resealed(content)) == sealed(content)
    assert KEY not in sealed(content)


@pytest.mark.parametrize(
    ("response", "body"),
    [
        ({"body": {"string": "text"}}, b"text"),
        ({"body": {"string": b"\xff"}}, b"\xff"),
        ({"body": {"string": None}}, b""),
        ({"body": "bare"}, b"bare"),
        ({"body": None}, b""),
        ({}, b""),
        ({"content": "old httpx", "status_code": 201}, b"old httpx"),
        ({"parsed_body": {"a": [1, "é"]}}, '{"a":[1,"é"]}'.encode()),
        ({"body": {"string": "plain"}, "headers": {"content-encoding": ["gzip"]}}, b"plain"),
        ({"body": {"string": "plain"}, "headers": {"content-encoding": ["br"]}}, b"plain"),
        ({"body": {"string": ""}, "headers": {"content-encoding": ["gzip"]}}, b""),
        ({"body": {"string": gzip.compress(b"packed")}, "headers": {"Content-Encoding": "gzip"}}, b"packed"),
        ({"body": {"string": "sized"}, "headers": {"content-length": ["99"], "X-Count": 3}}, b"sized"),
        ({"body": {"string": "sized"}, "headers": {"x": [b"\xe9"]}}, b"sized"),
        ({"body": {"string": "none"}, "headers": None}, b"none"),
    ],
)
def test_the_variants_in_circulation_are_understood(response: dict[str, object], body: bytes) -> None:
    one = only(read(document(**response)))
    assert one.body == body
    assert sum(size for _, size in one.chunks) == len(body)


def test_an_answer_in_a_coding_that_cannot_be_undone_is_not_taken_over() -> None:
    content = read(document(body={"string": b"\xff\x00"}, headers={"content-encoding": ["br"]}))
    assert not only(content).playable
    assert content.notes == ("Interaction 1 has no answer: its content coding cannot be undone. It is never served.",)


@pytest.mark.parametrize(
    "content",
    [
        document(headers={"a": ["Key-0123456789\r\nc: d"]}),
        document(status={"code": "Key-0123456789"}),
        document().replace("method: GET", "method: 'Key-0123456789 x'"),
        "version: Key-0123456789\ninteractions: []",
        "a: Key-0123456789\n  b: [",
    ],
)
def test_a_refusal_names_the_place_and_prints_nothing_of_it(content: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        read(content)
    assert "Key-0123456789" not in str(caught.value)


def test_compressed_event_streams_come_back_in_frames() -> None:
    headers = {"content-type": ["text/event-stream"], "content-encoding": ["gzip"]}
    one = only(read(document(body={"string": gzip.compress(b"data: 1\n\ndata: 2\n\n")}, headers=headers)))
    assert one.frames == (9, 9)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: [", "no YAML that the safe loader takes"),
        ("!!python/object/apply:os.system ['echo hello']", "no YAML that the safe loader takes"),
        ("!!bool perhaps", "no YAML that the safe loader takes"),
        ("!!timestamp perhaps", "no YAML that the safe loader takes"),
        ("!!int ''", "no YAML that the safe loader takes"),
        ("[" * 5000, "no YAML that the safe loader takes"),
        ("just text", "no VCR.py cassette: a mapping"),
        ("http_interactions: []", "Ruby VCR"),
        ("version: 2\ninteractions: []", "`version` is not"),
        ("version: 1", "a list `interactions`"),
        ("interactions: [1]", "Interaction 1 cannot be taken over: `request` is no mapping"),
        ("interactions: [{request: {}}]", "`response` is no mapping"),
        ("interactions: [{request: {}, response: {}}]", "`method` is no text"),
        (document(status="200 OK", code=200), "go-vcr"),
        (document(status={"code": "200"}), "`status` is no final status"),
        (document(status_code=100), "`status` is no final status"),
        (document(body={"type": "text"}), "a body of the kind dict is not known"),
        (document(headers=[1]), "`headers` is no mapping"),
        (document(headers={"a b": ["c"]}), "may not stand in one"),
        (document(headers={"a": ["b\r\nc: d"]}), "may not stand in one"),
        (document(parsed_body={None: 1}), "no JSON value"),
        (document().replace("https://x/", "https://[x/"), "Interaction 1 cannot be taken over"),
        (document().replace("method: GET", "method: 'GET /'"), "The method is no token"),
        (document(body={"string": "data: x"}, headers={"content-type": "text/event-stream", "content-encoding": "x"})
            .replace("data: x", "data: " + "x" * (17 << 20)), "Interaction 1 cannot be taken over: A block"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_the_reason(content: str, reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        read(content)
    assert reason in str(caught.value)


def test_a_small_file_that_unfolds_to_a_huge_one_is_refused() -> None:
    levels = [f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    bomb = "\n".join(["bomb:", "  l0: &l0 [x]", *levels])
    with pytest.raises(ImportRefused, match="unfolds to over"):
        read(bomb_in(bomb))


def bomb_in(bomb: str) -> str:
    return (
        bomb + "\n" + document().replace("    status:", "    parsed_body: *l8\n    status:").replace("version: 1\n", "")
    )


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportRefused, match=r"pip install 'wiretape\[yaml\]'"):
        read(SAMPLE)


@given(st.data())
def test_a_hostile_file_is_read_or_refused(data: st.DataObject) -> None:
    at, length = data.draw(st.integers(0, len(SAMPLE))), data.draw(st.integers(0, 30))
    hostile = SAMPLE[:at] + data.draw(st.text(max_size=20)) + SAMPLE[at + length :]
    with contextlib.suppress(ImportRefused):
        assert isinstance(read(hostile), Tape)


def vcr_files() -> list[Path]:
    root = os.environ.get("WIRETAPE_CORPORA")
    if not root:
        return []
    found = sorted(path for kind in ("*.yaml", "*.yml") for path in Path(root, "traffic").rglob(kind))
    return [path for path in found if _is_vcr_py(path)]


def _is_vcr_py(path: Path) -> bool:
    text = path.read_text("utf-8")
    return "\ninteractions:" in f"\n{text}" and "version: 2" not in text.splitlines()


def source_body(response: dict[str, Any]) -> bytes:
    """The source's body as an application saw it, found without the importer."""
    if "parsed_body" in response:
        return msgspec.json.encode(response["parsed_body"])
    body = response.get("body", response.get("content"))
    body = body.get("string") if isinstance(body, dict) else body
    data = body.encode() if isinstance(body, str) else body or b""
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def redacted_by_look(source: bytes, *, streamed: bool) -> bytes:
    """Redaction by look alone, frame by frame in a stream; the corpus has no keys left."""
    redactor = Redactor(Secrets(), b"/", ())
    framer = Framer(1 << 24)
    parts = [frame.raw for frame in (*framer.feed(source), *framer.finish())] if streamed else [source]
    return unnumbered(b"".join(redactor.text(part) for part in parts))


@pytest.mark.skipif(not os.environ.get("WIRETAPE_CORPORA"), reason="WIRETAPE_CORPORA is not set")
def test_other_recorders_yaml_is_refused_with_the_reason() -> None:
    known, reasons = set(vcr_files()), set()
    for path in sorted(Path(os.environ["WIRETAPE_CORPORA"], "traffic").rglob("*.y*ml")):
        if path not in known:
            with pytest.raises(ImportRefused) as caught:
                read(path.read_text("utf-8"))
            reasons.add(str(caught.value).partition(":")[0])
    assert reasons == {
        "This is a Ruby VCR cassette; this version reads those of VCR.py.",
        "This is no VCR.py cassette",
        "This is no YAML that the safe loader takes",
        "`version` is not VCR.py's; 1 was expected.",
    }


@pytest.mark.skipif(not os.environ.get("WIRETAPE_CORPORA"), reason="WIRETAPE_CORPORA is not set")
def test_every_recording_of_the_corpora_comes_back_with_its_bodies() -> None:
    files = vcr_files()
    assert len(files) > 50
    differing = []
    for path in files:
        text = path.read_text("utf-8")
        source = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["interactions"]  # noqa: S506 - both are safe
        content = read(text)
        again = resealed(content)
        assert sealed(again) == sealed(content)
        assert len(again.interactions) == len(source)
        for one, recorded in zip(again.interactions, source, strict=True):
            expected = source_body(recorded["response"])
            if unnumbered(one.body) not in (expected, redacted_by_look(expected, streamed=bool(one.frames))):
                differing.append((path.name, one.index))
    assert differing == []
