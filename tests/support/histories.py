"""What may be seen of one run, as calls of a `Run` with a name each, and how to draw them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from wiretape.dialects.events import Asked, ContentKind, RunSeen, StepSeen, Tokens, ToolSeen
from wiretape.exchange import How, Trace
from wiretape.runs.facts import Pulse
from wiretape.runs.options import RunOptions
from wiretape.runs.report import Carried
from wiretape.runs.state import RANKS
from wiretape.runs.tracker import Leg, Origin, Run

ORIGIN = Origin(at_ns=0, wall_ns=10**18, own=True, mode="forward", cassette=None, asked=Asked("asst_1", "m"), span_id=1)
TIMES = st.integers(0, 6)
PLACES = st.integers(1, 3)
TOKENS = st.none() | st.builds(Tokens, st.integers(0, 9), st.integers(0, 9))
STAMPS = st.none() | st.integers(10**9 - 3, 10**9 + 3).map(float)
CODES = st.sampled_from([None, "server_error", "rate_limit_exceeded"])
NAMES = st.sampled_from(["function", "weather", "code_interpreter"])
CALLS = st.sampled_from("cd")
STEPS = st.sampled_from("st")
TOOLS = st.builds(
    ToolSeen, CALLS, st.sampled_from(["function", "code_interpreter"]), NAMES, st.none() | STEPS, st.booleans()
)
LISTED = st.lists(TOOLS, max_size=3).map(tuple)
LEGS = st.builds(Leg, st.integers(0, 3), TIMES)


class Seen(Struct, frozen=True):
    """A call of the run, with what it is given."""

    call: str
    given: tuple[Any, ...]

    @property
    def is_sum(self) -> bool:
        """Whether telling it twice is telling two."""
        return self.call in {"see_content", "carry"}

    def tell(self, run: Run) -> None:
        call, given = getattr(run, self.call), self.given
        if self.call == "see_content":
            kind, at_ns, gap_ns = given
            given = kind, at_ns, Pulse(None if gap_ns is None else at_ns - gap_ns)
        call(*given)


def _seen(call: str, *given: Any) -> st.SearchStrategy[Seen]:
    return st.tuples(*given).map(lambda drawn: Seen(call, drawn))


RUNS = st.builds(
    RunSeen,
    run_id=st.just("r"),
    status=st.sampled_from([*RANKS, "odd"]),
    thread_id=st.sampled_from([None, "thread_1"]),
    assistant_id=st.sampled_from([None, "asst_1", "asst_2"]),
    model=st.sampled_from([None, "gpt-4o"]),
    error=CODES,
    tokens=TOKENS,
    created_s=STAMPS,
    expires_s=STAMPS,
    pending=LISTED,
)
STEPS_SEEN = st.tuples(
    STEPS, st.sampled_from(["in_progress", "completed", "failed"]), CODES, TOKENS, STAMPS, STAMPS, LISTED
).map(
    lambda drawn: StepSeen(
        step_id=drawn[0],
        run_id="r",
        type="tool_calls",
        status=drawn[1],
        ended=drawn[1] != "in_progress",
        error=drawn[2],
        tokens=drawn[3],
        created_s=drawn[4],
        ended_s=drawn[5],
        tools=drawn[6],
    )
)
CARRIED = st.builds(
    Carried,
    trace=st.integers(1, 2**60).map(lambda number: Trace(number, number, number)),
    method=st.just("POST"),
    route=st.just("/v1/threads/runs"),
    status=st.sampled_from([200, None]),
    start_ns=TIMES,
    end_ns=TIMES,
    how=st.sampled_from(list(How)),
)
ORIGINS = st.builds(
    Origin,
    at_ns=TIMES,
    wall_ns=TIMES.map(lambda at_ns: 10**18 + at_ns),
    own=st.booleans(),
    mode=st.just("forward"),
    cassette=st.none(),
    asked=st.just(Asked()),
    span_id=st.integers(2, 2**60),
)
FACTS = st.one_of(
    _seen("see", RUNS, TIMES, LEGS),
    _seen("see_step", STEPS_SEEN, TIMES, LEGS, PLACES),
    _seen("accept", st.builds(Leg, st.integers(1, 3), TIMES, st.lists(CALLS, max_size=2).map(tuple)), TIMES),
    _seen("see_tool", TOOLS, TIMES, PLACES),
    _seen("see_content", st.sampled_from(list(ContentKind)), TIMES, st.none() | TIMES),
    _seen("see_error", st.sampled_from(["server_error", "upstream_torn"]), TIMES),
    _seen("watched_until", TIMES),
    _seen("carry", CARRIED),
    _seen("join", ORIGINS),
)
"""Any fact; times, legs and names are few, so that they meet."""
HISTORIES = st.lists(FACTS, max_size=40)


def told(history: list[Seen], origin: Origin = ORIGIN) -> Run:
    """A run that was told these, in this order."""
    run = Run(("u", "r"), origin, RunOptions())
    for seen in history:
        seen.tell(run)
    return run
