import contextlib
import json
import zlib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.foreign import SAMPLES
from support.tapes import resealed, sealed
from wiretape.cassette.convert import foreign, formats
from wiretape.cassette.convert.formats import FORMATS, Imported, read
from wiretape.errors import ImportRefused

KINDS = st.none() | st.sampled_from(FORMATS)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_is_told_by_the_content_or_given(kind: str) -> None:
    told, given_ = read(SAMPLES[kind]), read(SAMPLES[kind], kind=kind)
    assert (told.kind, given_.kind) == (kind, kind)
    assert told.tape == given_.tape
    assert told.tape.interactions


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_imported_seals_and_loads_back_the_same(kind: str) -> None:
    tape = read(SAMPLES[kind], "wiretape test").tape
    again = resealed(tape)
    assert (again.header, again.interactions, again.notes) == (tape.header, tape.interactions, ())
    assert sealed(again) == sealed(tape)


def test_a_secret_that_a_later_interaction_tells_is_taken_out_of_those_before() -> None:
    key = "Kanari-env0gel-im-Bergwerk"
    asked = {"method": "POST", "uri": "http://x/v1/keys", "body": "", "headers": {}}
    answer = {"status": {"code": 200, "message": ""}, "headers": {}, "body": {"string": f"your word is {key}"}}
    later = asked | {"headers": {"Authorization": [f"Bearer {key}"]}}
    data = json.dumps({"interactions": [{"request": one, "response": answer} for one in (asked, later)]}).encode()
    assert key.encode() not in sealed(read(data).tape)


@pytest.mark.parametrize("kind", ["har", "azure"])
def test_a_byte_order_mark_does_not_count(kind: str) -> None:
    assert read(b"\xef\xbb\xbf" + SAMPLES[kind]) == read(SAMPLES[kind])


@pytest.mark.parametrize("kind", ["vcr", "ruby-vcr", "go-vcr"])
def test_json_of_the_same_tree_is_the_same_recording(kind: str) -> None:
    sample = SAMPLES[kind].replace(b"!!binary /w==", b"text")
    assert read(json.dumps(yaml.safe_load(sample)).encode()).tape == read(sample).tape


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "its outermost value is a NoneType; expected was `interactions`"),
        (b"just text", "its outermost value is a str"),
        (b"[1]", "its outermost value is a list"),
        (b"{}", "it has no keys that are known"),
        (b'{"request": {}, "response": {}, "a b": 1}', "its keys are `request`, `response`; expected was"),
        (b'{"log": ', "or a damaged one. This JSON cannot be read"),
        (b"httprr trace v1\n1 2\nPOST / HTTP/1.1\r\nHost: x\r\n", "or a damaged one. This YAML cannot be read"),
        (b"\xff\xfe", "or a damaged one. This is no UTF-8 text"),
        (zlib.compress(SAMPLES["har"]), "This file is compressed: unpack it first."),
        (b'{"k":"tape","v":1}\n', "a cassette of Wiretape already"),
        (b"interactions: [{request: {url: x}}]", "Interaction 1 cannot be taken over: `response` is no mapping"),
    ],
)
def test_what_is_not_known_is_refused_with_what_stands_there(data: bytes, reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        read(data)
    assert reason in str(caught.value)


def test_a_format_that_is_given_is_held_to() -> None:
    for kind in FORMATS:
        for other in set(FORMATS) - {kind, "go-vcr", "vcr"}:
            with pytest.raises(ImportRefused):
                read(SAMPLES[kind], kind=other)


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "SOURCE_BYTES_MAX", 10)
    with pytest.raises(ImportRefused, match="over 10 bytes"):
        read(SAMPLES["sse"])


def test_a_file_whose_bodies_unfold_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    unfolded = sum(len(one.request_body) + len(one.body) for one in read(SAMPLES["vcr"]).tape.interactions)
    monkeypatch.setattr(foreign, "UNPACKED_MAX", unfolded)
    assert len(read(SAMPLES["vcr"]).tape.interactions) == 2
    monkeypatch.setattr(foreign, "UNPACKED_MAX", unfolded - 1)
    with pytest.raises(ImportRefused, match="Its bodies unfold to over"):
        read(SAMPLES["vcr"])


@pytest.mark.parametrize("kind", ["vcr", "har", "azure"])
def test_json_of_any_depth_is_read_or_refused(kind: str) -> None:
    """The interpreter's own bound is reached at different depths by different readers, so each is tried."""
    shapes = {
        "vcr": '{"interactions": [{"request": {"method": "GET", "uri": "https://x/", "parsed_body": %s}, '
            '"response": {"status": {"code": 200}}}]}',
        "har": '{"log": {"entries": [{"request": {"method": "GET", "url": "https://x/", "x": %s}, '
            '"response": {"status": 200}}]}}',
        "azure": '{"Entries": [{"RequestUri": "https://x/", "RequestMethod": "GET", "RequestBody": %s, '
            '"StatusCode": 200}]}',
    }  # fmt: skip
    refused = 0
    for depth in range(10, 1200, 3):
        nested = '{"a":' * depth + "1" + "}" * depth
        try:
            read((shapes[kind] % nested).encode())
        except ImportRefused:
            refused += 1
    assert 0 < refused < 390


@given(st.binary() | st.text().map(str.encode), KINDS)
def test_any_bytes_are_read_or_refused(data: bytes, kind: str | None) -> None:
    with contextlib.suppress(ImportRefused):
        assert isinstance(read(data, kind=kind), Imported)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


def changed(document: Any, data: st.DataObject) -> Any:
    """The document with something else, or nothing, in one place."""
    if isinstance(document, dict) and document and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(document)))
        return document | {key: changed(document[key], data)}
    if isinstance(document, list) and document and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(document) - 1))
        return [*document[:at], changed(document[at], data), *document[at + 1 :]]
    return data.draw(ANYTHING | st.binary())


def is_json(kind: str) -> bool:
    return kind in {"har", "azure"}


@given(st.sampled_from([kind for kind in FORMATS if kind != "sse"]), KINDS, st.data())
def test_any_value_in_any_place_is_read_or_refused(sample: str, kind: str | None, data: st.DataObject) -> None:
    document = changed(yaml.safe_load(SAMPLES[sample]), data)
    hostile = json.dumps(document, default=repr) if is_json(sample) else yaml.safe_dump(document)
    with contextlib.suppress(ImportRefused):
        tape = read(hostile.encode("utf-8", "replace"), kind=kind).tape
        numbered = [replace(one, index=index) for index, one in enumerate(tape.interactions, 1)]
        assert [*resealed(tape).interactions] == numbered


@given(st.sampled_from(FORMATS), st.data())
def test_a_file_with_damage_anywhere_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    sample = SAMPLES[kind]
    at, length = data.draw(st.integers(0, len(sample))), data.draw(st.integers(0, 30))
    hostile = sample[:at] + data.draw(st.binary(max_size=20)) + sample[at + length :]
    with contextlib.suppress(ImportRefused):
        tape = read(hostile).tape
        assert [one.index for one in resealed(tape).interactions] == [*range(1, len(tape.interactions) + 1)]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_refusal_of_a_damaged_file_quotes_nothing_of_it(kind: str) -> None:
    secret, quoted = b"Key-0123456789", 0
    for at in range(0, len(SAMPLES[kind]), 7):
        damaged = SAMPLES[kind][:at] + secret + b"\n" + SAMPLES[kind][at:]
        try:
            read(damaged)
        except ImportRefused as error:
            quoted += secret.decode() in str(error)
    assert quoted == 0
