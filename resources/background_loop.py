"""Many requests under way at once, read from ordinary code: an asyncio loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

__all__ = ["BackgroundLoop"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class BackgroundLoop:
    """Runs coroutines for callers that are not asynchronous. Thread-safe."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        return self._loop.is_closed()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """The result of one coroutine."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def stream(
        self, work: Callable[[Item], Awaitable[Result]], items: Sequence[Item], *, concurrency: int
    ) -> Iterator[Result]:
        """Results as they are done, in any order, one for each item.

        At most ``concurrency`` items are under way and as many results wait to be read. An exception of
        ``work`` ends the stream and is raised here; leaving the iterator early cancels what is under way.
        """
        finished: asyncio.Queue[Result] = asyncio.Queue(maxsize=concurrency)
        source = iter(items)

        async def worker() -> None:
            for item in source:
                await finished.put(await work(item))

        async def all_workers() -> None:
            tasks = [asyncio.create_task(worker()) for _ in range(min(concurrency, len(items)))]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        async def next_result(everything: asyncio.Task[None]) -> Result | None:
            """The next result; None when all were read. A failure of the workers is raised."""
            arriving = asyncio.create_task(finished.get())
            await asyncio.wait({arriving, everything}, return_when=asyncio.FIRST_COMPLETED)
            if not arriving.done() and finished.empty():
                arriving.cancel()
                everything.result()
                return None
            return await arriving

        async def start() -> asyncio.Task[None]:
            return asyncio.create_task(all_workers())

        everything = self.run(start())
        try:
            for _ in items:
                result = self.run(next_result(everything))
                if result is None:
                    return
                yield result
        finally:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(everything.cancel)

    def close(self) -> None:
        """Cancel what is under way and stop the thread. The loop cannot be used again."""
        if self._loop.is_closed():
            return
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
