"""Answers made to break parsers, from a raw upstream through a whole proxy to a raw client.

The client sees each as it was, or a 502, or a tear: never a clean end of what was not whole. That holds however the
bytes were cut; which of the three it is may depend on it. The figures stand in `docs/relay.md`.
"""

import asyncio
import io
import re
from pathlib import Path

import pytest

from support.hostile import Case, answers, event_streams
from support.proxied import proxied
from support.raw import Connection, exchange, serving

PAGE = (Path(__file__).parents[2] / "docs" / "relay.md").read_text("utf-8")
GET = b"GET / HTTP/1.1\r\nHost: proxy.test\r\nConnection: close\r\n\r\n"
AT_ONCE = 50
pytestmark = pytest.mark.usefixtures("by_each_engine")

UNFINISHED = "the corpus stops short of the answer's end"
CODING = "a coding other than chunked would be taken off the head and left on the body"
STRICT = "a length that is no single number is refused, however forgiving browsers are"
STATUS = "a status of fewer than three digits is none"
LENIENT = "llhttp's lenient mode, of which the engines allow different parts; the client gets strict HTTP"
BEHIND = "there is something behind the answer: dropped, or a 502 when both come in one read"
VERSION = "only the reference engine takes an answer in a version that is neither 1.0 nor 1.1"

DEVIATIONS = {
    "connection 17 HTTP 103 first, then 200": UNFINISHED,
    "content-length 20 Content-Length reset when no body is received": UNFINISHED,
    "content-length 21 Tabs in `Content-Length` (surrounding)": UNFINISHED,
    "sample 60 Google 301": UNFINISHED,
    "transfer-encoding 82 Chunk extensions quoting": UNFINISHED,
    "transfer-encoding 76 `chunked` before other transfer-encoding": CODING,
    "transfer-encoding 77 multiple transfer-encoding where chunked is not the last one": CODING,
    "transfer-encoding 78 `chunkedchunked` transfer-encoding does not enable chunked enconding": CODING,
    **{f"length 'Content-Length: {value}'": STRICT for value in ("42,42", "30,30", "42s", "30s", "-1", "0x20", "")},
    **{f"length 'Content-Length: {value}'": STRICT for value in ("aaaah", "aaaah, aaaah")},
    **{
        f"length 'Content-Length: {one}\\r\\nContent-Length: {two}'": STRICT
        for one, two in (
            *(("42", "42"), ("42", "42,42"), ("30", "30"), ("30", "30,30"), ("30,30", "30,30")),
            *(("30,30,  30  ", "30  "), ("aaaah", "aaaah")),
        )
    },
    "length 'Content-Length: \"30\"'": STRICT,
    **{f"status '{status}'": STATUS for status in ("0 OK", "1 OK", "99 NOT OK", "077 77", "099 HELLO")},
}
"""Valid answers that fail."""
EITHER = {
    "connection 5 HTTP/1.1 with keep-alive disabled and 204 status": BEHIND,
    "connection 6 HTTP/1.1 with keep-alive disabled, content-length (lenient)": BEHIND,
    "connection 7 HTTP/1.1 with keep-alive disabled, content-length": BEHIND,
    "connection 8 HTTP/1.1 with keep-alive disabled and 204 status (lenient)": BEHIND,
    "connection 14 HTTP 304 with Content-Length": BEHIND,
    "connection 15 HTTP 304 with Transfer-Encoding": BEHIND,
    "pipelining 54 Should parse multiple events": BEHIND,
    "sample 72 HTTP version 0.9": VERSION,
    "length 'Content-Length: 30'": BEHIND,
    "length 'Content-Length: 030'": BEHIND,
    "invalid 38 Invalid space after start line / Only LFs present and no body": LENIENT,
    "invalid 39 Invalid space after start line / Only LFs present and no body (lenient)": LENIENT,
    "invalid 40 Invalid space after start line / Only LFs present": LENIENT,
    "invalid 41 Invalid space after start line / Only LFs present (lenient)": LENIENT,
    "sample 65 No carriage ret": LENIENT,
    "sample 66 No carriage ret (lenient)": LENIENT,
    "transfer-encoding 75 Trailing space on chunked body": LENIENT,
    "lone CR 'HTTP/1.1 200 OK\\nHeader:\\r Value\\n\\nBODY'": LENIENT,
    "lone CR 'HTTP/1.1 200 OK\\nHeader: Value\\r\\n\\nBody'": LENIENT,
}
"""Answers that may pass or fail."""


async def passes(case: Case, *, pieces: int) -> bool:
    """Send one answer through; a client that sees it fail sees so."""

    async def script(connection: Connection) -> None:
        await connection.request()
        size = max(1, len(case.data) // pieces)
        for start in range(0, len(case.data), size):
            if connection.writer.transport.is_closing():
                return
            connection.writer.write(case.data[start : start + size])
            await asyncio.sleep(0)
        connection.writer.write_eof()
        await connection.gone()

    log = io.StringIO()
    async with serving(script) as url, proxied(url, log=log) as proxy:
        async with asyncio.timeout(20):
            got = await exchange(proxy.traffic.url, GET)
    assert "exchange.broken" not in log.getvalue()
    assert b"internal_error" not in got
    return whole(got)


def whole(got: bytes) -> bool:
    """Whether a client can take this for an answer to its end: strictly read, and none of ours."""
    head, _, body = got.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.1 (\d{3}) [^\r\n]*(?:\r\n|\Z)", head)
    assert status, f"no head: {head!r}"
    if b"X-Wiretape-Error: upstream_" in head:
        return False
    if int(status[1]) in {204, 304}:
        return not body
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)(?:\r\n|\Z)", head)
    return len(body) == int(length[1]) if length else body.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("pieces", [1, 100])
async def test_a_hostile_answer_is_passed_or_seen_to_fail(pieces: int) -> None:
    cases, room = answers(), asyncio.Semaphore(AT_ONCE)

    async def is_as_listed(case: Case) -> bool:
        async with room:
            passed = await passes(case, pieces=pieces)
        return case.name in EITHER or passed == (case.valid and case.name not in DEVIATIONS)

    as_listed = await asyncio.gather(*map(is_as_listed, cases))
    assert [case.name for case, fine in zip(cases, as_listed, strict=True) if not fine] == []
    assert {*DEVIATIONS, *EITHER} <= {case.name for case in cases}
    assert f"answers: {len(cases)} cases, {len(DEVIATIONS) + len(EITHER)} listed deviations, 0 crashes" in PAGE


def dechunked(body: bytes) -> bytes:
    pieces = []
    while body:
        line, _, rest = body.partition(b"\r\n")
        size = int(line, 16)
        pieces.append(rest[:size])
        body = rest[size + 2 :]
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
async def test_the_event_streams_of_the_web_platform_pass_byte_by_byte(size: int) -> None:
    streams = dict(event_streams())

    async def script(connection: Connection) -> None:
        head, _ = await connection.request()
        data = streams[head.split(b" ")[1].decode().removeprefix("/")]
        await connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        await connection.send(*(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n")

    async with serving(script) as url, proxied(url) as proxy:
        for name, data in streams.items():
            got = await exchange(proxy.traffic.url, GET.replace(b"/ ", b"/%b " % name.encode(), 1))
            head, _, body = got.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert dechunked(body) == data, name
    assert len(streams) == 26
