"""Runs from their beginning to their end, as a service tells of them to proxies that are stopped and killed meanwhile.

`Life` is one run at the service, and the small model of what must be counted: who relayed its creation, and whom its
end was told. `World` draws what happens, drives it through the real observers of up to two proxies by wire bytes, and
keeps their sinks: all of it follows from one seed.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from support.streams import CALLS, JSON, MS, SSE, WALL, event
from support.telemetry import Metrics
from wiretape.exchange import Chunk, Ending, Head, How, Request, Trace
from wiretape.ledger.open import immediate, open_ledger
from wiretape.ledger.open_runs import Saved, adopt, write
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.observer import RunOptions, Runs, Watch
from wiretape.runs.report import RunReport
from wiretape.runs.snapshot import decode, encode
from wiretape.runs.tracker import Key

ENDS = ("completed", "completed", "completed", "failed", "incomplete", "expired")
BROKEN = (How.UPSTREAM_FAILED, How.CLIENT_LEFT, How.CANCELLED)
LATER = 60_000 * MS
"""Monotonic clocks of two processes are as far apart, or farther."""
KINDS = ("input", "cached_input", "output", "reasoning_output")
Figures = dict[str, int]


class Life:
    """One run at the service. `home` is the proxy that relays its creation, None where none does."""

    def __init__(self, number: int, home: int | None, chance: random.Random) -> None:
        self.run_id, self.thread_id = f"run_{number}", f"thread_{number % 7}"
        self.home = home
        self.legs = chance.choice((1, 1, 2, 3))
        self.end = chance.choice(ENDS)
        prompt, completion = chance.randrange(9_000), chance.randrange(900)
        cached, reasoning = chance.randrange(prompt + 1), chance.randrange(completion + 1)
        self.tokens = dict(zip(KINDS, (prompt, cached, completion, reasoning), strict=True))
        self.tells_tokens = chance.random() < 0.85
        self.leg = 0
        self.status = "queued"
        self.is_counted = False
        """Whether the proxy that relayed its creation still knows that it did."""
        self.is_told_home = self.is_told = self.is_seen = False
        """Whether its end was told to that proxy, to any, and whether any has seen it at all."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended at the service."""
        return self.status in {*ENDS, "cancelled"}

    @property
    def known(self) -> Figures | None:
        """Its tokens, as far as the service tells them."""
        return self.tokens if self.tells_tokens else None

    def json(self, status: str) -> dict[str, Any]:
        """The run as an object of the wire."""
        fields: dict[str, Any] = {"assistant_id": "asst_1", "model": "gpt-4o", "thread_id": self.thread_id}
        if status == "requires_action":
            fields["required_action"] = CALLS
        if status in {*ENDS, "cancelled"} and self.tells_tokens:
            told = self.tokens
            fields["usage"] = {
                "prompt_tokens": told["input"],
                "completion_tokens": told["output"],
                "total_tokens": told["input"] + told["output"],
                "prompt_token_details": {"cached_tokens": told["cached_input"]},
                "completion_tokens_details": {"reasoning_tokens": told["reasoning_output"]},
            }
        return {"id": self.run_id, "object": "thread.run", "status": status} | fields

    def work(self) -> str:
        """Let the service go on to the end of this leg; gives where that leaves the run."""
        is_last = self.leg + 1 == self.legs
        self.status = self.end if is_last else "requires_action"
        return self.status

    def streamed(self) -> list[bytes]:
        """The stream of this leg, event by event; the run has then gone on."""
        before = ["created", "queued"] if self.leg == 0 else ["queued"]
        step = {"id": f"step_{self.run_id}_{self.leg}", "run_id": self.run_id, "type": "message_creation"}
        delta = {"id": "msg_1", "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "word"}}]}}
        told = [
            *(self._event("queued" if status == "created" else status, status) for status in before),
            self._event("in_progress", "in_progress"),
            event("thread.run.step.created", json.dumps(step | {"status": "in_progress"}).encode()),
            *[event("thread.message.delta", json.dumps(delta).encode())] * 3,
            event("thread.run.step.completed", json.dumps(step | {"status": "completed"}).encode()),
        ]
        status = self.work()
        return [*told, self._event(status, status), b"event: done\ndata: [DONE]\n\n"]

    def _event(self, status: str, name: str) -> bytes:
        return event(f"thread.run.{name}", json.dumps(self.json(status)).encode())


class Process:
    """One process of a proxy, with real sinks; a restart makes another one."""

    def __init__(self, owner: str, ledger: Path, skew_ns: int) -> None:
        self.owner = owner
        self.skew_ns = skew_ns
        self.metrics = Metrics()
        self.ledger = LedgerSink(ledger, LedgerOptions())
        self.saved: set[Key] = set()
        self.gone: list[Key] = []
        self.reports: list[RunReport] = []
        numbers = count(1)
        self.runs = Runs(RunOptions(), self._finished, numbers.__next__)

    def _finished(self, report: RunReport) -> None:
        self.reports.append(report)
        self.metrics.sink.run(report)
        self.ledger.run(report)
        key = report.upstream, report.run_id
        if key in self.saved:
            self.saved.discard(key)
            self.gone.append(key)

    def counted(self) -> Counter[str]:
        """What its metrics say."""
        names = {kind: f"wiretape.run.usage.{kind}_tokens" for kind in KINDS}
        names |= {"runs": "wiretape.runs", "missing": "wiretape.run.usage_missing"}
        return Counter({kind: self.metrics.values(name).get(None, 0) for kind, name in names.items()})


class World:
    """Some lives, and one proxy or two on one ledger."""

    def __init__(self, path: Path, chance: random.Random, *, lives: int, proxies: int = 2) -> None:
        self.path, self.chance = path, chance
        self._db = open_ledger(path, LedgerOptions())
        self._owners = count()
        self._now_ns = 0
        self._dead: set[str] = set()
        self.counted: Counter[str] = Counter()
        """By the metrics of processes that have ended."""
        self.reports: list[list[RunReport]] = [[] for _ in range(proxies)]
        self.processes = [self._process() for _ in range(proxies)]
        self.lives = [Life(number, self._home(), chance) for number in range(lives)]
        self.restarts = 0

    def _home(self) -> int | None:
        return None if self.chance.random() < 0.1 else self.chance.randrange(len(self.processes))

    def play(self) -> None:
        """Let everything happen, a few lives at a time, and end it."""
        waiting, under_way = list(reversed(self.lives)), list[Life]()
        while waiting or under_way:
            while waiting and len(under_way) < 20:
                under_way.append(waiting.pop())
                self._begin(under_way[-1])
            life = self.chance.choice(under_way)
            self._act(life)
            if life.is_over and self.chance.random() < 0.5:
                under_way.remove(life)
                self._last_look(life)
            self._befall()
        self._close()

    def _act(self, life: Life) -> None:
        """Whatever a client may do with a run."""
        at = self._near(life)
        match self.chance.choice(("poll", "poll", "list", "steps", "go on", "go on", "cancel", "refused")):
            case "poll":
                self._poll(life, at)
            case "list":
                self._list(life, at)
            case "steps":
                step = {
                    "id": f"step_{life.run_id}_0",
                    "run_id": life.run_id,
                    "status": "completed",
                    "type": "tool_calls",
                }
                self._answer(at, "GET", f"{self._where(life)}/steps", {"object": "list", "data": [step]})
            case "go on" if life.status == "requires_action":
                life.leg += 1
                self._leg(life, at, "POST", f"{self._where(life)}/submit_tool_outputs")
            case "cancel" if not life.is_over and self.chance.random() < 0.2:
                self._answer(at, "POST", f"{self._where(life)}/cancel", life.json("cancelling"))
                self._see(life)
                life.status = "cancelled"
            case "refused":
                target = f"{self._where(life)}/submit_tool_outputs"
                self._answer(at, "POST", target, {"error": {"message": "no"}}, status=400)
            case _:
                if life.status in {"queued", "in_progress"}:
                    life.work()

    def _begin(self, life: Life) -> None:
        """Create it, by a stream or not; one that no proxy sees is created all the same."""
        if life.home is None:
            life.work()
            return
        life.is_counted = True
        self._leg(life, life.home, "POST", f"/v1/threads/{life.thread_id}/runs")

    def _leg(self, life: Life, at: int, method: str, target: str) -> None:
        """A leg by a stream, whole or cut anywhere, or by a JSON answer after which it goes on by itself."""
        if self.chance.random() < 0.3:
            self._answer(at, method, target, life.json("queued"))
            self._see(life)
            life.work()
            return
        events = life.streamed()
        passed = self._cut(events, first=1)
        self._see(life)
        self._stream(at, method, target, events, passed)
        if life.is_over and passed >= len(events) - 1:
            self._tell(life, at)

    def _cut(self, events: list[bytes], first: int) -> int:
        """How many of the events come; a run is named by the first."""
        return len(events) if self.chance.random() < 0.6 else self.chance.randrange(first, len(events))

    def _poll(self, life: Life, at: int) -> None:
        self._answer(at, "GET", self._where(life), life.json(life.status))
        self._see(life)
        if life.is_over:
            self._tell(life, at)

    def _list(self, life: Life, at: int) -> None:
        """Of a list only those that have ended are news."""
        others = [one for one in self.chance.sample(self.lives, min(4, len(self.lives))) if one.is_seen]
        told = list({one.run_id: one for one in [life, *others]}.values())
        data = [one.json(one.status) for one in told]
        self._answer(at, "GET", f"/v1/threads/{life.thread_id}/runs", {"object": "list", "data": data})
        for one in told:
            if one.is_over:
                self._see(one)
                self._tell(one, at)

    def _last_look(self, life: Life) -> None:
        """Most are read when they have ended; the others are abandoned, where nobody had told."""
        if not life.is_seen or life.home is None or not life.is_counted or self.chance.random() < 0.9:
            self._poll(life, self.chance.randrange(len(self.processes)) if life.home is None else life.home)

    def _near(self, life: Life) -> int:
        """Mostly the proxy that relayed the creation; the balancer picks."""
        if life.home is not None and self.chance.random() < 0.7:
            return life.home
        return self.chance.randrange(len(self.processes))

    def _see(self, life: Life) -> None:
        life.is_seen = True

    def _tell(self, life: Life, at: int) -> None:
        life.is_told = True
        life.is_told_home = life.is_told_home or (life.is_counted and at == life.home)

    def _where(self, life: Life) -> str:
        return f"/v1/threads/{life.thread_id}/runs/{life.run_id}"

    def _befall(self) -> None:
        """What happens to proxies."""
        at = self.chance.randrange(len(self.processes))
        fate = self.chance.random()
        if fate < 0.02:
            self._save(at, self.chance.choice((3, 10, 100)))
        elif fate < 0.03:
            self._restart(at, is_killed=fate < 0.025)

    def _save(self, at: int, at_most: int | None) -> None:
        """As a proxy does every second, or at its end, where all is saved."""
        process = self.processes[at]
        snapshots = process.runs.all_open() if at_most is None else process.runs.changed(at_most)
        saved = [
            Saved(
                upstream="default",
                run_id=one.run_id,
                saved_us=1,
                is_foreign=not one.origin.own,
                state=encode(one),
            )
            for one in snapshots
        ]
        process.saved |= {("default", one.run_id) for one in saved}
        process.ledger.flush()
        with immediate(self._db):
            write(self._db, process.owner, saved, process.gone)
        process.gone = []

    def _restart(self, at: int, *, is_killed: bool) -> None:
        """Stop or kill a proxy, sometimes in the middle of a stream, and start it anew."""
        self.restarts += 1
        if is_killed:
            self._stream_on(at)
            self.processes[at].ledger.flush()
            self._lose(at)
        else:
            self._save(at, None)
        self._retire(at)
        self.processes[at] = self._process()
        self._take_up(self.processes[at])

    def _stream_on(self, at: int) -> None:
        """A stream is under way, and tells an end; the run may be saved so, and is then told of by the next process."""
        paused = [
            one for one in self.lives if one.status == "requires_action" and one.is_seen and one.leg + 1 < one.legs
        ]
        if not paused:
            return
        life = self.chance.choice(paused)
        life.leg += 1
        events = life.streamed()
        self._stream(at, "POST", f"{self._where(life)}/submit_tool_outputs", events, len(events), ends=False)
        if self.chance.random() < 0.5:
            self._save(at, 1_000_000)
            if life.is_over:
                self._tell(life, at)

    def _lose(self, at: int) -> None:
        """What was never saved is not the next process's own, and may be known to nobody any more."""
        process = self.processes[at]
        reported = {report.run_id for report in process.reports}
        for life in self.lives:
            is_open = life.home == at and life.is_counted and life.run_id not in reported
            if is_open and ("default", life.run_id) not in process.saved and not self._has("run", life, "= 0"):
                life.is_counted = False
        for life in self.lives:
            if life.is_seen and not (life.is_counted or life.is_told):
                life.is_seen = self._is_known(life, at)

    def _is_known(self, life: Life, lost: int) -> bool:
        """Whether it has a row, was saved, or is open in a process that lives on."""
        others = [process for at, process in enumerate(self.processes) if at != lost]
        is_open = any(one.run_id == life.run_id for process in others for one in process.runs.all_open())
        return is_open or self._has("run", life) or self._has("open_run", life)

    def _has(self, table: str, life: Life, foreign: str = "IS NOT NULL") -> bool:
        query = f"SELECT 1 FROM {table} WHERE run_id = ? AND is_foreign {foreign}"  # noqa: S608  ours
        return self._db.execute(query, (life.run_id,)).fetchone() is not None

    def _take_up(self, process: Process) -> None:
        with immediate(self._db):
            found, _ = adopt(self._db, process.owner, ["default"], self._dead.__contains__, 0)
        process.saved = {(one.upstream, one.run_id) for one in found}
        for one in found:
            process.runs.restore(decode(one.state), self._now_ns + process.skew_ns, WALL + self._now_ns)

    def _process(self) -> Process:
        return Process(f"owner-{next(self._owners)}", self.path, self.chance.randrange(10) * LATER)

    def _retire(self, at: int) -> None:
        process = self.processes[at]
        self._dead.add(process.owner)
        self.counted.update(process.counted())
        self.reports[at] += process.reports
        process.ledger.close(1)

    def _close(self) -> None:
        for at, process in enumerate(self.processes):
            process.runs.close(self._now_ns + process.skew_ns)
            self._retire(at)
        self._db.close()

    def _answer(self, at: int, method: str, target: str, answer: object, status: int = 200) -> None:
        watch = self._watch(at, method, target)
        now_ns = self._tick(at)
        watch.head(Head(status, JSON, now_ns))
        watch.chunk(Chunk(json.dumps(answer).encode(), now_ns))
        watch.end(Ending(How.COMPLETE, self._tick(at)))

    def _stream(
        self, at: int, method: str, target: str, events: list[bytes], passed: int, *, ends: bool = True
    ) -> None:
        """So many of the events, in pieces that respect nothing, perhaps with a part of the next one."""
        watch = self._watch(at, method, target)
        watch.head(Head(200, SSE, self._tick(at)))
        body = b"".join(events[:passed])
        if passed < len(events):
            body += events[passed][: self.chance.randrange(len(events[passed]) // 2)]
        cuts = sorted(self.chance.randrange(len(body)) for _ in range(self.chance.randrange(4)))
        for begin, end in pairwise([0, *cuts, len(body)]):
            watch.chunk(Chunk(body[begin:end], self._tick(at)))
        if ends:
            how = How.COMPLETE if passed == len(events) else self.chance.choice(BROKEN)
            watch.end(Ending(how, self._tick(at)))

    def _watch(self, at: int, method: str, target: str) -> Watch:
        now_ns = self._tick(at)
        trace = Trace(self.chance.getrandbits(64), self.chance.getrandbits(60), self.chance.getrandbits(60))
        request = Request(method, target, (), now_ns, WALL + self._now_ns, trace=trace)
        return self.processes[at].runs.watch(request, mode="forward", cassette=None)

    def _tick(self, at: int) -> int:
        """Time goes on; gives what the process's monotonic clock tells."""
        self._now_ns += MS
        return self._now_ns + self.processes[at].skew_ns
