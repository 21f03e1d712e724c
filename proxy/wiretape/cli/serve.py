"""`serve`, `record`, `replay` and `sandbox`: the commands that listen."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import click
from msgspec import structs

from wiretape.app import Outcome, Proxy, start_sandbox
from wiretape.cassette.plan import Mode
from wiretape.cassette.show import printable
from wiretape.cli.options import effective, proxy_options
from wiretape.cli.running import Signals, run, run_loop, tell
from wiretape.config import Config, Effective, checked
from wiretape.edge.address import UNIX, UnixAddress, parse_address
from wiretape.errors import UsageError
from wiretape.sandbox.options import SandboxOptions

ANY_KEY = "any-key"
MISSES_SHOWN = 10
"""Misses that are told at the end; all are counted."""
NOTES_SHOWN = 10
"""Notes on cassettes that are told at the start; `wiretape cassette lint` tells all."""
_BETA = {"OpenAI-Beta": "assistants=v2"}
_GREETER = {"model": "gpt-4o-mini", "name": "Greeter", "instructions": "Greet whoever speaks to you."}
_CURL = """\
  curl -N {url}/v1/threads/runs \\
    -H "Authorization: Bearer {key}" -H 'OpenAI-Beta: assistants=v2' -H 'Content-Type: application/json' \\
    -d '{{"assistant_id":"{assistant}","stream":true,"thread":{{"messages":[{{"role":"user","content":"Hi!"}}]}}}}'"""

mode_option = click.option(
    "--mode", type=click.Choice([mode.value for mode in Mode]), help="What to do with a request [forward]"
)
cassette_option = click.option("--cassette", multiple=True, help="Cassette of the mode; repeat it to replay several")
speed_option = click.option("--speed", type=float, help="0 does not wait, 1 keeps the recorded pace [0]")
fresh_ids_option = click.option(
    "--fresh-ids", is_flag=True, default=None, help="Answer each session with ids of its own, the same on every run"
)
fault_option = click.option(
    "--fault", multiple=True, help="What goes wrong with answers, such as cut:after=3; repeat it for several"
)
cassette_argument = click.argument("cassette")


@click.command()
@proxy_options
@mode_option
@cassette_option
@speed_option
@fresh_ids_option
@fault_option
@click.option("--reuse-port", is_flag=True, default=None, help="Let more processes listen here; forward alone")
@click.pass_obj
def serve(command: tuple[str, ...], /, **flags: Any) -> None:  # noqa: ANN401  click's values; the configuration checks them
    """Run the proxy, from wiretape.toml, environment and flags; with `-- CMD …`, run it and stop when it ends.

    Exits with 1 when what was recorded is incomplete, and in mode verify when an answer differs from the recorded one.

    \b
    Example:
      wiretape serve
      wiretape serve --upstream https://assistants.example.com --profile production
      wiretape serve --mode verify --cassette talk -- python app.py
    """  # noqa: D301  \b keeps click from folding the lines
    code, outcome = run_loop(run(_own_ids(effective(flags)), command, _announce))
    failed = max(_recorded(outcome), _verified(outcome))
    sys.exit(code or failed)


@click.command()
@cassette_argument
@proxy_options
@click.option("--rewrite", is_flag=True, help="Record anew over an old cassette")
@click.pass_obj
def record(command: tuple[str, ...], /, *, rewrite: bool, cassette: str, **flags: Any) -> None:  # noqa: ANN401  as above
    """Record through the proxy; with `-- CMD …`, run it, stop when it ends and pass on its exit code.

    Exits with 1 when an interaction is incomplete.

    \b
    Example:
      wiretape record talk -- python app.py
    """  # noqa: D301  as above
    mode = Mode.REWRITE if rewrite else Mode.RECORD
    config = _own_ids(effective({**flags, "mode": mode, "cassette": [cassette]}))
    code, outcome = run_loop(run(config, command, _announce))
    incomplete = _recorded(outcome)
    sys.exit(code or incomplete)


@click.command()
@click.argument("cassette", nargs=-1, required=True)
@proxy_options
@speed_option
@fresh_ids_option
@fault_option
@click.option("--strict", is_flag=True, help="Fail too when a recorded interaction was left unplayed")
@click.pass_obj
def replay(command: tuple[str, ...], /, *, strict: bool, cassette: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401  as above
    """Serve cassettes; with `-- CMD …`, run it, stop when it ends and pass on its exit code.

    Exits with 1 when a request was refused, and with --strict when an interaction was left unplayed.

    \b
    Example:
      wiretape replay talk -- python app.py
      wiretape replay talk --speed 1 --fault cut:after=3 --fault answer:status=429:times=2 -- python app.py
    """  # noqa: D301  as above
    config = effective({**flags, "mode": Mode.REPLAY, "cassette": list(cassette)}).config
    code, outcome = run_loop(run(config, command, _announce))
    refused = _replayed(outcome, strict=strict)
    sys.exit(code or refused)


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="Configuration file [default: wiretape.toml]")
@click.option("--listen", default="127.0.0.1:8790", show_default=True, help="host:port; port 0 picks a free one")
@click.option("--seed", type=int, help="All ids and words follow from it [0]")
@click.option("--pace-s", type=float, help="Seconds between the deltas of a stream [0.02]")
@click.option("--queue-s", type=float, help="Seconds that a run stays queued [0.2]")
@click.option("--clock", type=click.Choice(["real", "virtual"]), help="`virtual`: nobody waits, time jumps [real]")
@click.option("--script", help="File, TOML or JSON, that tells runs what to do [none]")
@click.option("--state", help="SQLite file that keeps the state [memory alone]")
@click.option("--api-key", envvar="WIRETAPE_SANDBOX_API_KEY", help="The one key that is let in [any]")
def sandbox(file: Path | None, listen: str, **flags: Any) -> None:  # noqa: ANN401  click's values, checked again
    """Run the embedded Assistants server alone: no key, no network.

    Settings are those of [sandbox] in wiretape.toml; flags come before them.

    \b
    Example:
      wiretape sandbox --listen 127.0.0.1:8790
      wiretape sandbox --script rehearsal.toml --clock virtual
    """  # noqa: D301  as above
    given = {name: value for name, value in flags.items() if value is not None}
    config = effective({"file": file}).config
    options = checked(structs.replace(config, sandbox=structs.replace(config.sandbox, **given))).sandbox
    run_loop(_sandbox(listen, options))


async def _sandbox(address: str, options: SandboxOptions) -> None:
    where = parse_address(address)
    if isinstance(where, UnixAddress):
        raise UsageError(f"the sandbox listens on host:port; got {address!r}")
    listener = await start_sandbox(options, where)
    try:
        key = "any key will do" if options.api_key is None else "one key is let in"
        click.echo(f"The sandbox listens on {listener.url}; {key}.{await _example(options, listener.url)}")
        await Signals().wait()
    finally:
        await listener.close()


async def _announce(proxy: Proxy) -> None:
    click.echo(f"Wiretape ({proxy.config.mode}) listens on {proxy.traffic.url}, admin on {proxy.admin.url}", err=True)
    for line in _shown(proxy.notes, NOTES_SHOWN):
        click.echo(line, err=True)
    if proxy.token_made is not None:
        click.echo(f"Admin token, made for this start: {proxy.token_made}", err=True)
    if proxy.sandbox is not None and proxy.config.mode is Mode.FORWARD:
        example = await _example(proxy.config.sandbox, proxy.sandbox.url, _for_curl(proxy.traffic.url))
        click.echo(f"Its upstream is the embedded sandbox: no key, no network.{example}", err=True)


async def _example(options: SandboxOptions, sandbox_url: str, url: str | None = None) -> str:
    """Make an assistant, so that the line printed works as it is; a key is not printed.

    A sandbox with a script or a state is left as it is: a request of ours would count for the one, stay in the other.
    """
    if options.script or options.state:
        return ""
    headers = {**_BETA, "Authorization": f"Bearer {options.api_key or ANY_KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        made = await session.post(f"{sandbox_url}/v1/assistants", json=_GREETER)
        if made.status != HTTPStatus.OK:  # a bound leaves no room for it
            return ""
        shown = ANY_KEY if options.api_key is None else "$OPENAI_API_KEY"
        return " Try:\n" + _CURL.format(url=url or sandbox_url, key=shown, assistant=(await made.json())["id"])


def _for_curl(url: str) -> str:
    path = url.removeprefix(UNIX)
    return url if path == url else f"--unix-socket {shlex.quote(path)} http://localhost"


def _own_ids(found: Effective) -> Config:
    """Seed the sandbox by chance unless a seed was set: its runs must not have the ids of the last start's."""
    if found.origins["sandbox"] != "default":
        return found.config
    return structs.replace(found.config, sandbox=structs.replace(found.config.sandbox, seed=secrets.randbits(32)))


