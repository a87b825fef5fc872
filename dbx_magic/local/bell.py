"""How a request waits until something has changed."""

from __future__ import annotations

import asyncio

# Clients that poll get their answer the moment there is one, and still hear something each second.
HOLD_SECONDS = 1.0


class Bell:
    """Rings when the thing it belongs to has changed; any number of tasks may wait for it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, seconds: float = HOLD_SECONDS) -> None:
        """Return at the next ring, or after so many seconds."""
        rung = self._rung
        try:
            await asyncio.wait_for(rung.wait(), seconds)
        except asyncio.TimeoutError:
            return
