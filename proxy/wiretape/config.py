"""One frozen Config from flags, environment and file, with the origin of each value.

Flags beat the environment (`WIRETAPE_<NAME>`), the environment beats `wiretape.toml`, the file beats the
defaults. OpenTelemetry exporters are set up by the standard `OTEL_*` variables alone.
"""

from __future__ import annotations

import difflib
import socket
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct, structs

from wiretape.cassette.fault_words import faults
from wiretape.cassette.pace import PaceOptions
from wiretape.cassette.plan import Mode
from wiretape.cassette.progress import Polls
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.cassette.redact_rules import problems as redact_problems
from wiretape.cassette.rules import MatchOptions
from wiretape.edge.address import UNIX
from wiretape.edge.checks import listen_problems, number_problems, upstream_problems
from wiretape.edge.guard import name_problem, token_problem
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.record_options import RecordOptions
from wiretape.edge.sessions import SessionOptions
from wiretape.edge.upstream import EngineName, UpstreamOptions
from wiretape.errors import ConfigError, LedgerError
from wiretape.ledger.options import LedgerOptions, parse_ledger_url
from wiretape.runs.options import RunOptions
from wiretape.runs.prices import PriceOptions
from wiretape.sandbox.options import SandboxOptions
from wiretape.telemetry.options import TelemetryOptions, key_problems

FILE = "wiretape.toml"
ENV_PREFIX = "WIRETAPE_"
SANDBOX = "sandbox"
NONE = "none"
LOCALHOST = "localhost"
"""`Host` towards an upstream that is only a unix socket."""


_LISTS = frozenset({"cassette", "fault", "admin_hosts"})


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting, with its default."""

    listen: str = "127.0.0.1:8787"
    """Traffic listener, `host:port` or `unix:/path`; port 0 picks a free one."""
    admin: str = "127.0.0.1:8788"
    """Admin listener (`/healthz`, `/readyz`, `/metrics`, `/api/state`), `host:port` or `unix:/path`."""
    admin_token: str | None = None
    """What `Authorization: Bearer` must show to the admin listener; without one, none is asked on loopback and unix
    sockets, and elsewhere one is made for each start and printed. Never a flag: the machine's users see those."""
    admin_hosts: tuple[str, ...] = ()
    """Names that the admin listener answers to, beside its own addresses and `localhost`; commas in the variable."""
    tls_cert: str | None = None
    """PEM file with the traffic listener's certificate and chain; with it, the listener speaks TLS 1.2 or newer."""
    tls_key: str | None = None
    """PEM file with its key, without a passphrase; without it, the key is in the certificate's file."""
    upstream: str | tuple[UpstreamOptions, ...] = SANDBOX
    """`sandbox` (the embedded server), a URL, `unix:/path`, or in the file one or more `[[upstream]]` tables."""
    reuse_port: bool = False
    """Whether other processes may listen on the same address (SO_REUSEPORT); mode `forward` only."""
    engine: EngineName = "fast"
    """What speaks to upstreams: `fast`, or `reference`, which is aiohttp's own client."""
    mode: Mode = Mode.FORWARD
    """`forward`, `record`, `rewrite`, `replay`, `auto` or `verify`."""
    cassette: tuple[str, ...] = ()
    """Cassettes by stem or path; `record` and `rewrite` take one, `replay`, `auto` and `verify` one or more. `auto`
    records to the first. Commas in the variable."""
    cassette_dir: str = "cassettes"
    """Where a bare cassette name lies."""
    speed: float = 0.0
    """Replay: 0 does not wait, 1 keeps the recorded pace, 2 goes twice as fast."""
    fresh_ids: bool = False
    """Replay: whether each session gets ids of its own, of the same length and the same on every run; otherwise the
    recorded ones."""
    polls: Polls = "recorded"
    """Replay: `recorded`, or `collapse`, by which the second poll gets the last answer before the next write."""
    fault: tuple[str, ...] = ()
    """Replay: what goes wrong with recorded answers, `cut:after=3` and the like; commas in the variable."""
    profile: Literal["production"] | None = None
    """`production` demands an upstream and refuses `sandbox`, `replay` and `auto`."""
    drain_s: float = 20.0
    """Seconds that exchanges in flight get at shutdown."""
    ledger: str = "sqlite:///wiretape.db"
    """The audit store, `sqlite:///PATH`, or `none`."""
    hash_key: str | None = None
    """Secret under which clients' keys are hashed for the ledger and `[telemetry.keys]`; replicas share it. Without
    one, it is made once and kept beside the ledger. Never a flag: the machine's users see those."""
    ready_file: str | None = None
    """A file that gets the two addresses as JSON once the proxy accepts."""
    edge: EdgeOptions = EdgeOptions()
    """Bounds of the traffic listener."""
    sessions: SessionOptions = SessionOptions()
    """Bounds of replay sessions."""
    match: MatchOptions = MatchOptions()
    """What counts when a request is matched; rules of a cassette's first line are added."""
    pace: PaceOptions = PaceOptions()
    """How the recorded pace is bent."""
    runs: RunOptions = RunOptions()
    """Bounds of the run tracker."""
    record: RecordOptions = RecordOptions()
    """Bounds of recording."""
    redact: RedactOptions = NO_RULES
    """What is taken out of recordings, matched requests and reports beside credentials, which always are."""
    sandbox: SandboxOptions = SandboxOptions()
    """The embedded server."""
    telemetry: TelemetryOptions = TelemetryOptions()
    """Bounds of spans, metrics and logs."""
    audit: LedgerOptions = LedgerOptions()
    """What the ledger keeps and how long, and how runs are priced."""
    price: tuple[PriceOptions, ...] = ()
    """What models cost: one `[[price]]` for each, and for each day that changed it."""