def _recorded(outcome: Outcome) -> int:
    sealed = outcome.sealed
    if sealed is None:
        return 0
    for one in (sealed, *sealed.others):
        tell(f"{one.interactions} interactions in {one.path}, {one.incomplete} incomplete")
    if outcome.stopped:
        tell(outcome.stopped)
    if outcome.unrecorded:
        tell(f"{outcome.unrecorded} exchanges are not in it: a bound or the disk kept them out")
    incomplete = any(one.incomplete for one in (sealed, *sealed.others))
    return int(incomplete or bool(outcome.unrecorded or outcome.stopped))


def _verified(outcome: Outcome) -> int:
    if outcome.drift:
        tell("live answers differ from recorded ones:\n" + _indented(map(printable, outcome.drift)))
    return int(bool(outcome.drift))


def _shown(notes: Sequence[str], shown_max: int) -> Iterator[str]:
    yield from map(printable, notes[:shown_max])
    if len(notes) > shown_max:
        yield f"and {len(notes) - shown_max} more; `wiretape cassette lint` tells all"


def _paragraph(text: str) -> str:
    """A text of several lines as it is: a rule that is to be pasted stands on lines of its own."""
    return "\n".join(map(printable, text.rstrip("\n").split("\n")))


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _replayed(outcome: Outcome, *, strict: bool) -> int:
    if outcome.refused:
        were = "1 request was" if outcome.refused == 1 else f"{outcome.refused} requests were"
        tell(f"{were} refused: no recording has an answer")
        tell("\n".join(f"  {_paragraph(miss)}" for miss in outcome.misses[:MISSES_SHOWN]))
    if strict and outcome.unplayed:
        tell("left unplayed:\n" + _indented(outcome.unplayed))
    return int(bool(outcome.refused or (strict and outcome.unplayed)))
