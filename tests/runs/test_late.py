"""What comes after a run's report: better figures correct it, once each; all else changes nothing."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.streams import CALLS, MS, SSE, WALL, Desk, S, completed, done, listed, only, run, streamed, text
from wiretape.exchange import Chunk, Ending, Head, How
from wiretape.runs.report import Correction, Usage

GET, POST, RUN = "GET", "POST", "/v1/threads/thread_1/runs/run_1"
LEFT = Ending(How.CLIENT_LEFT, 9 * MS)
BETTER = Correction(
    upstream="default",
    run_id="run_1",
    at_ns=WALL + 20_000 * S + 3 * MS,
    foreign=False,
    status="completed",
    outcome="completed",
    usage=Usage(10, 5),
    usage_source="run",
)


def step(step_id: str, prompt: int | None = 3, status: str = "completed") -> bytes:
    told = {"object": "thread.run.step", "id": step_id, "run_id": "run_1", "status": status}
    usage = None if prompt is None else {"prompt_tokens": prompt, "completion_tokens": 4}
    return json.dumps(told | {"usage": usage}).encode()


def abandoned(**options: int) -> Desk:
    desk = Desk(**options)
    desk.start(run())
    desk.runs.sweep(10_000 * S)
    assert only(desk).outcome == "abandoned"
    return desk


def steps(desk: Desk, *told: bytes, at_ns: int = 0) -> None:
    desk.exchange(GET, f"{RUN}/steps", listed(*told), at_ns=at_ns)


class TestAbandoned:
    def test_a_real_end_corrects_it_once(self) -> None:
        desk = abandoned()
        for _ in range(3):
            desk.poll(done(), at_ns=20_000 * S)
        assert desk.corrections == [BETTER]
        assert len(desk.reports) == 1

    def test_a_list_tells_it_as_well(self) -> None:
        desk = abandoned()
        desk.exchange(GET, "/v1/threads/thread_1/runs", listed(done(), done("run_2")), at_ns=20_000 * S)
        assert desk.corrections == [BETTER]

    def test_a_foreign_run_is_corrected_as_such(self) -> None:
        desk = Desk()
        desk.poll(run())
        desk.runs.sweep(10_000 * S)
        desk.poll(done(), at_ns=20_000 * S)
        assert desk.corrections == [replace(BETTER, foreign=True)]

    def test_that_it_lives_is_no_better_figure(self) -> None:
        desk = abandoned()
        desk.poll(run("in_progress"), at_ns=20_000 * S)
        steps(desk, step("s"))
        assert (desk.corrections, desk.runs.open) == ([], 0)

    def test_its_end_may_come_before_its_tokens(self) -> None:
        desk = abandoned()
        desk.poll(run("completed"), at_ns=1)
        desk.poll(done(), at_ns=2)
        desk.poll(done(), at_ns=3)
        assert [(one.usage, one.usage_source) for one in desk.corrections] == [(None, "none"), (Usage(10, 5), "run")]

    def test_steps_that_were_read_before_its_end_count_with_it(self) -> None:
        desk = abandoned()
        steps(desk, step("s"), step("t"))
        desk.poll(run("failed", last_error={"code": "server_error", "message": "x"}))
        told = desk.corrections[0]
        assert (told.error, told.usage, told.usage_source) == ("server_error", Usage(6, 8), "steps")

    def test_the_end_that_was_told_stays_though_another_was_seen_before_it(self) -> None:
        desk = abandoned()
        desk.poll(run("failed"), at_ns=20 * S)
        desk.poll(done(), at_ns=10 * S)
        assert [one.outcome for one in desk.corrections] == ["failed"]

    def test_its_own_stream_may_go_on_and_tell_its_end(self) -> None:
        desk = Desk(runs_open_max=1)
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(streamed("in_progress")[0], 2))
        desk.start(run(run_id="run_2"))
        assert [(one.run_id, one.outcome) for one in desk.reports] == [("run_1", "abandoned")]
        for piece in (text(), completed()):
            watch.chunk(Chunk(piece, 3 * S))
        assert desk.corrections == []
        watch.end(Ending(How.COMPLETE, 4 * S))
        assert desk.corrections == [replace(BETTER, at_ns=WALL + 4 * S)]
        assert (watch.seen.run_key, desk.runs.open) == (("default", "run_1"), 1)


class TestTokens:
    def test_tokens_of_its_own_correct_a_run_that_had_none(self) -> None:
        desk = Desk()
        desk.start(run("completed"))
        for _ in range(2):
            desk.poll(done(), at_ns=20_000 * S)
        assert desk.corrections == [BETTER]

    def test_tokens_of_its_own_correct_the_sum_of_its_steps(self) -> None:
        desk = Desk()
        desk.start(run())
        steps(desk, step("s"))
        desk.poll(run("completed"))
        assert only(desk).usage_source == "steps"
        desk.poll(done(), at_ns=20_000 * S)
        assert desk.corrections == [BETTER]

    def test_the_same_figures_of_a_better_source_are_no_correction(self) -> None:
        desk = Desk()
        desk.start(run())
        steps(desk, step("s"))
        desk.poll(run("completed"))
        desk.poll(done(prompt=3, completion=4))
        desk.poll(done())
        assert desk.corrections == []

    def test_steps_that_are_read_later_correct_a_run_without_tokens_with_their_whole_sum(self) -> None:
        desk = Desk()
        desk.start(run("cancelled"))
        for _ in range(2):
            steps(desk, step("s"), step("t"), step("u", None, "in_progress"))
        assert [(one.usage, one.usage_source) for one in desk.corrections] == [(Usage(6, 8), "steps")]

    def test_a_step_without_tokens_leaves_no_sum_until_it_has_them(self) -> None:
        desk = Desk()
        desk.start(run("cancelled"))
        steps(desk, step("s"), step("t", None))
        assert desk.corrections == []
        steps(desk, step("t"))
        steps(desk, step("u", None))
        assert [one.usage for one in desk.corrections] == [Usage(6, 8)]

    def test_the_first_tokens_of_a_step_stay(self) -> None:
        desk = Desk()
        desk.start(run("cancelled"))
        for prompt in (3, 9, None):
            steps(desk, step("s", prompt))
        assert [one.usage for one in desk.corrections] == [Usage(3, 4)]

    def test_a_step_that_has_ended_is_not_put_back(self) -> None:
        desk = Desk()
        desk.start(run("cancelled"))
        for status in ("completed", "in_progress"):
            steps(desk, step("s", None, status))
        steps(desk, step("t"))
        assert desk.corrections == []

    def test_more_steps_correct_the_sum_again(self) -> None:
        desk = Desk()
        desk.start(run("cancelled"))
        steps(desk, step("s"))
        steps(desk, step("t"))
        assert [one.usage for one in desk.corrections] == [Usage(3, 4), Usage(6, 8)]

    @pytest.mark.parametrize("read_before", [0, 2])
    def test_more_steps_than_are_held_have_no_sum(self, read_before: int) -> None:
        desk = Desk(steps_max=1)
        desk.start(run())
        steps(desk, *map(step, "ab"[:read_before]))
        desk.poll(run("cancelled"))
        steps(desk, step("a"), step("b"))
        assert desk.corrections == []

    def test_another_end_than_the_reported_one_is_none(self) -> None:
        desk = Desk()
        desk.start(run("cancelled"))
        desk.poll(done())
        assert desk.corrections == []

    def test_a_run_that_told_its_tokens_is_settled(self) -> None:
        desk = Desk()
        desk.start(done())
        desk.poll(done(prompt=99))
        desk.poll(run("failed"))
        assert (desk.corrections, desk.runs._open._late) == ([], {})


class TestBounds:
    def test_only_so_many_can_be_corrected(self) -> None:
        desk = Desk(corrected_runs_max=1)
        for run_id in ("run_1", "run_2"):
            desk.start(run("completed", run_id))
        for run_id in ("run_1", "run_2"):
            desk.poll(done(run_id), run_id)
        assert [one.run_id for one in desk.corrections] == ["run_2"]

    def test_a_run_whose_key_was_forgotten_is_followed_anew(self) -> None:
        desk = Desk(finished_runs_max=1)
        desk.start(run("completed"))
        desk.start(run("completed", "run_2"))
        desk.poll(done())
        assert ([one.run_id for one in desk.reports], desk.corrections) == (["run_1", "run_2", "run_1"], [])

    def test_a_run_that_was_followed_anew_is_corrected_by_its_last_report(self) -> None:
        desk = abandoned(finished_runs_max=1)
        desk.start(done("run_2"))
        for _ in range(3):
            desk.poll(done(), at_ns=20_000 * S)
        assert [(one.run_id, one.usage) for one in desk.reports[2:]] == [("run_1", Usage(10, 5))]
        assert desk.corrections == []

    def test_an_exchange_whose_run_was_forgotten_opens_none(self) -> None:
        desk = Desk(finished_runs_max=1, runs_open_max=1)
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(streamed("in_progress")[0], 2))
        for run_id in ("run_2", "run_3"):
            desk.start(done(run_id))
        watch.chunk(Chunk(completed(), 3 * S))
        watch.end(Ending(How.COMPLETE, 4 * S))
        assert (desk.reports[0].run_id, desk.reports[0].outcome) == ("run_1", "abandoned")
        assert (len(desk.reports), desk.corrections, desk.runs.open) == (3, [], 0)

    @pytest.mark.parametrize(("told", "bytes_max"), [(done, 400), (partial(run, "completed"), 2000)])
    def test_what_is_remembered_of_a_run_is_small(self, told: Callable[..., bytes], bytes_max: int) -> None:
        """Of one that is settled its key alone."""
        desk, count = Desk(), 300
        desk.runs._open._finished = lambda _: None
        tracemalloc.start()
        for number in range(count):
            desk.start(told(run_id=f"run_{number:024}"))
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held / count < bytes_max


TOLD = st.sampled_from(
    [
        run(),
        run("in_progress"),
        run("requires_action", required_action=CALLS),
        run("completed"),
        done(),
        run("cancelled"),
    ]
)
READS = st.lists(TOLD | st.lists(st.sampled_from([step("s"), step("t"), step("t", None)]), max_size=3), max_size=8)


@given(READS)
def test_corrections_only_ever_improve_and_the_last_one_stands(reads: list[bytes | list[bytes]]) -> None:
    desk = abandoned()
    for _ in range(2):
        for number, told in enumerate(reads):
            steps(desk, *told, at_ns=number) if isinstance(told, list) else desk.poll(told, at_ns=number)
    ranks = [(one.outcome != "abandoned", ["none", "steps", "run"].index(one.usage_source)) for one in desk.corrections]
    assert ranks == sorted(ranks)
    figures = [(one.outcome, one.usage) for one in desk.corrections]
    assert len(figures) == len(set(map(repr, figures)))
    assert len({one.outcome for one in desk.corrections}) <= 1
    assert (len(desk.reports), desk.runs.open) == (1, 0)
