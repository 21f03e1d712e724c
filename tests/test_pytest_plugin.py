"""The plugin as its users have it: pytest inside pytest, with the real SDK."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from wiretape.edge.store import load
from wiretape.errors import ConfigError
from wiretape.pytest_plugin import running
from wiretape.taped import KEY, Wanted, taped

USES_IT = """
import openai, pytest, warnings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

def say(client, words):
    assistant = client.beta.assistants.create(model="m")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": words}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        return assistant.id, "".join(stream.text_deltas)

def test_a_client_finds_it_by_itself(wiretape_sandbox):
    client = openai.OpenAI()
    assert str(client.base_url).rstrip("/") == wiretape_sandbox.base_url
    assert say(client, "Hello")[1].startswith("Hello!")

def test_each_test_has_its_own(wiretape_sandbox):
    assert openai.OpenAI().beta.assistants.list().data == []

@pytest.mark.wiretape_sandbox(seed=7, script="script.toml", api_key="sk-only")
def test_it_takes_settings(wiretape_sandbox):
    client = openai.OpenAI()
    assert client.api_key == wiretape_sandbox.api_key == "sk-only"
    assert say(client, "Tea?")[1] == "Tea is ready."

async def test_asynchronous_clients_use_it_too(wiretape_sandbox):
    async with openai.AsyncOpenAI() as client:
        assert (await client.beta.assistants.create(model="m")).id.startswith("asst_")
"""
SCRIPT = """
[[run]]
when = { says = "tea" }
acts = [{ say = "Tea is ready." }]
"""


def test_the_fixture_serves_a_sandbox_to_any_client(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(USES_IT)
    pytester.makefile(".toml", script=SCRIPT)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.runpytest_subprocess("--strict-markers", "-W", "error").assert_outcomes(passed=4)


def test_settings_that_are_not_there_are_named() -> None:
    with pytest.raises(ConfigError, match=r"the sandbox has no setting colour; known are seed, "), running(colour=1):
        pass
    with pytest.raises(ConfigError, match=r"the sandbox's settings: .*pace_s"), running(pace_s="x"):
        pass
    with pytest.raises(ConfigError, match=r"sandbox.pace_s must be a number that is not negative"), running(pace_s=-1):
        pass


def test_files_may_be_named_as_paths(tmp_path: Path) -> None:
    (tmp_path / "script.toml").write_text(SCRIPT)
    with running(script=tmp_path / "script.toml", state=tmp_path / "state.db"):
        assert (tmp_path / "state.db").exists()


def test_a_marker_whose_setting_has_no_name_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.wiretape_sandbox('script.toml')\ndef test_it(wiretape_sandbox): pass\n"
    )
    ran = pytester.runpytest_subprocess()
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(["*takes settings by their names*"])


def test_the_plugin_imports_nothing_but_itself() -> None:
    """What pytest itself imports is there anyhow."""
    asked = (
        "import pytest, sys; before = set(sys.modules); import wiretape.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True, text=True)
    assert told.stdout.split() == ["wiretape", "wiretape.pytest_plugin"]


RECORDED = """
import functools, openai, pytest, warnings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
WORDS = "Good morning!"
USED = []

def asked(client, words):
    assistant = client.beta.assistants.create(model="m")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": words}])
    return {"thread_id": thread.id, "assistant_id": assistant.id}

def test_a_client_finds_it_by_itself(wiretape):
    client = openai.OpenAI()
    assert str(client.base_url).rstrip("/") == wiretape.base_url
    with client.beta.threads.runs.stream(**asked(client, WORDS)) as stream:
        assert WORDS[:-1] in "".join(stream.text_deltas)
    wiretape.assert_nothing_refused()
    if wiretape.mode == "replay":
        wiretape.assert_all_played()

@pytest.mark.wiretape("shared", strict=True)
def test_the_marker_is_enough():
    client = openai.OpenAI()
    run = client.beta.threads.runs.create_and_poll(**asked(client, WORDS), poll_interval_ms=1)
    assert run.status == "completed"

@pytest.fixture
def client():
    return openai.AsyncOpenAI()

@pytest.mark.wiretape
@pytest.mark.parametrize("words", ["a/b c", "a-b c"])
async def test_asynchronous(client, words):
    async with client:
        assistant = await client.beta.assistants.create(model="m")
        async with client.beta.threads.create_and_run_stream(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": words}]}
        ) as stream:
            assert words in "".join([text async for text in stream.text_deltas])

@functools.cache
def kept():
    return openai.OpenAI()

class TestNamed:
    @pytest.mark.parametrize("name", ["first", "second"])
    def test_a_client_that_is_kept_finds_each_tests_proxy(self, wiretape, name):
        kept().beta.assistants.create(model="m", name=name)
"""
INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests, and the cassettes that they recorded themselves."""
    folder = tmp_path_factory.mktemp("recording")
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_talk.py").write_text(RECORDED)
    asked = [sys.executable, "-m", "pytest", "--wiretape=record", "--strict-markers", "-W", "error"]
    ran = subprocess.run(asked, cwd=folder, capture_output=True, check=False, text=True)
    assert "6 passed" in ran.stdout, ran.stdout
    return folder


