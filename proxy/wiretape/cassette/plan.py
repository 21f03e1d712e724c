"""What is done with a request: a mode and what the cassette holds decide, in one table."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from wiretape.cassette.format import Interaction
from wiretape.cassette.match import Miss


class Mode(StrEnum):
    """What a proxy does, in one word; each is defined by what it does with a request."""

    FORWARD = "forward"
    """Passes everything on, stores nothing."""
    RECORD = "record"
    """Passes everything on and stores it."""
    REWRITE = "rewrite"
    """The same, over an old cassette."""
    REPLAY = "replay"
    """Answers from cassettes, refuses the rest; nothing leaves."""
    AUTO = "auto"
    """Replays what it knows, passes on and stores what it does not."""
    VERIFY = "verify"
    """Passes everything on, compares the answers with cassettes by their shape, stores nothing."""

    @property
    def looks_up(self) -> bool:
        """Whether there are cassettes to look requests up in, be it to answer from them or to compare with them."""
        return self in {Mode.REPLAY, Mode.AUTO, Mode.VERIFY}

    @property
    def asks(self) -> bool:
        """Whether cassettes answer."""
        return self in {Mode.REPLAY, Mode.AUTO}

    @property
    def records(self) -> bool:
        """Whether exchanges that are forwarded are stored."""
        return self in {Mode.RECORD, Mode.REWRITE, Mode.AUTO}


class Replay(Struct, frozen=True):
    """Serve this interaction."""

    interaction: Interaction


class Forward(Struct, frozen=True):
    """Pass the request on, and store the exchange if `record`."""

    record: bool


class Refuse(Struct, frozen=True):
    """Answer with an error that explains the miss; no network."""

    miss: Miss


Plan = Replay | Forward | Refuse


def plan(mode: Mode, found: Interaction | Miss | None) -> Plan:
    """The plan for one request. `found` is the cursor's answer, None in the modes that do not ask (`Mode.asks`).

    In `auto` a request that names an id of a replayed answer is never forwarded: the upstream does not know it.
    """
    match found:
        case None:
            return Forward(record=mode.records)
        case Interaction():
            return Replay(found)
        case Miss() if mode is Mode.AUTO and found.replayed_id is None:
            return Forward(record=True)
        case _:
            return Refuse(found)
