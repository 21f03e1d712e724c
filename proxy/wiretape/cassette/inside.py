r"""Finds the secrets that stand inside a text by the name before them: in JSON fields and in URLs' parameters.

JSON also inside a string of JSON, and in that again: quotes are escaped by 1, 3 or 7 backslashes there. Nothing is
looked at twice, whatever the text is: names are bounded, and a value ends at its quote or with the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from wiretape.cassette.edits import Found
from wiretape.cassette.folding import fold
from wiretape.cassette.places import field_kind, is_word_there, parameter_kind, plain
from wiretape.cassette.spelling import is_telling

_GAP = r"[ \t\r\n]{0,8}"
_NAME_ENDS = (
    *("key", "ken", "ret", "ord", "wd", "ase", "sation", "zation", "cation"),
    *("jwt", "rer", "uth", "kie", "ial", "als", "nid"),
)
"""What the names in the table end in: any other is passed over without a look at the table."""
_ENDED = "|".join(f"(?<={end})" for end in _NAME_ENDS)
_ENDED_QUOTED = "|".join(f'(?<={end}")' for end in _NAME_ENDS)
_FIELD = re.compile(rf'(?i)"([\w.-]{{1,64}}+)(?:{_ENDED})(\\{{0,7}}+)"{_GAP}:{_GAP}(\[?)'.encode())
_LAST_LETTERS = (sorted({end[at] for end in _NAME_ENDS if len(end) >= -at}) for at in (-3, -2, -1))
_CLASSES = "".join(f"[{''.join(letters)}{''.join(letters).upper()}]" for letters in _LAST_LETTERS)
_PLAIN_FIELD = re.compile(rf'"(?:(?<={_CLASSES}")|(?<=[wW][dD]"))(?i:{_ENDED_QUOTED}){_GAP}:'.encode())
"""What stands where `_FIELD` finds something and no quote is escaped: quicker, as it begins at the quote behind."""
_PARAMETER = re.compile(
    rb"[?&#;6Ff](?:(?<=[?&#])|(?<=u0026)|(?<=%26)|(?<=%3[Ff])|(?<=&amp;))"
    rb"([\w.-]{1,64}+)(?:=|%3[Dd]|\\u003[Dd])([^&#\s\"'<>\\{};,]++)"
)
_PARAMETER_BEGUN = re.compile(rb"(?:[?&#]|u0026|%26|%3[Ff]|&amp;)[\w.-]{0,64}(?:=|%3?[Dd]?|\\u?0?0?3?[Dd]?)?\Z")
_MARK = re.compile(rb'["?&#=%]|u0')
"""What stands before every named value."""
_ASSIGNMENTS = (b"=", b"%3", b"u003")
FIELD_SEEN = rf'(?i:{"|".join(_NAME_ENDS)})\\{{0,7}}"{_GAP}:'.encode()
PARAMETER_SEEN = rb"(?:[?&#]|u0026|%26|%3[Ff]|&amp;)[\w.-]+(?:=|%3[Dd]|\\u003[Dd])"
"""What stands wherever a field or a parameter of a telling name is found, and elsewhere too; for RE2."""
_NAME_BYTES = 96
_NAME_BEGUN = re.compile(rf'"[\w.-]{{0,64}}(?:\\{{0,7}}"?{_GAP}:?{_GAP})\Z'.encode())
_NOT_BEGUN = re.compile(rb"[ \t\r\n]*\\{0,7}\Z")
_TAIL_BYTES = 4096
"""How far back a name is looked for whose value has begun and not ended."""


class _Quotes(Struct, frozen=True):
    """Where JSON strings begin whose quotes have so many backslashes: the first, and the next of a list."""

    first: re.Pattern[bytes]
    next: re.Pattern[bytes]


def _quotes(escaping: int) -> _Quotes:
    quote = rf'\\{{{escaping}}}"'
    opening = f"{_GAP}{quote}"
    return _Quotes(re.compile(opening.encode()), re.compile(f"{quote}{_GAP},{opening}".encode()))


_QUOTES = {escaping: _quotes(escaping) for escaping in (0, 1, 3, 7)}
_STOPS = re.compile(rb'(?<!\\)\\*"|[\r\n]')
"""A quote with all the backslashes before it, or the end of the line."""


def in_fields(data: bytes) -> Iterator[Found]:
    """The strings in JSON fields of telling names, in order; they may overlap where one holds another.

    One that the text breaks off in is found whatever it looks like so far.
    """
    if not _may_tell_field(data):
        return
    for match in _FIELD.finditer(data):
        kind, escaping = field_kind(match[1]), len(match[2])
        if kind is not None and escaping in _QUOTES:
            yield from _fields(kind, data, match, escaping)


def tells(data: bytes) -> bool:
    """Whether there may be a field or a parameter of a telling name here; where not, neither search finds any."""
    if _may_tell_field(data) and any(field_kind(match[1]) is not None for match in _FIELD.finditer(data)):
        return True
    return any(map(data.__contains__, _ASSIGNMENTS)) and _PARAMETER.search(data) is not None


def _may_tell_field(data: bytes) -> bool:
    return b"\\" in data or _PLAIN_FIELD.search(data) is not None


def _fields(kind: str, data: bytes, match: re.Match[bytes], escaping: int) -> Iterator[Found]:
    opened = _QUOTES[escaping].first.match(data, match.end())
    while opened is not None:
        start, end = opened.end(), _end(data, opened.end(), escaping)
        value = fold(data[start:end])
        if value and (end == len(data) or is_telling(value) or not is_word_there(kind)):
            yield Found(start, end, kind, value)
        opened = _QUOTES[escaping].next.match(data, end) if match[3] else None


def _end(data: bytes, start: int, escaping: int) -> int:
    """A run of backslashes before a quote tells, by its length, whether the string ends there.

    Counted here and not by a pattern: Python before 3.11.5 matches possessive groups wrongly (gh-106052).
    """
    unit = 2 * escaping + 2
    for stop in _STOPS.finditer(data, start):
        if not stop[0].endswith(b'"') or (len(stop[0]) - 1) % unit <= escaping:
            return stop.start()
    return len(data)


def in_urls(data: bytes) -> Iterator[Found]:
    """The values of telling parameters in URLs, also in escaped ones; only such as are no words."""
    if not any(map(data.__contains__, _ASSIGNMENTS)):
        return
    for match in _PARAMETER.finditer(data):
        kind = parameter_kind(match[1])
        if kind is not None and is_telling(value := plain(match[2])):
            yield Found(match.start(2), match.end(2), kind, value)


def begins_in(before: bytes, data: bytes) -> bool:
    """Whether a name may begin in `data`, and not just `before`; where none had begun there, that is all to know."""
    return _MARK.search(before[-1:] + data) is not None


def begun(data: bytes) -> int:
    """Where a telling name begins whose value may go on behind this text; the text's end where none does."""
    start = max(len(data) - _TAIL_BYTES, 0)
    if _MARK.search(data, start) is None:
        return len(data)
    name = _PARAMETER_BEGUN.search(data, max(len(data) - _NAME_BYTES, start))
    ends = name.start() if name else len(data)
    return min(ends, _begun_parameter(data, start), _begun_field(data, start))


def _begun_field(data: bytes, start: int) -> int:
    """From the name on: a value that has not begun is as good as one that has not ended."""
    for match in _FIELD.finditer(data, start):
        kind, escaping = field_kind(match[1]), len(match[2])
        if kind is not None and escaping in _QUOTES:
            opened = _QUOTES[escaping].first.match(data, match.end())
            if (opened is None and _NOT_BEGUN.match(data, match.end())) or (
                opened is not None and _end(data, opened.end(), escaping) == len(data)
            ):
                return match.start()
    name = _NAME_BEGUN.search(data, max(len(data) - _NAME_BYTES, start))
    return name.start() if name else len(data)


def _begun_parameter(data: bytes, start: int) -> int:
    for match in _PARAMETER.finditer(data, start):
        if match.end() == len(data) and parameter_kind(match[1]) is not None:
            return match.start(2)
    return len(data)
