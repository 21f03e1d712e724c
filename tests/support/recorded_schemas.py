"""The JSON Schemas that others' recordings hold, whatever their protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from support import corpora

Schema = dict[str, Any]


def recorded() -> Iterator[tuple[str, Schema]]:
    """Every schema of a function or of an answer in the recordings of others, with its file's name."""
    for path in sorted((corpora.root() / "traffic").rglob("*")):
        text = path.read_text("utf-8", "replace") if path.is_file() and path.suffix != ".md" else ""
        if "parameters" in text or "json_schema" in text:
            yield from ((path.name, schema) for schema in _schemas(_document(path, text)))


def _document(path: Path, text: str) -> Any:
    if path.suffix in {".yml", ".yaml"}:
        return list(yaml.load_all(text, corpora._Loader))
    return _json(text) or text.splitlines()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _schemas(found: Any) -> Iterator[Schema]:
    match found:
        case bytes():
            yield from _schemas(found.decode("utf-8", "replace"))
        case str() if "parameters" in found or "schema" in found:
            yield from _schemas(_json(found.removeprefix("data: ")))
        case list():
            for one in found:
                yield from _schemas(one)
        case dict():
            for key, one in found.items():
                if key in {"parameters", "schema"} and isinstance(one, dict) and "name" in found:
                    yield one
                yield from _schemas(one)