class Effective(Struct, frozen=True):
    """A configuration and where each top-level value came from: `default`, the file, a variable, a flag."""

    config: Config
    origins: dict[str, str]


def load(flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None = None) -> Effective:
    """Read and check the configuration; `flags` holds only what was given. Raises ConfigError."""
    layers = [
        _from_file(file),
        _from_environment(environ),
        {name: (value, _flag(name)) for name, value in flags.items()},
    ]
    merged = {name: pair for layer in layers for name, pair in layer.items()}
    where = {name: origin for name, (_, origin) in merged.items()}
    config = checked(_convert({name: value for name, (value, _) in merged.items()}, where))
    origins = {name: where.get(name, "default") for name in Config.__struct_fields__}
    return Effective(config, origins)


def upstreams(config: Config) -> tuple[UpstreamOptions, ...]:
    """Give the upstreams; none for the sandbox, whose address is not known before it listens."""
    if isinstance(config.upstream, str):
        return () if config.upstream == SANDBOX else (_named_alone(config.upstream),)
    return config.upstream


def _named_alone(upstream: str) -> UpstreamOptions:
    if upstream.startswith(UNIX):
        return UpstreamOptions(url=f"http://{LOCALHOST}", socket=upstream.removeprefix(UNIX))
    return UpstreamOptions(url=upstream)


def checked(config: Config) -> Config:
    """Give the configuration, its words made values; raises ConfigError for settings that are wrong or at odds."""
    try:
        config = msgspec.convert(msgspec.to_builtins(config), Config)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from error
    for problem in _problems(config):
        raise ConfigError(problem)
    return config


def _problems(config: Config) -> Iterator[str]:
    """Find what is wrong, one thing after the other; the first is told."""
    yield from number_problems(config)
    yield from listen_problems((config.listen, config.admin), config.edge, config.tls_cert, config.tls_key)
    if config.admin_token is not None and (problem := token_problem(config.admin_token)):
        yield problem
    yield from filter(None, map(name_problem, config.admin_hosts))
    yield from _ledger_problems(config.ledger)
    yield from config.match.problems()
    yield from _mode_problems(config)
    yield from _reuse_problems(config)
    yield from _upstream_problems(config)
    yield from redact_problems(config.redact)
    for price in config.price:
        yield from price.problems()
    yield from key_problems(config.telemetry)


def _ledger_problems(ledger: str) -> Iterator[str]:
    try:
        if ledger != NONE:
            parse_ledger_url(ledger)
    except LedgerError as error:
        yield str(error)


