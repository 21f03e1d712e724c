"""The loop that a command runs on is the proxy's own: it hears of what goes wrong there."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from support.raw import exchange
from wiretape.app import Proxy
from wiretape.cli.running import run
from wiretape.config import load

METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def test_an_error_that_nobody_waits_for_is_a_log_line_and_a_count(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scraped = []

    async def announce(proxy: Proxy) -> None:
        asyncio.get_running_loop().call_soon([].pop)
        await asyncio.sleep(0)
        scraped.append(await exchange(proxy.admin.url, METRICS))
        os.kill(os.getpid(), signal.SIGTERM)

    ours = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "ledger": "none"}
    code, _ = await run(load(ours, {}).config, (), announce)
    assert code == 0
    assert b'wiretape_event_loop_errors_total{error_type="IndexError"} 1.0' in scraped[0]
    told = capsys.readouterr().err
    assert '"event":"event_loop.error","source":"IndexError"' in told
    assert "Traceback" not in told
