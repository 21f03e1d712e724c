"""The command line, as a user types it."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from support.command import environment, running, wiretape
from support.golden import FOLDER
from support.raw import exchange
from support.scenarios import HEADERS, asking
from wiretape.cli import COMMANDS, cli

TALK = """
import os, urllib.request
base = os.environ["OPENAI_BASE_URL"]
assert os.environ["NO_PROXY"]
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "OpenAI-Beta": "assistants=v2"}
asked = urllib.request.Request(base + "/threads", b"{}", {**headers, "Content-Type": "application/json"})
print(urllib.request.urlopen(asked).read().decode())
"""
IN_SESSIONS = """
import json, os, sys, urllib.request
key = {"Authorization": "Bearer x", "OpenAI-Beta": "assistants=v2", "Content-Type": "application/json"}
def ask(url, body=None):
    return json.load(urllib.request.urlopen(urllib.request.Request(url, body, key)))["id"]
for prefix in sys.argv[1:]:
    threads = os.environ["OPENAI_BASE_URL"].replace("v1", prefix) + "/threads"
    made = ask(threads, b"{}")
    assert ask(threads + "/" + made) == made
    print(made)
"""


@pytest.fixture
def talk(tmp_path: Path) -> list[str]:
    script = tmp_path / "talk.py"
    script.write_text(TALK)
    return [sys.executable, str(script)]


@pytest.fixture
def quiet(tmp_path: Path) -> list[str]:
    return ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ledger", f"sqlite:///{tmp_path}/ledger.db"]


async def test_serve_says_where_it_listens_and_a_curl_that_works(tmp_path: Path) -> None:
    async with running("serve", cwd=tmp_path) as (process, at):
        assert process.stderr is not None
        said = [(await process.stderr.readline()).decode() for _ in range(5)]
        line = "".join(said[2:])
        assert said[0] == f"Wiretape (forward) listens on {at['traffic']}, admin on {at['admin']}\n"
        assert line.startswith(f"  curl -N {at['traffic']}/v1/threads/runs")
        if shutil.which("curl"):
            curl = await asyncio.create_subprocess_exec(
                "sh", "-c", line, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            got, _ = await curl.communicate()
            assert got.startswith(b"event: thread.created\n")
            assert got.endswith(b"event: done\ndata: [DONE]\n\n")
        health = await exchange(at["admin"], b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert health.endswith(b"ok\n")


async def test_the_curl_for_a_unix_socket_works_too(tmp_path: Path) -> None:
    path = tmp_path / "a socket"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wiretape", "serve", "--listen", f"unix:{path}", "--admin", "127.0.0.1:0",
        "--ledger", "none", cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = [(await process.stderr.readline()).decode() for _ in range(5)]
    assert said[2].startswith(f"  curl -N --unix-socket '{path}' http://localhost/v1/threads/runs")
    if shutil.which("curl"):
        curl = await asyncio.create_subprocess_exec("sh", "-c", "".join(said[2:]), stdout=-1, stderr=-1)
        got, _ = await curl.communicate()
        assert got.endswith(b"event: done\ndata: [DONE]\n\n")
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_the_sandbox_alone_listens_on_a_port(tmp_path: Path) -> None:
    ran = await wiretape("sandbox", "--listen", "unix:/s", cwd=tmp_path)
    assert (ran.code, ran.err) == (2, "wiretape: the sandbox listens on host:port; got 'unix:/s'\n")


async def test_sigterm_ends_with_zero(tmp_path: Path) -> None:
    async with running("serve", "--ledger", "none", cwd=tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_a_second_sigterm_does_not_wait_for_streams(tmp_path: Path) -> None:
    async with running("serve", "--drain-s", "600", cwd=tmp_path) as (process, at):
        async with asking(at["traffic"]) as (ask, _):
            assistant = (await ask("POST", "/v1/assistants", {"model": "m", "instructions": "."})).json()["id"]
            body = json.dumps({"assistant_id": assistant, "stream": True, "metadata": {"sandbox": "stall"}})
        head = f"POST /v1/threads/runs HTTP/1.1\r\nHost: x\r\nAuthorization: {HEADERS['Authorization']}\r\nOpenAI-Beta: assistants=v2\r\nContent-Length: {len(body)}\r\n\r\n"  # noqa: E501
        host, port = at["traffic"].removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write((head + body).encode())
        await reader.readuntil(b"thread.run.in_progress")
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        while b"draining" not in (await process.stderr.readline()):
            pass
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert b"\r\n0\r\n\r\n" not in await reader.read()
        writer.close()


async def test_record_and_replay_a_command(tmp_path: Path, talk: list[str], quiet: list[str]) -> None:
    recorded = await wiretape("record", "talks/one", *quiet, "--", *talk, cwd=tmp_path)
    assert (recorded.code, recorded.err.splitlines()[-1]) == (0, "1 interactions in talks/one.tape.jsonl, 0 incomplete")
    replayed = await wiretape("replay", "talks/one", *quiet, "--", *talk, cwd=tmp_path)
    assert (replayed.code, replayed.out) == (0, recorded.out)


async def test_record_passes_on_the_commands_exit_code(tmp_path: Path, quiet: list[str]) -> None:
    ran = await wiretape("record", "x", *quiet, "--", sys.executable, "-c", "raise SystemExit(7)", cwd=tmp_path)
    assert ran.code == 7


async def test_a_command_that_is_not_there_is_wrong_usage(tmp_path: Path, quiet: list[str]) -> None:
    ran = await wiretape("record", "x", *quiet, "--", "no-such-command-here", cwd=tmp_path)
    assert (ran.code, ran.err) == (2, "wiretape: cannot run no-such-command-here: there is no such command\n")
    assert not (tmp_path / "cassettes").exists()


async def test_a_command_needs_a_base_url_which_no_unix_socket_has(tmp_path: Path, quiet: list[str]) -> None:
    ran = await wiretape("record", "x", *quiet[2:], "--listen", f"unix:{tmp_path}/s", "--", "true", cwd=tmp_path)
    assert (ran.code, ran.err) == (
        2, "wiretape: a command is given a base URL, which no unix socket has: use --listen 127.0.0.1:0\n",
    )  # fmt: skip
    assert not (tmp_path / "cassettes").exists()


async def test_a_mistyped_command_does_not_cost_an_old_cassette(
    tmp_path: Path, talk: list[str], quiet: list[str]
) -> None:
    await wiretape("record", "keep", *quiet, "--", *talk, cwd=tmp_path)
    kept = (tmp_path / "cassettes" / "keep.tape.jsonl").read_bytes()
    ran = await wiretape("record", "keep", "--rewrite", *quiet, "--", "no-such-command-here", cwd=tmp_path)
    assert ran.code == 2
    assert (tmp_path / "cassettes" / "keep.tape.jsonl").read_bytes() == kept


async def test_an_address_in_use_does_not_cost_an_old_cassette(
    tmp_path: Path, talk: list[str], quiet: list[str]
) -> None:
    await wiretape("record", "keep", *quiet, "--", *talk, cwd=tmp_path)
    kept = (tmp_path / "cassettes" / "keep.tape.jsonl").read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = await wiretape("record", "keep", "--rewrite", *quiet[2:], "--listen", address, "--", *talk, cwd=tmp_path)
    assert ran.code == 2
    assert (tmp_path / "cassettes" / "keep.tape.jsonl").read_bytes() == kept


async def test_a_recording_that_lost_something_says_so_and_fails(tmp_path: Path, quiet: list[str]) -> None:
    (tmp_path / "wiretape.toml").write_text("[record]\nbody_bytes_max = 10\n")
    script = TALK.replace('b"{}"', 'b\'{"metadata":{"long":"enough"}}\'')
    ran = await wiretape("record", "x", *quiet, "--", sys.executable, "-c", script, cwd=tmp_path)
    assert ran.code == 1
    assert "1 exchanges are not in it: a bound or the disk kept them out" in ran.err


async def test_what_does_not_listen_runs_no_command(tmp_path: Path) -> None:
    ran = await wiretape("config", "check", "--", "true", cwd=tmp_path)
    assert (ran.code, ran.err) == (2, "wiretape: only `serve`, `record` and `replay` run a command\n")


async def test_serve_verifies_a_command_and_fails_when_answers_drift(
    tmp_path: Path, talk: list[str], quiet: list[str]
) -> None:
    recorded = await wiretape("record", "keep", *quiet, "--", *talk, cwd=tmp_path)
    verify = ("serve", "--mode", "verify", "--cassette", "keep", *quiet, "--", *talk)
    same = await wiretape(*verify, cwd=tmp_path)
    tape = tmp_path / "cassettes" / "keep.tape.jsonl"
    tape.write_text(tape.read_text().replace('"metadata":{}', '"metadata":[]'))
    drifted = await wiretape(*verify, cwd=tmp_path)
    assert [ran.code for ran in (recorded, same, drifted)] == [0, 0, 1]
    line = "  #1 POST /v1/threads: $.metadata: recorded array, live object\n"
    assert drifted.err.endswith(f"live answers differ from recorded ones:\n{line}")


async def test_replay_with_a_fault_answers_with_it_and_a_wrong_one_is_a_sentence(
    tmp_path: Path, talk: list[str], quiet: list[str]
) -> None:
    await wiretape("record", "keep", *quiet, "--", *talk, cwd=tmp_path)
    faulty = await wiretape("replay", "keep", "--fault", "answer:status=503", *quiet, "--", *talk, cwd=tmp_path)
    wrong = await wiretape("replay", "keep", "--fault", "cutt", *quiet, "--", *talk, cwd=tmp_path)
    assert faulty.code == 1
    assert "HTTP Error 503" in faulty.err
    known = "answer, cut, drop, duplicate, end, recut, stall"
    assert (wrong.code, wrong.err) == (2, f"wiretape: there is no fault 'cutt'; known are {known}\n")


async def test_a_command_finds_the_proxy_whatever_its_environment_says(tmp_path: Path, quiet: list[str]) -> None:
    script = "import os; print(os.environ['OPENAI_BASE_URL'], os.environ['NO_PROXY'] == os.environ['no_proxy'])"
    ran = await wiretape(
        "record", "x", *quiet[2:], "--listen", "0.0.0.0:0", "--", sys.executable, "-c", script,
        cwd=tmp_path, no_proxy="corp.example", http_proxy="http://127.0.0.1:1",
    )  # fmt: skip
    assert ran.out.startswith("http://127.0.0.1:")
    assert ran.out.endswith("/v1 True\n")


STUBBORN = """
import signal, sys, time
signal.signal({number}, lambda *_: {does})
print("up", flush=True)
while True: signal.pause()
"""


@pytest.mark.parametrize(
    ("number", "does", "signals", "code"),
    [
        ("signal.SIGTERM", "sys.exit(7)", [signal.SIGTERM], 7),
        ("signal.SIGTERM", "None", [signal.SIGTERM, signal.SIGTERM], 137),
        ("signal.SIGINT", "None", [signal.SIGINT, signal.SIGINT], 137),
    ],
    ids=["the child is asked to end", "a second signal ends it", "after Ctrl-C too"],
)
async def test_signals_reach_the_command(
    tmp_path: Path, number: str, does: str, signals: list[signal.Signals], code: int
) -> None:
    stubborn = STUBBORN.format(number=number, does=does)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wiretape", "record", "x", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
        "--ledger", "none", "--", sys.executable, "-c", stubborn,
        cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert await process.stdout.readline() == b"up\n"
    process.send_signal(signals[0])
    while b"draining" not in await process.stderr.readline():
        pass
    for another in signals[1:]:
        process.send_signal(another)
    assert await process.wait() == code


async def test_the_ready_file_goes_when_the_proxy_does(tmp_path: Path) -> None:
    async with running("serve", "--ledger", "none", cwd=tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    assert not (tmp_path / "ready.json").exists()
    ran = await wiretape("serve", "--ready-file", "no/such/folder/x", cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith("wiretape: cannot write the ready file 'no/such/folder/x': ")


async def test_the_sandboxs_runs_have_other_ids_at_each_start(tmp_path: Path) -> None:
    """Else the ledger, which keeps a run once, would take tomorrow's first run for today's."""
    assistants = set()
    for _ in range(2):
        async with running("serve", "--ledger", "none", cwd=tmp_path) as (_, at), asking(at["traffic"]) as (ask, _):
            assistants.add((await ask("POST", "/v1/assistants", {"model": "m"})).json()["id"])
    assert len(assistants) == 2


async def test_a_sandbox_that_has_no_room_for_an_example_starts_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "wiretape.toml").write_text("[sandbox]\nassistants_max = 0\n")
    async with running("serve", cwd=tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
    assert process.returncode == 0
    assert b"Its upstream is the embedded sandbox: no key, no network.\n" in err


async def test_the_first_request_that_a_script_refuses_is_the_clients(tmp_path: Path) -> None:
    (tmp_path / "script.toml").write_text("[[refuse]]\nstatus = 418\ntimes = 1\n")
    (tmp_path / "wiretape.toml").write_text('[sandbox]\nscript = "script.toml"\n')
    async with running("serve", cwd=tmp_path) as (_, addresses), asking(addresses["traffic"]) as (ask, _):
        answers = [(await ask("GET", "/v1/assistants")) for _ in range(2)]
    assert [one.status for one in answers] == [418, 200]


async def test_replay_fails_when_a_request_was_refused_although_the_command_did_not(
    tmp_path: Path, talk: list[str], quiet: list[str]
) -> None:
    swallowing = ["sh", "-c", f"{talk[0]} {talk[1]} 2>/dev/null || true"]
    ran = await wiretape("replay", str(FOLDER / "polled-run"), *quiet, "--", *swallowing, cwd=tmp_path)
    assert ran.code == 0
    elsewhere = ["sh", "-c", f"sed -i 's#/threads#/nowhere#' {talk[1]}; {talk[0]} {talk[1]} 2>/dev/null || true"]
    ran = await wiretape("replay", str(FOLDER / "polled-run"), *quiet, "--", *elsewhere, cwd=tmp_path)
    assert ran.code == 1
    assert "1 request was refused: no recording has an answer\n  No recorded answer for POST /v1/nowhere. " in ran.err


async def test_the_rule_that_a_miss_ends_with_can_be_pasted_from_the_terminal(
    tmp_path: Path, talk: list[str], quiet: list[str]
) -> None:
    await wiretape("record", "one", *quiet, "--", *talk, cwd=tmp_path)
    Path(talk[1]).write_text(TALK.replace('b"{}"', """b'{"metadata":{"trace":"a"}}'"""))
    missed = await wiretape("replay", "one", *quiet, "--", *talk, cwd=tmp_path)
    _, _, rule = missed.err.rpartition("wiretape.toml:\n\n")
    (tmp_path / "wiretape.toml").write_text(rule)
    replayed = await wiretape("replay", "one", *quiet, "--", *talk, cwd=tmp_path)
    assert (missed.code, rule, replayed.code) == (1, '[match]\nignore = ["$.metadata"]\n', 0)


async def test_replay_tells_what_is_wrong_with_a_cassette_that_answers(
    tmp_path: Path, talk: list[str], quiet: list[str]
) -> None:
    await wiretape("record", "one", *quiet, "--", *talk, cwd=tmp_path)
    path = tmp_path / "cassettes/one.tape.jsonl"
    path.write_text(path.read_text().replace('"n":', '"n":1') + "<<<<<<< HEAD\n" * 11)
    ran = await wiretape("replay", "one", *quiet, "--", *talk, cwd=tmp_path)
    told = ran.err.splitlines()
    assert ran.code == 0
    assert told[1].startswith("cassettes/one.tape.jsonl: Line 5: ")
    assert "and 2 more; `wiretape cassette lint` tells all" in told


async def test_fresh_ids_are_each_sessions_own_the_same_on_every_run_and_known_when_they_come_back(
    tmp_path: Path, quiet: list[str]
) -> None:
    script = tmp_path / "sessions.py"
    script.write_text(IN_SESSIONS)
    recorded = await wiretape("record", "one", *quiet, "--", sys.executable, str(script), "v1", cwd=tmp_path)
    words = ("one", "--fresh-ids", "--strict", *quiet, "--", sys.executable, str(script), "s/ann/v1", "s/bob/v1")
    fresh = [await wiretape("replay", *words, cwd=tmp_path) for _ in range(2)]
    ids = [*recorded.out.split(), *fresh[0].out.split()]
    assert [one.code for one in fresh] == [0, 0]
    assert fresh[0].out == fresh[1].out
    assert (len(set(ids)), len(set(map(len, ids)))) == (3, 1)


async def test_strict_replay_fails_when_something_was_left_unplayed(
    tmp_path: Path, talk: list[str], quiet: list[str]
) -> None:
    ran = await wiretape("replay", str(FOLDER / "polled-run"), "--strict", *quiet, "--", *talk, cwd=tmp_path)
    assert ran.code == 1
    assert "left unplayed:\n  POST /v1/assistants\n" in ran.err


async def test_cassette_ls_shows_what_is_there(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "ls", "--cassette-dir", str(FOLDER), cwd=tmp_path)
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == sorted(
        path.name[:-11] for path in FOLDER.glob("*.tape.jsonl")
    )
    listed = json.loads((await wiretape("cassette", "ls", "--cassette-dir", str(FOLDER), "--json", cwd=tmp_path)).out)
    assert {one["name"]: one["interactions"] for one in listed}["tool-run"] == 5
    empty = await wiretape("cassette", "ls", "--cassette-dir", str(tmp_path), cwd=tmp_path)
    assert empty.out == f"No cassettes in {tmp_path}: record one with `wiretape record NAME`.\n"


async def test_cassette_show_is_readable(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "show", str(FOLDER / "tool-run"), cwd=tmp_path)
    assert ran.code == 0
    assert "#4 POST /v1/threads/thread_" in ran.out
    assert "thread.run.requires_action" in ran.out


async def test_cassette_import_makes_a_cassette_once(tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "data" / "vcr-text-run.yaml"
    ran = await wiretape("cassette", "import", str(source), "--into", "old", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "3 interactions in cassettes/old.tape.jsonl\n")
    again = await wiretape("cassette", "import", str(source), "--into", "old", cwd=tmp_path)
    assert again.code == 2
    assert "is there already" in again.err


async def test_cassette_seal_seals_what_a_crash_left(tmp_path: Path) -> None:
    sealed = (FOLDER / "polled-run.tape.jsonl").read_bytes()
    (tmp_path / "crashed.part.jsonl").write_bytes(sealed[:-20])
    ran = await wiretape("cassette", "seal", "./crashed", cwd=tmp_path)
    assert ran.code == 0
    assert "1 incomplete" in ran.out
    assert not (tmp_path / "crashed.part.jsonl").exists()
    (tmp_path / "again.part.jsonl").write_bytes(sealed[:-20])
    told = json.loads((await wiretape("cassette", "seal", "./again", "--json", cwd=tmp_path)).out)
    assert (told["path"], told["incomplete"]) == ("again.tape.jsonl", 1)


async def test_audit_report_reads_the_ledger(tmp_path: Path, quiet: list[str]) -> None:
    ledger = quiet[-1]
    script = f"import asyncio, os, sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\nfrom support.scenarios import *\nasync def main():\n    async with asking(os.environ['OPENAI_BASE_URL'].removesuffix('/v1')) as (ask, _):\n        await tool_run(ask)\nasyncio.run(main())"  # noqa: E501
    assert (await wiretape("record", "x", *quiet, "--", sys.executable, "-c", script, cwd=tmp_path)).code == 0
    table = await wiretape("audit", "report", "--ledger", ledger, cwd=tmp_path)
    assert "Golden" in table.out
    assert "completed:1" in table.out
    told = json.loads(
        (await wiretape("audit", "report", "--ledger", ledger, "--by", "model", "--json", cwd=tmp_path)).out
    )
    assert (told["total"]["runs"], told["groups"][0]["key"]) == (1, "gpt-4o-mini")


async def test_config_show_tells_the_origin_of_each_value(tmp_path: Path) -> None:
    (tmp_path / "wiretape.toml").write_text("drain_s = 5.0\n")
    ran = await wiretape("config", "show", "--admin", "127.0.0.1:1", "--json", cwd=tmp_path, WIRETAPE_SPEED="2")
    shown = json.loads(ran.out)
    origins = {name: shown[name]["origin"] for name in ("drain_s", "admin", "speed", "listen")}
    assert origins == {"drain_s": "wiretape.toml", "admin": "--admin", "speed": "WIRETAPE_SPEED", "listen": "default"}
    plain = await wiretape("config", "show", cwd=tmp_path)
    assert "drain_s" in plain.out
    assert "5.0  (wiretape.toml)" in plain.out


async def test_config_show_keeps_secrets_to_itself(tmp_path: Path) -> None:
    (tmp_path / "wiretape.toml").write_text('[sandbox]\napi_key = "sk-canary-of-mine"\n')
    for words in ((), ("--json",)):
        ran = await wiretape("config", "show", *words, cwd=tmp_path, WIRETAPE_ADMIN_TOKEN="canary-0123456789")
        assert ran.code == 0
        assert "canary" not in ran.out
        assert '"(set)"' in ran.out


async def test_a_token_that_was_made_is_printed_once_and_no_flag_takes_one(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wiretape", "serve", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0",
        "--ledger", "none", cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = [(await process.stderr.readline()).decode() for _ in range(2)]
    assert said[1].startswith("Admin token, made for this start: ")
    process.send_signal(signal.SIGTERM)
    assert said[1].split()[-1] not in (await process.stderr.read()).decode()
    assert await process.wait() == 0
    assert "admin-token" not in (await wiretape("serve", "--help", cwd=tmp_path)).out


async def test_config_check_answers_with_one_sentence(tmp_path: Path) -> None:
    assert (await wiretape("config", "check", cwd=tmp_path)).out == "The configuration is valid.\n"
    (tmp_path / "wiretape.toml").write_text("listn = '127.0.0.1:1'\n")
    ran = await wiretape("config", "check", cwd=tmp_path)
    assert (ran.code, ran.err) == (2, "wiretape: wiretape.toml: unknown setting listn; did you mean listen?\n")


async def test_an_address_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    async with running("serve", "--ledger", "none", cwd=tmp_path) as (_, at):
        taken = at["traffic"].removeprefix("http://")
        ran = await wiretape("serve", "--listen", taken, "--admin", "127.0.0.1:0", cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith(f"wiretape: cannot listen on {taken}: ")


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            found += [(name, below) for below in command.list_commands(click.Context(command))]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("words", every_command())
def test_every_help_has_an_example(words: tuple[str, ...]) -> None:
    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    _, _, example = command.get_help(click.Context(command)).partition("Example:\n")
    assert example.split("\n")[0].strip().startswith(f"wiretape {' '.join(words)}")


def test_help_is_quick_because_it_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys; import wiretape.cli; print({'aiohttp', 'opentelemetry', 'msgspec', 'rich'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script], env=environment(tmp_path), capture_output=True, check=True)
    assert ran.stdout == b"set()\n"


async def test_a_second_recorder_of_a_cassette_is_refused(tmp_path: Path, quiet: list[str]) -> None:
    async with running("record", "talk", "--ledger", "none", cwd=tmp_path):
        ran = await wiretape("record", "talk", *quiet, cwd=tmp_path)
    assert ran.code == 2
    assert "another process records to this cassette; stop it, or record to another name" in ran.err
