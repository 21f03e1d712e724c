"""Each refusal that was captured has its twin: same status, same four error fields.

Left out are endpoints of version 1 of the API, which the sandbox does not have: files of an assistant and of a
message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.assistants import FAST, Talk, talking
from support.corpora import Recorded, recorded
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.state import Sandbox
from wiretape.testing import StepClock

VERSION_1 = re.compile(r"/v1/(assistants/[^/]+|threads/[^/]+/messages/[^/]+)/files\b")
ID = re.compile(r"\b(asst|thread|run|msg)_[A-Za-z0-9]+")
KEY = re.compile(r"(?<=Incorrect API key provided: )\S+(?=\. You)")
SLOW = SandboxOptions(pace_s=1, queue_s=0)
KEYED = SandboxOptions(api_key="sk-the-right-one")
CASES = 37

Ids = dict[str, str]
Prepare = Callable[[Talk, Recorded], Awaitable[Ids]]


def captured() -> list[Recorded]:
    """All refusals of endpoints that the sandbox has."""
    refused = [one for one in recorded() if one.status >= 400]
    return [one for one in refused if not VERSION_1.search(one.target)]


async def test_every_captured_refusal_has_its_twin() -> None:
    cases = captured()
    assert len(cases) == CASES
    for case in cases:
        assert await answered(case) == expected(case), (case.source, case.target)


def expected(case: Recorded) -> tuple[int, dict[str, Any]]:
    """The captured answer; the key was redacted in some recordings, and ids differ."""
    return case.status, _comparable(json.loads(case.body)["error"])


def _comparable(error: dict[str, Any]) -> dict[str, Any]:
    message = KEY.sub("<key>", error["message"])
    return {**error, "message": message}


async def answered(case: Recorded) -> tuple[int, dict[str, Any]]:
    """What a sandbox answers that was brought into the state of the recording."""
    options, prepare = STATES[state_of(case)]
    async with talking(Sandbox(options, StepClock(0))) as talk:
        ids = await prepare(talk, case)
        path, body = _renamed(case.target, ids), _renamed(case.request.decode(), ids)
        error = await talk.ask(case.method, path, json.loads(body) if body else None)
        return talk.status, _comparable(error["error"])


def _renamed(text: str, ids: Ids) -> str:
    for old, new in ids.items():
        text = text.replace(old, new)
    return text


def state_of(case: Recorded) -> str:
    """The state that the case needs, told by what it answers."""
    message = json.loads(case.body)["error"]["message"]
    return next(state for words, state in TOLD if message.startswith(words))


TOLD = (
    ("Incorrect API key", "keyed"),
    ("No thread found", "nothing"),
    ("Run creation requires", "bare"),
    ("Cannot update run with status 'in_progress'", "running"),
    ("Invalid type for 'metadata.modified'", "ended"),
)


async def _nothing(_talk: Talk, _case: Recorded) -> Ids:
    return {}


async def _bare(talk: Talk, case: Recorded) -> Ids:
    """An assistant without instructions, and an empty thread."""
    thread = await talk.ask("POST", "/v1/threads", {})
    return _mapped(case, {"asst": await talk.assistant(), "thread": thread["id"]})


async def _with_run(talk: Talk, case: Recorded) -> Ids:
    """A run with a message of the user's, which has ended or not as the sandbox's pace says."""
    run = await talk.run(await talk.assistant(), "Hello", metadata={"sandbox": "say a b"})
    messages = await talk.ask("GET", f"/v1/threads/{run['thread_id']}/messages")
    return _mapped(case, {"thread": run["thread_id"], "run": run["id"], "msg": messages["data"][-1]["id"]})


def _mapped(case: Recorded, made: Ids) -> Ids:
    sent = case.target + case.request.decode()
    return {found[0]: made[found[1]] for found in ID.finditer(sent) if found[1] in made}


STATES: dict[str, tuple[SandboxOptions, Prepare]] = {
    "keyed": (KEYED, _nothing),
    "nothing": (FAST, _nothing),
    "bare": (FAST, _bare),
    "running": (SLOW, _with_run),
    "ended": (FAST, _with_run),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_needed(state: str) -> None:
    assert state in {state_of(case) for case in captured()}
