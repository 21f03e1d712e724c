"""Write docs/reference.md and docs/reference/telemetry.md from the code; `--check` compares.

Each flag, setting, error code, metric, attribute and field of the log has a line.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import telemetry_reference
from msgspec import NODEFAULT, Struct, structs

from wiretape import errors
from wiretape.cli import cli
from wiretape.config import ENV_PREFIX, Config, has_variable
from wiretape.telemetry.environment import HONOURED
from wiretape.telemetry.generations import LATEST
from wiretape.telemetry.instrument import Instrument
from wiretape.telemetry.vocabulary import INSTRUMENTS

TARGET = Path(__file__).with_suffix(".md")
TELEMETRY = Path(__file__).with_suffix("") / "telemetry.md"
PACKAGE = Path(__file__).parents[1] / "proxy" / "wiretape"
TABLES = {"upstream", "price"}
"""Settings of which a file may have several, `[[…]]`."""
INTRO = """\
# Reference

Written by `make docs` from the code; `make check` fails when it is stale. Do not edit.
"""


def reference() -> str:
    """Render the whole page."""
    return "\n".join([INTRO, *commands(), *settings(), *environment(), *codes(), *metrics(), *rooms()]) + "\n"


def commands() -> Iterator[str]:
    """Render every command with its help."""
    yield "## Commands\n"
    for words, command in walk(cli, ("wiretape",)):
        context = click.Context(command, info_name=" ".join(words), max_content_width=110, terminal_width=110)
        yield f"### `{' '.join(words)}`\n\n```text\n{command.get_help(context)}\n```\n"


def walk(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Give a command and all below it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from walk(below, (*words, name))


def settings() -> Iterator[str]:
    """Render every setting of the file, with its variable where it has one."""
    yield "## Settings\n"
    yield "Flags beat the environment, the environment beats `wiretape.toml`, the file beats the defaults."
    yield "OpenTelemetry exporters are set by the standard `OTEL_*` variables alone.\n"
    yield from table(Config, "")


def table(kind: type[Struct], section: str) -> Iterator[str]:
    """Render one struct, then those in it."""
    meanings = attribute_docs(kind)
    yield f"### `{section or 'top level'}`\n\n| setting | default | meaning |\n| --- | --- | --- |"
    inner: list[tuple[str, type[Struct]]] = []
    for field in structs.fields(kind):
        found = struct_in(field.type)
        if found is not None:
            inner.append((f"[[{field.name}]]" if field.name in TABLES else f"[{field.name}]", found))
        if found is None or field.name == "upstream":
            variable = f" `{ENV_PREFIX}{field.name.upper()}`" if not section and has_variable(field) else ""
            yield f"| `{field.encode_name}`{variable} | {default(field)} | {meanings[field.name]} |"
    yield ""
    for name, found in inner:
        yield from table(found, name)


def default(field: structs.FieldInfo) -> str:
    """Render a default as TOML would have it."""
    if field.default is NODEFAULT:
        return "required" if field.default_factory is NODEFAULT else "empty"
    if field.default is None or field.default == ():
        return "none"
    return f"`{field.default}`"


def attribute_docs(kind: type[Struct]) -> dict[str, str]:
    """Read the string below each field of a struct, and of those it extends."""
    docs: dict[str, str] = {}
    for base in kind.__bases__:
        if issubclass(base, Struct) and base is not Struct:
            docs |= attribute_docs(base)
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101  inspect gave a class
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            docs[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return docs


def struct_in(kind: Any) -> type[Struct] | None:  # noqa: ANN401  an annotation has no narrower type
    """Find the struct in an annotation."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    return next((found for part in get_args(kind) if (found := struct_in(part))), None)


def environment() -> Iterator[str]:
    """Render every variable of OpenTelemetry's that has an effect."""
    yield "## OpenTelemetry's variables\n\n| variables | meaning |\n| --- | --- |"
    for one in HONOURED:
        yield f"| {', '.join(f'`{name}`' for name in one.names)} | {one.meaning} |"
    yield ""


def codes() -> Iterator[str]:
    """Render every error code."""
    yield "## Error codes\n\n| code | status | meaning |\n| --- | --- | --- |"
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.WiretapeError):
            status = "exit 2" if issubclass(kind, errors.UsageError) else str(kind.status)
            yield f"| `{kind.code}` | {status} | {' '.join((kind.__doc__ or '').split())} |"
    yield ""


def metrics() -> Iterator[str]:
    """Render every instrument."""
    yield "## Metrics\n\nTheir buckets, and spans and log lines: [reference of telemetry](reference/telemetry.md).\n"
    yield "| name | kind | unit | attributes | meaning |\n| --- | --- | --- | --- | --- |"
    yield from map(instrument, INSTRUMENTS)
    yield "\nIn place of `gen_ai.client.token.usage` and the two names per chunk, `gen_ai_latest_experimental` has:\n"
    yield "| name | kind | unit | attributes | meaning |\n| --- | --- | --- | --- | --- |"
    yield from map(instrument, (one for one in LATEST.instruments if one not in INSTRUMENTS))


def instrument(one: Instrument) -> str:
    """Render one instrument."""
    attributes = ", ".join(f"`{name}`" for name in one.attributes)
    return f"| `{one.name}` | {one.kind} | {one.unit} | {attributes} | {one.help} |"


def rooms() -> Iterator[str]:
    """Render every module with its first sentence, room by room."""
    yield "\n## Rooms\n\nImports go down only; the contracts are in `pyproject.toml`. Each module's single task:\n"
    yield "| module | task |\n| --- | --- |"
    for path in sorted(PACKAGE.rglob("*.py")):
        told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        name = str(path.relative_to(PACKAGE).with_suffix("")).removesuffix("/__init__")
        yield f"| `{name}` | {' '.join(told.partition(chr(10) * 2)[0].split()).replace('|', chr(92) + '|')} |"


def main() -> None:
    """Write the pages, or say that one is stale."""
    importlib.import_module("wiretape.cli.demo")
    for path, text in ((TARGET, reference()), (TELEMETRY, telemetry_reference.page())):
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            sys.exit(f"{path} is stale: run `make docs`")


if __name__ == "__main__":
    main()
