"""The requests of the hostile corpora through a whole proxy: a valid one reaches the upstream once, others never.

Each is sent three times: as it stands; with a Host where its HTTP/1.1 has none, which alone would be a reason to
refuse it; and so once more, cut into pieces. The figures stand in `docs/relay.md`.
"""

import asyncio
import io
import json
import re
from pathlib import Path
from typing import NamedTuple

from support.hostile import Case, hosted, hostless, requests
from support.proxied import proxied
from support.recorder import recording
from wiretape.edge.listen import EdgeOptions

PAGE = (Path(__file__).parents[2] / "docs" / "relay.md").read_text("utf-8")
AT_ONCE = 50
MOMENT_S = 0.2
PIECES = 150
SMALLER = "gunicorn was told to allow less than we do"
GATEWAY = "nobody here turns fields into variables: `_` and `-` are told apart, schemes are not guessed from fields"
TRAILERS = "trailers are dropped, whatever they are"
UNFINISHED = "the corpus stops short of the request's end; it is answered 408, or closed while the head is due"
METHOD = "llhttp knows the registered methods alone"
TARGET = "absolute-form, CONNECT and `*` without OPTIONS would let clients choose the upstream"
CODING = "codings other than chunked are refused: servers differ in how they read them (RFC 9112 section 6.1)"
EXTENSION = "spaces in a chunk extension are refused, as llhttp does (RFC 9112 section 7.1.1)"
FIRST = "the first request is whole and valid, and answered; what follows is dropped or refused"
PROXY_LINE = "the PROXY protocol is not spoken here"
OPTION = "gunicorn takes it only by an option that is off by default"
ASCII = "a target in other than ASCII is refused (RFC 9112 section 3.2)"
ANCIENT = "HTTP/0.9 is not spoken here"
FOREIGN = "llhttp's corpus takes RTSP and ICE for valid; only HTTP is spoken here"

SENT = {
    "valid/018": 2,
    "valid/022": 2,
    "valid/023": 2,
    "connection 1 `keep-alive` / Restarting when keep-alive is explicitly": 2,
    "pipelining 105 Should parse multiple events": 2,
}
"""Cases of several requests: how many of them are whole."""

DEVIATIONS: dict[str, tuple[int, str]] = {
    **dict.fromkeys([f"invalid/{number:03}" for number in (6, 7, 8, 9, 10, 11, 12, 17)], (1, SMALLER)),
    "invalid/limit_header_default_01": (1, SMALLER),
    **dict.fromkeys(["invalid/019", "invalid/040", "invalid/chunked_07"], (1, GATEWAY)),
    "invalid/rfc9110_trailer_forbidden_host_01": (1, TRAILERS),
    "valid/013": (0, EXTENSION),
    "valid/027": (0, ASCII),
    **dict.fromkeys(["valid/031", "valid/031compat", "valid/031compat2"], (0, METHOD)),
    **dict.fromkeys(["valid/028", "valid/compat_obs_fold", "valid/compat_obs_fold_huge"], (0, OPTION)),
    **dict.fromkeys([f"valid/pp_0{number}" for number in (1, 2, 4, 5)], (0, PROXY_LINE)),
    **dict.fromkeys(["valid/009", "valid/025", "valid/025_line", "valid/029", "valid/030"], (0, CODING)),
    "valid/rfc9112_smuggle_gzip_chunked_01": (0, CODING),
    "valid/rfc9112_smuggle_te_identity_chunked_01": (0, CODING),
    "transfer-encoding 143 POST with `chunked` as last transfer-encoding": (0, CODING),
    "transfer-encoding 144 POST with `chunked` as last transfer-encoding (multiple headers)": (0, CODING),
    **{f"valid/rfc9112_target_absolute{form}_01": (0, TARGET) for form in ("", "_https", "_ipv6", "_userinfo")},
    "valid/rfc9112_target_authority_connect_01": (0, TARGET),
    "valid/rfc9112_target_authority_ipv6_01": (0, TARGET),
    "method 80 M-SEARCH request": (0, TARGET),
    "uri 157 Host terminated by a query string": (0, TARGET),
    "uri 158 `host:port` terminated by a query string": (0, TARGET),
    "uri 160 `host:port` terminated by a space": (0, TARGET),
    "uri 164 `host:port` and basic auth": (0, TARGET),
    "sample 115 No HTTP version": (0, ANCIENT),
    "method 87 SOURCE request with ICE": (0, FOREIGN),
    "method 88 OPTIONS request with RTSP": (0, FOREIGN),
    "method 89 ANNOUNCE request with RTSP": (0, FOREIGN),
    "connection 2 `keep-alive` / No restart when keep-alive is off (1.0)": (1, FIRST),
    "connection 3 `keep-alive` / Resetting flags when keep-alive is off (1.0, lenient)": (1, FIRST),
    "connection 10 `close` / CRLF between requests, explicit `close` (lenient)": (1, FIRST),
    "lenient-headers 72 Second request header value (lenient)": (1, FIRST),
    "valid/099": (0, UNFINISHED),
    "content-length 30 Spaces in `Content-Length` (surrounding)": (0, UNFINISHED),
    "content-length 31 Spaces in `Content-Length` (surrounding) / Tabs in `Content-Length` (surrounding)": (
        0,
        UNFINISHED,
    ),
    "content-length 36 Content-Length reset when no body is received": (0, UNFINISHED),
    "finish 40 It should be unsafe to finish after incomplete PUT request": (0, UNFINISHED),
    "finish 41 It should be unsafe to finish inside of the header": (0, UNFINISHED),
    "transfer-encoding 124 `chunked` / Parsing and setting flag": (0, UNFINISHED),
    "transfer-encoding 130 `chunked` / Chunk extensions": (0, UNFINISHED),
    "transfer-encoding 133 `chunked` / Chunk extensions quoting": (0, UNFINISHED),
}
"""How many requests reach the upstream, where that is not all of a valid case and none of an invalid one."""
ENGINE = {"sample 122 255 ASCII in header value"}
"""Valid, and refused by the reference engine alone: it can pass on only fields in UTF-8."""


