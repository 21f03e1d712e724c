import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import STREAM, journal, request, taken
from wiretape.cassette import scan as scanning
from wiretape.cassette.reader import read
from wiretape.cassette.scan import Held, good_end, line_number, scan, split
from wiretape.errors import CassetteError

FIRST = taken(request("POST"), b'{"a":1}', chunks=[b"{}"])
SECOND = taken(request(), headers=STREAM, chunks=[b"data: 1\n\n", b"data: 2\n\n"], index=2)
THIRD = taken(request("PUT"), chunks=[b"3"], index=3)


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=9), st.integers(1, 7))
def test_lines_are_found_whatever_the_blocks(lines: list[bytes], block: int) -> None:
    data = b"\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "BLOCK_BYTES", block)
        found = list(split(Held(data), 0, len(data)))
        assert b"".join(line + b"\n" for _, line in found) == (data.removesuffix(b"\n") + b"\n" if data else b"")
        assert all(data[start : start + len(line)] == line for start, line in found)
        assert [line_number(Held(data), start) for start, _ in found] == list(range(1, len(found) + 1))
        assert good_end(Held(data)) == data.rfind(b"\n") + 1


def test_interleaved_lines_are_found_by_interaction() -> None:
    data = journal([SECOND[0], FIRST[0], SECOND[1], *SECOND[2:4], FIRST[1], SECOND[4], FIRST[2]])
    first, second = scan(Held(data), "j").strips
    assert (first.index, second.index, len(second.events)) == (1, 2, 2)
    assert [line for _, line in second.frames(Held(data))] == [line[:-1] for line in SECOND[2:4]]
    assert first.size == sum(map(len, FIRST))
    assert second.size == sum(map(len, SECOND))


MARKS = b"<<<<<<< ours\n"


@pytest.mark.parametrize(
    ("lines", "left", "notes"),
    [
        ([*FIRST, MARKS, *SECOND, *THIRD], "POST GET PUT", ["Line 5: JSON is malformed"]),
        ([*FIRST, *SECOND[:3], MARKS, *SECOND[3:], *THIRD], "POST PUT", ["Line 8: JSON is malformed"]),
        ([*FIRST, SECOND[0][:30] + b"\n", *SECOND[1:], *THIRD], "POST PUT", ["Line 5: ", "Line 6: interaction 2"]),
        (
            [*FIRST, *SECOND[:2], SECOND[0], *SECOND[1:], *FIRST[:1], *THIRD],
            "POST GET PUT",
            ["Line 12: interaction 1"],
        ),
        ([*FIRST, *SECOND, b'{"k":"ev"}\n', *THIRD], "POST GET PUT", ["Line 10: the `ev` line needs `i`"]),
        ([*FIRST, *SECOND[:3], b'{"k":"ev","i":2}\n', *SECOND[3:], *THIRD], "POST PUT", ["Line 8: an `ev` line needs"]),
        ([*FIRST, *SECOND[:1], b'{"k":"res","i":2,"s":7}\n', *SECOND[2:], *THIRD], "POST PUT", ["Line 6: Expected"]),
        ([*FIRST, SECOND[0], MARKS, *SECOND, *THIRD], "POST PUT", ["Line 6: JSON is malformed"]),
        ([*FIRST, *SECOND, b'{"k":"tape","v":1}\n', *THIRD], "POST GET PUT", ["Line 10: a second cassette"]),
    ],
)
def test_a_damaged_line_is_named_and_the_rest_is_usable(lines: list[bytes], left: str, notes: list[str]) -> None:
    data = journal(lines)
    content = read(data, "j", strict=False)
    assert [one.method for one in content.interactions] == left.split()
    assert len(content.notes) == len(notes)
    for found, expected in zip(content.notes, notes, strict=True):
        assert found.startswith(expected)
        assert found.endswith("; what it belonged to is left out.")
    with pytest.raises(CassetteError, match=notes[0].partition(":")[0].lower()):
        read(data, "j")


@given(st.data())
def test_nothing_that_is_damaged_is_read_as_whole(data: st.DataObject) -> None:
    lines = [*FIRST, *SECOND, *THIRD]
    whole = {one.index: one for one in read(journal(lines), "j").interactions}
    at = data.draw(st.integers(0, len(lines) - 1))
    cut = data.draw(st.integers(1, len(lines[at]) - 2))
    lines[at] = lines[at][:cut] + b"\n"
    content = read(journal(lines), "j", strict=False)
    assert len(content.interactions) == 2
    assert all(whole[one.index] == one for one in content.interactions)
