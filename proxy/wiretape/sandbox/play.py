"""One leg of a run: its acts are played, one after the other, until it pauses or ends.

A message stays open until the next act: one that breaks the run off finds it unfinished, any other completes
it. Each step is one turn of a model: it reads all there is (`context`) and adds what it writes. The bounds of a
run, `max_prompt_tokens` and `max_completion_tokens`, are over all its turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from msgspec.structs import replace

from wiretape.sandbox import mind, tools
from wiretape.sandbox.acts import (
    BREAKS,
    Act,
    Begin,
    Call,
    Code,
    Cut,
    Error,
    Expire,
    Fail,
    Incomplete,
    Pace,
    Refusal,
    Reply,
    Say,
    Search,
    Stall,
    Think,
    Use,
    Wait,
)
from wiretape.sandbox.content import Citation, FilePath
from wiretape.sandbox.ends import COMPLETED, EXPIRED, Fate, close, close_run, failed, incomplete
from wiretape.sandbox.plot import CHARACTERS_PER_TOKEN, Known, Plot, Shelf, count
from wiretape.sandbox.refusals import ErrorBody, Refused
from wiretape.sandbox.refusals import Refusal as ErrorAnswer
from wiretape.sandbox.stage import Stage, pieces
from wiretape.sandbox.timeline import CUT, ERROR, ErrorObject, Nothing
from wiretape.sandbox.work import LastError, Usage, tokens

CACHED_FROM = 1_024
CACHED_BLOCK = 128
REASONING = {"minimal": 8, "low": 16, "medium": 64, "high": 256, "xhigh": 512, "max": 1_024}
"""Reasoning tokens of a step, by the effort that the run asks for; without one there are none."""
ERRORS = {
    "server_error": "Sorry, something went wrong.",
    "rate_limit_exceeded": "You exceeded your current quota, as the sandbox was told to say.",
    "invalid_prompt": "The prompt was refused, as the sandbox was told to do.",
}
UNFORMATTED = "The sandbox knows no value that the response_format's schema allows."


class Play:
    """Plays acts on a stage; `plot` is what is left of them afterwards."""

    def __init__(self, stage: Stage, plot: Plot, shelf: Shelf) -> None:
        self.stage = stage
        self.plot = plot
        self.shelf = shelf
        self.over = False
        """Whether the leg is at its end: the run waits for outputs, has ended, or does nothing more."""
        self._written: int | None = None

    def perform(self) -> Plot:
        """Play until the leg is over; when nothing is left to do the run completes."""
        while not self.over and self.plot.acts:
            act, *rest = self.plot.acts
            self.plot = replace(self.plot, acts=tuple(rest))
            if not isinstance(act, BREAKS):
                self._settle()
            if not self.over:
                self._do(act)
        if not self.over:
            self._settle()
            close_run(self.stage.draft, COMPLETED)
        return self.plot

    def _do(self, act: Act) -> None:  # noqa: C901  one line for each act
        match act:
            case Say():
                self._say(act.say, refer=act.refer, pace_s=act.pace_s)
            case Refusal():
                self._refuse(act.refusal)
            case Reply():
                self._reply()
            case Begin():
                self._begin()
            case Call():
                tools.ask(self, act.call)
            case Code():
                tools.run_code(self, act)
            case Search():
                tools.search(self, act.search or self.plot.question)
            case Think():
                self._next(mind.decide(self.stage.run, self.plot.question, self.shelf))
            case Wait():
                self.stage.draft.wait(act.wait_s)
            case Pace():
                self.plot = replace(self.plot, pace_s=act.pace_s)
                self.stage.pace_s = act.pace_s
            case Use():
                self.plot = replace(self.plot, use=act.use)
            case _:
                self._break(act)

    def _break(self, act: Act) -> None:
        match act:
            case Fail():
                self.end(failed(LastError(act.fail, act.message or ERRORS[act.fail])))
            case Incomplete():
                self.end(incomplete(act.incomplete))
            case Expire():
                self.end(EXPIRED)
            case Error():
                self._fail_in_mid_stream(act)
            case Cut():
                self.stage.draft.add(CUT, Nothing())
            case Stall():
                self.over = True
            case _:
                raise NotImplementedError(f"no act of a run that goes on: {type(act).__name__}")

    def _next(self, acts: tuple[Act, ...]) -> None:
        self.plot = replace(self.plot, acts=acts + self.plot.acts)

    def end(self, fate: Fate) -> None:
        """End the run; one that stopped at a bound has used tokens, one that broke has not, unless it was told so."""
        counts = self.stage.draft.scene.step is not None and bool(fate.incomplete or self.plot.use)
        usage = self.usage(self._written or 0) if counts else None
        close(self.stage.draft, fate, usage)
        self.over = True

    def _fail_in_mid_stream(self, act: Error) -> None:
        flat = ErrorObject(act.error_code, act.error, type=act.type)
        wrapped = ErrorAnswer(ErrorBody(act.error, type=act.type, code=act.error_code))
        self.stage.draft.add(ERROR, wrapped if act.wrapped else flat)
        self.end(failed(LastError("server_error", act.error)))

    def _settle(self) -> None:
        """Complete the open message."""
        if self._written is not None:
            written, self._written = self._written, None
            self.stage.close(self.usage(written))
            self.plot = replace(self.plot, context=self.plot.context + written, known=Known())

    def usage(self, completion: int) -> Usage:
        """What the step that ends now has used."""
        spent, self.plot = self.plot.use, replace(self.plot, use=None)
        if spent is not None:
            return tokens(spent.prompt, spent.completion, spent.cached, spent.reasoning)
        prompt, reasoning = self.plot.context, self._reasoning
        cached = prompt // CACHED_BLOCK * CACHED_BLOCK if prompt >= CACHED_FROM else 0
        return tokens(prompt, completion + reasoning, cached, reasoning)

    def may_read(self) -> bool:
        """Whether a further turn fits the run's bound on prompt tokens; the run ends where it does not."""
        bound = self.stage.run.max_prompt_tokens
        fits = bound is None or self.stage.draft.scene.used.prompt_tokens + self.plot.context <= bound
        if not fits:
            self.end(incomplete("max_prompt_tokens"))
        return fits

    def may_keep(self, *texts: str) -> bool:
        """Whether there is room for what a step is to hold; the run fails where there is none."""
        try:
            self.shelf.store(sum(len(text.encode()) for text in texts))
        except Refused as error:
            self.fail(error)
        return not self.over

    def fail(self, error: Refused) -> None:
        """End the run for a bound of the sandbox's that it has met."""
        self.end(failed(LastError("server_error", str(error))))

    def may_write(self, *texts: str) -> bool:
        """Whether a call fits the run's bound on completion tokens, and the room there is; the run ends where not."""
        if self._room is not None and sum(map(count, texts)) > self._room - self._reasoning:
            self.end(incomplete("max_completion_tokens"))
            return False
        return self.may_keep(*texts)

    @property
    def _room(self) -> int | None:
        """The completion tokens that are left to the open step; None without a bound."""
        bound = self.stage.run.max_completion_tokens
        return None if bound is None else max(0, bound - self.stage.draft.scene.used.completion_tokens)

    @property
    def _reasoning(self) -> int:
        """The reasoning tokens of a step, which count for its bound like those that are seen."""
        wished = REASONING.get(self.stage.run.reasoning_effort or "", 0)
        return wished if self._room is None else min(wished, self._room)

    def _say(self, text: str, *, refer: bool, pace_s: float | None = None) -> None:
        if not (self.may_read() and self.may_keep(text)):
            return
        self.stage.open_message()
        self.stage.pace_s = self.plot.pace_s if pace_s is None else pace_s
        if refer:
            self._show_pictures()
        self._write(text, self.stage.write)
        if refer and not self.over:
            self._refer()
        self.stage.pace_s = self.plot.pace_s

    def _write(self, text: str, put: Callable[[Sequence[str]], None]) -> None:
        """Write the words that fit the run's bound on completion tokens; the run ends where not all do."""
        fitting = pieces(text) if self._room is None else _fitting(pieces(text), self._room - self._reasoning)
        put(fitting)
        self._written = count("".join(fitting))
        if len("".join(fitting)) < len(text):
            self.end(incomplete("max_completion_tokens"))

    def _refuse(self, text: str) -> None:
        if self.may_read() and self.may_keep(text):
            self.stage.open_message()
            self._write(text, self.stage.refuse)

    def _reply(self) -> None:
        text = mind.reply(self.stage.run, self.plot.question, self.plot.known, self.stage.chance)
        if text is None:
            self.end(failed(LastError("server_error", UNFORMATTED)))
            return
        self._say(text, refer=not mind.is_json(self.stage.run))

    def _begin(self) -> None:
        words = pieces(mind.answer(self.plot.question, self.stage.chance))
        self._say("".join(words[: len(words) // 2]), refer=False)

    def _show_pictures(self) -> None:
        for file_id in self.plot.known.images:
            self.stage.show(file_id)

    def _refer(self) -> None:
        """Cite the best of what was found, and link to each file that was written."""
        for result in self.plot.known.results[:1]:
            marker = f"【4:0†{result.file_name}】"
            self._mark(marker, marker, Citation(result.file_id, ""))
        for file in self.plot.known.files:
            path = f"sandbox:/mnt/data/{file.name}"
            self._mark(f" [{file.name}]({path})", path, FilePath(file.id))

    def _mark(self, written: str, marker: str, target: Citation | FilePath) -> None:
        """Write a marker whole; where it does not fit the run's bound the run ends."""
        length = (self._written or 0) + count(written)
        if self._room is not None and length > self._room - self._reasoning:
            self.end(incomplete("max_completion_tokens"))
        if not self.over:
            self.stage.refer(written, marker, target)
            self._written = length


def _fitting(words: Sequence[str], room: int) -> list[str]:
    """The words that count for at most so many tokens together."""
    lengths = accumulate(len(word) for word in words)
    return [word for word, length in zip(words, lengths, strict=True) if length <= room * CHARACTERS_PER_TOKEN]
