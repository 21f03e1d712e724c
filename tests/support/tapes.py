"""Small recordings for tests: what passed in an exchange, and the Tape it makes."""

from collections.abc import Iterable, Sequence

from wiretape.cassette.format import Header, Interaction, Tape, header_line, render
from wiretape.cassette.forms import Keep
from wiretape.cassette.reader import read
from wiretape.cassette.recorder import RecordLimits, Take
from wiretape.cassette.secrets import Secrets
from wiretape.exchange import Chunk, Ending, Head, Headers, How, Request

JSON: Headers = ((b"Content-Type", b"application/json"),)
STREAM: Headers = ((b"Content-Type", b"text/event-stream; charset=utf-8"),)
KEY = b"sk-Canary0123456789abcdefCanary"
WALL_NS = 1_795_402_800_000_000_000
MS = 1_000_000
HEADER = Header(by="wiretape test", recorded="2026-11-23T03:00:00Z", upstream="https://api.example.com")


def request(method: str = "GET", target: str = "/v1/threads", headers: Headers = (), at_ms: int = 0) -> Request:
    return Request(method, target, headers, at_ms * MS, WALL_NS + at_ms * MS)


def taken(
    asked: Request,
    body: bytes = b"",
    status: int = 200,
    headers: Headers = JSON,
    chunks: Sequence[bytes] = (),
    how: How = How.COMPLETE,
    index: int = 1,
    secrets: Secrets | None = None,
    limits: RecordLimits | None = None,
    keep: Keep | None = None,
    veil: bytes | None = None,
) -> list[bytes]:
    """The lines of one exchange; each chunk comes 10 ms after the last."""
    take = Take(index, asked, asked.at_ns // MS, secrets or Secrets(), limits or RecordLimits(), keep, veil)
    lines = take.sent(Chunk(body, asked.at_ns)) if body else []
    lines += take.head(Head(status, headers, asked.at_ns + MS))
    for place, data in enumerate(chunks, 1):
        lines += take.chunks(Chunk(data, asked.at_ns + place * 10 * MS))
    return lines + take.end(Ending(how, asked.at_ns + (len(chunks) + 1) * 10 * MS))


def journal(*exchanges: Iterable[bytes]) -> bytes:
    return header_line(HEADER) + b"".join(line for lines in exchanges for line in lines)


def tape(*exchanges: Iterable[bytes]) -> Tape:
    return read(journal(*exchanges), "test.part.jsonl", journal=True)


def sealed(content: Tape) -> bytes:
    return b"".join(render(content))


def resealed(content: Tape) -> Tape:
    return read(sealed(content), "test.tape.jsonl")


def only(content: Tape) -> Interaction:
    (interaction,) = content.interactions
    return interaction
