"""Any requests in any order: never a failure of our own, and what must hold does."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from support.assistants import TIME, WEATHER, check, parsed, summed
from wiretape.sandbox.api import ENDPOINTS, Answer, Call, Endpoint
from wiretape.sandbox.life import Leg, Life
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.server import DONE, frame
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.sandbox.timeline import ENDS
from wiretape.testing import ManualClock

FATES = ["say a b c", "fail server_error", "incomplete max_prompt_tokens", "expire", "stall", "nonsense", None]
QUESTIONS = ["Hello", "The weather in Paris?", "The weather and the time in Rome?", ""]
BY_NAME = {endpoint.__name__: endpoint for _, _, endpoint in ENDPOINTS}
PICKS = st.integers(0, 50)
SENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "model",
                    "role",
                    "content",
                    "metadata",
                    "tools",
                    "assistant_id",
                    "thread",
                    "messages",
                    "tool_outputs",
                    "stream",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)


class Calls(RuleBasedStateMachine):
    """A client that calls whatever it likes on ids that exist, existed or never did, while time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        options = SandboxOptions(pace_s=0.5, queue_s=1, assistants_max=4, threads_max=4, messages_max=9, runs_max=5)
        self.sandbox = Sandbox(options, self.clock)
        self.seen: dict[str, list[str]] = {"asst": ["asst_x"], "thread": ["thread_x"], "run": ["run_x"]}
        self.seen |= {"msg": ["msg_x"], "step": ["step_x"], "call": ["call_x"]}
        self.ended: dict[str, str] = {}
        self.streams: list[tuple[Life, Leg]] = []

    def call(self, name: str, sent: Any = None, query: dict[str, str] | None = None, **ids: str) -> Answer | None:
        body = b"" if sent is None else msgspec.json.encode(sent)
        call = Call(ids=ids, query=query or {}, body=body, now_s=self.clock.now_s())
        try:
            answer = BY_NAME[name](self.sandbox, call)
        except Refused as refused:
            assert refused.status in {400, 404}  # noqa: PT017  any other error is a failure of ours
            return None
        if isinstance(answer, Life):
            self.streams.append((answer, answer.leg))
            self._note(msgspec.to_builtins(answer.run))
        else:
            self._note(msgspec.to_builtins(answer))
        return answer

    def _note(self, answer: dict[str, Any]) -> None:
        for found in answer.get("data", [answer]):
            self.seen.setdefault(found["id"].split("_")[0], []).append(found["id"])
            action = found.get("required_action") or {"submit_tool_outputs": {"tool_calls": []}}
            self.seen["call"] += [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]]

    def id(self, kind: str, pick: int) -> str:
        return self.seen[kind][-1 - pick % min(len(self.seen[kind]), 4)]

    def run_ids(self, pick: int) -> dict[str, str]:
        """A thread and, mostly, a run of it."""
        thread_id = self.id("thread", pick)
        known = self.sandbox.conversations.get(thread_id)
        runs = list(known.runs) if known else []
        return {"thread_id": thread_id, "run_id": runs[-1 - pick % len(runs)] if runs else self.id("run", pick)}

    @initialize()
    def begin(self) -> None:
        self.call("create_assistant", {"model": "m", "tools": [WEATHER, TIME]})

    @rule(tools=st.booleans(), bad=st.booleans())
    def create_assistant(self, *, tools: bool, bad: bool) -> None:
        self.call("create_assistant", {} if bad else {"model": "m", "tools": [WEATHER, TIME] if tools else []})

    @rule(pick=PICKS, question=st.sampled_from(QUESTIONS))
    def create_thread(self, pick: int, question: str) -> None:
        self.call("create_thread", {"messages": [{"role": "user", "content": question}]})

    @rule(pick=PICKS, fate=st.sampled_from(FATES), stream=st.booleans(), question=st.sampled_from(QUESTIONS))
    def start(self, pick: int, fate: str | None, question: str, *, stream: bool) -> None:
        sent: dict[str, Any] = {"assistant_id": self.id("asst", pick), "stream": stream}
        if fate is not None:
            sent["metadata"] = {"sandbox": fate}
        thread = {"messages": [{"role": "user", "content": question}]}
        if pick % 2:
            self.call("create_thread_and_run", {**sent, "thread": thread})
        else:
            self.call("create_run", sent, thread_id=self.id("thread", pick // 2))

    @rule(pick=PICKS, content=st.sampled_from(QUESTIONS))
    def add_message(self, pick: int, content: str) -> None:
        self.call("create_message", {"role": "user", "content": content}, thread_id=self.id("thread", pick))

    @rule(pick=PICKS, stream=st.booleans(), wrong=st.booleans())
    def submit(self, pick: int, *, stream: bool, wrong: bool) -> None:
        ids = self.run_ids(pick)
        run = self.call("read_run", **ids)
        action = getattr(run, "required_action", None)
        calls = [] if wrong or action is None else [call.id for call in action.submit_tool_outputs.tool_calls]
        outputs = [{"tool_call_id": call, "output": "fine"} for call in calls]
        self.call("submit_tool_outputs", {"tool_outputs": outputs, "stream": stream}, **ids)

    @rule(pick=PICKS)
    def cancel(self, pick: int) -> None:
        self.call("cancel_run", **self.run_ids(pick))

    @rule(pick=PICKS)
    def relabel(self, pick: int) -> None:
        ids = self.run_ids(pick)
        self.call("modify_run", {"metadata": {"n": str(pick)}}, **ids)
        self.call("modify_thread", {"metadata": {"n": str(pick)}}, thread_id=ids["thread_id"])
        self.call("modify_message", {"metadata": {}}, thread_id=ids["thread_id"], message_id=self.id("msg", pick))
        self.call("modify_assistant", {"name": "n"}, assistant_id=self.id("asst", pick))

    @rule(pick=PICKS, kind=st.sampled_from(["assistant", "thread", "message"]))
    def delete(self, pick: int, kind: str) -> None:
        message_id, thread_id = self.id("msg", pick), self.id("thread", pick)
        ids = {"assistant_id": self.id("asst", pick), "thread_id": thread_id, "message_id": message_id}
        self.call(f"delete_{kind}", **ids)

    @rule(pick=PICKS, limit=st.sampled_from(["1", "3", "100", "0", "x"]), order=st.sampled_from(["asc", "desc", "up"]))
    def read(self, pick: int, limit: str, order: str) -> None:
        ids, query = self.run_ids(pick), {"limit": limit, "order": order}
        self.call("list_assistants", query=query)
        self.call("list_messages", query=query, thread_id=ids["thread_id"])
        self.call("list_runs", query=query, thread_id=ids["thread_id"])
        self.call("list_steps", query=query, **ids)
        self.call("read_step", step_id=self.id("step", pick), **ids)
        self.call("read_message", thread_id=ids["thread_id"], message_id=self.id("msg", pick))

    @rule(by_s=st.sampled_from([0.0, 0.3, 0.5, 1.0, 5.0, 700.0]))
    def time_passes(self, by_s: float) -> None:
        self.clock.advance(by_s)

    @invariant()
    def only_the_youngest_run_of_a_thread_is_active_and_ended_runs_stay_as_they_are(self) -> None:
        for conversation in self.sandbox.conversations.values():
            runs = [life.run for life in conversation.runs.values()]
            assert all(run.ended for run in runs[:-1])
            for run in runs:
                if run.ended:
                    assert self.ended.setdefault(run.id, run.status) == run.status

    @invariant()
    def what_a_run_shows_agrees_with_its_steps_and_messages(self) -> None:
        for conversation in self.sandbox.conversations.values():
            for life in conversation.runs.values():
                _check_life(life)

    @invariant()
    def bounds_are_kept(self) -> None:
        options = self.sandbox.options
        assert len(self.sandbox.assistants) <= options.assistants_max
        assert len(self.sandbox.conversations) <= options.threads_max
        for conversation in self.sandbox.conversations.values():
            assert len(conversation.messages) <= options.messages_max
            assert len(conversation.runs) <= options.runs_max

    def teardown(self) -> None:
        """Every stream that was opened comes to a proper end."""
        for life, leg in self.streams:
            life.advance(self.clock.now_s() + 10_000)
            names = [beat.event for beat in leg.played]
            last = next(index for index, name in enumerate(names) if name in ENDS)
            check(parsed(b"".join(frame(beat) for beat in leg.played[: last + 1]) + DONE))


def _check_life(life: Life) -> None:
    run, steps = life.run, list(life.steps.values())
    assert (run.required_action is not None) == (run.status == "requires_action")
    assert (run.usage is not None) == run.ended
    assert [step.status for step in steps[:-1]] == ["completed"] * len(steps[:-1])
    if run.ended:
        assert all(step.status != "in_progress" for step in steps)
        assert msgspec.to_builtins(run.usage) == summed([msgspec.to_builtins(step.usage) for step in steps])
        assert life.due_s is None


TestCalls = Calls.TestCase


@given(st.sampled_from(ENDPOINTS), SENT, st.dictionaries(st.sampled_from(["limit", "after", "order"]), st.text()))
def test_any_json_is_answered_or_refused(endpoint: tuple[str, str, Endpoint], sent: Any, query: dict[str, str]) -> None:
    sandbox = Sandbox()
    ids = {"run_id": "run_x", "message_id": "msg_x", "step_id": "step_x"}
    for kind in ("assistant", "thread"):
        body = b'{"model":"m"}' if kind == "assistant" else b""
        made = BY_NAME[f"create_{kind}"](sandbox, Call(ids={}, query={}, body=body, now_s=0.0))
        ids[f"{kind}_id"] = msgspec.to_builtins(made)["id"]
    with suppress(Refused):
        answer = endpoint[2](sandbox, Call(ids=ids, query=query, body=msgspec.json.encode(sent), now_s=1.0))
        assert msgspec.json.encode(answer.run if isinstance(answer, Life) else answer)
