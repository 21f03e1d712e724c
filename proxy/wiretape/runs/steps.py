"""The steps of a run and their tool calls: what was seen of them, into the run's facts. Times are monotonic ns."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from wiretape.dialects.events import StepSeen, Tokens, ToolSeen
from wiretape.runs.facts import RunFacts, StepFacts, ToolFacts, earlier, earliest, sooner, value
from wiretape.runs.options import RunOptions
from wiretape.runs.report import Usage

StepTokens = tuple[bool, Usage | None]
"""Whether a step has ended, and its tokens."""


Sight = tuple[int, int]
"""When something was seen, and its place among what was seen with it."""


def see_step(facts: RunFacts, seen: StepSeen, sight: Sight, options: RunOptions) -> None:
    """A step as it stood."""
    at_ns = sight[0]
    bare = replace(seen, tools=(), tokens=None)
    step = _step(facts, bare, sight, options.steps_max)
    if step is None:
        return
    if seen.ended:
        step.ended = earliest(step.ended, at_ns, bare)
    else:
        step.running_ns = sooner(step.running_ns, at_ns)
    step.usage = earliest(step.usage, at_ns, usage(seen.tokens))
    for place, tool in enumerate(seen.tools):
        known = _tool(facts, tool, (at_ns, place), options.tools_max)
        if known is not None:
            known.step_ns = sooner(known.step_ns, at_ns)


def see_call(facts: RunFacts, tool: ToolSeen, sight: Sight, options: RunOptions) -> None:
    """A tool call that a delta opened."""
    known = _tool(facts, tool, sight, options.tools_max)
    if known is not None:
        known.delta_ns = sooner(known.delta_ns, sight[0])


def see_wait(facts: RunFacts, pending: Iterable[ToolSeen], at_ns: int, leg: int, options: RunOptions) -> None:
    """The run waits for these, in this leg."""
    for place, tool in enumerate(pending):
        known = _tool(facts, tool, (at_ns, place), options.tools_max)
        if known is not None:
            known.waits.add(leg)


def step_tokens(steps: dict[str, StepFacts]) -> dict[str, StepTokens]:
    """What `summed` asks of each step."""
    return {step_id: (step.ended is not None, value(step.usage)) for step_id, step in steps.items()}


def summed(steps: Iterable[StepTokens]) -> Usage | None:
    """The sum over all steps that ended; None where one of them did not tell its tokens, for a part is no sum."""
    ended = [usage for is_over, usage in steps if is_over or usage is not None]
    told = [usage for usage in ended if usage is not None]
    if not told or len(told) < len(ended):
        return None
    return Usage(
        sum(usage.prompt for usage in told),
        sum(usage.completion for usage in told),
        sum(usage.cached for usage in told),
        sum(usage.reasoning for usage in told),
    )


def usage(tokens: Tokens | None) -> Usage | None:
    """Tokens of a dialect as usage of a report."""
    return Usage(tokens.prompt, tokens.completion, tokens.cached, tokens.reasoning) if tokens else None


def _step(facts: RunFacts, seen: StepSeen, sight: Sight, steps_max: int) -> StepFacts | None:
    step = facts.steps.get(seen.step_id)
    if step is not None:
        step.sight, step.first = min(step.sight, sight), earlier(step.first, sight[0], seen)
    elif len(facts.steps) < steps_max:
        step = facts.steps[seen.step_id] = StepFacts(sight, (sight[0], seen))
    facts.steps_cut = facts.steps_cut or step is None
    return step


def _tool(facts: RunFacts, tool: ToolSeen, sight: Sight, tools_max: int) -> ToolFacts | None:
    known = facts.tools.get(tool.call_id)
    if known is None:
        if len(facts.tools) >= tools_max:
            return None
        known = facts.tools[tool.call_id] = ToolFacts(sight, (sight[0], tool.type))
    known.sight = min(known.sight, sight)
    known.type = earlier(known.type, sight[0], tool.type)
    known.name = earliest(known.name, sight[0], tool.name if tool.name != tool.type else None)
    known.step_id = earliest(known.step_id, sight[0], tool.step_id)
    known.by_client = known.by_client or tool.by_client
    return known
