"""A judge of HTTP messages that nobody here wrote finds nothing in a relayed message that it did not find before."""

import gzip
import re
import warnings

import pytest

from support.proxied import proxied
from support.raw import Connection, exchange, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own parts warn of theirs
    from httplint import HttpRequestLinter, HttpResponseLinter

POST = (
    b"POST /v1/threads/thread_1/runs HTTP/1.1\r\nHost: api.test\r\nUser-Agent: sdk/1.0\r\nAccept: application/json\r\n"
)
JSON = b'{"id":"run_1","object":"thread.run"}'
PACKED = gzip.compress(JSON, mtime=0)
DATED = b"Date: Wed, 25 Nov 2026 10:00:00 GMT\r\nServer: upstream\r\n"
OK = b"HTTP/1.1 200 OK\r\n" + DATED
ANSWERS = {
    "json": OK + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(JSON) + JSON,
    "chunks": OK
    + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n"
    + JSON
    + b"\r\n0\r\n\r\n",
    "stream": OK + b"Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n10\r\ndata: [DONE]\r\n\r\n\r\n0\r\n\r\n",
    "packed": OK + b"Content-Type: application/json\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n"
    b"Content-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "hop by hop": OK + b"Content-Type: text/plain\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok",
    "cookies": OK + b"Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d; Secure\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 2\r\n\r\nok",
    "cached": b"HTTP/1.1 304 Not Modified\r\n" + DATED + b'ETag: "x"\r\nCache-Control: max-age=60\r\n\r\n',
    "empty": b"HTTP/1.1 204 No Content\r\n" + DATED + b"\r\n",
    "busy": b"HTTP/1.1 429 Too Many Requests\r\n" + DATED + b"Retry-After: 7\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{}",
    "moved": b"HTTP/1.1 307 Temporary Redirect\r\n" + DATED + b"Location: /elsewhere\r\nContent-Length: 0\r\n\r\n",
}
REQUESTS = {
    "json": b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "chunks": b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "expecting": b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "hop by hop": b"Connection: x-hop, close\r\nX-Hop: 1\r\nTE: trailers\r\nContent-Length: 2\r\n\r\n{}",
    "traced": b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nContent-Length: 2\r\n\r\n{}",
}


def notes(message: bytes) -> set[str]:
    """Name what is to be said of a message."""
    head, _, body = message.partition(b"\r\n\r\n")
    top, *lines = head.split(b"\r\n")
    first, second, third = (*top.split(b" ", 2), b"")[:3]
    if first.startswith(b"HTTP/"):
        linter = HttpResponseLinter()
        linter.process_response_topline(first.removeprefix(b"HTTP/"), second, third)
    else:
        linter = HttpRequestLinter()
        linter.process_request_topline(first, b"http://api.test" + second, third.removeprefix(b"HTTP/"))
    linter.process_headers([tuple(re.split(rb": *", line, maxsplit=1)) for line in lines])
    linter.feed_content(_dechunked(body) if b"chunked" in head else body)
    linter.finish_content(complete=True)
    return {type(note).__name__ for note in linter.notes}


def _dechunked(body: bytes) -> bytes:
    return b"".join(re.findall(rb"(?s)[0-9a-f]+\r\n(.+?)\r\n(?=[0-9a-f]+\r\n)", body))


async def passed(request: bytes, answer: bytes) -> tuple[bytes, bytes]:
    """Give the request as the upstream got it, and the answer as the client did."""
    seen: list[bytes] = []

    async def script(connection: Connection) -> None:
        seen.append(b"".join(await connection.request()))
        await connection.send(answer)
        await connection.gone()

    async with serving(script) as url, proxied(url) as proxy:
        got = await exchange(proxy.traffic.url, request)
    return seen[0], got.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_not_the_worse_for_being_relayed(name: str) -> None:
    _, got = await passed(POST + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}", ANSWERS[name])
    assert notes(got) <= notes(ANSWERS[name])


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_is_not_the_worse_for_being_relayed(name: str) -> None:
    request = POST + REQUESTS[name]
    seen, _ = await passed(request.replace(b"Accept:", b"Connection: close\r\nAccept:", 1), ANSWERS["json"])
    assert notes(seen) <= notes(request)


def test_the_judge_finds_what_is_bad() -> None:
    assert "CL_INCORRECT" in notes(ANSWERS["json"].replace(b"Length: 36", b"Length: 35"))
    assert "CL_INCORRECT" not in notes(ANSWERS["json"])
