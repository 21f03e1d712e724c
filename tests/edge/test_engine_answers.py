"""What engines make of what upstreams answer: one table for both, each row glued, split after the head, byte by byte.

An outcome that depends on how TCP cuts the bytes has one word for each cut. Where the engines differ, it stands in
DIFFERENCES with the reason; nothing else may.
"""

import asyncio
from typing import NamedTuple

import pytest

from support.engines import ENGINES, OK, Outcome, asking, one_by_one, outcome, request
from support.raw import Connection
from wiretape.edge.upstream import EngineName

CUTS = ("glued", "split", "bytewise")
H = b"HTTP/1.1 200 OK\r\n"
C = H + b"Transfer-Encoding: chunked\r\n\r\n"
TE = H + b"Transfer-Encoding: chunked\r\n"
OKC = b"2\r\nok\r\n0\r\n\r\n"
GZ = b"\x1f\x8b\x08\x00"
L2 = H + b"Content-Length: 2\r\n\r\n"


class Case(NamedTuple):
    """What comes; what is made of it, glued, split and byte by byte; and the body given, where it is whole."""

    head: bytes
    rest: bytes = b""
    how: tuple[str, str, str] = ("whole",) * 3
    body: bytes = b""
    method: str = "GET"
    fin: bool = False
    reused: bool | None = False
    """Whether the connection carries the next request; None where that depends on the cut."""


def refused(head: bytes, rest: bytes = b"") -> Case:
    return Case(head, rest, ("refused",) * 3)


def torn(rest: bytes, *, head: bytes = C, fin: bool = False) -> Case:
    return Case(head, rest, ("torn",) * 3, fin=fin)


def beyond(head: bytes, rest: bytes) -> Case:
    """Bytes beyond the end are known to be beyond it only when they come with the end."""
    return Case(head, rest, ("refused", "torn", "whole"), b"ok")


