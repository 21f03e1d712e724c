"""`wiretape cassette show`, `diff` and `stats`, as a person and a program run them."""

import json
from pathlib import Path

from support.command import wiretape
from support.golden import FOLDER

TALK = str(FOLDER / "text-run")


async def test_show_ends_a_stream_with_what_was_said(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "show", TALK, "4", cwd=tmp_path)
    assert ran.code == 0
    assert ran.out.startswith("1 interactions, recorded ")
    assert "event: thread.run.completed" in ran.out
    assert ran.out.splitlines()[-1].startswith("= Hello! I am the sandbox's assistant")


async def test_show_gives_programs_json(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "show", TALK, "4", "1", "--json", cwd=tmp_path)
    first, run = json.loads(ran.out)
    assert (first["index"], first["frames"], run["index"], len(run["frames"])) == (1, [], 4, 29)


async def test_an_interaction_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "show", TALK, "9", cwd=tmp_path)
    assert (ran.code, ran.err) == (2, "wiretape: there is no interaction 9 among the 7 of this cassette\n")


async def test_diff_says_nothing_and_exits_well_where_two_say_the_same(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "diff", TALK, TALK, cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "The two say the same: 7 interactions compared.\n")


async def test_diff_tells_paths_and_what_only_one_has(tmp_path: Path) -> None:
    other = str(FOLDER / "tool-run")
    ran = await wiretape("cassette", "diff", TALK, other, cwd=tmp_path)
    assert ran.code == 1
    assert '    request.content: "Say hello to the golden test." -> "What is the weather in Lisbon?"\n' in ran.out
    assert f"#7 GET /v1/threads/{{{{thread#1}}}}/messages?limit=2: only in {TALK}\n" in ran.out
    assert ran.out.splitlines()[-1] == "3 of 4 interactions differ; 4 are in one of the two alone."
    told = json.loads((await wiretape("cassette", "diff", TALK, other, "--json", cwd=tmp_path)).out)
    assert (told["compared"], len(told["changed"]), len(told["only_first"])) == (4, 3, 3)


async def test_stats_count_and_measure(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "stats", str(FOLDER / "tool-run"), cwd=tmp_path)
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert lines[0] == "interactions   5, in 1 sessions"
    assert lines[9] == "tokens         130 in, 34 out, of 1 runs"
    assert lines[-1].split()[1:5] == ["completed", "gpt-4o-mini", "130", "34"]
    told = json.loads((await wiretape("cassette", "stats", TALK, "--json", cwd=tmp_path)).out)
    assert (told["interactions"], told["streams"], told["events"], len(told["runs"])) == (7, 1, 29, 1)


async def test_no_command_writes_a_colour(tmp_path: Path) -> None:
    for words in (("show", TALK), ("stats", TALK), ("diff", TALK, TALK), ("lint", TALK), ("ls",)):
        ran = await wiretape("cassette", *words, cwd=tmp_path, NO_COLOR="1", FORCE_COLOR="1")
        assert "\x1b" not in ran.out + ran.err
