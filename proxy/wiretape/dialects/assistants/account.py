"""The rules about the tokens of a stream: a run has used what its steps have used (wire reference, chapter 6.8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wiretape.dialects.assistants import grammar
from wiretape.dialects.assistants.events import AssistantStreamEvent, ThreadRunCreated, ThreadRunStepCreated
from wiretape.dialects.assistants.run_objects import Run, RunStep, Usage
from wiretape.dialects.findings import Complaint

Counts = tuple[int, int, int]
"""Tokens of the prompt, of the completion, and of both."""


class Account:
    """The tokens of the steps that ended, and how the run's own fit them."""

    def __init__(self) -> None:
        self._begun: set[str] = set()
        self._used: list[Counts] = []
        self._is_whole = False

    def see(self, told: AssistantStreamEvent) -> Iterable[Complaint]:
        """What is wrong about an event."""
        match told:
            case ThreadRunCreated():
                self._is_whole = True
            case ThreadRunStepCreated():
                self._begun.add(told.id)
            case RunStep(usage=Usage() as usage):
                self._used += _counts(usage)
            case Run() if told.event in grammar.ENDS and told.event != grammar.PAUSED:
                return self._ended(told.event, told)
            case _:
                pass
        return ()

    def _ended(self, event: str, run: Run) -> Iterator[Complaint]:
        firm = event not in grammar.UNCAPTURED
        if run.usage is None:
            yield Complaint("usage", f"no usage in {event}", "the tokens of the run", firm=firm)
        if event == grammar.COMPLETED and run.expires_at is not None:
            yield Complaint("expires-at", f"expires_at {run.expires_at} in {event}", "null")
        for counts in _counts(run.usage) if run.usage else ():
            yield from self._summed(counts, firm=firm)

    def _summed(self, run: Counts, *, firm: bool) -> Iterator[Complaint]:
        """The run's tokens are those of all its steps; where some were in another stream, no fewer."""
        steps = _sum(self._used)
        is_whole = self._is_whole and len(self._used) == len(self._begun)
        if is_whole and steps != run:
            yield Complaint("usage-sum", f"{_told(run)} of the run", f"{_told(steps)}, the sum of its steps", firm=firm)
        elif any(of_run < of_steps for of_run, of_steps in zip(run, steps, strict=True)):
            yield Complaint("usage-sum", f"{_told(run)} of the run", f"no less than {_told(steps)}", firm=firm)


def _counts(usage: Usage) -> tuple[Counts, ...]:
    """The three counts; nothing where one is missing."""
    match usage:
        case Usage(prompt_tokens=int(prompt), completion_tokens=int(completion), total_tokens=int(total)):
            return ((prompt, completion, total),)
        case _:
            return ()


def _sum(used: Iterable[Counts]) -> Counts:
    prompt, completion, total = zip((0, 0, 0), *used, strict=True)
    return sum(prompt), sum(completion), sum(total)


def _told(counts: Counts) -> str:
    return "{} + {} = {} tokens".format(*counts)
