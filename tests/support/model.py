"""A small model of an Assistants server: what it may answer, given what was written to it and that time goes on.

It shares nothing with the sandbox or with replay. Ids follow from names, so that two models that are written to in
another order have the same ones.
"""

import hashlib
import json
from typing import Any

from wiretape.cassette.format import Ended, Interaction

LADDERS = {"text": ("queued", "in_progress", "completed"), "tool": ("queued", "in_progress", "requires_action")}
HANDED_IN = ("queued", "in_progress", "completed")


def made(kind: str, name: str) -> str:
    return f"{kind}_{hashlib.sha256(name.encode()).hexdigest()[:24]}"


class Run:
    def __init__(self, ladder: tuple[str, ...]) -> None:
        self.ladder = ladder
        self.at = 0

    @property
    def status(self) -> str:
        return self.ladder[self.at]

    def tick(self) -> bool:
        """Whether time could still change it."""
        moved = self.at + 1 < len(self.ladder)
        self.at += moved
        return moved


class Thread:
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.runs: dict[str, Run] = {}


class Model:
    """`write` changes it and gives the answer; `view` is what a read would get now; `tick` lets time go on."""

    def __init__(self) -> None:
        self.threads: dict[str, Thread] = {}
        self.assistants: dict[str, str] = {}

    def write(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        parts = path.split("/")[2:]
        if parts[0] == "assistants":
            return self._assistant(method, parts, body)
        if parts == ["threads"]:
            return self._thread(body["name"])
        if parts == ["threads", "runs"]:
            self._thread(body["name"])
            return self._run(made("thread", body["name"]), body)
        if method == "DELETE":
            del self.threads[parts[1]]
            return {"id": parts[1], "deleted": True}
        return self._inside(parts[1], parts[2:], body)

    def view(self, path: str) -> dict[str, Any]:
        parts = path.split("/")[2:]
        if parts[0] == "assistants":
            return self._assistants_view(parts)
        thread = self.threads.get(parts[1])
        if thread is None:
            return {"error": "no such thread"}
        if parts[2:] == ["messages"]:
            return {"data": [*thread.messages, *(f"answer of {run}" for run in self._completed(thread))]}
        if len(parts) == 4:
            return {"id": parts[3], "thread_id": parts[1], "status": thread.runs[parts[3]].status}
        return {"id": parts[1], "data": sorted(f"{name} {run.status}" for name, run in thread.runs.items())}

    def tick(self, thread: str) -> bool:
        """Let a thread's runs go on; whether any did."""
        found = self.threads.get(thread)
        return bool(sum(run.tick() for run in found.runs.values())) if found else False

    def _completed(self, thread: Thread) -> list[str]:
        return [name for name, run in thread.runs.items() if run.status == "completed"]

    def _assistants_view(self, parts: list[str]) -> dict[str, Any]:
        if len(parts) == 1:
            return {"data": sorted(self.assistants)}
        return {"id": parts[1], "name": self.assistants.get(parts[1], "none")}

    def _assistant(self, method: str, parts: list[str], body: dict[str, Any]) -> dict[str, Any]:
        identity = parts[1] if len(parts) > 1 else made("asst", body["name"])
        if method == "DELETE":
            del self.assistants[identity]
        else:
            self.assistants[identity] = body["name"]
        return {"id": identity}

    def _thread(self, name: str) -> dict[str, Any]:
        self.threads[made("thread", name)] = Thread()
        return {"id": made("thread", name)}

    def _inside(self, thread: str, parts: list[str], body: dict[str, Any]) -> dict[str, Any]:
        if parts == ["messages"]:
            self.threads[thread].messages.append(body["name"])
            return {"id": made("msg", body["name"]), "thread_id": thread}
        if parts == ["runs"]:
            return self._run(thread, body)
        run = self.threads[thread].runs[parts[1]]
        run.ladder, run.at = (HANDED_IN, 0) if parts[2] == "submit_tool_outputs" else (("cancelling", "cancelled"), 0)
        return {"id": parts[1], "thread_id": thread, "status": run.status}

    def _run(self, thread: str, body: dict[str, Any]) -> dict[str, Any]:
        identity = made("run", body["name"] + thread)
        self.threads[thread].runs[identity] = Run(LADDERS[body["kind"]])
        return {"id": identity, "thread_id": thread, "status": "queued"}


def interaction(
    index: int, method: str, target: str, asked: object, answer: object, session: str = "default"
) -> Interaction:
    """One exchange, as a cassette holds it."""
    return Interaction(
        index=index, session=session, method=method, target=target, status=200, how=Ended.COMPLETE,
        request_headers=((b"Content-Type", b"application/json"),), headers=((b"Content-Type", b"application/json"),),
        request_body=b"" if asked is None else json.dumps(asked).encode(), body=json.dumps(answer).encode(),
    )  # fmt: skip
