"""Requests and answers made to break parsers, as bytes: the corpora of gunicorn, llhttp and the web platform tests.

Formats are those of `hostile/MANIFEST.md` in the folder that `WIRETAPE_CORPORA` names.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from support.corpora import root


class Case(NamedTuple):
    """One message, and whether its corpus takes it for a valid one."""

    name: str
    data: bytes
    valid: bool


def requests() -> list[Case]:
    """All requests, of both corpora."""
    return [*_gunicorn(), *_llhttp("request")]


def answers() -> list[Case]:
    """The answers of llhttp and of the web platform tests; those of the latter are valid where browsers take them."""
    return [*_llhttp("response"), *_lengths(), *_heads()]


def _lengths() -> Iterator[Case]:
    for case in _loaded("wpt/fetch-content-length/content-lengths.json"):
        head = f"HTTP/1.1 200 OK\r\n{case['input']}\r\n\r\n"
        body = "Fact: this is really forty-two bytes long."
        yield Case(f"length {case['input']!r}", (head + body).encode("latin-1"), case["output"] is not None)


def _heads() -> Iterator[Case]:
    for text in _loaded("wpt/fetch-h1-parsing/lone-cr.json"):
        yield Case(f"lone CR {text!r}", text.encode(), valid=False)
    for case in _loaded("wpt/fetch-h1-parsing/status-codes.json"):
        data = f"HTTP/1.1 {case['input']}\nheader-parsing: is sad\n\n".encode()
        yield Case(f"status {case['input']!r}", data, case["expected"] is not None)
    path = root() / "hostile/wpt/fetch-h1-parsing/blue-with-0x00-in-a-header.asis"
    yield Case("NUL in a field", path.read_bytes(), valid=False)


def event_streams() -> list[tuple[str, bytes]]:
    """Event streams by name."""
    cases = _loaded("wpt/eventsource/cases.json")
    return [(case["name"], base64.b64decode(case["input_b64"])) for case in cases if "input_b64" in case]


def _loaded(path: str) -> Any:
    return json.loads((root() / "hostile" / path).read_text("utf-8"))


def _gunicorn() -> Iterator[Case]:
    folder = root() / "hostile/gunicorn-requests"
    for path in sorted(folder.rglob("*.http")):
        name = str(path.relative_to(folder).with_suffix(""))
        yield Case(name, _escaped(path.read_bytes().replace(b"\n", b"")), name.startswith("valid"))


def _llhttp(kind: str) -> Iterator[Case]:
    for number, case in enumerate(_loaded(f"llhttp/{kind}-cases.json")):
        text = re.sub(r"\\\n", "", case["http_block"].removesuffix("\n")).replace("\n", "\r\n")
        lenient = "lenient" in case["meta"]["type"]
        name = f"{case['file'].removesuffix('.md')} {number} {case['name']}"
        yield Case(name, _escaped(text.encode()), not case["errors"] and not lenient)


def _escaped(data: bytes) -> bytes:
    for written, meant in {b"\\r": b"\r", b"\\n": b"\n", b"\\t": b"\t", b"\\f": b"\f", b"\\0": b"\0"}.items():
        data = data.replace(written, meant)
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda found: bytes.fromhex(found[1].decode()), data)


def hosted(data: bytes) -> bytes:
    """Give each HTTP/1.1 head the Host that it lacks: without one it is refused before its own oddity is seen."""
    head, end, rest = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?:\r|$)", head)
    size = int(length[1]) if length else 0
    again = hosted(rest[size:]) if rest[size:] else b""
    return _HOSTLESS.sub(rb"\1Host: proxy.test\r\n", head + end, count=1) + rest[:size] + again


def hostless(data: bytes) -> bool:
    """Whether the first head is one of HTTP/1.1 without Host."""
    return _HOSTLESS.match(data) is not None


_HOSTLESS = re.compile(rb"\A((?:\r\n)*[A-Z-]+ [^\r\n]* HTTP/1\.1\r\n)(?!(?:[^\r\n]+\r\n)*?[Hh][Oo][Ss][Tt]:)")
