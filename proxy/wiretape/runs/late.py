"""A run that was reported, as far as a better figure may still come.

Better is a terminal status where the report had to say `abandoned`, the run's own tokens where it had none or the sum
of its steps, and that sum where it had none or that of fewer steps. What was reported and is as good stays; so one
improvement makes one correction, and reading the same again makes none. Here the order does matter: each correction
tells what was better when it was made.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict

from wiretape.dialects.events import RunSeen, StepSeen
from wiretape.runs.facts import EndFacts, Told
from wiretape.runs.figures import Figures, ended_figures, first_end, see_end
from wiretape.runs.report import Correction
from wiretape.runs.steps import StepTokens, step_tokens, usage
from wiretape.runs.tracker import Key, Run


class Late(Struct):
    """What was told of a run, and what is known by now."""

    key: Key
    foreign: bool
    told: Figures
    ends: dict[str, EndFacts]
    steps: dict[str, StepTokens]
    steps_max: int
    """Steps that are held; a run that had more has no sum of them."""
    error: Told[str] | None

    @property
    def is_settled(self) -> bool:
        """Whether nothing better can come."""
        return self.told.usage_source == "run"

    def see(self, seen: RunSeen, at_ns: int) -> None:
        """A snapshot of the run: of one that has ended, tokens of that end alone."""
        if not self.ends or seen.status in self.ends:
            see_end(self.ends, seen, at_ns)

    def see_step(self, seen: StepSeen) -> None:
        """A snapshot of a step."""
        if seen.step_id in self.steps or len(self.steps) < self.steps_max:
            is_over, known = self.steps.get(seen.step_id, (False, None))
            self.steps[seen.step_id] = (is_over or seen.ended, known or usage(seen.tokens))
        else:
            self.steps_max = 0

    def correction(self, at_ns: int) -> Correction | None:
        """What is better by now than what was told, if anything; it is then told."""
        ended = first_end(self.ends)
        if ended is None:
            return None
        figures = ended_figures(*ended, self.error, self.steps.values() if self.steps_max else ())
        told = self.told
        if told.outcome == figures.outcome and figures.usage is None:
            return None
        self.told = figures
        if (told.outcome, told.usage) == (figures.outcome, figures.usage):
            return None
        return Correction(
            upstream=self.key[0], run_id=self.key[1], at_ns=at_ns, foreign=self.foreign, **asdict(figures)
        )


def late(run: Run, told: Figures, steps_max: int) -> Late | None:
    """What is to be remembered of a run whose report told this; None where nothing better can come."""
    facts = run.facts
    if told.usage_source == "run":
        return None
    room = 0 if facts.steps_cut else steps_max
    return Late(run.key, not run.origin.own, told, facts.ends, step_tokens(facts.steps), room, facts.error)
