"""What is wrong with runs over all their interactions: statuses that go back, tokens that do not add up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from wiretape import dialects
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.lint.finding import Finding, Severity
from wiretape.cassette.lint.lines import Lines, Place
from wiretape.cassette.lint.streams import events
from wiretape.dialects.events import Dialect, Facts, Kind, Route, RunSeen, StepSeen, Tokens
from wiretape.errors import DecodeFailed
from wiretape.runs.state import RANKS, TERMINAL

_COUNTS = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
_OK = range(200, 300)


class _Told(Struct, frozen=True):
    """Facts, and where they were told."""

    line: int
    index: int
    facts: Facts


def account(tape: Tape, lines: Lines) -> Iterator[Finding]:
    """The findings about statuses and tokens."""
    runs: dict[str, _Run] = {}
    for one in tape.interactions:
        place = lines.place(one.index)
        yield from _sums(one, place)
        known = dialects.route(one.method, one.path)
        if known is None or one.status not in _OK:
            continue
        dialect, route = known
        if route.kind is Kind.RESUME and route.run_id:
            runs.setdefault(route.run_id, _Run()).resume()
        for told in _told(one, place, dialect, route):
            yield from _seen(told, runs)
    for run in runs.values():
        yield from run.finish()


class _Run:
    """One run: the rank it has reached, and the tokens of its steps."""

    def __init__(self) -> None:
        self._status = ""
        self._total: tuple[Tokens, _Told] | None = None
        self._steps: dict[str, Tokens] = {}

    def resume(self) -> None:
        """Tool outputs were handed in: it is queued again."""
        if self._status not in TERMINAL:
            self._status = ""

    def see(self, seen: RunSeen, told: _Told) -> Iterator[Finding]:
        """It as it stood."""
        if seen.tokens is not None and seen.status in TERMINAL:
            self._total = (seen.tokens, told)
        before, self._status = self._status, self._status if self._status in TERMINAL else seen.status
        if before in TERMINAL and seen.status != before:
            yield _backward(seen, before, told, Severity.ERROR)
        elif RANKS.get(seen.status, 0) < RANKS.get(before, 0):
            yield _backward(seen, before, told, Severity.WARNING)

    def see_step(self, seen: StepSeen) -> None:
        """A step of it, as it stood."""
        if seen.tokens is not None:
            self._steps[seen.step_id] = seen.tokens

    def finish(self) -> Iterator[Finding]:
        """A run has used no less than its steps."""
        if self._total is None:
            return
        run, told = self._total
        prompt = sum(step.prompt for step in self._steps.values())
        completion = sum(step.completion for step in self._steps.values())
        if run.prompt < prompt or run.completion < completion:
            text = f"the run has {run.prompt} + {run.completion} tokens, its steps have {prompt} + {completion}"
            yield Finding(line=told.line, rule="usage", interaction=told.index, told=text)


def _backward(seen: RunSeen, before: str, told: _Told, severity: Severity) -> Finding:
    text = f"{seen.run_id} is {seen.status} here, and was {before} before"
    return Finding(line=told.line, rule="status", severity=severity, interaction=told.index, told=text)


def _seen(told: _Told, runs: dict[str, _Run]) -> Iterator[Finding]:
    for fact in told.facts:
        match fact:
            case RunSeen():
                yield from runs.setdefault(fact.run_id, _Run()).see(fact, told)
            case StepSeen(run_id=str(run_id)):
                runs.setdefault(run_id, _Run()).see_step(fact)
            case _:
                pass


def _told(one: Interaction, place: Place, dialect: Dialect, route: Route) -> Iterator[_Told]:
    """What an answer tells; what cannot be read tells nothing."""
    for event in events(one, place):
        try:
            yield _Told(event.line, one.index, dialect.event(event.frame))
        except DecodeFailed:
            continue
    if not one.frames:
        try:
            yield _Told(place.body, one.index, dialect.answer(route, one.body))
        except DecodeFailed:
            return


def _sums(one: Interaction, place: Place) -> Iterator[Finding]:
    """Every `usage` in an answer, of whatever dialect, whose total is not the sum of its parts."""
    texts = [(event.line, event.frame.data or b"") for event in events(one, place)] or [(place.body, one.body)]
    for line, text in texts:
        for told in _odd(text) if b'"usage"' in text else ():
            yield Finding(line=line, rule="usage", interaction=one.index, told=told)


def _odd(text: bytes) -> Iterator[str]:
    try:
        pending: list[Any] = [msgspec.json.decode(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield from _unequal(value.get("usage"))
        pending += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _unequal(usage: object) -> Iterator[str]:
    for names in _COUNTS if isinstance(usage, dict) else ():
        counts = [usage.get(name) for name in (*names, "total_tokens")]  # type: ignore[attr-defined]
        match counts:
            case [int(first), int(second), int(total)] if first + second != total:
                yield f"{first} {names[0]} and {second} {names[1]} are not {total} total_tokens"
            case _:
                pass