CASES = {
    "length": Case(L2, b"ok", body=b"ok", reused=True),
    "no length but zero": Case(H + b"Content-Length: 0\r\n\r\n", reused=True),
    "chunked": Case(C, b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n", body=b"ok", reused=True),
    "chunk extensions": Case(C, b'2;a="b\\"";c\r\nok\r\n0;d\r\n\r\n', body=b"ok", reused=True),
    "padded chunk size": Case(C, b"2  \r\nok\r\n0\r\n\r\n", body=b"ok", reused=True),
    "chunk size in capitals with zeros": Case(C, b"0000A\r\n0123456789\r\n0\r\n\r\n", body=b"0123456789", reused=True),
    "trailers": Case(C, b"2\r\nok\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n", body=b"ok", reused=True),
    "until the close": Case(H + b"X: 1\r\n\r\n", b"ok", body=b"ok", fin=True),
    "until the close, old": Case(b"HTTP/1.0 200 OK\r\n\r\n", b"ok", body=b"ok", fin=True),
    "until the close, empty": Case(H + b"\r\n", fin=True),
    "old with a length": Case(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok", body=b"ok"),
    "old and kept": Case(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n", b"ok", body=b"ok", reused=True
    ),
    "told to close": Case(H + b"Connection: close\r\nContent-Length: 2\r\n\r\n", b"ok", body=b"ok"),
    "204": Case(b"HTTP/1.1 204 No Content\r\n\r\n", reused=True),
    "304 with a length": Case(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", reused=True),
    "head with a length": Case(H + b"Content-Length: 9\r\n\r\n", method="HEAD", reused=True),
    "head, chunked": Case(C, method="HEAD", reused=True),
    "head without framing": Case(H + b"X: 1\r\n\r\n", method="HEAD"),
    "204 with a body": Case(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "304 with a body": Case(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "head with a body": Case(L2, b"ok", method="HEAD"),
    "head with half a chunk": Case(C, b"2", method="HEAD"),
    "103 three times": Case(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + L2, b"ok", body=b"ok", reused=True),
    "100": Case(b"HTTP/1.1 100 Continue\r\n\r\n" + L2, b"ok", body=b"ok", reused=True),
    "bare LF": Case(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n", b"ok", body=b"ok", reused=True),
    "no reason": Case(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n", b"ok", body=b"ok", reused=True),
    "empty lines before": Case(b"\r\n\r\n" + L2, b"ok", body=b"ok", reused=True),
    "empty lines after": Case(L2, b"ok\r\n\r\n", body=b"ok", reused=None),
    "compressed and cut": Case(H + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n", GZ, body=GZ, reused=True),
    "redirect": Case(b"HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 2\r\n\r\n", b"ok", body=b"ok", reused=True),
    "no HTTP": refused(b"this is no HTTP\r\n\r\n"),
    "HTTP/2.0": refused(b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "HTTP/0.9": refused(b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "HTTP/1.2": refused(b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "status 99": refused(b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "status of two digits": refused(b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "two lengths": refused(H + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", b"ok"),
    "a length twice": refused(H + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "a list of lengths": refused(H + b"Content-Length: 2, 2\r\n\r\n", b"ok"),
    "length and chunks": refused(H + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", OKC),
    "chunks and length": refused(TE + b"Content-Length: 2\r\n\r\n", OKC),
    "signed length": refused(H + b"Content-Length: +2\r\n\r\n", b"ok"),
    "length beyond numbers": refused(H + b"Content-Length: 99999999999999999999999\r\n\r\n", b"ok"),
    "gzip as a transfer coding": refused(H + b"Transfer-Encoding: gzip, chunked\r\n\r\n", OKC),
    "identity as a coding": Case(H + b"Transfer-Encoding: identity\r\n\r\n", b"ok", ("refused",) * 3, fin=True),
    "chunked twice": refused(TE + b"Transfer-Encoding: chunked\r\n\r\n", OKC),
    "NUL in a value": refused(H + b"X: a\0b\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "folded field": refused(H + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "field without a colon": refused(H + b"X\r\n\r\n"),
    "space before the colon": refused(H + b"X : a\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "field too long": refused(H + b"X: " + b"a" * 400 + b"\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "field without an end": refused(H + b"X: " + b"a" * 400),
    "too many fields": refused(H + b"X: 1\r\n" * 9 + b"Content-Length: 2\r\n\r\n", b"ok"),
    "reason too long": refused(b"HTTP/1.1 200 " + b"a" * 400 + b"\r\nContent-Length: 2\r\n\r\n", b"ok"),
    "101": refused(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "101 with an upgrade": refused(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"x"),
    "1xx without end": refused(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + L2, b"ok"),
    "chunk size that is none": torn(b"1\r\no\r\nzz\r\n"),
    "signed chunk size": torn(b"+1\r\no\r\n"),
    "chunk size beyond numbers": torn(b"1\r\no\r\nffffffffffffffffffff\r\n"),
    "chunk longer than its size": torn(b"2\r\nokok\r\n"),
    "length not reached": torn(b"o", head=L2, fin=True),
    "no last chunk": torn(b"2\r\nok\r\n", fin=True),
    "end within a chunk": torn(b"5\r\nok", fin=True),
    "end within the last chunk": torn(b"2\r\nok\r\n0\r\n", fin=True),
    "chunk extension without an end": torn(b"2\r\nok\r\n2;" + b"a" * 400, fin=True),
    "too many trailers": torn(b"2\r\nok\r\n0\r\n" + b"X: 1\r\n" * 9 + b"\r\n"),
    "end before the status": Case(b"", how=("unreachable",) * 3, method="POST", fin=True),
    "end within the head": Case(H + b"X: 1\r\n", how=("unreachable",) * 3, method="POST", fin=True),
    "beyond the length": beyond(L2, b"okok"),
    "a second answer": beyond(L2, b"ok" + OK),
    "a second answer after chunks": beyond(C, b"2\r\nok\r\n0\r\n\r\n" + OK),
}  # fmt: skip


class Difference(NamedTuple):
    """What the reference engine makes of a row, and why it is left at that."""

    how: tuple[str, str, str]
    why: str
    reused: bool = False


GLUED_TO_THE_HEAD = Difference(("refused", "torn", "torn"), "aiohttp refuses the whole of what one read brings")
BODY_CUT_OR_REFUSED = Difference(("refused", "whole", "whole"), "aiohttp reads the body that must not be as an answer")
DIFFERENCES = {
    "204 with a body": BODY_CUT_OR_REFUSED,
    "304 with a body": BODY_CUT_OR_REFUSED,
    "head with a body": BODY_CUT_OR_REFUSED,
    "head with half a chunk": BODY_CUT_OR_REFUSED,
    "HTTP/2.0": Difference(("whole",) * 3, "aiohttp looks at no version"),
    "HTTP/0.9": Difference(("whole",) * 3, "aiohttp looks at no version"),
    "status 99": Difference(("whole",) * 3, "aiohttp takes any three digits", reused=True),
    "gzip as a transfer coding": Difference(("whole",) * 3, "aiohttp undoes the chunks alone", reused=True),
    "identity as a coding": Difference(("whole",) * 3, "aiohttp reads to the close"),
    "chunked twice": Difference(("whole",) * 3, "aiohttp undoes the chunks once", reused=True),
    "folded field": Difference(("whole",) * 3, "aiohttp unfolds, which RFC 9112 section 5.2 allows too", reused=True),
    "101": Difference(("refused",) * 3, "aiohttp waits for the answer's end to close", reused=True),
    "1xx without end": Difference(("whole",) * 3, "aiohttp has no bound", reused=True),
    "chunk size that is none": GLUED_TO_THE_HEAD,
    "signed chunk size": GLUED_TO_THE_HEAD,
    "chunk size beyond numbers": GLUED_TO_THE_HEAD,
    "chunk longer than its size": GLUED_TO_THE_HEAD,
    "too many trailers": GLUED_TO_THE_HEAD,
    "beyond the length": Difference(("refused", "whole", "whole"), "aiohttp closes the connection and tells nobody"),
    "a second answer": Difference(("whole",) * 3, "aiohttp takes it for the next request's answer", reused=True),
    "a second answer after chunks": Difference(("whole",) * 3, "as above", reused=True),
}
"""Rows whose outcome is another one by the reference engine."""


async def answered(name: EngineName, case: Case, cut: str) -> tuple[Outcome, Outcome, int]:
    """Ask twice; gives both outcomes, and on how many connections they were asked."""
    connections = 0
    sent = asyncio.Event()

    async def script(connection: Connection) -> None:
        nonlocal connections
        connections += 1
        await connection.request()
        if connections == 1:
            whole = case.head + case.rest
            pieces = {"glued": [whole], "split": [case.head, case.rest], "bytewise": [bytes([one]) for one in whole]}
            try:
                await one_by_one(connection, pieces[cut])
            finally:
                sent.set()
            if case.fin:
                return
            await connection.request()
        await connection.send(OK)
        await connection.gone()

    bounds = {"header_bytes_max": 256, "headers_max": 8, "interim_max": 8}
    async with asking(name, script, **bounds) as upstream:
        first = await outcome(upstream, request(case.method))
        await sent.wait()
        return first, await outcome(upstream, request("POST")), connections


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ENGINES)
async def test_an_answer_is_passed_on_refused_or_torn(name: EngineName, case: str, cut: str) -> None:
    expected = CASES[case]
    differs = DIFFERENCES.get(case) if name == "reference" else None
    how = (differs or expected).how[CUTS.index(cut)]
    reused = differs.reused if differs else expected.reused
    first, second, connections = await answered(name, expected, cut)
    assert first.how == how
    assert how != "whole" or differs or first.body == expected.body
    assert (second.how, second.body) == ("whole", b"ok")
    assert reused is None or connections == (1 if reused else 2) or (differs and cut == "glued")
