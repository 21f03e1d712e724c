"""Flags beat the environment, it beats the file, the file beats the defaults; a mistake gets one sentence."""

import contextlib
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.golden import FOLDER
from wiretape.cassette.plan import Mode
from wiretape.config import Config, checked, load, upstreams
from wiretape.edge.upstream import UpstreamOptions
from wiretape.errors import ConfigError


@pytest.fixture
def toml(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "w.toml"
        path.write_text(text)
        return path

    return write


def test_each_layer_beats_the_one_below(toml: Any) -> None:
    file = toml('listen = "127.0.0.1:1"\nadmin = "127.0.0.1:2"\nspeed = 1.0\n')
    found = load({"listen": "127.0.0.1:7"}, {"WIRETAPE_LISTEN": "127.0.0.1:5", "WIRETAPE_ADMIN": "127.0.0.1:6"}, file)
    assert (found.config.listen, found.config.admin, found.config.speed) == ("127.0.0.1:7", "127.0.0.1:6", 1.0)
    origins = {name: found.origins[name] for name in ("listen", "admin", "speed", "mode")}
    assert origins == {"listen": "--listen", "admin": "WIRETAPE_ADMIN", "speed": str(file), "mode": "default"}


def test_the_defaults_are_the_sandbox_on_loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    config = load({}, {}).config
    assert config == Config()
    assert (config.listen, config.upstream, config.mode) == ("127.0.0.1:8787", "sandbox", Mode.FORWARD)
    assert upstreams(config) == ()


def test_variables_are_read_as_what_they_set() -> None:
    said = {"WIRETAPE_SPEED": "2", "WIRETAPE_MODE": "replay", "WIRETAPE_CASSETTE": "a,b", "WIRETAPE_DRAIN_S": "0.5"}
    config = load({}, said).config
    assert (config.speed, config.mode, config.cassette, config.drain_s) == (2.0, Mode.REPLAY, ("a", "b"), 0.5)


def test_the_admin_listeners_settings_come_from_the_environment_too() -> None:
    said = {"WIRETAPE_ADMIN_TOKEN": "0123456789abcdef", "WIRETAPE_ADMIN_HOSTS": "a.internal, b.internal"}
    config = load({}, said).config
    assert (config.admin_token, config.admin_hosts) == ("0123456789abcdef", ("a.internal", "b.internal"))


def test_prices_are_exact_as_they_are_written(toml: Any) -> None:
    """TOML's numbers are floats for Python: 0.0375 has none, and would be a price nobody asked for."""
    text = '[[price]]\nmodel = "m"\ninput = 0.0375\ncached_input = "0.1"\noutput = 10\nfrom = 2026-01-31\n'
    (price,) = load({}, {}, toml(text)).config.price
    assert (price.input, price.cached_input, price.output) == (Decimal("0.0375"), Decimal("0.1"), Decimal(10))
    assert (price.price().input_pico, price.price().since) == (37_500, "2026-01-31")


def test_the_engine_is_chosen_by_name(toml: Any) -> None:
    assert load({}, {}).config.engine == "fast"
    assert load({}, {"WIRETAPE_ENGINE": "reference"}).config.engine == "reference"
    assert load({"engine": "fast"}, {}, toml('engine = "reference"')).config.engine == "fast"
    with pytest.raises(ConfigError, match="WIRETAPE_ENGINE: Invalid enum value 'faster'"):
        load({}, {"WIRETAPE_ENGINE": "faster"})


def test_upstreams_come_as_a_url_or_as_tables(toml: Any) -> None:
    one = load({"upstream": "https://a.example"}, {}).config
    assert upstreams(one) == (UpstreamOptions(url="https://a.example"),)
    tables = '[[upstream]]\nurl = "http://a"\n[[upstream]]\nname = "b"\nurl = "http://b"\nprefix = "/b"\nidle_s = 5.0\n'
    two = upstreams(load({}, {}, toml(tables)).config)
    assert [(one.url, one.prefix, one.idle_s) for one in two] == [("http://a", "/", 300.0), ("http://b", "/b", 5.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listn = 1", "unknown setting listn; did you mean listen?"),
        ("zzz = 1", "unknown setting zzz; known are listen, admin"),
        ("[edge]\nstream_max = 1", "unknown setting edge.stream_max; did you mean edge.streams_max?"),
        (
            '[[upstream]]\nurl = "http://a"\nconect_s = 1',
            "unknown setting upstream.conect_s; did you mean upstream.connect_s?",
        ),
        ("drain_s = 'soon'", "Expected `float`, got `str` - at `$.drain_s`"),
        ("listen = ", "is no TOML"),
        ('[match]\nignore = ["a["]', "the rule 'a[' is no place: a JSON path such as messages[*].id, query:name"),
        ('[match]\nignore = ["query:"]', "the rule 'query:' names no query; write query:name"),
        ('[match]\nnormalise = { a = "colour" }', "Invalid enum value 'colour'"),
        ('[match]\nignored = ["a"]', "unknown setting match.ignored; did you mean match.ignore?"),
        ('polls = "never"', "Invalid enum value 'never'"),
        ("drain_s = -1.0", "drain_s must be a number that is not negative; got -1"),
        ("drain_s = nan", "drain_s must be a number that is not negative; got nan"),
        (
            '[[price]]\nmodel = "m"\ninput = -1\noutput = 1',
            "price.input of 'm' is USD a million tokens, from 0 to 100,000 with at most six decimals; got -1",
        ),
        ('[[price]]\nmodel = "m"\ninput = 1\noutput = 1\nsince = 2026-01-01', "unknown setting price.since"),
        ("[edge]\nstreams_max = -1", "edge.streams_max must be a number that is not negative; got -1"),
        ('listen = "nonsense"', "an address is host:port"),
        ('admin = "x:99999999"', "an address is host:port"),
        ('listen = "unix:/s"\ntls_cert = "c.pem"', "a unix socket needs no TLS: its file's mode says who may connect"),
        ('upstream = "unix:here"', "a unix socket is unix:/path, with an absolute path; got 'unix:here'"),
        (
            '[[upstream]]\nurl = "https://a"\nsocket = "/s"',
            "upstream default: TLS is not spoken through a unix socket; use an http:// URL beside `socket`",
        ),
        ('[[upstream]]\nurl = "http://a"\nsocket = "s"', "a unix socket is unix:/path, with an absolute path"),
        ("admin_token = 'short'", "admin_token is 16 or more visible ASCII characters, without spaces"),
        (
            "[telemetry.keys]\nsk-live = 'web'",
            "a name in [telemetry.keys] is a key's hash, 32 lower-case hexadecimal digits, and never the key itself",
        ),
        ("reuse_port = true", "--reuse-port demands an upstream (--upstream URL): each process would have a sandbox"),
        (
            'reuse_port = true\nupstream = "http://h"\nmode = "record"\ncassette = ["x"]',
            "--reuse-port is for mode forward alone: mode record keeps its state in one process",
        ),
        (
            'reuse_port = true\nmode = "replay"\ncassette = ["x"]',
            "--reuse-port is for mode forward alone: mode replay keeps its state in one process",
        ),
        ('reuse_port = true\nupstream = "http://h"\nlisten = "unix:/s"', "--reuse-port needs a TCP address"),
        ('admin_hosts = ["a.internal", "b.internal:8788"]', "admin_hosts holds names and addresses, without scheme"),
        ('listen = "127.0.0.1:8788"', "listen and admin are both 127.0.0.1:8788; give each an address of its own"),
        ('listen = "unix:/s"\nadmin = "unix:/s"', "listen and admin are both unix:/s"),
        ('listen = "unix:here"', "a unix socket is unix:/path, with an absolute path; got 'unix:here'"),
        ('[edge]\nsocket_mode = "rw"', "edge.socket_mode is a mode in octal, such as 0600; got 'rw'"),
        ('[edge]\nsocket_mode = "0888"', "edge.socket_mode is a mode in octal"),
        ('[edge]\nsocket_mode = "7777"', "edge.socket_mode is a mode in octal"),
        ('ledger = "mysql://x"', "names no file"),
        ("upstream = []", "there is no upstream"),
        ('upstream = "https://"', "an upstream is `sandbox`, or a URL"),
        ('upstream = "http://h:99999"', "an upstream is `sandbox`, or a URL"),
        ('upstream = "http://[::1"', "an upstream is `sandbox`, or a URL"),
        ('upstream = "http://h/?key=x"', "an upstream's URL has no user, password, query or fragment"),
        ('[[upstream]]\nurl = "http://a"\nprefix = "v1"', "a prefix begins with /; got 'v1'"),
        (
            '[[upstream]]\nurl = "http://a"\n[[upstream]]\nurl = "http://b"\nprefix = "/b"',
            "two upstreams have the same name",
        ),
        ('[redact]\nheader = ["x"]', "unknown setting redact.header; did you mean redact.headers?"),
        ('[redact]\njson = ["a"]', "redact.json: 'a' is no JSON path: begin with $, as in $.metadata.name"),
        ('[redact]\npatterns = ["("]', "redact.patterns: '(' is no pattern of RE2"),
        ("speed = -1.0", "speed must be a number that is not negative; got -1"),
        ("mode = 'record'", "mode record takes one cassette (--cassette); 0 given"),
        ("mode = 'replay'", "mode replay takes at least one cassette (--cassette); 0 given"),
        ("mode = 'verify'", "mode verify takes at least one cassette (--cassette); 0 given"),
        ("mode = 'listen'", "Invalid enum value 'listen' - at `$.mode`"),
        ("fault = ['cut']", "a fault (--fault) is for answers from a cassette; mode forward gives none"),
        ("mode = 'replay'\ncassette = ['a']\nfault = ['cutt']", "there is no fault 'cutt'; known are answer, cut"),
        ("pace.jitter = -1", "pace.jitter must be a number that is not negative; got -1"),
        ("profile = 'production'", "profile production demands an upstream (--upstream URL)"),
        ("profile = 'production'\nmode = 'replay'\ncassette = ['a']", "profile production refuses mode replay"),
        ("upstream = 'ftp://x'", "an upstream is `sandbox`, or a URL with http:// or https://"),
        ('[[upstream]]\nurl = "http://a"\n[[upstream]]\nurl = "http://b"', "two upstreams have the same prefix"),
    ],
)
def test_a_mistake_in_the_file_is_named(toml: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, {}, toml(text))
    assert message in str(caught.value)


PRODUCTION = {
    Mode.FORWARD: None,
    Mode.RECORD: None,
    Mode.REWRITE: None,
    Mode.VERIFY: None,
    Mode.REPLAY: "profile production refuses mode replay: production must not be served from recordings",
    Mode.AUTO: "profile production refuses mode auto: production must not be served from recordings",
}
NO_UPSTREAM = "profile production demands an upstream (--upstream URL): the sandbox is for trying and testing"


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "upstream", [None, "sandbox", "https://a.example", "unix:/run/a.sock", [{"url": "https://a.example"}]]
)
def test_production_demands_an_upstream_and_refuses_what_replays(mode: Mode, upstream: Any) -> None:
    """In every combination; a mode that it refuses is told before the upstream that is missing."""
    cassette = [] if mode is Mode.FORWARD else ["talk"]
    named = {} if upstream is None else {"upstream": upstream}
    message = PRODUCTION[mode] or (NO_UPSTREAM if upstream in (None, "sandbox") else None)
    flags = {"profile": "production", "mode": mode.value, "cassette": cassette, **named}
    if message is None:
        assert load(flags, {}).config.profile == "production"
        return
    with pytest.raises(ConfigError) as caught:
        load(flags, {})
    assert str(caught.value) == message