def _mode_problems(config: Config) -> Iterator[str]:
    given = len(config.cassette)
    if config.mode.looks_up and not given:
        yield f"mode {config.mode} takes at least one cassette (--cassette); 0 given"
    if config.mode in {Mode.RECORD, Mode.REWRITE} and given != 1:
        yield f"mode {config.mode} takes one cassette (--cassette); {given} given"
    if config.fault and not config.mode.asks:
        yield f"a fault (--fault) is for answers from a cassette; mode {config.mode} gives none"
    faults(config.fault)
    if config.profile == "production" and config.mode.asks:
        yield f"profile production refuses mode {config.mode}: production must not be served from recordings"
    if config.profile == "production" and config.upstream == SANDBOX:
        yield "profile production demands an upstream (--upstream URL): the sandbox is for trying and testing"


def _reuse_problems(config: Config) -> Iterator[str]:
    if not config.reuse_port:
        return
    if config.mode is not Mode.FORWARD:
        yield f"--reuse-port is for mode forward alone: mode {config.mode} keeps its state in one process"
    if config.upstream == SANDBOX:
        yield "--reuse-port demands an upstream (--upstream URL): each process would have a sandbox of its own"
    if config.listen.startswith(UNIX) or not hasattr(socket, "SO_REUSEPORT"):
        yield "--reuse-port needs a TCP address, and a system that has SO_REUSEPORT"


def _upstream_problems(config: Config) -> Iterator[str]:
    behind = upstreams(config)
    if not behind and config.upstream != SANDBOX:
        yield "there is no upstream; name one, or leave the setting out for the sandbox"
    for one in behind:
        yield from upstream_problems(one)
    for name in ("prefix", "name"):
        values = [getattr(one, name).rstrip("/") for one in behind]
        if len(set(values)) < len(values):
            yield f"two upstreams have the same {name}; give each its own"


def _from_file(file: Path | None) -> dict[str, tuple[Any, str]]:
    path = file or Path(FILE)
    if file is None and not path.exists():
        return {}
    try:
        return {name: (value, str(path)) for name, value in tomllib.loads(path.read_text("utf-8")).items()}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    names = {ENV_PREFIX + field.name.upper(): field for field in structs.fields(Config) if has_variable(field)}
    return {
        field.name: (_from_text(environ[variable], field, variable), variable)
        for variable, field in names.items()
        if environ.get(variable)
    }


def _from_text(text: str, field: structs.FieldInfo, variable: str) -> Any:  # noqa: ANN401  checked again as a whole
    if field.name in _LISTS:
        return [name.strip() for name in text.split(",")]
    try:
        return msgspec.to_builtins(msgspec.convert(text, field.type, strict=False))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{variable}: {error}") from error


def _convert(values: dict[str, Any], origins: Mapping[str, str]) -> Config:
    _refuse_unknown(values, Config, "", origins)
    try:
        return msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].split(".")[0].split("[")[0].rstrip("`")
        raise ConfigError(f"{origins.get(name, 'configuration')}: {error}") from error


def _refuse_unknown(values: Mapping[str, Any], kind: type[Struct], path: str, origins: Mapping[str, str]) -> None:
    fields = {field.encode_name: field for field in structs.fields(kind)}
    for name, value in values.items():
        if name not in fields:
            nearest = difflib.get_close_matches(name, fields, 1)
            hint = f"did you mean {path}{nearest[0]}?" if nearest else f"known are {', '.join(fields)}"
            raise ConfigError(f"{origins.get((path or name).split('.')[0], '')}: unknown setting {path}{name}; {hint}")
        inner = _struct_in(fields[name].type)
        for item in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(item, dict):
                _refuse_unknown(item, inner, f"{path}{name}.", origins)


def _struct_in(kind: Any) -> type[Struct] | None:  # noqa: ANN401  a type annotation has no narrower type
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    return next((found for part in get_args(kind) if (found := _struct_in(part))), None)


def has_variable(field: structs.FieldInfo) -> bool:
    """Whether a top-level setting can be given in the environment: sections are for the file."""
    return field.name == "upstream" or _struct_in(field.type) is None


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
