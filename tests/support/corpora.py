"""Foreign recordings outside the repository: every interaction of theirs that spoke the Assistants protocol.

`WIRETAPE_CORPORA` names the folder. Formats are those of its `traffic/MANIFEST.md`.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml

HAND_EDITED = frozenset(
    {
        "ThreadRunStreamMessageDeltaResponse.txt",
        "ThreadRunStreamMessageResponse.txt",
        "ThreadRunStreamResponse.txt",
        "ThreadRunStreamRunStepDeltaResponse.txt",
        "ThreadRunStreamStepRunCreatedResponse.txt",
        "ThreadRunStreamThreadCreatedResponse.txt",
        "ThreadRunStreamInvalidEventResponse.txt",
    }
)
"""Streams of openai-php whose events follow each other without blank lines: one block by the standard."""


class Recorded(NamedTuple):
    """One recorded exchange; bodies are plain bytes, content codings undone."""

    source: str
    method: str
    target: str
    request: bytes
    status: int
    media_type: str
    body: bytes

    @property
    def streamed(self) -> bool:
        return self.media_type == "text/event-stream"


def root() -> Path:
    """The corpora's folder; skips the test where there is none."""
    folder = os.environ.get("WIRETAPE_CORPORA")
    if not folder:
        pytest.skip("WIRETAPE_CORPORA is not set")
    return Path(folder)


def files() -> Iterator[tuple[Path, list[Recorded]]]:
    """Each recording that holds Assistants traffic, with its exchanges in order."""
    return ((path, list(exchanges)) for path, exchanges in _load(root()))


def recorded() -> list[Recorded]:
    """All exchanges of all recordings."""
    return [exchange for _, exchanges in files() for exchange in exchanges]


def hand_edited() -> list[tuple[str, bytes]]:
    """The streams that do not conform, by file name."""
    found = sorted((root() / "traffic/openai-php__client").rglob("ThreadRunStream*.txt"))
    return [(path.name, path.read_bytes()) for path in found]


@cache
def _load(folder: Path) -> tuple[tuple[Path, tuple[Recorded, ...]], ...]:
    loaded = []
    for repository, (pattern, read) in _READERS.items():
        for path in sorted((folder / "traffic" / repository).rglob(pattern)):
            exchanges = tuple(_assistants(read(path), path))
            if exchanges:
                loaded.append((path, exchanges))
    return tuple(loaded)


def _assistants(exchanges: Iterator[Recorded], path: Path) -> Iterator[Recorded]:
    parts = ("/assistants", "/threads")
    return (one._replace(source=path.name) for one in exchanges if any(p in one.target for p in parts))


def _yaml(path: Path) -> Iterator[Recorded]:
    text = path.read_text("utf-8")
    if "/threads" not in text and "/assistants" not in text:
        return
    content = yaml.load(text, _Loader)  # noqa: S506  # a safe loader, with one tag more
    content = content if isinstance(content, dict) else {}
    for one in content.get("interactions") or content.get("http_interactions") or ():
        yield _interaction(one)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # two classes of one kind
    """Safe, and reads Ruby's binary strings."""


_Loader.add_constructor("!binary", yaml.SafeLoader.construct_yaml_binary)


def _interaction(one: dict[str, Any]) -> Recorded:
    request, response = one["request"], one["response"]
    headers = {name.lower(): _first(value) for name, value in (response.get("headers") or {}).items()}
    target = urlsplit(request["uri"] if "uri" in request else request["url"])
    status = response.get("status") or response.get("status_code")
    if isinstance(status, dict):
        status = status.get("code") or status.get("status_code")
    return Recorded(
        source="",
        method=str(request["method"]).upper(),
        target=target.path + (f"?{target.query}" if target.query else ""),
        request=_body(request.get("body")),
        status=int(status),
        media_type=str(headers.get("content-type", "")).partition(";")[0].strip().lower(),
        body=_body(response.get("body")),
    )


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _body(value: object) -> bytes:
    """The bytes of a body in VCR.py's, Ruby VCR's and R vcr's forms; gzip undone where it was kept."""
    if isinstance(value, dict):
        value = value.get("string") or value.get("encoded_string") or ""
    data = value if isinstance(value, bytes) else str(value or "").encode()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _test_proxy(path: Path) -> Iterator[Recorded]:
    content = json.loads(path.read_text("utf-8-sig"))
    for one in content.get("Entries", ()) if isinstance(content, dict) else ():
        target = urlsplit(one["RequestUri"])
        headers = {name.lower(): value for name, value in one["ResponseHeaders"].items()}
        media_type = str(_first(headers.get("content-type", ""))).partition(";")[0].strip().lower()
        yield Recorded(
            source="",
            method=one["RequestMethod"],
            target=target.path + (f"?{target.query}" if target.query else ""),
            request=_test_proxy_body(one.get("RequestBody"), ""),
            status=one["StatusCode"],
            media_type=media_type,
            body=_test_proxy_body(one.get("ResponseBody"), media_type),
        )


def _test_proxy_body(value: object, media_type: str) -> bytes:
    """JSON is kept parsed, text as it is or as a list of its lines with their ends, the rest as base64."""
    if media_type.startswith("text/") and isinstance(value, str):
        return value.encode()
    if media_type.startswith("text/") and isinstance(value, list):
        return "".join(value).encode()
    if isinstance(value, (dict, list)):
        return json.dumps(value).encode()
    return base64.b64decode(value) if isinstance(value, str) else b""


_READERS = {
    "alexrudall__ruby-openai": ("*.yml", _yaml),
    "openai__openai-dotnet": ("*.json", _test_proxy),
    "traceloop__openllmetry": ("*.yaml", _yaml),
    "wilkox__lemur": ("*.yml", _yaml),
}
