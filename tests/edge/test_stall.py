"""The watch over what a client takes, where its transport is gone before the watch."""

import asyncio
from typing import Any

import pytest

from wiretape.edge.stall import StallWatch, watches
from wiretape.edge.tls import unsent


class Closed(asyncio.WriteTransport):
    """As asyncio's TLS transport, once it was closed twice: it has lost its protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        self.asked.set()
        raise AttributeError(f"'NoneType' object has no attribute '_get_extra_info' ({name})")

    def get_write_buffer_size(self) -> int:
        raise AttributeError("'NoneType' object has no attribute '_get_write_buffer_size'")


@pytest.mark.skipif(not watches(), reason="the kernel cannot be asked")
async def test_a_transport_that_has_lost_its_protocol_is_no_mistake_and_no_stall() -> None:
    wrong: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
    transport = Closed()
    watch = StallWatch(transport, 0.001, lambda stalled: wrong.append({"stalled": stalled}))
    for _ in range(8):
        transport.asked.clear()
        async with asyncio.timeout(5):
            await transport.asked.wait()
    watch.stop()
    assert not wrong
    assert not unsent(transport)
