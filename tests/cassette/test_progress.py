"""Several tapes at once: each keeps an order of its own."""

import json
from collections.abc import Sequence

import pytest

from support.model import interaction
from support.tapes import JSON, request
from wiretape.cassette.format import Header, Interaction, Tape
from wiretape.cassette.match import Library, Miss


def recorded(mark: str, session: str = "default") -> Tape:
    """A conversation of which every tape has one like it: all but what is said in it is equal."""
    ones = (
        interaction(1, "GET", "/v1/assistants", None, {"of": f"{mark}1"}, session),
        interaction(2, "POST", "/v1/assistants", {"name": "a"}, {"of": f"{mark}2"}, session),
        interaction(3, "GET", "/v1/assistants", None, {"of": f"{mark}3"}, session),
        interaction(4, "POST", "/v1/say", {"word": mark}, {"of": f"{mark}4"}, session),
    )
    return Tape(header=Header(), interactions=ones)


def answers(library: Library, name: str, asked: Sequence[Interaction]) -> list[str]:
    cursor = library.session(name)
    found = [cursor.find(request(one.method, one.target, JSON), one.request_body) for one in asked]
    return ["-" if isinstance(one, Miss) else json.loads(one.body)["of"] for one in found]


def test_two_tapes_are_played_one_after_the_other() -> None:
    one, two = recorded("a"), recorded("b")
    got = answers(Library([one, two]), "x", [*one.interactions, *two.interactions])
    assert got == ["a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4"]


def test_writes_of_one_tape_do_not_hold_up_the_reads_of_another() -> None:
    """The second conversation alone: the first one's writes are never made."""
    one, two = recorded("a"), recorded("b")
    got = answers(Library([one, two]), "x", [two.interactions[3], *two.interactions])
    assert got == ["b4", "b1", "b2", "b3", "-"]


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_session_plays_the_recording_of_its_own_name(name: str) -> None:
    library = Library([recorded("a", "a"), recorded("b", "b")])
    asked = recorded(name).interactions
    assert answers(library, name, [*asked, asked[2]]) == [f"{name}{place}" for place in (1, 2, 3, 4, 3)]
