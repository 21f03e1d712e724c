"""What a request asks: as the recorder would have stored it, and its key; not worked out anew for each poll."""

from __future__ import annotations

from msgspec import Struct

from wiretape.cassette.coding import Decoded, decoded
from wiretape.cassette.key import Key, key
from wiretape.cassette.miss import Asked
from wiretape.cassette.recorder import redacted_target, redactor_for
from wiretape.cassette.rules import Rules
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.spelling import Known
from wiretape.errors import DecodeFailed
from wiretape.exchange import Headers, Request

HEADS_MAX = 8
"""Requests without a body that are remembered, the last ones made: as many as are polled at a time."""
_DECODED_BYTES_MAX = 64 << 20

_Head = tuple[str, str, Headers]


class _Kept(Struct, frozen=True):
    """What a request asks, as long as nothing else is known to be secret."""

    asked: Asked
    wanted: Key
    known: tuple[Known, ...]
    credentials: tuple[tuple[str, bytes], ...]
    """What its head has taught: it is seen again with each such request."""


class Asking:
    """The requests of one session."""

    def __init__(self, rules: Rules, secrets: Secrets) -> None:
        self._rules = rules
        self._secrets = secrets
        self._kept: dict[_Head, _Kept] = {}

    def asked(self, request: Request, body: bytes) -> tuple[Asked, Key]:
        """The request as it is compared. Raises BodyTooLarge for a body that decodes to over 64 MiB."""
        if body:
            return self._worked_out(request, body)
        head = request.method, request.target, request.headers
        kept = self._kept.get(head)
        if kept is None or kept.known is not self._secrets.lasting.known:
            kept = self._keep(head, *self._worked_out(request, body))
        else:
            for credential in kept.credentials:
                self._secrets.lasting.seen(*credential)
        return kept.asked, kept.wanted

    def _keep(self, head: _Head, asked: Asked, wanted: Key) -> _Kept:
        lasting, (_, target, headers) = self._secrets.lasting, head
        found = self._secrets.rules.heads(target.encode("utf-8", "surrogateescape"), headers)
        credentials = tuple(one for one in found if lasting.seen(*one) is not None)
        self._kept.pop(head, None)
        self._kept[head] = kept = _Kept(asked, wanted, lasting.known, credentials)
        if len(self._kept) > HEADS_MAX:
            del self._kept[next(iter(self._kept))]
        return kept

    def _worked_out(self, request: Request, body: bytes) -> tuple[Asked, Key]:
        redactor = redactor_for(request, self._secrets)
        came = _readable(request, body)
        redacted = redactor.body(came.body, came.headers)  # first, as the recorder does
        asked = Asked(request.method, redacted_target(request.target, redactor), came.headers, redacted)
        return asked, key(asked.method, asked.target, asked.headers, asked.body, self._rules)


def _readable(request: Request, body: bytes) -> Decoded:
    """The body decoded; as it came where that cannot be: nothing like it was ever recorded, so it is a miss."""
    try:
        return decoded([body], request.headers, _DECODED_BYTES_MAX)
    except DecodeFailed:
        return Decoded((body,), request.headers, None)