class Outcome(NamedTuple):
    name: str
    reached: int
    answers: list[int]
    codes: list[str]


async def sent(case: Case, data: bytes, *, pieces: int = 1) -> Outcome:
    """Send one case on a connection of its own, through a proxy of its own; gives what became of it."""
    log = io.StringIO()
    edge = EdgeOptions(keepalive_s=5.0, body_idle_s=4.0)
    async with recording() as (url, recorder), proxied(url, edge=edge, log=log) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        size = max(1, len(data) // pieces)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(answered(reader, max(expected(case))))
            for start in range(0, len(data), size):
                if not reading.done():
                    writer.write(data[start : start + size])
                    await asyncio.sleep(0)
        got = reading.result()
        writer.close()
    assert "exchange.broken" not in log.getvalue()
    codes = [json.loads(body)["error"]["code"] for body in re.findall(rb'\{"error":.*?\}\}', got)]
    answers = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", got)]
    return Outcome(case.name, len(recorder.whole), answers, codes)


async def answered(reader: asyncio.StreamReader, count: int) -> bytes:
    """Read until the proxy closes, or for a moment longer than the answers that are due take to come."""
    got = b""
    while True:
        patience_s = MOMENT_S if 0 < count <= got.count(b"\r\n\r\nok") else 60
        try:
            async with asyncio.timeout(patience_s):
                data = await reader.read(65_536)
        except TimeoutError:
            assert patience_s == MOMENT_S
            return got
        if not data:
            return got
        got += data


async def all_sent(cases: list[tuple[Case, bytes]], *, pieces: int = 1) -> list[Outcome]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case, data: bytes) -> Outcome:
        async with room:
            return await sent(case, data, pieces=pieces)

    return await asyncio.gather(*(one(case, data) for case, data in cases))


def expected(case: Case) -> set[int]:
    listed = DEVIATIONS.get(case.name)
    reached = listed[0] if listed else SENT.get(case.name, int(case.valid))
    return {0, 1} if case.name in ENGINE else {reached}


def check(cases: list[Case], outcomes: list[Outcome]) -> None:
    both = list(zip(cases, outcomes, strict=True))
    wrong = [(case, one) for case, one in both if one.reached not in expected(case)]
    crashes = [one for one in outcomes if 500 in one.answers]
    unlike = [one for one in outcomes if one.answers.count(200) != one.reached]
    assert (wrong, crashes, unlike) == ([], [], [])
    assert f"requests: {len(cases)} cases, {len(DEVIATIONS)} listed deviations, 0 crashes" in PAGE


async def test_hostile_requests_reach_the_upstream_once_or_never() -> None:
    cases = requests()
    check(cases, await all_sent([(case, hosted(case.data)) for case in cases]))


async def test_how_they_are_cut_makes_no_difference() -> None:
    cases = requests()
    outcomes = await all_sent([(case, hosted(case.data)) for case in cases], pieces=PIECES)
    check(cases, outcomes)


async def test_http_1_1_without_a_host_reaches_nobody() -> None:
    cases = [case for case in requests() if hostless(case.data)]
    outcomes = await all_sent([(case, case.data) for case in cases])
    reached = {outcome.name: outcome for outcome in outcomes if outcome.reached}
    assert reached == {}
