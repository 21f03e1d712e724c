"""The recorded requests most like one that was asked in vain, where they differ, and the rule that would overlook it.

Everything here is made of redacted forms, and of the recorded ids that the client's are bound to, so what is shown
may be shown to anybody who may see the cassette.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import islice, zip_longest

from msgspec import UNSET, Struct

from wiretape.cassette.format import Interaction
from wiretape.cassette.ids import apart
from wiretape.cassette.key import Meaning, key, meaning, pairs, unnumbered_text
from wiretape.cassette.multipart import parts
from wiretape.cassette.recordings import key_of, path_of
from wiretape.cassette.rules import NO_RULES, Form, Rules, form_of
from wiretape.exchange import Headers

_NEAREST_MAX = 3
_DIFFERENCES_MAX = 20
_SHOWN_MAX = 80
_PLAIN_NAME = re.compile(r'[^.\[\]"*\s]+')
_BODY = "$"

MayBind = Callable[[Sequence[str], Sequence[str]], bool]
"""Whether these ids of a client may stand for those recorded ones."""


class Asked(Struct, frozen=True):
    """A request as the recorder would have stored it."""

    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def path(self) -> str:
        """As requests are compared by it."""
        return unnumbered_text(self.target.partition("?")[0])


class Difference(Struct, frozen=True):
    """Where a request and a recording differ: `method`, `path`, or a place as rules name it; both as shown."""

    where: str
    recorded: str
    asked: str
    form: Form | None = None
    """What both have the form of."""


class Near(Struct, frozen=True):
    """A recorded request like the one asked."""

    index: int
    method: str
    target: str
    differences: tuple[Difference, ...]
    rule: Rules | None = None
    """What would make them the same."""


def nearest(
    asked: Asked,
    likely: Iterable[tuple[int, Interaction]],
    is_played: Callable[[int], bool],
    rules: Rules,
    may: MayBind,
) -> tuple[Near, ...]:
    """The nearest of the likely ones, which have their positions with them; of equally near ones the unplayed."""
    ranked = sorted(((_rank(asked, one), is_played(at), at, one) for at, one in likely), key=lambda each: each[:3])
    worst = ranked[:_NEAREST_MAX][-1][0] if ranked else 0
    found = [(each, _near(asked, each[3], rules, may)) for each in ranked if each[0] <= worst]
    found.sort(key=lambda pair: (*pair[0][:2], len(pair[1].differences), pair[0][2]))
    return tuple(_ruled(asked, each[3], near, rules, may) for each, near in found[:_NEAREST_MAX])


def distance(method: str, path: str, other_method: str, other_path: str) -> int:
    """How unlike method and path are: a different method counts as much as a segment and a half."""
    unlike = [left for left, right in zip_longest(path.split("/"), other_path.split("/")) if left != right]
    return 2 * len(unlike) + (0 if method == other_method else 3)


def differences(recorded: object, asked: object, path: str = _BODY) -> Iterator[tuple[str, object, object]]:
    """Where two JSON values differ, in document order, by JSON path. Deep values are walked, not recursed into."""
    pending: list[tuple[str, object, object]] = [(path, recorded, asked)]
    while pending:
        path, left, right = pending.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            names = list(left) + [name for name in right if name not in left]
            inner = [(path + _step(name), left.get(name, UNSET), right.get(name, UNSET)) for name in names]
            pending.extend(reversed(inner))
        elif isinstance(left, list) and isinstance(right, list):
            both = zip_longest(left, right, fillvalue=UNSET)
            pending.extend(reversed([(f"{path}[{place}]", one, other) for place, (one, other) in enumerate(both)]))
        elif type(left) is not type(right) or left != right:
            yield path, left, right


def short(text: str) -> str:
    """A text, cut where it is long."""
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def _step(name: str) -> str:
    """A name as paths have it; one that cannot stand in quotes is any name."""
    if _PLAIN_NAME.fullmatch(name):
        return f".{name}"
    return f'["{name}"]' if name and '"' not in name and name.isprintable() else ".*"


def _rank(asked: Asked, one: Interaction) -> int:
    return distance(asked.method, asked.path, one.method, path_of(one))


def _near(asked: Asked, one: Interaction, rules: Rules, may: MayBind) -> Near:
    found = (each for each in _compared(asked, one, rules) if not _is_bound(each, may))
    shown = (_difference(*each) for each in islice(found, _DIFFERENCES_MAX))
    return Near(one.index, one.method, one.target, tuple(shown))


def _is_bound(found: tuple[str, object, object], may: MayBind) -> bool:
    """Whether the two differ in nothing but ids that may yet be bound to each other."""
    _, left, right = found
    if not (isinstance(left, str) and isinstance(right, str)):
        return False
    (shape, recorded), (other, clients) = apart(left), apart(right)
    return shape == other and may(clients, recorded)


def _compared(asked: Asked, one: Interaction, rules: Rules) -> Iterator[tuple[str, object, object]]:
    if asked.method != one.method:
        yield "method", one.method, asked.method
    if asked.path != path_of(one):
        yield "path", one.path, asked.path
    yield from _named("query", _query(one.target, rules), _query(asked.target, rules))
    yield from _headers(asked.headers, one.request_headers, rules)
    yield from _bodies(asked, one, rules)


def _query(target: str, rules: Rules) -> Sequence[tuple[str, str]]:
    return pairs(unnumbered_text(target).partition("?")[2].encode(), rules)


def _named(
    place: str, recorded: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, object, object]]:
    """By name: all values of a name together."""
    for name in dict.fromkeys(name for name, _ in (*recorded, *asked)):
        left, right = _values(recorded, name), _values(asked, name)
        if left != right:
            yield f"{place}:{name}", left, right


def _values(found: Sequence[tuple[str, str]], name: str) -> object:
    values = [value for one, value in found if one == name]
    return ", ".join(values) if values else UNSET


def _headers(asked: Headers, recorded: Headers, rules: Rules) -> Iterator[tuple[str, object, object]]:
    counted = {name.lower().encode() for name in rules.headers}
    yield from _named("header", _counted(recorded, counted), _counted(asked, counted))


def _counted(headers: Headers, names: Container[bytes]) -> list[tuple[str, str]]:
    found = ((name.lower(), value) for name, value in headers if name.lower() in names)
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in found]


def _bodies(asked: Asked, one: Interaction, rules: Rules) -> Iterator[tuple[str, object, object]]:
    recorded = meaning(one.request_headers, one.request_body, rules)
    ours = meaning(asked.headers, asked.body, rules)
    if recorded.kind == ours.kind == "json":
        yield from differences(recorded.value, ours.value)
    elif recorded.kind == ours.kind == "form":
        yield from _named("form", _pairs_of(recorded), _pairs_of(ours))
    elif recorded.kind == ours.kind == "multipart" and recorded != ours:
        theirs = _contents(one.request_body, one.request_headers)
        yield from _parted(theirs, _contents(asked.body, asked.headers), recorded, ours)
    elif recorded != ours:
        yield _BODY, _Size(recorded.kind, len(one.request_body)), _Size(ours.kind, len(asked.body))


def _pairs_of(form: Meaning) -> Sequence[tuple[str, str]]:
    return form.value if isinstance(form.value, tuple) else ()


def _contents(body: bytes, headers: Headers) -> list[tuple[str, str]]:
    """(name, what it says) of the parts; beside its content a part says how it is to be read."""
    found = ((part, "; ".join([*part.head, part.content.decode("utf-8", "replace")])) for part in parts(body, headers))
    return [(part.name, text) for part, text in found if part.name]


def _parted(
    recorded: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]], one: Meaning, other: Meaning
) -> Iterator[tuple[str, object, object]]:
    """By part; whole where nothing that has a name tells the difference."""
    found = list(_named("part", recorded, asked))
    yield from found or [(_BODY, _Size(one.kind, 0), _Size(other.kind, 0))]


class _Size(Struct, frozen=True):
    """What is shown of a body that has no parts."""

    kind: str
    bytes: int


def _difference(where: str, recorded: object, asked: object) -> Difference:
    form = None
    if not any(one is UNSET or isinstance(one, bool) for one in (recorded, asked)):
        form = form_of(str(recorded), str(asked))
    return Difference(where, _shown(recorded), _shown(asked), form)


def _shown(value: object) -> str:
    if value is UNSET:
        return "nothing"
    if isinstance(value, _Size):
        return f"{value.kind}, {value.bytes} bytes"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    return short(json.dumps(value, ensure_ascii=False))


def _ruled(asked: Asked, one: Interaction, near: Near, rules: Rules, may: MayBind) -> Near:
    """With a rule that was tried: the most exact one under which the two are the same."""
    if any(found.where in {"method", "path"} or found.where.startswith("header:") for found in near.differences):
        return near
    exact = _overlooking(near.differences)
    broad = Rules(ignore=(_BODY, *(place for place in exact.ignore if place.startswith("query:"))))
    tried = (rules.joined(rule) for rule in (exact, broad))
    rule = next((rule for rule in tried if _are_same(asked, one, rule, may)), None)
    return Near(near.index, near.method, near.target, near.differences, rule)


def _overlooking(found: Sequence[Difference]) -> Rules:
    ignore = tuple(one.where for one in found if one.form is None)
    return Rules(ignore=ignore, normalise={one.where: one.form for one in found if one.form is not None})


def _are_same(asked: Asked, one: Interaction, rules: Rules, may: MayBind) -> bool:
    ours, theirs = key(asked.method, asked.target, asked.headers, asked.body, rules), key_of(one, rules)
    return ours.shape == theirs.shape and may(ours.ids, theirs.ids)


def toml(rules: Rules) -> str:
    """Rules as a table of wiretape.toml."""
    lines = ["[match]"]
    if rules.ignore:
        lines.append(f"ignore = [{', '.join(map(_quoted, rules.ignore))}]")
    if rules.normalise:
        forms = (f"{_quoted(place)} = {_quoted(form)}" for place, form in rules.normalise.items())
        lines.append(f"normalise = {{ {', '.join(forms)} }}")
    if rules.headers:
        lines.append(f"headers = [{', '.join(map(_quoted, rules.headers))}]")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """A basic string of TOML 1.0: JSON's escapes, and one for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


__all__ = ["NO_RULES", "Asked", "Difference", "Near", "differences", "distance", "nearest", "short", "toml"]
