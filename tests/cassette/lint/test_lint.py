"""Each kind of finding, made in a golden cassette that has none."""

import json
from collections.abc import Callable
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.golden import FOLDER
from support.tapes import HEADER, STREAM, journal, request, sealed, taken, tape
from wiretape.cassette import lint as rooms
from wiretape.cassette.format import Ended, Interaction, Tape
from wiretape.cassette.lint import RULES, Finding, Oracle, Severity, lint
from wiretape.cassette.reader import read
from wiretape.exchange import How

ORACLE = Oracle(files(rooms).joinpath("gitleaks.toml").read_text("utf-8"))
GOLDEN = {path.name.removesuffix(".tape.jsonl"): path.read_bytes() for path in FOLDER.glob("*.tape.jsonl")}
TOKEN = "ghp_" + "q7Rt2Ws9" * 4 + "Zx3k"

Edit = Callable[[list[bytes]], list[bytes]]


def found(data: bytes, *, as_journal: bool = False) -> list[Finding]:
    return lint(data, "test", ORACLE, journal=as_journal)


def told(data: bytes) -> list[tuple[str, int]]:
    return [(one.rule, one.line) for one in found(data)]


def edited(name: str, edit: Edit) -> bytes:
    return b"\n".join(edit(GOLDEN[name].split(b"\n")))


def line_of(name: str, part: bytes) -> int:
    """Counts from 1, as findings do."""
    return next(at for at, line in enumerate(GOLDEN[name].split(b"\n"), 1) if part in line)


def swapped(name: str, old: bytes, new: bytes) -> bytes:
    assert old in GOLDEN[name]
    return GOLDEN[name].replace(old, new, 1)


def resealed(name: str, old: bytes, new: bytes) -> bytes:
    """The same with checksums that fit: what is wrong was recorded, or well forged."""
    content = read(swapped(name, old, new), name)
    return sealed(Tape(header=content.header, interactions=content.interactions))


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_every_golden_cassette_is_clean(name: str) -> None:
    assert found(GOLDEN[name]) == []


def test_a_merge_that_was_left_half_done_is_named_by_its_marks() -> None:
    lines = GOLDEN["text-run"].split(b"\n")
    merged = [*lines[:3], b"<<<<<<< HEAD", *lines[3:5], b"=======", *lines[3:5], b">>>>>>> other", *lines[5:]]
    assert told(b"\n".join(merged)) == [("merge-conflict", 4), ("merge-conflict", 7), ("merge-conflict", 10)]


def test_a_damaged_line_is_named_and_the_rest_is_still_checked() -> None:
    name, run = "text-run", line_of("text-run", b'"e":"thread.run.queued"')

    def damage(lines: list[bytes]) -> list[bytes]:
        return [*lines[:2], lines[2][:-9], *lines[3 : run - 1], *lines[run:]]

    rules = told(edited(name, damage))
    assert ("damaged", 3) in rules
    assert "order" in {rule for rule, _ in rules}


def test_a_line_that_is_json_but_nothing_a_reader_takes_is_damaged() -> None:
    wrong = swapped("text-run", b'"s":200', b'"s":"well"')
    assert told(wrong)[0] == ("damaged", 3)


def test_a_file_with_damage_in_every_interaction_is_given_up() -> None:
    many = tape(*(taken(request("POST", f"/{index}"), index=index) for index in range(1, 40)))
    rules = [rule for rule, _ in told(sealed(many).replace(b'"s":200', b'"s":1'))]
    assert rules.count("damaged") == 20


@pytest.mark.parametrize("data", [b"", b"\n", b"[]\n", b'{"k":"tape","v":99}\n', b"\xff\n", b'{"k":"req","i":1}\n'])
def test_what_is_no_cassette_is_damaged(data: bytes) -> None:
    assert {rule for rule, _ in told(data)} == {"damaged"}


def test_a_file_that_breaks_off_inside_a_line_is_truncated() -> None:
    whole = GOLDEN["text-run"]
    assert told(whole[:-20]) == [
        ("unfinished", whole[:-20].count(b"\n") - 1),
        ("truncated", whole[:-20].count(b"\n") + 1),
    ]


def test_a_journal_may_break_off_anywhere() -> None:
    torn = journal(taken(request("POST"), chunks=[b"{}"]), taken(request("GET"), chunks=[b"{}"], index=2))[:-9]
    assert [one.rule for one in found(torn, as_journal=True)] == ["unfinished"]


