"""A client of a sandbox without a server: it makes the run of a seed, reads all its streams and answers each call."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from support.assistants import summed
from support.fates import Fate, drawn
from support.orders import RESUME, START, findings
from wiretape.sandbox import api
from wiretape.sandbox.life import Leg, Life
from wiretape.sandbox.script import RunRule, Script, When
from wiretape.sandbox.server import DONE, frame
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.sandbox.timeline import ENDS
from wiretape.testing import EPOCH_S


class Client:
    """Makes one run, and checks the order of each stream on the way."""

    def __init__(self, seed: int) -> None:
        self.fate: Fate = drawn(seed)
        rules = Script((RunRule(When(), self.fate.acts),)) if self.fate.acts is not None else None
        self.sandbox = Sandbox(SandboxOptions(seed=seed), script=rules)
        self.now_s = EPOCH_S
        self.seen: Counter[str] = Counter()
        self.waits_for_cancel = self.fate.cancel_after_s is not None

    def ask(self, endpoint: api.Endpoint, sent: Any = None, **ids: str) -> Any:
        """An answer, at the time it is."""
        body = b"" if sent is None else msgspec.json.encode(sent)
        return endpoint(self.sandbox, api.Call(ids=ids, query={}, body=body, now_s=self.now_s))

    def talk(self) -> Life:
        """The whole run, with every stream checked."""
        life = self.start()
        self._read(life, START if self.fate.opens_thread else ("POST", "/v1/threads/t/runs"))
        while life.run.status == "requires_action":
            action = life.run.required_action
            calls = action.submit_tool_outputs.tool_calls if action else ()
            outputs = [{"tool_call_id": call.id, "output": '{"temperature_c": 21}'} for call in calls]
            ids = {"thread_id": life.run.thread_id, "run_id": life.run.id}
            self.ask(api.submit_tool_outputs, {"tool_outputs": outputs, "stream": True}, **ids)
            self._read(life, RESUME)
        return life

    def start(self) -> Life:
        """Create the run."""
        settings = {**self.fate.settings}
        effort = settings.pop("reasoning_effort", None)  # a run that opens its thread has it of its assistant alone
        assistant = {"model": "m", "tools": self.fate.tools, "reasoning_effort": effort}
        asked = {"assistant_id": self.ask(api.create_assistant, assistant).id}
        thread = {"messages": [{"role": "user", "content": self.fate.question}]}
        sent = {**asked, **settings, "stream": True}
        if self.fate.opens_thread:
            started = self.ask(api.create_thread_and_run, {**sent, "thread": thread})
        else:
            started = self.ask(api.create_run, sent, thread_id=self.ask(api.create_thread, thread).id)
        assert isinstance(started, Life)
        return started

    def _read(self, life: Life, asked: tuple[str, str]) -> None:
        leg, body = life.leg, b""
        if self.waits_for_cancel:
            self._cancel(life, self.fate.cancel_after_s or 0)
        while not life.run.ended and life.run.status != "requires_action":
            self.now_s = max(self.now_s, life.due_s or 0)
            life.advance(self.now_s)
        body = self._bytes(leg)
        assert findings(body, asked) == [], body.decode()

    def _cancel(self, life: Life, after_s: float) -> None:
        self.now_s += after_s
        life.advance(self.now_s)
        self.waits_for_cancel = False
        if not life.run.ended and life.run.status != "requires_action":
            self.ask(api.cancel_run, thread_id=life.run.thread_id, run_id=life.run.id)

    def _bytes(self, leg: Leg) -> bytes:
        """What a stream of this leg sends: up to its end, and `done`."""
        names = [beat.event for beat in leg.played]
        last = next(index for index, name in enumerate(names) if name in ENDS)
        self.seen.update([*names[: last + 1], "done"])
        return b"".join(frame(beat) for beat in leg.played[: last + 1]) + DONE

    def check_reads(self, life: Life) -> None:
        """What is read afterwards agrees with itself."""
        steps = [msgspec.to_builtins(step) for step in life.listed_steps(with_passages=False)]
        assert life.run.ended
        assert all(step["status"] != "in_progress" for step in steps)
        assert msgspec.to_builtins(life.run.usage) == summed([step["usage"] for step in steps])
        assert life.due_s is None