@pytest.fixture
def recorded(pytester: pytest.Pytester, recording: Path) -> pytest.Pytester:
    """A copy of them."""
    shutil.copytree(recording, pytester.path, dirs_exist_ok=True)
    return pytester


def test_what_was_recorded_replays_by_default_alone_and_in_parallel(recorded: pytest.Pytester) -> None:
    found = sorted(str(path.relative_to(recorded.path)) for path in recorded.path.rglob("*.jsonl"))
    assert found[0] == "cassettes/shared.tape.jsonl"
    assert found[1].startswith("cassettes/test_talk/TestNamed.test_a_client_that_is_kept")
    assert len({name for name in found if "test_asynchronous[a-b-c]-" in name}) == 2
    assert len(found) == 6
    for words in ((), ("-n", "2"), ("--wiretape=replay", "--wiretape-dir", "cassettes"), ("--wiretape=verify",)):
        recorded.runpytest_subprocess("-W", "error", *words).assert_outcomes(passed=6)


SWALLOWS = """
import contextlib, openai, pytest

@pytest.mark.wiretape("shared")
def test_it():
    with contextlib.suppress(openai.APIStatusError):
        openai.OpenAI(max_retries=0).beta.assistants.create(model="another", name="Sam")
"""


def test_a_miss_fails_the_test_although_the_application_swallowed_it(recorded: pytest.Pytester) -> None:
    recorded.makepyfile(test_swallows=SWALLOWS)
    ran = recorded.runpytest_subprocess("-W", "ignore", "test_swallows.py")
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(
        [
            "wiretape: 1 request refused",
            "  No recorded answer for POST /v1/assistants. The nearest recording is #1 POST /v1/assistants; *",
            "Cassette: *cassettes/shared.tape.jsonl",
            "Record it anew: pytest --wiretape=record test_swallows.py::test_it",
        ]
    )
    assert 'it differs at $.model: recorded "m", asked "another", and in 1 more place.' in ran.stdout.str()
    assert "Traceback" not in ran.stdout.str()


@pytest.mark.parametrize("kept", [0, 1])
def test_every_miss_counts_also_one_that_is_not_kept(recorded: pytest.Pytester, kept: int) -> None:
    recorded.makefile(".toml", wiretape=f"[match]\nmisses_max = {kept}\n")
    again = (
        SWALLOWS
        + "    with contextlib.suppress(openai.OpenAIError):\n        openai.OpenAI(max_retries=0).models.list()\n"
    )
    recorded.makepyfile(test_swallows=again)
    ran = recorded.runpytest_subprocess("-W", "ignore", "test_swallows.py")
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines([f"wiretape: 2 requests refused; {kept} of them"])


def test_a_miss_tells_what_is_wrong_with_its_cassette(recorded: pytest.Pytester) -> None:
    recorded.makepyfile(test_swallows=SWALLOWS)
    path = recorded.path / "cassettes/shared.tape.jsonl"
    path.write_text(path.read_text() + "<<<<<<< HEAD\n")
    ran = recorded.runpytest_subprocess("-W", "ignore", "test_swallows.py")
    ran.stdout.fnmatch_lines(
        ["Cassette: *cassettes/shared.tape.jsonl", "*cassettes/shared.tape.jsonl: Line *left out."]
    )


def test_a_test_that_fails_by_itself_is_told_what_was_refused(recorded: pytest.Pytester) -> None:
    recorded.makepyfile(test_fails=SWALLOWS + "    assert False\n")
    ran = recorded.runpytest_subprocess("-W", "ignore", "test_fails.py")
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(["*Captured wiretape call*", "wiretape: 1 request refused"])


LATE = """
import urllib.error, urllib.request, pytest

@pytest.fixture
def leaves_late(wiretape):
    yield
    try:
        urllib.request.urlopen(wiretape.base_url + "/models")
    except urllib.error.HTTPError as error:
        error.close()

@pytest.mark.wiretape("shared")
def test_late(leaves_late):
    pass

@pytest.mark.wiretape("shared", strict=True)
def test_strict():
    pass

@pytest.mark.wiretape("shared")
def test_asserts(wiretape):
    wiretape.assert_nothing_refused()
    with pytest.raises(AssertionError, match="not made\\\\n  #1 POST /v1/assistants"):
        wiretape.assert_all_played()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{wiretape.url}/s/other/v1/models")
    caught.value.close()
    with pytest.raises(AssertionError, match="No recorded answer for GET /v1/models"):
        wiretape.assert_nothing_refused()
    assert [report.name for report in wiretape.reports] == ["other"]
"""


