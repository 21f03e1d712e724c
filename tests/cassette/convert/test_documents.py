import base64
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.convert.documents import DEPTH_MAX, load_json, load_yaml, text_of
from wiretape.errors import ImportRefused

SCALARS = st.none() | st.booleans() | st.integers(-(10**16), 10**16) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | st.text() | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def parsers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: libyaml's is not everywhere."""
    monkeypatch.setattr(yaml, "CSafeLoader", getattr(yaml, request.param))


@given(VALUES, st.booleans())
def test_what_pyyaml_writes_comes_back(value: object, flow: bool) -> None:
    written = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert load_yaml(written) == yaml.safe_load(written)


def test_aliases_stand_for_what_was_anchored() -> None:
    assert load_yaml("a: &x [1, {b: c}]\nd: *x\n&k e: f\n*k : g") == {
        "a": [1, {"b": "c"}],
        "d": [1, {"b": "c"}],
        "e": "g",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("007", "007"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("9" * 30, "9" * 30),
        ("-12", -12),
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("true", True),
        (".inf", ".inf"),
        ("1.0e+400", "1.0e+400"),
        ("1.50", 1.5),
        ("2020-10-01", "2020-10-01"),
        ("2020-10-01T00:00:00Z", "2020-10-01T00:00:00Z"),
        ("! 12", "12"),
        ("!!str 12", "12"),
        ("!!python/unicode 'é'", "é"),
        ("!!int 12", 12),
        ("!binary aGk=", b"hi"),
        ("!!binary |\n  aG\n  k=", b"hi"),
        ("!!map {a: !!seq [b]}", {"a": ["b"]}),
        ("'<<': 1", {"<<": 1}),
    ],
)
def test_scalars_keep_their_spelling(text: str, value: object) -> None:
    assert load_yaml(text) == value


def bomb() -> str:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(["l0: &l0 [x]", *levels])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "in line "),
        ("a: 'x", "unexpected end"),
        ("a: \x01", "characters are not allowed"),
        ("!!python/object/apply:os.system ['echo hello']", "a tag names a kind of value that no recording"),
        ("a:\n  !ruby/object:Gem {}",
            "a tag names a kind of value that no recording needs, in line 2"),
        ("!!set x", "a tag names"),
        ("!!binary a", "what is tagged as binary is no base64, in line 1"),
        ("[" * 1_000_000, f"nested over {DEPTH_MAX} deep"),
        ("[" * 1_000_000 + "]" * 1_000_000, f"nested over {DEPTH_MAX} deep"),
        ("\n".join(" " * n + "a:" for n in range(200)), f"nested over {DEPTH_MAX} deep, in line 101"),
        ("- " * 200, f"nested over {DEPTH_MAX} deep"),
        ("a: 1\n---\nb: 2", "a second document begins; a recording is one, in line 2"),
        ("a: &x [*x]", "an alias stands for nothing that ended before it"),
        ("*x", "an alias stands for nothing"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "merge keys (`<<`) are not read; write the mapping out, in line 3"),
        ("? [a]\n: b", "a key of a mapping is no text"),
        ("a: &x [1]\n*x : b", "a key of a mapping is no text"),
        (bomb(), "its aliases unfold to over"),
        (f"a: &x {'y' * (1 << 20)}\nb: [{', '.join(['*x'] * 20)}]", "its aliases unfold to over"),
        ("a: \ud800", "This YAML cannot be read"),
    ],
)  # fmt: skip
def test_what_may_not_be_read_is_refused_with_place_and_reason(text: str, reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        load_yaml(text)
    assert reason in str(caught.value)


def test_nothing_that_is_read_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr("builtins.eval", ran.append)
    for tag in ("!!python/name:os.system", "!!python/object/new:os.system [x]", "!ruby/object:Kernel {a: b}"):
        with pytest.raises(ImportRefused):
            load_yaml(f"a: {tag}")
    assert ran == []


def test_as_deep_as_is_allowed_can_be_read() -> None:
    assert load_yaml("[" * DEPTH_MAX + "]" * DEPTH_MAX) is not None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[" * 1_000_000, "nested too deep"),
        (b'{"a": b}', "(byte 6)"),
        (b'"\xff"', "This JSON cannot be read"),
        (b"", "This JSON cannot be read"),
    ],
)
def test_json_that_cannot_be_read_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        load_json(data)
    assert reason in str(caught.value)


def test_text_is_utf_8_with_or_without_its_mark() -> None:
    assert text_of(b"\xef\xbb\xbfa") == text_of(b"a")
    with pytest.raises(ImportRefused, match="byte 1 cannot be read"):
        text_of(b"a\xff")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportRefused, match=r"pip install 'wiretape\[yaml\]'"):
        load_yaml("a: 1")


def nodes(value: object) -> Iterator[object]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


@given(st.text(st.sampled_from("ab:-&*!'\"[]{},#|>?%@<\n \t0123456789")))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = load_yaml(text)
    except ImportRefused:
        return
    assert {type(node) for node in nodes(value)} <= {type(None), bool, int, float, str, bytes, list, dict}


def test_binary_may_stand_anywhere() -> None:
    packed = base64.b64encode(b"\xff" * 100).decode()
    assert load_yaml(f"- !binary |-\n    {packed[:40]}\n    {packed[40:]}\n") == [b"\xff" * 100]
