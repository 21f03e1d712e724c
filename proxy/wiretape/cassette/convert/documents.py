"""YAML and JSON of a foreign recording as plain values: None, bool, int, float, str, bytes, list and dict.

YAML is taken by the parser's events alone. No constructor is ever called, so nothing that is read can run; nesting
and what aliases unfold to are bounded before any value exists. Tags are read for what they say of a text: binary in
its two spellings (`!!binary`, and the local `!binary` that Ruby's Psych writes) and Python 2's text. A plain scalar
is read by PyYAML's own patterns, as the recorders wrote it, and stays text where its spelling would be lost.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import msgspec

from wiretape.errors import ImportRefused

DEPTH_MAX = 100
"""Values inside values; no recording nests deeper."""
UNFOLDED_MAX = 16 << 20
"""Characters and values that a document's aliases may add to it: a small file may unfold to a huge one."""
_INT_DIGITS_MAX = 18

_YAML = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({"!", _YAML + "str", _YAML + "python/unicode", _YAML + "python/str"})
_BINARY_TAGS = frozenset({"!binary", _YAML + "binary"})
_PLAIN_TAGS = frozenset(_YAML + kind for kind in ("null", "bool", "int", "float", "timestamp"))
_COLLECTION_TAGS = frozenset({None, "!", _YAML + "map", _YAML + "seq"})

_STRANGE_TAG = "a tag names a kind of value that no recording needs"


def text_of(data: bytes) -> str:
    """The text, without its byte-order mark. Raises ImportRefused."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefused(f"This is no UTF-8 text: byte {error.start} cannot be read; convert it first.") from error


def load_json(data: bytes) -> object:
    """The value of a JSON text. Raises ImportRefused."""
    return decode(data, object)


def decode(data: bytes | msgspec.Raw, kind: Any) -> Any:  # noqa: ANN401  what `kind` says
    """The JSON text as a value of this kind; the message names what does not fit and where, not what stands there."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise ImportRefused(f"This JSON cannot be read: {reason}.") from error


def load_yaml(text: str) -> object:
    """The value of the one document in a YAML text. Raises ImportRefused."""
    yaml = yaml_module()
    build = _Build(yaml.SafeLoader.yaml_implicit_resolvers)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            build.feed(event)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise ImportRefused(f"This YAML cannot be read: {_problem(error)}.") from error
    return build.value


def yaml_module() -> Any:  # noqa: ANN401  a module
    """PyYAML. Raises ImportRefused where it is not installed."""
    try:
        import yaml  # noqa: PLC0415  an extra, which only YAML recordings need
    except ModuleNotFoundError as error:
        raise ImportRefused("YAML needs the extra `yaml`: pip install 'wiretape[yaml]'.") from error
    return yaml


