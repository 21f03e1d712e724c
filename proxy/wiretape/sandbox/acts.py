"""What a run can be told to do: one act is one small table with its verb as a key, `{say = "Hello"}` for one.

An act that ends a run, and `stall` and `cut`, find the message of a `say` before them unfinished; any other act
finishes it first. `docs/sandbox.md` explains each for users.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from wiretape.errors import WiretapeError

ACTS_MAX = 100
"""Acts of one run."""
TEXT_MAX = 65_536
"""Characters of one text."""
WAIT_MAX_S = 600
"""A run is over after ten minutes; nothing waits longer."""

Words = Annotated[str, Meta(max_length=TEXT_MAX)]
Seconds = Annotated[float, Meta(ge=0, le=WAIT_MAX_S)]
Count = Annotated[int, Meta(ge=0, le=10**9)]
Told = Literal[True]


class ActError(WiretapeError):
    """A script or a run's metadata asks for what the sandbox does not know; the message names the place."""

    code = "sandbox_act"


class Act(Struct, frozen=True, forbid_unknown_fields=True):
    """One act; its verb is its first field."""


class Say(Act, frozen=True):
    """Write this text in a message of its own."""

    say: Words
    pace_s: Seconds | None = None
    refer: bool = False
    """Whether it shows pictures, cites files and links to files that tools have given since the last message."""


class Refusal(Act, frozen=True):
    """Write a message that is a refusal of the model's."""

    refusal: Words


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """A function to call; without arguments they are made from its schema. Text is sent as it is, JSON or not."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    arguments: dict[str, Any] | Words | None = None


class Call(Act, frozen=True):
    """Call these functions in one step, and wait for their outputs."""

    call: Annotated[tuple[Wanted, ...], Meta(min_length=1, max_length=32)]


class Code(Act, frozen=True):
    """Let the code interpreter run this, and give these outputs. Nothing is really run."""

    code: Words
    logs: Words = ""
    image: bool = False
    """Whether it draws a picture."""
    file: Annotated[str, Meta(max_length=255)] | None = None
    """The name of a file that it writes."""
    content: Words = ""
    """What is in that file."""


class Search(Act, frozen=True):
    """Search the run's files for this; nothing means the question."""

    search: Words = ""


class Think(Act, frozen=True):
    """Do what the sandbox does by itself: search, reckon, call, answer."""

    think: Told


class Reply(Act, frozen=True):
    """Answer from what tools have said."""

    reply: Told


class Begin(Act, frozen=True):
    """Write half of an answer."""

    begin: Told


class Wait(Act, frozen=True):
    """Let time pass."""

    wait_s: Seconds


class Pace(Act, frozen=True):
    """From here on, so many seconds between deltas."""

    pace_s: Seconds


class Spent(Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens of one step."""

    prompt: Count = 0
    completion: Count = 0
    cached: Count = 0
    reasoning: Count = 0


class Use(Act, frozen=True):
    """Let the next step say that it has used so many tokens."""

    use: Spent


class Fail(Act, frozen=True):
    """Let the run fail."""

    fail: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: Words | None = None


class Incomplete(Act, frozen=True):
    """Let the run stop at a bound."""

    incomplete: Literal["max_completion_tokens", "max_prompt_tokens"]


class Expire(Act, frozen=True):
    """Let the run expire now."""

    expire: Told


class Stall(Act, frozen=True):
    """Do nothing until somebody cancels, or the run expires."""

    stall: Told


class Error(Act, frozen=True):
    """Send an `error` event in the stream, which ends it; the run fails."""

    error: Words
    type: str = "server_error"
    error_code: str | None = None
    wrapped: bool = False
    """Whether it is `{"error": {…}}`, which both SDKs notice, or flat as in the schema (reference 3.3 and 9)."""


class Cut(Act, frozen=True):
    """Tear the stream without an end; the run goes on behind it."""

    cut: Told


REFUSED = "The sandbox was told to refuse this."
REFUSED_TYPE = "invalid_request_error"


class Refuse(Act, frozen=True):
    """Refuse to create the run, with an HTTP status."""

    refuse: Annotated[int, Meta(ge=400, le=599)]
    message: Words = REFUSED
    type: str = REFUSED_TYPE
    error_code: str | None = None
    retry_after_s: Annotated[int, Meta(ge=0, le=WAIT_MAX_S)] | None = None


KINDS = (
    Say, Refusal, Call, Code, Search, Think, Reply, Begin, Wait, Pace, Use,
    Fail, Incomplete, Expire, Stall, Error, Cut, Refuse,
)  # fmt: skip
VERBS: dict[str, type[Act]] = {kind.__struct_fields__[0]: kind for kind in KINDS}
BREAKS = (Fail, Incomplete, Expire, Stall, Error, Cut)
"""Acts that find the message before them unfinished."""
HALVED = {"fail", "incomplete", "expire", "error", "cut"}
"""Verbs that begin an answer when they are told in words."""


def read(told: object, where: str) -> tuple[Act, ...]:
    """The acts of a parsed list, or the one act of a table. Raises ActError."""
    listed = told if isinstance(told, list) else [told]
    if len(listed) > ACTS_MAX:
        raise ActError(f"{where} has {len(listed)} acts; at most {ACTS_MAX} are played")
    return parsed(listed, where)


def parsed(listed: Sequence[object], where: str) -> tuple[Act, ...]:
    """The same without a bound, for what is left of a run: what came to its mind may have added to its acts."""
    return tuple(_act(one, f"{where}[{number}]") for number, one in enumerate(listed))


def _act(told: object, where: str) -> Act:
    verbs = [key for key in told if key in VERBS] if isinstance(told, dict) else []
    kinds = [VERBS[verb] for verb in verbs if set(told if isinstance(told, dict) else ()) <= _fields(VERBS[verb])]
    if not kinds:
        raise ActError(f"{where} is no act; an act is a table with one of the keys {', '.join(VERBS)}")
    try:
        return msgspec.convert(told, kinds[0])
    except msgspec.ValidationError as error:
        raise ActError(f"{where}: {error}") from error


def _fields(kind: type[Act]) -> frozenset[str]:
    return frozenset(kind.__struct_fields__)


def in_words(told: str, where: str) -> tuple[Act, ...]:
    """Acts told as JSON (a list or an object), or in words: `say Hello`, `fail server_error`. Raises ActError."""
    if told[:1] in {"[", "{"}:
        try:
            return read(msgspec.json.decode(told), where)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ActError(f"{where} is no JSON: {error}") from error
    verb, _, rest = told.partition(" ")
    acts = read({verb: _value(verb, rest)}, where)
    return (Begin(begin=True), *acts) if verb in HALVED else acts


def _value(verb: str, rest: str) -> object:
    """What stands after a verb, as its field's type wants it: number, truth or text."""
    kind = VERBS.get(verb)
    if kind in {Wait, Pace, Refuse} and rest.replace(".", "", 1).isdecimal():
        return float(rest) if "." in rest else int(rest)
    if kind is Search:
        return rest
    return rest or kind not in {Say, Refusal, Fail, Incomplete, Error}
