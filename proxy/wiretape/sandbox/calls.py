"""Tool calls of a run's steps, and the pieces they are streamed in (reference 6.7).

A call and its pieces are one struct each, with a field for each kind of tool of which one is set: so `id` and
`type` come first as on the wire, which a tagged union would not allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from wiretape.sandbox.content import ImageFile, Json

T = TypeVar("T")


class CalledFunction(Struct, frozen=True):
    """A function call of a step; `output` is null until submitted."""

    name: str
    arguments: str
    output: str | None = None


class Output(Struct, frozen=True, kw_only=True):
    """What code gave: its logs, or a picture; in deltas with its place among the outputs."""

    index: int | UnsetType = UNSET
    type: Literal["logs", "image"]
    logs: str | UnsetType = UNSET
    image: ImageFile | UnsetType = UNSET


class CalledCode(Struct, frozen=True):
    """Code that the service ran."""

    input: str = ""
    outputs: tuple[Output, ...] = ()


class Ranking(Struct, frozen=True):
    """How results are ranked."""

    ranker: str = "default_2024_08_21"
    score_threshold: float = 0.0


class Passage(Struct, frozen=True, tag_field="type", tag="text"):
    """Text that was found."""

    text: str


class Result(Struct, frozen=True, kw_only=True):
    """A file that was found; its passages are shown to those who include them."""

    file_id: str
    file_name: str
    score: float
    attributes: dict[str, Json]
    content: tuple[Passage, ...] | UnsetType = UNSET


class CalledSearch(Struct, frozen=True):
    """A search in files."""

    ranking_options: Ranking = Ranking()
    results: tuple[Result, ...] = ()


class ToolCall(Struct, frozen=True, kw_only=True):
    """One call of a step."""

    id: str
    type: Literal["function", "code_interpreter", "file_search"]
    function: CalledFunction | UnsetType = UNSET
    code_interpreter: CalledCode | UnsetType = UNSET
    file_search: CalledSearch | UnsetType = UNSET


class ToolCalls(Struct, frozen=True, tag_field="type", tag="tool_calls"):
    """What a step does that calls tools."""

    tool_calls: tuple[ToolCall, ...] = ()


class FunctionPiece(Struct, frozen=True, kw_only=True):
    """A piece of a function call; name and output come with the first only."""

    name: str | UnsetType = UNSET
    arguments: str
    output: UnsetType | None = UNSET


class CodePiece(Struct, frozen=True):
    """A piece of code, or of what it gave; the first has both, and both are empty."""

    input: str | UnsetType = UNSET
    outputs: tuple[Output, ...] | UnsetType = UNSET


class CallPiece(Struct, frozen=True, kw_only=True):
    """A piece of the call at `index`; the id comes with the first only."""

    index: int
    id: str | UnsetType = UNSET
    type: Literal["function", "code_interpreter", "file_search"]
    function: FunctionPiece | UnsetType = UNSET
    code_interpreter: CodePiece | UnsetType = UNSET
    file_search: CalledSearch | UnsetType = UNSET


class CallPieces(Struct, frozen=True, tag_field="type", tag="tool_calls"):
    """The pieces of one delta."""

    tool_calls: tuple[CallPiece, ...]


class StepDeltaDetails(Struct, frozen=True):
    """What a delta adds."""

    step_details: CallPieces


class StepDelta(Struct, frozen=True, kw_only=True):
    """A piece of a step."""

    id: str
    object: str = "thread.run.step.delta"
    delta: StepDeltaDetails


def joined(calls: Sequence[ToolCall], pieces: Sequence[CallPiece]) -> tuple[ToolCall, ...]:
    """The calls with pieces joined to them by index: texts are concatenated, outputs appended."""
    grown = list(calls)
    for piece in pieces:
        whole = grown[piece.index] if piece.index < len(grown) else _begun(piece)
        grown[piece.index :] = [_with(whole, piece), *grown[piece.index + 1 :]]
    return tuple(grown)


def _begun(piece: CallPiece) -> ToolCall:
    named = CalledFunction(_set(piece.function.name, ""), "") if piece.function else UNSET
    coded = CalledCode() if piece.code_interpreter else UNSET
    return ToolCall(id=_set(piece.id, ""), type=piece.type, function=named, code_interpreter=coded)


def _with(call: ToolCall, piece: CallPiece) -> ToolCall:
    if call.function and piece.function:
        return replace(
            call, function=replace(call.function, arguments=call.function.arguments + piece.function.arguments)
        )
    if call.code_interpreter and piece.code_interpreter:
        return replace(call, code_interpreter=_more(call.code_interpreter, piece.code_interpreter))
    return replace(call, file_search=piece.file_search)


def _more(code: CalledCode, piece: CodePiece) -> CalledCode:
    given = tuple(replace(one, index=UNSET) for one in _set(piece.outputs, ()))
    return CalledCode(code.input + _set(piece.input, ""), code.outputs + given)


def _set(value: T | UnsetType, default: T) -> T:
    return default if isinstance(value, UnsetType) else value


def answered(calls: Sequence[ToolCall], outputs: Mapping[str, str]) -> tuple[ToolCall, ...]:
    """The calls, each function with its output."""
    return tuple(
        replace(call, function=replace(call.function, output=outputs[call.id])) if call.function else call
        for call in calls
    )


def shown(details: ToolCalls, *, with_passages: bool) -> ToolCalls:
    """The calls as a reader sees them: passages only for those who included them (reference chapter 2)."""
    if with_passages or not any(call.file_search for call in details.tool_calls):
        return details
    return ToolCalls(tuple(map(_without_passages, details.tool_calls)))


def _without_passages(call: ToolCall) -> ToolCall:
    if not call.file_search:
        return call
    results = tuple(replace(one, content=UNSET) for one in call.file_search.results)
    return replace(call, file_search=replace(call.file_search, results=results))