def _problem(error: Exception) -> str:
    """What is wrong and in which line; never the line itself, which may hold a key."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    return str(problem) if mark is None else f"{problem}, in line {mark.line + 1}"


class _Open:
    """A list or mapping whose end has not come."""

    def __init__(self, value: list[Any] | dict[str, Any], anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: str | None = None
        self.size = 1


class _Build:
    """Fed with the events of a YAML text; `value` is its document's."""

    def __init__(self, patterns: dict[str, list[tuple[str, Any]]]) -> None:
        self.value: object = None
        self._patterns = patterns
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[object, int]] = {}
        self._unfolded = 0
        self._documents = 0

    def feed(self, event: Any) -> None:  # noqa: ANN401  PyYAML's events have no common type that says anything
        """One event of the parser."""
        match type(event).__name__:
            case "ScalarEvent":
                self._scalar(event)
            case "SequenceStartEvent":
                self._begin(event, [])
            case "MappingStartEvent":
                self._begin(event, {})
            case "SequenceEndEvent" | "MappingEndEvent":
                done = self._open.pop()
                self._add(event, done.value, done.size, done.anchor)
            case "AliasEvent":
                self._alias(event)
            case "DocumentStartEvent":
                self._document(event)
            case _:
                pass

    def _document(self, event: Any) -> None:  # noqa: ANN401  as above
        self._documents += 1
        if self._documents > 1:
            raise _refused(event, "a second document begins; a recording is one")

    def _begin(self, event: Any, value: list[Any] | dict[str, Any]) -> None:  # noqa: ANN401  as above
        if event.tag not in _COLLECTION_TAGS:
            raise _refused(event, _STRANGE_TAG)
        if len(self._open) >= DEPTH_MAX:
            raise _refused(event, f"it is nested over {DEPTH_MAX} deep")
        self._open.append(_Open(value, event.anchor))

    def _scalar(self, event: Any) -> None:  # noqa: ANN401  as above
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._is_key(event, parent)
        else:
            self._add(event, self._read(event), 1 + len(event.value), event.anchor)

    def _is_key(self, event: Any, parent: _Open) -> None:  # noqa: ANN401  as above
        if event.value == "<<" and event.implicit[0]:
            raise _refused(event, "merge keys (`<<`) are not read; write the mapping out")
        if event.anchor is not None:
            self._anchors[event.anchor] = event.value, 1 + len(event.value)
        parent.key = event.value
        parent.size += len(event.value)

    def _alias(self, event: Any) -> None:  # noqa: ANN401  as above
        if event.anchor not in self._anchors:
            raise _refused(event, "an alias stands for nothing that ended before it")
        value, size = self._anchors[event.anchor]
        self._unfolded += size
        if self._unfolded > UNFOLDED_MAX:
            raise _refused(event, f"its aliases unfold to over {UNFOLDED_MAX} characters")
        self._add(event, value, size, None)

    def _add(self, event: Any, value: object, size: int, anchor: str | None) -> None:  # noqa: ANN401  as above
        if anchor is not None:
            self._anchors[anchor] = value, size
        if not self._open:
            self.value = value
            return
        parent = self._open[-1]
        parent.size += size
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is not None:
            parent.value[parent.key], parent.key = value, None
        elif isinstance(value, str):
            parent.key = value
        else:
            raise _refused(event, "a key of a mapping is no text")

    def _read(self, event: Any) -> object:  # noqa: ANN401  as above
        if event.tag in _BINARY_TAGS:
            return _binary(event)
        if event.tag in _TEXT_TAGS or (event.tag is None and not event.implicit[0]):
            return event.value
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            raise _refused(event, _STRANGE_TAG)
        return _plain(event.value, event.tag or self._resolved(event.value))

    def _resolved(self, text: str) -> str:
        tags = (tag for tag, pattern in self._patterns.get(text[:1], ()) if pattern.match(text))
        return next(tags, "")


def from_base64(text: str) -> bytes:
    """The bytes of a base64 text, whose white space does not count. Raises ValueError for any other character."""
    return base64.b64decode("".join(text.split()), validate=True)


def _binary(event: Any) -> bytes:  # noqa: ANN401  as above
    try:
        return from_base64(event.value)
    except ValueError as error:
        raise _refused(event, "what is tagged as binary is no base64") from error


def _plain(text: str, tag: str) -> object:
    """A plain scalar's value, or its text where writing the value again would give another one."""
    match tag.removeprefix(_YAML):
        case "null":
            return None
        case "bool" if text in {"true", "false"}:
            return text == "true"
        case "int" if len(text) <= _INT_DIGITS_MAX and text.removeprefix("-").isdecimal():
            return int(text) if str(int(text)) == text else text
        case "float":
            return _float(text)
        case _:
            return text


def _float(text: str) -> object:
    """A number that JSON has, too; `.inf`, `1:30.5` and what is too large stay text."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _refused(event: Any, problem: str) -> ImportRefused:  # noqa: ANN401  as above
    return ImportRefused(f"This YAML cannot be read: {problem}, in line {event.start_mark.line + 1}.")
