"""What a run does with tools, each in a step of its own: functions for the client to run, code, searches in files."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from wiretape.sandbox.acts import Code, Wanted
from wiretape.sandbox.calls import (
    CalledSearch,
    CallPiece,
    CodePiece,
    FunctionPiece,
    Output,
    Ranking,
    Result,
    ToolCall,
    ToolCalls,
)
from wiretape.sandbox.content import ImageFile, Json
from wiretape.sandbox.mind import made_arguments
from wiretape.sandbox.objects import FileSearch
from wiretape.sandbox.plot import Known, Stored, count
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.stage import Stage, fragments, pieces
from wiretape.sandbox.timeline import PAUSE
from wiretape.sandbox.words import Hints, hints
from wiretape.sandbox.work import RequiredAction, Run, Step, WantedCall, WantedCalls, WantedFunction

if TYPE_CHECKING:
    from wiretape.sandbox.play import Play

RESULTS_MAX = 20
"""Results of a search, unless the tool says how many."""
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel: every picture that code draws."""


def ask(play: Play, wanted: Sequence[Wanted]) -> None:
    """Call functions in one step, and pause for their outputs; the step stays open."""
    if not play.may_read():
        return
    stage, offered = play.stage, hints(play.plot.question)
    asked = [_asked(stage.run, one, offered, len(wanted)) for one in wanted]
    if not play.may_write(*(one.name + one.arguments for one in asked)):
        return
    step = stage.open_step(ToolCalls())
    calls = tuple(WantedCall(id=stage.chance.id("call_"), function=one) for one in asked)
    for index, call in enumerate(calls):
        _stream_function(stage, step, index, call)
    action = RequiredAction(submit_tool_outputs=WantedCalls(calls))
    stage.draft.add(PAUSE, replace(stage.run, status="requires_action", required_action=action))
    play.over = True


def _asked(run: Run, wanted: Wanted, offered: Hints, among: int) -> WantedFunction:
    given = wanted.arguments
    if given is None:
        given = made_arguments(run, wanted.name, offered, among)
    return WantedFunction(wanted.name, given if isinstance(given, str) else msgspec.json.encode(given).decode())


def _stream_function(stage: Stage, step: Step, index: int, call: WantedCall) -> None:
    first = FunctionPiece(name=call.function.name, arguments="", output=None)
    stage.call(step, CallPiece(index=index, id=call.id, type="function", function=first))
    for fragment in fragments(call.function.arguments):
        stage.call(step, CallPiece(index=index, type="function", function=FunctionPiece(arguments=fragment)))


def answer(play: Play, outputs: Mapping[str, str]) -> None:
    """Take the outputs that the run has waited for; its step completes, and it queues once more."""
    draft = play.stage.draft
    draft.scene = draft.scene.answered(outputs)
    told = tuple(call.function for call in draft.scene.calls if call.function)
    asked = sum(count(one.name + one.arguments) for one in told)
    play.stage.resume(play.usage(asked))
    heard = asked + sum(count(one.output or "") for one in told)
    _learn(play, heard, replace(play.plot.known, told=play.plot.known.told + told))


def run_code(play: Play, act: Code) -> None:
    """Let code be run, as far as anybody can see; the run fails where there is no room for what it makes."""
    if not (play.may_read() and play.may_write(act.code) and play.may_keep(act.logs)):
        return
    step = play.stage.open_step(ToolCalls())
    try:
        images, files = _made(play, act)
    except Refused as error:
        play.fail(error)
        return
    _stream_code(play.stage, step, act.code, _outputs(act.logs, images))
    play.stage.close(play.usage(count(act.code)))
    known = play.plot.known
    logs = (*known.logs, act.logs) if act.logs else known.logs
    seen = replace(known, logs=logs, images=known.images + images, files=known.files + files)
    _learn(play, count(act.code) + count(act.logs), seen)


def _made(play: Play, act: Code) -> tuple[tuple[str, ...], tuple[Stored, ...]]:
    """The pictures and the files that code makes, kept."""
    keep, at_s = play.shelf.keep, play.stage.draft.at_s
    images = (keep(PICTURE, "picture.png", at_s),) if act.image else ()
    files = (Stored(keep(act.content.encode(), act.file, at_s), act.file),) if act.file else ()
    return images, files


def _outputs(logs: str, images: Sequence[str]) -> tuple[Output, ...]:
    """Logs first, then pictures, each with its place."""
    printed = [Output(index=0, type="logs", logs=logs)] if logs else []
    drawn = [Output(index=len(printed) + n, type="image", image=ImageFile(one)) for n, one in enumerate(images)]
    return (*printed, *drawn)


def _stream_code(stage: Stage, step: Step, code: str, outputs: tuple[Output, ...]) -> None:
    """An empty call, then its code, then what it gave (reference 6.7 and 10.2)."""
    first = CodePiece("", ())
    stage.call(step, _code_piece(first, stage.chance.id("call_")))
    for word in pieces(code):
        stage.call(step, _code_piece(CodePiece(word)))
    if outputs:
        stage.call(step, _code_piece(CodePiece(outputs=outputs)))


def _code_piece(piece: CodePiece, call_id: str | None = None) -> CallPiece:
    named = CallPiece(index=0, type="code_interpreter", code_interpreter=piece)
    return named if call_id is None else replace(named, id=call_id)


def search(play: Play, query: str) -> None:
    """Search the run's files: one delta without results, which only the completed step shows (reference 6.7)."""
    if not play.may_read():
        return
    stage, draft = play.stage, play.stage.draft
    ranking, results_max = _ranking(stage.run)
    try:
        results = tuple(play.shelf.search(query, results_max, ranking.score_threshold, draft.at_s))
    except Refused as error:
        play.fail(error)
        return
    if not play.may_keep(query, *_found(results)):
        return
    step = stage.open_step(ToolCalls())
    call = ToolCall(id=stage.chance.id("call_"), type="file_search", file_search=CalledSearch(ranking))
    stage.call(step, CallPiece(index=0, id=call.id, type=call.type, file_search=CalledSearch(ranking)))
    draft.scene = draft.scene.found((replace(call, file_search=CalledSearch(ranking, results)),))
    stage.close(play.usage(count(query)))
    known = play.plot.known
    heard = count(query) + sum(map(count, _found(results)))
    _learn(play, heard, replace(known, searched=True, results=known.results + results))


def _ranking(run: Run) -> tuple[Ranking, int]:
    """How the run's file search ranks, and how many results it takes."""
    tool = next((one for one in run.tools if isinstance(one, FileSearch)), None)
    options: Json = msgspec.to_builtins(tool).get("file_search") if tool else None
    given = options if isinstance(options, dict) else {}
    ranking = given.get("ranking_options") or {}
    threshold = float(ranking.get("score_threshold") or 0.0)
    ranker = str(ranking.get("ranker") or "auto")
    ranked = Ranking(Ranking().ranker if ranker == "auto" else ranker, threshold)
    return ranked, int(given.get("max_num_results") or RESULTS_MAX)


def _found(results: Sequence[Result]) -> list[str]:
    return [passage.text for one in results for passage in one.content or ()]


def _learn(play: Play, tokens: int, known: Known) -> None:
    play.plot = replace(play.plot, context=play.plot.context + tokens, known=known)