def test_a_profile_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Invalid enum value 'staging' - at `\$\.profile`"):
        load({"profile": "staging"}, {})


def test_a_password_in_an_upstreams_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"upstream": "http://user:s3cret@h"}, {})
    assert "s3cret" not in str(caught.value)


async def test_a_mode_given_as_text_is_the_mode(tmp_path: Path) -> None:
    """A comparison by identity would have let `replay` reach an upstream."""
    config = Config(mode="replay", cassette=(str(FOLDER / "text-run"),))  # type: ignore[arg-type]
    assert checked(config).mode is Mode.REPLAY


def test_a_mistake_in_a_variable_names_the_variable() -> None:
    with pytest.raises(ConfigError, match="WIRETAPE_SPEED: Expected `float`, got `str`"):
        load({}, {"WIRETAPE_SPEED": "fast"})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.toml: No such file or directory"):
        load({}, {}, tmp_path / "none.toml")


@given(st.text(max_size=60))
def test_any_file_is_a_configuration_or_one_clear_error(text: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        with contextlib.suppress(ConfigError):
            load({}, {}, Path(file.name))


def test_faults_in_the_environment_stand_between_commas() -> None:
    environ = {"WIRETAPE_MODE": "replay", "WIRETAPE_CASSETTE": "a", "WIRETAPE_FAULT": "cut:after=3:on=/runs, recut"}
    assert load({}, environ).config.fault == ("cut:after=3:on=/runs", "recut")