def test_what_the_recorder_cut_and_what_got_no_answer_is_unfinished() -> None:
    cut = taken(request("POST"), how=How.CANCELLED)
    silent = taken(request("POST"), how=How.UPSTREAM_FAILED, index=2)
    bare = sealed(tape(cut, [silent[0], silent[-1]]))
    assert [(one.rule, one.interaction, one.told.partition(";")[0]) for one in found(bare)] == [
        ("unfinished", 1, "it was cut by the recorder"),
        ("unfinished", 2, "no answer came"),
    ]


def test_an_edited_body_is_named_by_its_line() -> None:
    data = swapped("text-run", b'"name":"Golden","description"', b'"name":"Gilded","description"')
    (one,) = found(data)
    assert (one.rule, one.line, one.interaction) == ("edited", 3, 1)
    assert "line 4 says 341 and 0ff9b857bbd3d0bf" in one.told.replace(_sha(), "0ff9b857bbd3d0bf")


def _sha() -> str:
    end = GOLDEN["text-run"].split(b"\n")[3]
    return str(json.loads(end)["sha"])


def test_an_edited_event_is_named_by_the_first_line_of_its_stream() -> None:
    data = swapped("text-run", b'"e":"thread.message.in_progress"', b'"e":"thread.message.in_progross"')
    run = line_of("text-run", b'"k":"ev"')
    assert ("edited", run) in told(data)


def test_times_that_do_not_fit_are_a_warning() -> None:
    lines = GOLDEN["text-run"].split(b"\n")
    end = json.loads(lines[3])
    lines[3] = json.dumps({**end, "ch": [[3, 1]]}).encode()
    assert [(one.rule, one.severity) for one in found(b"\n".join(lines))] == [("timing", Severity.WARNING)]


def test_an_event_out_of_order_is_named_by_its_line() -> None:
    at = line_of("text-run", b'"e":"thread.run.in_progress"')
    (first, *_) = [one for one in found(resealed_without("text-run", at)) if one.rule != "edited"]
    assert (first.rule, first.line) == ("order", at)


def resealed_without(name: str, number: int) -> bytes:
    return edited(name, lambda lines: lines[: number - 1] + lines[number:])


def test_a_stream_that_ended_well_without_done_is_found() -> None:
    at = line_of("text-run", b'"e":"done"')
    rules = told(resealed_without("text-run", at))
    assert ("done", at - 1) in rules


def test_a_stream_that_was_torn_needs_no_done() -> None:
    frame = b'event: thread.created\ndata: {"id":"thread_abc123","object":"thread"}\n\n'
    torn = taken(request("POST", "/v1/threads/runs"), headers=STREAM, chunks=[frame], how=How.UPSTREAM_FAILED)
    assert "done" not in {one.rule for one in found(sealed(tape(torn)))}


def poll(status: str, index: int, usage: str = "null") -> list[bytes]:
    body = f'{{"id":"run_abc123","object":"thread.run","status":"{status}","usage":{usage}}}'
    return taken(request("GET", "/v1/threads/thread_abc123/runs/run_abc123"), chunks=[body.encode()], index=index)


def statuses(*told_: str) -> list[tuple[int | None, Severity, str]]:
    data = sealed(tape(*(poll(status, index) for index, status in enumerate(told_, 1))))
    return [(one.interaction, one.severity, one.told) for one in found(data) if one.rule == "status"]


def test_a_run_that_leaves_a_final_status_is_an_error() -> None:
    assert statuses("queued", "completed", "in_progress", "completed") == [
        (3, Severity.ERROR, "run_abc123 is in_progress here, and was completed before")
    ]


def test_a_run_that_goes_back_without_a_hand_in_is_a_warning() -> None:
    assert statuses("in_progress", "queued", "completed") == [
        (2, Severity.WARNING, "run_abc123 is queued here, and was in_progress before")
    ]


def test_a_run_that_was_handed_its_outputs_is_queued_again() -> None:
    hand_in = taken(
        request("POST", "/v1/threads/thread_abc123/runs/run_abc123/submit_tool_outputs"),
        chunks=[b'{"id":"run_abc123","object":"thread.run","status":"queued"}'],
        index=2,
    )
    data = sealed(tape(poll("requires_action", 1), hand_in, poll("completed", 3)))
    assert "status" not in {one.rule for one in found(data)}
    late = sealed(tape(poll("completed", 1), hand_in))
    assert "status" in {one.rule for one in found(late)}


