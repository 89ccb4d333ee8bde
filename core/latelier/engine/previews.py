"""The previews of a job, for any number of readers in threads and event loops."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from latelier.pipeline.picture import Preview


class PreviewFeed:
    """The newest preview of a run, and those with finished pictures.

    Older ones are dropped, so that a job whose previews nobody reads needs no memory for them. A
    reader that is slower than the run misses some, but never one that has pictures.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: list[tuple[int, Preview]] = []
        self._count = 0
        self._is_closed = False
        self._wakers: list[Callable[[], object]] = []

    def publish(self, preview: Preview) -> None:
        """Show a preview to all readers."""
        with self._changed:
            self._count += 1
            self._kept = [each for each in self._kept if each[1].pictures]
            self._kept.append((self._count, preview))
            self._wake()

    def close(self) -> None:
        """Let all readers end after the last preview."""
        with self._changed:
            self._is_closed = True
            self._wake()

    def __iter__(self) -> Iterator[Preview]:
        """Yield the previews that are kept, and wait for the others."""
        seen = 0
        while True:
            with self._changed:
                while not self._is_closed and not self._is_newer(seen):
                    self._changed.wait()
                found = self._after(seen)
            if found is None:
                return
            seen, preview = found
            yield preview

    async def __aiter__(self) -> AsyncIterator[Preview]:
        """Yield the same without blocking the event loop."""
        seen = 0
        with self._wake_event() as event:
            while True:
                event.clear()
                with self._changed:
                    found, is_closed = self._after(seen), self._is_closed
                if found is not None:
                    seen, preview = found
                    yield preview
                elif is_closed:
                    return
                else:
                    await event.wait()

    def _after(self, seen: int) -> tuple[int, Preview] | None:
        return next((each for each in self._kept if each[0] > seen), None)

    def _is_newer(self, seen: int) -> bool:
        return self._count > seen

    @contextmanager
    def _wake_event(self) -> Iterator[asyncio.Event]:
        """Give an event of the running loop that is set at each change."""
        event = asyncio.Event()
        waker = partial(asyncio.get_running_loop().call_soon_threadsafe, event.set)
        with self._changed:
            self._wakers.append(waker)
        try:
            yield event
        finally:
            with self._changed:
                self._wakers.remove(waker)

    def _wake(self) -> None:
        self._changed.notify_all()
        for waker in self._wakers:
            with suppress(RuntimeError):  # its loop is closed
                waker()
