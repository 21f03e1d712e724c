"""The plugin as its users have it: pytest inside pytest, with the real SDK."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wiretape.errors import ConfigError
from wiretape.pytest_plugin import running

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


def test_the_plugin_imports_nothing_heavy() -> None:
    asked = "import sys, wiretape.pytest_plugin; print(*{'aiohttp', 'msgspec', 'opentelemetry'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True, text=True)
    assert told.stdout.strip() == ""
