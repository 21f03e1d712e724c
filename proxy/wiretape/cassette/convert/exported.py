"""What every export shares: which interactions go, under which URL, and what a format cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus

from msgspec import Struct

from wiretape.cassette.convert.foreign import FRAGMENT, named
from wiretape.cassette.format import Header, Interaction, Tape
from wiretape.exchange import Headers

NO_ORIGIN = "http://localhost"
"""Stands where a cassette does not say what it was recorded from: both formats want whole URLs."""


class Exported(Struct, frozen=True):
    """An export's files by name, and what it lost on the way, for a person."""

    parts: tuple[tuple[str, bytes], ...]
    """One without a name, or one for each stream."""
    lost: tuple[str, ...] = ()


def served(tape: Tape) -> list[Interaction]:
    """What replay would serve, under a target that a URL can hold."""
    return [one for one in tape.interactions if one.playable and one.target.startswith("/")]


def told(tape: Tape) -> Iterator[str]:
    """What every format with URLs loses: a sentence for each thing."""
    yield from left_out(tape)
    if not _has_origin(tape.header):
        yield f"What it was recorded from is not known as a URL; {NO_ORIGIN} stands there."
    yield from _respelled(served(tape))
    if coded := [one for one in served(tape) if one.enc is not None or one.request_enc is not None]:
        yield f"{numbered(coded)}: that a body came compressed is not kept."


def left_out(tape: Tape) -> Iterator[str]:
    """A sentence for each interaction that is not served."""
    for one in tape.interactions:
        if not one.playable:
            yield f"Interaction {one.index} is left out: it has no answer that replay would serve."
        elif not one.target.startswith("/"):
            yield f"Interaction {one.index} is left out: its target is no path."


def _respelled(interactions: Iterable[Interaction]) -> Iterator[str]:
    """A sentence for each interaction of which something is spelled in another way."""
    for one in interactions:
        if FRAGMENT.search(one.target):
            yield f"Interaction {one.index}: a `#` in its target is written as %23."
        if any(_is_foreign(value) for _, value in (*one.request_headers, *one.headers)):
            yield f"Interaction {one.index}: header values that are no UTF-8 are read as Latin-1."


def url(header: Header, interaction: Interaction) -> str:
    """Where the request went."""
    origin = header.upstream.rstrip("/") if _has_origin(header) else NO_ORIGIN
    return origin + FRAGMENT.sub("%23", interaction.target)


def pairs(headers: Headers) -> list[tuple[str, str]]:
    """Header fields as text."""
    return [(name.decode("latin-1"), _text(value)) for name, value in headers]


def text_or_none(body: bytes) -> str | None:
    """The body's text; None where it is no UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def phrase(status: int) -> str:
    """The standard's words for a status; none where it has none."""
    return HTTPStatus(status).phrase if status in _STATUSES else ""


def numbered(interactions: Sequence[Interaction]) -> str:
    """`Interactions 1, 2 and 3`, for a sentence."""
    return named([one.index for one in interactions])


def _has_origin(header: Header) -> bool:
    return header.upstream.startswith(("http://", "https://"))


_STATUSES = frozenset(map(int, HTTPStatus))


def _text(value: bytes) -> str:
    return value.decode("latin-1") if _is_foreign(value) else value.decode()


def _is_foreign(value: bytes) -> bool:
    return text_or_none(value) is None
