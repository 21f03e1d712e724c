"""Whether an answer asks to be asked again, so that a replay that does not wait need not let its client wait."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from wiretape.cassette.format import Interaction
from wiretape.exchange import Headers
from wiretape.wire.headers import without

_POLL_AFTER = b"openai-poll-after-ms"
_UNFINISHED = frozenset({"queued", "in_progress", "cancelling"})
"""Of a run, a response, a vector store's file or batch: the statuses on which the SDKs' poll helpers ask again."""


class _Polled(Struct):
    status: str


_POLLED = msgspec.json.Decoder(_Polled)


def is_unfinished(interaction: Interaction) -> bool:
    """Whether this is the answer to a poll of something that has not come to rest."""
    if interaction.method != "GET" or not interaction.body.startswith(b"{"):
        return False
    try:
        return _POLLED.decode(interaction.body).status in _UNFINISHED
    except msgspec.DecodeError:
        return False


def hurried(interaction: Interaction) -> Headers:
    """The served headers, by which the SDKs' poll helpers ask again in a millisecond where they would wait a second."""
    served = interaction.served_headers
    return (*without(served, {_POLL_AFTER}), (_POLL_AFTER, b"1")) if is_unfinished(interaction) else served