def test_a_miss_after_the_test_is_an_error_and_strict_fails_what_was_left_unplayed(recorded: pytest.Pytester) -> None:
    recorded.makepyfile(test_late=LATE)
    ran = recorded.runpytest_subprocess("-W", "ignore", "test_late.py")
    ran.assert_outcomes(passed=1, failed=2, errors=1)
    ran.stdout.fnmatch_lines(["*ERROR at teardown of test_late*", "wiretape: 1 request refused"])
    ran.stdout.fnmatch_lines(["* test_strict *", "wiretape: * requests not made", "  #1 POST /v1/assistants"])


FAULTY = """
import openai, pytest

def text(words="Good morning!"):
    client = openai.OpenAI(max_retries=2)
    assistant = client.beta.assistants.create(model="m")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": words}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        return stream.get_final_run().status

@pytest.mark.wiretape("test_talk/test_a_client_finds_it_by_itself", faults="end:by=expired")
def test_another_end():
    assert text() == "expired"

@pytest.mark.wiretape("test_talk/test_a_client_finds_it_by_itself", faults=["cut:after=4:on=/runs"])
def test_a_cut():
    with pytest.raises(Exception, match="incomplete chunked read"):
        text()

@pytest.mark.wiretape(
    "test_talk/test_a_client_finds_it_by_itself", strict=True, speed=100, mode="replay",
    faults=["answer:status=429:retry_after_s=0:times=2", "recut:seed=7:bytes_max=5"],
)
def test_the_sdk_tries_again():
    assert text() == "completed"
"""


def test_faults_come_by_the_marker_and_an_sdk_meets_them(recorded: pytest.Pytester) -> None:
    recorded.makepyfile(test_faulty=FAULTY)
    recorded.runpytest_subprocess("-W", "ignore", "test_faulty.py").assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("'gone'", "wiretape: there is no cassette */cassettes/gone.tape.jsonl"),
        ("faults=['cutt']", "wiretape: there is no fault 'cutt'; known are answer, cut, drop, *"),
        ("speed=-1", "wiretape: speed must be a number that is not negative; got -1"),
        ("colour=1", "*the marker wiretape has no setting colour; known are mode, speed, faults, strict"),
        (
            "mode='rewrite'",
            "*the marker wiretape has no mode 'rewrite'; known are replay, record, auto, *",
        ),
    ],
)
def test_wrong_words_in_a_marker_are_one_sentence(pytester: pytest.Pytester, marker: str, told: str) -> None:
    pytester.makepyfile(test_it=f"import pytest\n@pytest.mark.wiretape({marker})\ndef test_it(): pass\n")
    (pytester.path / "cassettes" / "test_it").mkdir(parents=True)
    (pytester.path / "cassettes" / "test_it" / "test_it.tape.jsonl").write_text('{"k":"tape","v":1}\n')
    ran = pytester.runpytest_inprocess("-W", "ignore")
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines([told])


def test_auto_records_what_is_new_and_forward_needs_no_cassette(recorded: pytest.Pytester) -> None:
    recorded.makepyfile(test_new=SWALLOWS.replace('"shared"', '"new"'))
    recorded.runpytest_subprocess("-W", "ignore", "--wiretape=forward", "test_new.py").assert_outcomes(passed=1)
    assert not list(recorded.path.rglob("new.*"))
    for mode in ("auto", "auto", "replay"):
        ran = recorded.runpytest_subprocess("-W", "ignore", f"--wiretape={mode}", "test_new.py")
        ran.assert_outcomes(passed=1)
    assert len(load(recorded.path / "cassettes" / "new.tape.jsonl").interactions) == 1


def test_a_recording_that_is_not_whole_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SWALLOWS)
    pytester.makefile(".toml", wiretape="[record]\nbody_bytes_max = 10\n")
    ran = pytester.runpytest_subprocess("-W", "ignore", "--wiretape=record")
    ran.assert_outcomes(passed=1, errors=1)
    ran.stdout.fnmatch_lines(["wiretape: 1 exchange* not recorded, or not to their end"])


def test_a_port_that_was_taken_meanwhile_is_left_to_whoever_took_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with taped(Wanted((), "forward", port=taken), {}, lost=pytest.fail) as tape:
            assert tape.port not in {0, taken}
    with taped(Wanted((), "forward", port=taken), {}, lost=pytest.fail) as tape:
        assert tape.url == f"http://127.0.0.1:{taken}"


def test_a_real_key_is_for_a_real_upstream_alone() -> None:
    here = {"OPENAI_API_KEY": "sk-mine", "NO_PROXY": "corp.example"}
    asked = {"sandbox": KEY, "http://127.0.0.1:1": "sk-mine"}
    for upstream, key in asked.items():
        environ = {"WIRETAPE_UPSTREAM": upstream}
        with taped(Wanted((), "forward"), environ, lost=pytest.fail) as tape:
            told = tape.environment(here)
            assert (told["OPENAI_BASE_URL"], told["OPENAI_API_KEY"]) == (tape.base_url, key)
            assert told["NO_PROXY"] == told["no_proxy"] == "corp.example,127.0.0.1,localhost,::1"
            assert tape.environment({})["OPENAI_API_KEY"] == KEY
            assert (tape.reports, tape.unplayed) == ([], [])
