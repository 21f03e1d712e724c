"""Ten thousand schedules of reads and writes, recorded from a model and replayed in another order and at another pace.

Writes to one thing keep their order; those to different things, and all reads, come as chance has it. Every answer
must be one that the model may give after the writes that this client has made, now or later; or, where nothing was
recorded so late, the last that was recorded between these writes. No read of a thing ever goes back.
"""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from typing import Any, NamedTuple

import pytest

from support.model import Model, interaction, made
from support.tapes import JSON, request
from wiretape.cassette.format import Header, Interaction, Tape
from wiretape.cassette.match import Cursor, Library, Miss

SCHEDULES = 10_000
PARTS = 10


class Op(NamedTuple):
    thing: str
    method: str
    path: str
    body: dict[str, Any] | None


class Recording(NamedTuple):
    writes: dict[str, list[Op]]
    """By the thing they are written to, in recorded order."""
    reads: dict[tuple[str, int], list[Any]]
    """(what is read, writes that cover it so far) to the answers recorded then, in order."""
    tape: Tape


def writes_to(thing: str, chance: random.Random, numbers: Iterator[int]) -> list[Op]:
    """What a client does with a thread, or with the assistants."""
    if thing == "assistants":
        names = [f"a{next(numbers)}" for _ in range(chance.randint(1, 2))]
        ops = [Op(thing, "POST", "/v1/assistants", {"name": name}) for name in names]
        gone = made("asst", names[0])
        return ops + ([Op(thing, "DELETE", f"/v1/assistants/{gone}", {})] if chance.random() < 0.5 else [])
    path, kind = f"/v1/threads/{made('thread', thing)}", chance.choice(["text", "tool"])
    said = Op(thing, "POST", f"{path}/messages", {"name": f"m{next(numbers)}"})
    if chance.random() < 0.5:
        begun, ops = "", [Op(thing, "POST", "/v1/threads/runs", {"name": thing, "kind": kind})]
        begun = thing
    else:
        begun = f"r{next(numbers)}"
        run = Op(thing, "POST", f"{path}/runs", {"name": begun, "kind": kind})
        ops = [Op(thing, "POST", "/v1/threads", {"name": thing}), said, run]
    run_path = f"{path}/runs/{made('run', begun + made('thread', thing))}"
    if chance.random() < 0.6:
        act = chance.choice(["submit_tool_outputs", "cancel"])
        ops.append(Op(thing, "POST", f"{run_path}/{act}", {}))
    return ops + ([Op(thing, "DELETE", path, {})] if chance.random() < 0.3 else [])


def reads_of(thing: str, done: list[Op]) -> list[str]:
    if thing == "assistants":
        return ["/v1/assistants", *(f"/v1/assistants/{made('asst', op.body['name'])}" for op in done if op.body)]
    path = f"/v1/threads/{made('thread', thing)}"
    runs = [op for op in done if op.path.endswith("/runs") and op.body]
    named = [f"{path}/runs/{made('run', op.body['name'] + made('thread', thing))}" for op in runs if op.body]
    return [path, f"{path}/messages", *named] if done else []


def covered(target: str, done: list[Op]) -> int:
    """Any write to a thread covers all of it; making an assistant covers the list, and says nothing of the others."""
    return sum(op.thing != "assistants" or target in {"/v1/assistants", op.path} for op in done)


def merged(chance: random.Random, queues: dict[str, list[Op]]) -> Iterator[Op]:
    left = {thing: list(ops) for thing, ops in queues.items()}
    while any(left.values()):
        yield left[chance.choice([thing for thing, ops in left.items() if ops])].pop(0)


def recorded(chance: random.Random) -> Recording:
    model, numbers, indexes = Model(), count(), count(1)
    things = ["assistants", "t1", "t2"][: chance.randint(2, 3)]
    writes = {thing: writes_to(thing, chance, numbers) for thing in things}
    done: dict[str, list[Op]] = {thing: [] for thing in things}
    reads: dict[tuple[str, int], list[Any]] = {}
    taken: list[Interaction] = []
    for op in merged(chance, writes):
        answer = model.write(op.method, op.path, op.body or {})
        taken.append(interaction(next(indexes), op.method, op.path, op.body, answer))
        done[op.thing].append(op)
        for _ in range(chance.randint(0, 4)):
            thing = chance.choice(things)
            model.tick(made("thread", thing)) if chance.random() < 0.5 else None
            for target in chance.sample(reads_of(thing, done[thing]), k=min(1, len(done[thing]))):
                taken.append(interaction(next(indexes), "GET", target, None, model.view(target)))
                reads.setdefault((target, covered(target, done[thing])), []).append(model.view(target))
    return Recording(writes, reads, Tape(header=Header(), interactions=tuple(taken)))


def asked(cursor: Cursor, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any] | Miss:
    found = cursor.find(request(method, path, JSON), b"" if body is None else json.dumps(body).encode())
    return found if isinstance(found, Miss) else json.loads(cursor.render(found).body)


def replayed(chance: random.Random, recording: Recording, cursor: Cursor) -> int:
    """Replay in another order; gives how many reads were judged."""
    model, judged, given = Model(), 0, dict[tuple[str, int], int]()
    done: dict[str, list[Op]] = {thing: [] for thing in recording.writes}
    for op in merged(chance, recording.writes):
        assert asked(cursor, op.method, op.path, op.body) == model.write(op.method, op.path, op.body or {})
        done[op.thing].append(op)
        for _ in range(chance.randint(0, 3)):
            thing = chance.choice(list(done))
            known = {target for target, _ in recording.reads}
            targets = [target for target in reads_of(thing, done[thing]) if target in known or chance.random() < 0.1]
            if targets:
                target = chance.choice(targets)
                place = target, covered(target, done[thing])
                stretch = recording.reads.get(place, [])
                answer = asked(cursor, "GET", target, None)
                judge(answer, model, target, thing, stretch)
                given[place] = stretch.index(answer, given.get(place, 0)) if stretch else 0
                judged += 1
    return judged


def judge(answer: dict[str, Any] | Miss, model: Model, target: str, thing: str, stretch: list[Any]) -> None:
    if not stretch:
        assert isinstance(answer, Miss)
        assert answer.times_recorded == 0 or "which this session has" in answer.message
    elif not reached(answer, model, target, thing):
        assert answer == stretch[-1]


def reached(answer: object, model: Model, target: str, thing: str) -> bool:
    """Let time go on until the model gives this answer; where it never would, no time goes by."""
    tried = model.threads if model.view(target) == answer else deepcopy(model.threads)
    while model.view(target) != answer:
        if not model.tick(made("thread", thing)):
            model.threads = tried
            return False
    return True


@pytest.mark.parametrize("part", range(PARTS))
def test_every_read_is_one_that_the_model_allows(part: int) -> None:
    judged = 0
    for seed in range(part, SCHEDULES, PARTS):
        chance = random.Random(seed)  # noqa: S311  chance for tests
        recording = recorded(chance)
        judged += replayed(chance, recording, Library([recording.tape]).session("x"))
    assert judged > SCHEDULES / PARTS
