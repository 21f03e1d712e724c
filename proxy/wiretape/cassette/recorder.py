"""From what passes in one exchange to the lines of one interaction. The single place where anything is written.

A Take is fed on the writer's thread, in the order things happened; each call gives the lines to append. The
request's line waits for the response's head, so that it has the whole body. The frames of an event stream are
lines as they come; any other body, and a compressed one, is held (bounded) until it has ended, because only
whole it can be decoded, redacted and shown.

What leaves a Take was redacted: there is no other way from a chunk to a line.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.coding import Decoded, decoded
from wiretape.cassette.edits import fitted
from wiretape.cassette.format import (
    METHOD,
    SHA_DIGITS,
    STATUS_MAX,
    STATUS_MIN,
    Ended,
    Interaction,
    all_may_stand,
    end_line,
    may_stand,
    request_line,
    response_line,
)
from wiretape.cassette.forms import Keep
from wiretape.cassette.header_names import forwarded
from wiretape.cassette.ids import Aliases
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.stream import Stream
from wiretape.cassette.veil import Cleaner, Veil
from wiretape.errors import BodyTooLarge, CassetteError
from wiretape.exchange import Chunk, Ending, Head, Headers, How, Request
from wiretape.wire.headers import is_event_stream, value

_NO_ALIASES = Aliases()
_NUMBERED = b'{"k":"req","i":%d%b'
_NS_PER_MS = 1_000_000
_NOT_IN_TARGET = re.compile(rb"[\x00-\x20\x7f]")
_ENDED = {
    How.COMPLETE: Ended.COMPLETE,
    How.UPSTREAM_FAILED: Ended.UPSTREAM_FAILED,
    How.CLIENT_LEFT: Ended.CLIENT_LEFT,
}
"""Whatever else happened, an answer was not recorded to its own end."""


class RecordLimits(Struct, frozen=True, kw_only=True):
    """What a recording may hold of one exchange.

    An exchange that is over a limit is not recorded but counted; so is one with a body in a content coding that
    cannot be undone, because what stands in it cannot be redacted.
    """

    body_bytes_max: int = 16 << 20
    """Bytes of both bodies of one exchange as they came, and of each decoded."""
    frame_bytes_max: int = 1 << 20
    """Bytes of one frame of an event stream."""
    secrets_max: int = 32
    """Secrets that are looked for everywhere; older ones only where they stand and in their own exchange."""
    redact_lookback: int = 8 << 10
    """Bytes of one streamed text that wait, at most, until it is known that they do not begin a secret."""


def redacted_target(target: str, redactor: Cleaner) -> str:
    """The target as it is stored: what cannot stand in one is escaped, on both sides alike."""
    raw = redactor.target(target.encode("utf-8", "surrogateescape"))
    return _NOT_IN_TARGET.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("utf-8", "backslashreplace")


def stored_headers(headers: Headers, redactor: Cleaner) -> Headers:
    """The fields as they are stored: end to end, redacted, and only what a header may hold."""
    fields = redactor.headers(forwarded(headers))
    if all_may_stand(fields):
        return fields
    return tuple(field for field in fields if may_stand(*field))


def redactor_for(request: Request, shared: Secrets) -> Redactor:
    """A redactor that knows what the request's head tells."""
    return Redactor(shared, request.target.encode("utf-8", "surrogateescape"), request.headers)


