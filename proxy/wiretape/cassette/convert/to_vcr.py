"""A cassette as VCR.py's YAML, format version 1; writing it needs the extra `yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wiretape.cassette.convert import exported
from wiretape.cassette.convert.documents import yaml_module
from wiretape.cassette.convert.exported import Exported
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.exchange import Headers

_Fields = dict[str, object]


def export(tape: Tape) -> Exported:
    """The one file. Raises ImportRefused where the extra is missing."""
    yaml = yaml_module()
    interactions = exported.served(tape)
    document = {"interactions": [_interaction(tape.header, one) for one in interactions], "version": 1}
    text = yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False).encode()
    return Exported((("", text),), (*exported.told(tape), *_lost(tape.header, interactions)))


def _lost(header: Header, interactions: Sequence[Interaction]) -> Iterator[str]:
    """What VCR.py's format has no place for."""
    if header.recorded:
        yield "When it was recorded is not kept."
    for one in interactions:
        if one.how is not Ended.COMPLETE:
            yield f"Interaction {one.index} ended as {one.how}; VCR.py plays it as if it were whole."
    if timed := [one for one in interactions if one.times_known and one.chunks]:
        yield f"{exported.numbered(timed)}: when each piece came is not kept."
    if mixed := [one for one in interactions if _is_mixed(one.request_headers) or _is_mixed(one.headers)]:
        yield f"{exported.numbered(mixed)}: fields of one name are put together, their order among the others is lost."
    if len({one.session for one in interactions}) > 1:
        yield "Sessions are not kept: all interactions are in one."


def _is_mixed(headers: Headers) -> bool:
    return [name for name, values in _grouped(headers).items() for _ in values] != [
        name for name, _ in exported.pairs(headers)
    ]


def _grouped(headers: Headers) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, text in exported.pairs(headers):
        grouped.setdefault(name, []).append(text)
    return grouped


def _interaction(header: Header, one: Interaction) -> _Fields:
    request = {
        "body": _body(one.request_body) if one.request_body else None,
        "headers": _grouped(one.request_headers),
        "method": one.method,
        "uri": exported.url(header, one),
    }
    response = {
        "body": {"string": _body(one.body)},
        "headers": _grouped(one.headers),
        "status": {"code": one.status, "message": exported.phrase(one.status or 0)},
    }
    return {"request": request, "response": response}


def _body(body: bytes) -> str | bytes:
    text = exported.text_or_none(body)
    return body if text is None else text