def test_tokens_whose_total_is_not_their_sum_are_found_in_any_answer() -> None:
    usage = '{"prompt_tokens":3,"completion_tokens":4,"total_tokens":8}'
    data = sealed(tape(poll("completed", 1, usage)))
    assert [one.told for one in found(data) if one.rule == "usage"] == [
        "3 prompt_tokens and 4 completion_tokens are not 8 total_tokens"
    ]
    body = b'{"output":[{"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":9}}],"usage":{"cost":1}}'
    other = sealed(tape(taken(request("POST", "/v1/responses"), chunks=[body])))
    assert [one.rule for one in found(other)] == ["usage"]


@pytest.mark.parametrize("body", [b'"usage"', b'{"usage":[1]}', b'{"usage":', b'{"usage":{"total_tokens":"x"}}'])
def test_a_usage_that_is_none_says_nothing(body: bytes) -> None:
    assert found(sealed(tape(taken(request("POST", "/x"), chunks=[body])))) == []


def test_a_run_that_used_less_than_its_steps_is_found() -> None:
    steps = b'{"object":"list","data":[{"id":"step_abc123","object":"thread.run.step","run_id":"run_abc123",'
    steps += b'"type":"message_creation","status":"completed",'
    steps += b'"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}],"has_more":false}'
    read_ = taken(request("GET", "/v1/threads/thread_abc123/runs/run_abc123/steps"), chunks=[steps], index=2)
    data = sealed(tape(poll("completed", 1, '{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}'), read_))
    assert [(one.rule, one.told) for one in found(data) if one.rule == "usage"] == [
        ("usage", "the run has 3 + 4 tokens, its steps have 9 + 4")
    ]


def test_the_account_of_a_stream_is_the_dialects() -> None:
    data = swapped("text-run", b'"prompt_tokens":', b'"prompt_tokens":1')
    assert "usage" in {rule for rule, _ in told(data)}


def test_answers_that_cannot_be_read_tell_nothing() -> None:
    frame = b"event: thread.run.created\ndata: {\n\n"
    data = sealed(
        tape(
            taken(request("POST", "/v1/threads/runs"), headers=STREAM, chunks=[frame]),
            taken(request("GET", "/v1/threads/thread_a/runs/run_b"), chunks=[b"no"], index=2),
        )
    )
    assert {one.rule for one in found(data)} == {"order", "done"}


def test_an_alias_that_is_not_declared_and_one_that_is_not_used_are_found() -> None:
    data = GOLDEN["text-run"].replace(b'"thread#1":', b'"thread#7":', 1)
    rules = found(data)
    assert {one.line for one in rules if one.rule == "alias"} >= {line_of("text-run", b"/threads/{{thread#1}}")}
    assert [(one.line, one.told) for one in rules if one.rule == "unused"] == [
        (1, "nothing uses thread#7 any more; take it out of `ids`")
    ]


def test_braces_that_stood_in_a_body_are_no_alias() -> None:
    data = sealed(tape(taken(request("POST"), b"{{thread#1}} {{secret:key#1}}", chunks=[b"{{{{run#9}}"])))
    assert found(data) == []


def test_an_id_that_no_answer_introduced_is_a_warning_once() -> None:
    target = "/v1/assistants/asst_abc123"
    asked = [taken(request("GET", target, at_ms=index), index=index, chunks=[b"{}"]) for index in (1, 2)]
    assert [(one.rule, one.severity, one.interaction) for one in found(sealed(tape(*asked)))] == [
        ("unbound-id", Severity.WARNING, 1)
    ]


def test_a_copy_of_an_interaction_is_a_duplicate() -> None:
    lines = taken(request("GET", "/x"), chunks=[b"{}"]), taken(request("GET", "/x"), chunks=[b"{}"], index=2)
    (one,) = found(sealed(tape(*lines)))
    assert (one.rule, one.line, one.interaction) == ("duplicate", 5, 2)
    timeless = sealed(tape(*lines)).replace(b'"t0":0', b'"times":"unknown","t0":0')
    assert found(timeless) == []


