"""What the names of cassettes mean. A cassette is named by its stem.

`talks/weather` is `talks/weather.part.jsonl` while it is recorded and `talks/weather.tape.jsonl` when it is sealed;
its long bodies lie in `talks/weather.blobs/`, and what finds its interactions quickly in `talks/weather.tape.idx`.
A session named `alice` records to `talks/weather@alice`; the parts of a recording without an end are numbered,
`talks/weather.000001`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote, urlsplit

from wiretape.errors import ConfigError

SEALED_SUFFIX = ".tape.jsonl"
JOURNAL_SUFFIX = ".part.jsonl"
BLOBS_SUFFIX = ".blobs"
INDEX_SUFFIX = ".tape.idx"
DEFAULT_SESSION = "default"
_SESSION_LENGTH_MAX = 100


def stem_of(name_or_path: str, cassette_dir: Path) -> Path:
    """The stem a person means: a bare name lies in `cassette_dir`, a path is a path, a file's suffix is taken off.

    Raises ConfigError for what can name no file.
    """
    named = name_or_path.removesuffix(SEALED_SUFFIX).removesuffix(JOURNAL_SUFFIX)
    last = named.rpartition("/")[2]
    if last in {"", ".", ".."} or not named.isprintable():
        raise ConfigError(
            f"{name_or_path!r} names no cassette: a name such as `weather` or `talks/weather` was expected."
        )
    is_bare = "/" not in named and named == name_or_path
    return cassette_dir / named if is_bare else Path(named)


def tape_path(stem: Path) -> Path:
    """The sealed file of a stem."""
    return stem.with_name(stem.name + SEALED_SUFFIX)


def journal_path(stem: Path) -> Path:
    """The journal of a stem."""
    return stem.with_name(stem.name + JOURNAL_SUFFIX)


def session_stem(stem: Path, session: str) -> Path:
    """The stem of a recording session's own cassette; the one without a name has the recording's."""
    if session == DEFAULT_SESSION:
        return stem
    named = quote(session, safe="").replace(".", "%2E")
    if len(named) > _SESSION_LENGTH_MAX:
        named = f"{named[:_SESSION_LENGTH_MAX]}~{hashlib.sha256(session.encode()).hexdigest()[:16]}"
    return stem.with_name(f"{stem.name}@{named}")


def blobs_path(path: Path) -> Path:
    """The folder beside a sealed file or a journal that holds its long bodies."""
    return path.with_name(_stem_name(path) + BLOBS_SUFFIX)


def index_path(path: Path) -> Path:
    """The index beside a sealed file."""
    return path.with_name(_stem_name(path) + INDEX_SUFFIX)


def cleaned(upstream: str) -> str:
    """An upstream's URL without what may be secret in it: user, password, query and fragment."""
    parts = urlsplit(upstream)
    try:
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return f"{parts.scheme}://"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}" if parts.scheme else upstream


def _stem_name(path: Path) -> str:
    return path.name.removesuffix(SEALED_SUFFIX).removesuffix(JOURNAL_SUFFIX)
