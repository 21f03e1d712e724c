"""The demo shows the whole journey, on a machine that has no network at all."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import environment, wiretape

ALONE = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14s", b"lo", 1, b""))  # SIOCSIFFLAGS, IFF_UP: the loopback alone
os.execv(sys.executable, [sys.executable, "-m", "wiretape", *sys.argv[1:]])
"""


def shown(out: str) -> list[str]:
    return re.findall(r"^== (.*)$", out, re.MULTILINE)


async def test_the_demo_shows_the_whole_journey(tmp_path: Path) -> None:
    ran = await wiretape("demo", "--keep", "kept", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert shown(ran.out) == [
        "Trace: one run, one tree",
        "Ledger: one run, one row (wiretape audit report)",
        "Cassette",
        "Replay, the sandbox gone",
    ]
    for words in (
        'get_weather({"city":"Lisbon"})',
        "└ CLIENT invoke_agent Forecaster",
        "│ └ INTERNAL execute_tool get_weather",
        "completed:1",
        "5 of 5 answers were identical, byte for byte",
    ):
        assert words in ran.out
    assert (tmp_path / "kept" / "demo.tape.jsonl").exists()


async def test_the_demo_needs_no_network(tmp_path: Path) -> None:
    """In a network namespace with nothing but a loopback, a stray connection could not succeed."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us unshare the network")
    process = await asyncio.create_subprocess_exec(
        "unshare", "-rn", sys.executable, "-c", ALONE, "demo",
        cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"identical, byte for byte" in out


async def test_the_demo_without_the_sdk_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "openai.py").write_text("raise ImportError\n")
    ran = await wiretape("demo", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert (ran.code, ran.err) == (2, "wiretape: the demo's client is the openai SDK: pip install 'wiretape[demo]'\n")
