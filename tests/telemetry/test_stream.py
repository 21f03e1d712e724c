"""Log lines to a pipe that blocks, to one whose reader is gone, and to a stream that is none of the system's."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from typing import TextIO

import pytest

from wiretape.telemetry.log import line_logger
from wiretape.telemetry.stream import LogStream

LONG_S = 30.0
PIPE_BYTES = 65_536


@contextmanager
def pipe(*, blocking: bool = True) -> Iterator[tuple[int, TextIO]]:
    reader, writer = os.pipe()
    os.set_blocking(writer, blocking)
    stream = os.fdopen(writer, "w")
    try:
        yield reader, stream
    finally:
        with suppress(OSError):
            stream.close()
        with suppress(OSError):
            os.close(reader)


def test_lines_come_in_order_and_whole() -> None:
    with pipe() as (reader, stream):
        lines = LogStream(stream, 100)
        for number in range(9):
            lines.write(f"line {number}\n")
        lines.end(LONG_S)
        assert os.read(reader, PIPE_BYTES).decode() == "".join(f"line {number}\n" for number in range(9))
        assert lines.dropped == 0


def test_a_pipe_that_nobody_reads_holds_nobody_and_what_does_not_fit_is_counted() -> None:
    line = "x" * 1023 + "\n"
    with pipe() as (reader, stream):
        lines = LogStream(stream, 100)
        for _ in range(500):
            lines.write(line)
        lines.end(0.0)
        lost = lines.dropped
        assert 500 - 100 - PIPE_BYTES // 1024 - 1 <= lost <= 400
        got = b""
        while len(got) < (500 - lost) * 1024:
            got += os.read(reader, PIPE_BYTES)
        assert got == line.encode() * (500 - lost)


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    with pipe(blocking=False) as (reader, stream):
        lines = LogStream(stream, 1)
        text = "x" * (2 * PIPE_BYTES) + "\n"
        lines.write(text)
        got = b""
        while len(got) < len(text):
            got += os.read(reader, PIPE_BYTES)
        lines.end(LONG_S)
        assert (got.decode(), lines.dropped) == (text, 0)


def test_lines_for_a_reader_that_is_gone_are_counted() -> None:
    with pipe() as (reader, stream):
        os.close(reader)
        lines = LogStream(stream, 100)
        lines.write("one\ntwo\n")
        lines.write("three\n")
        lines.end(LONG_S)
        assert lines.dropped == 3


def test_a_stream_that_is_closed_is_counted() -> None:
    stream = StringIO()
    lines = LogStream(stream, 100)
    stream.close()
    lines.write("one\n")
    lines.end(LONG_S)
    assert lines.dropped == 1


def test_a_stream_without_a_descriptor_is_written_to() -> None:
    stream = StringIO()
    lines = LogStream(stream, 100)
    line_logger(lines).warning("spoken")
    lines.end(LONG_S)
    assert '"event":"spoken"' in stream.getvalue()
    assert not lines.isatty()


def test_a_text_that_does_not_fit_whole_is_dropped_whole() -> None:
    stream = StringIO()
    lines = LogStream(stream, 2)
    lines.write("one\ntwo\nthree\n")
    lines.write("four\n")
    lines.end(LONG_S)
    assert (stream.getvalue(), lines.dropped) == ("four\n", 3)


def test_words_that_are_no_utf_8_are_written_all_the_same() -> None:
    with pipe() as (reader, stream):
        lines = LogStream(stream, 9)
        lines.write("\udcff\n")
        lines.end(LONG_S)
        assert os.read(reader, 99) == b"\\udcff\n"


@pytest.mark.parametrize("threads", [8])
def test_many_threads_may_write_at_once(threads: int) -> None:
    stream = StringIO()
    lines = LogStream(stream, 10_000)
    begin = threading.Barrier(threads)

    def write(name: int) -> None:
        begin.wait(LONG_S)
        for number in range(100):
            lines.write(f"{name} {number}\n")

    all_of = [threading.Thread(target=write, args=(name,)) for name in range(threads)]
    for one in all_of:
        one.start()
    for one in all_of:
        one.join(LONG_S)
    lines.end(LONG_S)
    got = stream.getvalue().splitlines()
    assert sorted(got) == sorted(f"{name} {number}" for name in range(threads) for number in range(100))
    assert lines.dropped == 0
