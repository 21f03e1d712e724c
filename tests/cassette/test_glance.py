import base64
import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wiretape.cassette import glance
from wiretape.cassette.folding import fold
from wiretape.cassette.glance import NO_SECRETS, Glance
from wiretape.cassette.inside import tells
from wiretape.cassette.looks import LOOKS
from wiretape.cassette.redact import Redactor, suspects
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.spelling import known
from wiretape.exchange import Headers

KEY = b"Kanari/env0gel+im-Berg"
SECRET = known(KEY, b"{{secret:key#1}}")
HEADERS: Headers = ((b"Authorization", b"Bearer " + KEY),)

pieces = st.binary(max_size=3) | st.sampled_from(
    [
        *(b'"token"', b'"api_key"', b"\\", b'\\"', b'"', b" ", b":", b"token", b"Cookie", b"passwd", b"max_tokens"),
        *(b"?", b"&amp;", b"u0026", b"%26", b"%3f", b"key", b"api-key", b"=", b"%3D", b"\\u003d", b"value"),
        *(look.keyword for look in LOOKS),
        *(KEY, KEY[:9], KEY[9:], KEY.replace(b"/", b"%2F"), base64.b64encode(b"user:" + KEY), b"\\/", b"data:", b"\n"),
    ]
)


@given(st.lists(pieces, max_size=9).map(b"".join))
@example(b'\\"token\\"  : \\"x\\"')
@example(b"?api_key=x")
def test_what_no_glance_sees_no_search_finds(data: bytes) -> None:
    seeing = Glance((SECRET,))
    if not seeing.sees(data) and not seeing.sees(fold(data)):
        assert not tells(data)
        assert not suspects(data, (SECRET,))
    if not NO_SECRETS.sees(data):
        assert not tells(data)
        assert not suspects(data, ())


@given(st.lists(pieces, max_size=9).map(b"".join), st.booleans())
def test_what_is_plain_stays_as_it_is(data: bytes, is_late: bool) -> None:
    by = Redactor(Secrets(), b"/", HEADERS)
    for _ in range(100 if is_late else 0):
        by.is_plain(b"")
    if by.is_plain(data):
        for find, settle in by.passes(data):
            assert by.edited(data, find, settle) == data


def test_words_of_every_day_are_not_seen() -> None:
    assert not NO_SECRETS.sees(
        b'{"id": "run_1", "max_tokens": 5, "usage": {"total_tokens": 7}, "text": "a = b? c & d"}'
    )


def test_what_a_glance_does_not_look_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    other = known(b"another-0123456789", b"{{secret:key#2}}")
    assert Glance((SECRET,)).others((SECRET, other)) == (other,)
    monkeypatch.setattr(glance, "_PROBES_BYTES_MAX", 9)
    assert Glance((SECRET,)).others((SECRET,)) == (SECRET,)
    assert not Glance((SECRET,)).sees(KEY)


def long_secret(at: int, size: int) -> bytes:
    return base64.b64encode(hashlib.shake_256(b"%d" % at).digest(size))[:size]


@pytest.mark.parametrize(("count", "size"), [(32, 60), (8, 300), (2, 2000), (32, 180), (3, 2000), (1, 5500)])
def test_many_long_secrets_cost_no_line_on_stderr(capfd: pytest.CaptureFixture[str], count: int, size: int) -> None:
    secrets = [known(long_secret(at, size), b"{{secret:key#1}}") for at in range(count)]
    seeing = Glance(secrets)
    assert not seeing.sees(b"a word" * 400)
    seeing.sees(b" ".join(probe[:-1] for one in secrets for probe in one.probes))
    assert capfd.readouterr().err == ""


def test_more_than_the_automaton_has_room_for_is_looked_for_one_by_one() -> None:
    secrets = [known(long_secret(at, 1600), b"{{secret:key#1}}") for at in range(3)]
    assert Glance(secrets[:1]).others(secrets[:1]) == ()
    assert Glance(secrets).others(secrets) == tuple(secrets)


def test_a_recording_s_glance_is_made_when_its_secrets_have_stayed_the_same_for_a_while() -> None:
    shared = Secrets()
    assert [shared.glance() for _ in range(60)] == [NO_SECRETS] * 60
    Redactor(shared, b"/", HEADERS)
    glances = [shared.glance() for _ in range(60)]
    assert (glances[0], glances[-1] is glances[-2]) == (NO_SECRETS, True)
    assert glances[-1].sees(KEY)
    Redactor(shared, b"/", ((b"api-key", b"another-0123456789"),))
    assert shared.glance() is NO_SECRETS