def in_deltas(key: str, cut: int) -> bytes:
    parts = (key[:cut], key[cut:])
    frames = [
        f'event: thread.message.delta\ndata: {{"delta":{{"content":[{{"index":0,"text":{{"value":"{part}"}}}}]}}}}\n\n'
        for part in parts
    ]
    return "".join(frames).encode()


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/x", f'{{"a":"{TOKEN}"}}'.encode()),
        ("/v1/x", b'{"a":"' + TOKEN.encode().replace(b"_", b"\\u005f") + b'"}'),
        ("/v1/x", b"\xff " + TOKEN.encode()),
        (f"/v1/{TOKEN}", b"{}"),
    ],
    ids=["plain", "escaped", "in base64", "in the path"],
)
def test_a_secret_is_found_however_it_is_stored(target: str, body: bytes) -> None:
    one = Interaction(
        index=1, method="GET", target=target, status=200, body=body, how=Ended.COMPLETE, times_known=False
    )
    data = sealed(Tape(header=HEADER, interactions=(one,)))
    leaks = [one for one in found(data) if one.rule == "secret"]
    assert leaks
    assert all(TOKEN not in one.told for one in leaks)
    assert all("github-pat" in one.told for one in leaks)


def test_a_secret_split_over_two_deltas_is_found() -> None:
    body = in_deltas(TOKEN, 11)
    halves = body.split(b"\n\n")[:-1]
    one = Interaction(
        index=1, method="GET", target="/x", status=200, headers=STREAM, body=body, how=Ended.COMPLETE,
        frames=tuple(len(half) + 2 for half in halves), times_known=False,
    )  # fmt: skip
    data = sealed(Tape(header=HEADER, interactions=(one,)))
    assert [(one.rule, one.line) for one in found(data) if one.rule == "secret"] == [("secret", 4)]


def test_every_rule_has_a_meaning_and_every_finding_a_rule() -> None:
    assert set(RULES) == {
        "merge-conflict", "damaged", "truncated", "unfinished", "edited", "timing", "order", "done", "status",
        "usage", "alias", "unused", "unbound-id", "duplicate", "secret",
    }  # fmt: skip


def test_deltas_that_are_no_text_hold_no_secret() -> None:
    odd = b'data: {"delta":{"value":12,"text":"\\q"}}\n\n'
    assert found(sealed(tape(taken(request("POST", "/x"), headers=STREAM, chunks=[odd])))) == []


def test_lines_and_keys_that_are_not_known_are_passed_over() -> None:
    lines = GOLDEN["text-run"].split(b"\n")
    assert found(b"\n".join([lines[0], b'{"k":"new","i":1}', b"", *lines[1:]])) == []


@given(st.data())
def test_whatever_was_done_to_a_file_lint_only_tells(data: st.DataObject) -> None:
    whole = GOLDEN["broken-run"]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 200)))
    into = data.draw(st.sampled_from([b"", b"\n", b"\x00", b"{", b'"', b"\xff", b"<<<<<<< \n", b"}\n{"]))
    assert {one.rule for one in found(whole[:start] + into + whole[end:])} <= set(RULES)


def test_the_oracle_applies_all_rules_but_those_for_files_of_certain_names() -> None:
    assert ORACLE.size == 217


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (f"x {TOKEN} y", ["github-pat"]),
        ("AKIAIOSFODNN7EXAMPLE", []),
        ('"apim-request-id","c4ff9b2e-1d0a-4d3b-9a55-0f3f1d9b7c11"', []),
        ("api_key = 'password'", []),
        ("nothing", []),
    ],
    ids=["one", "allowed by a pattern of the rule", "a request id", "a word", "none"],
)
def test_the_oracle_says_which_rule_and_where(text: str, rules: list[str]) -> None:
    leaks = list(ORACLE.leaks(text))
    assert [leak.rule for leak in leaks] == rules
    assert all(text[leak.start : leak.start + leak.size] in text for leak in leaks)


def test_what_an_allowlist_allows_only_in_certain_files_is_allowed_nowhere() -> None:
    rules = """
[[rules]]
id = "x"
regex = 'k=(\\w+)'
[[rules.allowlists]]
condition = "AND"
paths = ['a']
regexes = ['.*']
[[rules]]
id = "y"
regex = 'k=\\w+'
"""
    assert [(leak.rule, leak.start) for leak in Oracle(rules).leaks("k=v")] == [("x", 2), ("y", 0)]