class Take:
    """One exchange being recorded. Each call gives the lines to append to the journal.

    With `keep` a long body is put beside the journal first. With `veil`, a hash's key, no words are in the lines.

    `sent`, `head`, `chunks` and `end` are the Observer's calls; they raise BodyTooLarge, FrameTooLarge or
    DecodeFailed where the exchange cannot be recorded, CassetteError where no reader would take it: call `cut`
    then.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what an exchange is, and what its recording needs of its surroundings
        self,
        index: int,
        request: Request,
        t0_ms: int,
        secrets: Secrets,
        limits: RecordLimits,
        keep: Keep | None = None,
        veil: bytes | None = None,
    ) -> None:
        self._request = request
        self._keep = keep
        self._limits = limits
        self._secrets = secrets
        self._redactor = redactor_for(request, secrets)
        self._veil = None if veil is None else Veil(self._redactor, veil)
        self._cleaner: Cleaner = self._veil or self._redactor
        self._so_far = Interaction(index=index, method=request.method, target="/", t0_ms=t0_ms)
        self._sent: list[bytes] = []
        self._written_bytes = -1
        self._head: Head | None = None
        self._known = self._redactor.known
        """What was looked for in the response's head."""
        self._stream: Stream | None = None
        self._pieces: list[bytes] = []
        self._times = array("Q")
        self.held_bytes = 0

    def sent(self, chunk: Chunk) -> list[bytes]:
        """A piece of the request's body."""
        self._hold(chunk.data)
        self._sent.append(chunk.data)
        return []

    def head(self, head: Head) -> list[bytes]:
        """The response's head."""
        if not STATUS_MIN <= head.status <= STATUS_MAX:
            raise CassetteError(f"The status {head.status} is no final status of HTTP; the exchange is not stored.")
        request = self._request_line(goes_on=not self._has_ended())
        self._head = head
        headers = stored_headers(head.headers, self._cleaner)
        self._so_far = replace(self._so_far, status=head.status, headers=headers)
        self._known = self._redactor.known
        if not is_event_stream(headers) or value(headers, b"content-encoding") is not None:
            return request
        self._stream = self._begun_stream()
        return [*request, response_line(self._so_far, _NO_ALIASES)]

    def chunks(self, *chunks: Chunk) -> Iterable[bytes]:
        """Some pieces of the response's body; gives one line or several at a time."""
        begun_ns = self._request.at_ns
        self._times.extend([max(chunk.at_ns - begun_ns, 0) // _NS_PER_MS for chunk in chunks])
        if self._stream is not None:
            return self._stream.feed(*[chunk.data for chunk in chunks])
        for chunk in chunks:
            self._hold(chunk.data)
            self._pieces.append(chunk.data)
        return ()

    def end(self, ending: Ending) -> list[bytes]:
        """The end; an exchange that Wiretape refused leaves nothing."""
        if ending.how is How.REFUSED:
            return self.cut()
        request = [] if self._written_bytes == sum(map(len, self._sent)) else self._request_line()
        self._so_far = replace(self._so_far, how=_ENDED.get(ending.how, Ended.RECORDER))
        if self._stream is not None:
            return [*request, *self._stream.finish(), self._stream_end(self._stream)]
        return request + ([end_line(self._so_far, 0, _sha(b""))] if self._head is None else self._whole(self._head))

    def cut(self) -> list[bytes]:
        """Closed by the recorder; nothing, where nothing was written."""
        if self._written_bytes < 0:
            return []
        size, sha = (0, _sha(b"")) if self._stream is None else (self._stream.size, self._stream.sha)
        return [end_line(replace(self._so_far, how=Ended.RECORDER), size, sha)]

    def _hold(self, data: bytes) -> None:
        self.held_bytes += len(data)
        if self.held_bytes > self._limits.body_bytes_max:
            raise BodyTooLarge(
                f"A body is over {self._limits.body_bytes_max} bytes; raise body_bytes_max to record it."
            )

    def _request_line(self, *, goes_on: bool = False) -> list[bytes]:
        """With the body as far as it came; written again where it went on after the answer began.

        While it may go on, what may begin a secret at its end is not written, and all is written again.
        """
        request = self._request
        asked = request.session, request.method, request.target
        head = None if self._sent or self._veil is not None else self._redactor.head(request.headers)
        if head is not None and asked in head.lines:
            self._written_bytes = 0
            return [_NUMBERED % (self._so_far.index, head.lines[asked])]
        if METHOD.fullmatch(request.method) is None:
            raise CassetteError("The method is no token of HTTP; the exchange is not stored.")
        came = decoded(self._sent, self._request.headers, self._limits.body_bytes_max)
        so_far = self._settled(came.body) if goes_on else came.body
        body = self._cleaner.body(so_far, came.headers)  # first: what it tells may stand in the target, too
        self._so_far = replace(
            self._so_far,
            session=self._request.session,
            target=redacted_target(self._request.target, self._cleaner),
            request_headers=self._stored_head(came.headers),
            request_enc=came.enc,
        )
        line = request_line(replace(self._so_far, request_body=body), _NO_ALIASES, self._keep)
        self._written_bytes = sum(map(len, self._sent)) if len(so_far) == len(came.body) else 0
        if head is not None and self._so_far.target == request.target:
            head.keep(asked, line[len(_NUMBERED % (self._so_far.index, b"")) :])
        return [line]

    def _stored_head(self, headers: Headers) -> Headers:
        """Without a veil a head is worked out once, and remembered."""
        head = self._redactor.head(headers) if self._veil is None else None
        if head is not None:
            return head.stored
        stored = stored_headers(headers, self._cleaner)
        if self._veil is None:
            self._redactor.keep_head(headers, forwarded(headers), stored)
        return stored

    def _has_ended(self) -> bool:
        """Whether the request's body is surely there to its end: all that its length announced has come."""
        announced = value(self._request.headers, b"content-length") if self._sent else "0"
        return announced is not None and announced == str(sum(map(len, self._sent)))

    def _settled(self, body: bytes) -> bytes:
        """Up to where a secret may have begun that goes on behind it."""
        before = max(len(body) - self._limits.redact_lookback, 0)
        return body[: before + self._redactor.begun(body[before:])]

    def _whole(self, head: Head) -> list[bytes]:
        """The response and the end of an exchange whose body was held."""
        whole = self._so_far.how is Ended.COMPLETE
        came = decoded(self._pieces, head.headers, self._limits.body_bytes_max, whole=whole)
        if came.enc is not None and is_event_stream(came.headers):
            return self._compressed_stream(came)
        body = self._cleaner.body(came.body, came.headers)  # first: what it tells may stand in a header, too
        headers = self._so_far.headers
        if came.enc is not None or self._redactor.known is not self._known:
            headers = stored_headers(came.headers, self._cleaner)
        sizes = fitted([len(piece) for piece in came.pieces], [(0, len(came.body), len(body))])
        done = replace(self._so_far, headers=headers, body=body, enc=came.enc, chunks=self._gaps(sizes))
        return [response_line(done, _NO_ALIASES, self._keep), end_line(done, len(body), done.sha)]

    def _begun_stream(self) -> Stream:
        bounds = self._limits.redact_lookback, self._limits.frame_bytes_max
        return Stream(self._so_far.index, self._redactor, *bounds, self._veil)

    def _compressed_stream(self, came: Decoded) -> list[bytes]:
        headers = stored_headers(came.headers, self._cleaner)
        self._so_far = replace(self._so_far, headers=headers, enc=came.enc)
        stream = self._begun_stream()
        lines = [*stream.feed(*came.pieces), *stream.finish()]
        return [response_line(self._so_far, _NO_ALIASES), *lines, self._stream_end(stream)]

    def _stream_end(self, stream: Stream) -> bytes:
        if self._redactor.known is not stream.known:
            self._secrets.learned_late(self._so_far.index, self._redactor.known)
        self._secrets.lookbacks_passed += stream.passed
        done = replace(self._so_far, chunks=self._gaps(fitted(stream.reads, stream.changes)))
        return end_line(done, stream.size, stream.sha)

    def _gaps(self, sizes: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Differences of rounded times, so that rounding does not add up."""
        steps = pairwise([0, *self._times])
        return tuple((at - last, size) for (last, at), size in zip(steps, sizes, strict=True))


def _sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:SHA_DIGITS]
