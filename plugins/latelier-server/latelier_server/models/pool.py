"""The models that a server has. The least recently used is unloaded if memory is short."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from latelier.contracts.messages import suggestion

from latelier_server.errors import ServerError
from latelier_server.models.host import LoadModel, ModelHost
from latelier_server.models.summary import ModelSummary
from latelier_server.settings import Settings


@dataclass
class _Loaded:
    """A loaded model.

    Attributes:
        model: takes requests.
        jobs: that use it now.
        used: when the last of them ended.
    """

    model: ModelHost
    jobs: int = 0
    used: float = field(default_factory=time.monotonic)


class ModelPool:
    """Loads models when they are needed.

    Args:
        summaries: of all models, the default first.
        settings: of the server.
        load: loads a model.

    Attributes:
        summaries: by name, the default first.
    """

    def __init__(
        self, summaries: Sequence[ModelSummary], settings: Settings, load: LoadModel
    ) -> None:
        self.summaries = {each.name: each for each in summaries}
        self._settings = settings
        self._load_model = load
        self._loaded: dict[str, _Loaded] = {}
        self._loading = asyncio.Lock()

    @property
    def default(self) -> str:
        """The model of requests that name none."""
        return next(iter(self.summaries))

    def loaded(self) -> list[ModelHost]:
        """Return the models in memory."""
        return [each.model for each in list(self._loaded.values())]

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[ModelHost]:
        """Give a model, which stays loaded inside of the `with` block.

        Raises:
            ServerError: there is no such model, or no memory for it until others are done.
            LatelierError: it cannot be loaded.
        """
        found = self._loaded.get(name)
        if found is None:
            async with self._loading:
                found = self._loaded.get(name) or await self._load(name)
        found.jobs += 1
        try:
            yield found.model
        finally:
            found.jobs -= 1
            found.used = time.monotonic()

    async def close(self) -> None:
        """Unload all models, after their jobs."""
        async with self._loading:
            for name in list(self._loaded):
                await self._unload(name)

    async def _load(self, name: str) -> _Loaded:
        summary = self.summaries.get(name)
        if summary is None:
            hint = suggestion(name, self.summaries)
            raise ServerError(
                404, f"there is no model '{name[:80]}'. {hint}", "model_not_found", field="model"
            )
        await self._make_room(summary.bytes)
        found = _Loaded(await asyncio.to_thread(self._load_model, summary, self._settings))
        self._loaded[name] = found
        return found

    async def _make_room(self, size: int) -> None:
        """Unload idle models until another of `size` bytes fits into the budget."""
        budget = self._settings.memory
        while budget is not None and size + sum(model.size for model in self.loaded()) > budget:
            idle = [name for name, each in self._loaded.items() if not each.jobs]
            if not idle:
                if not self._loaded:
                    return  # the only one may be larger than the budget
                raise ServerError(
                    503, "other models are in use; try again later", "no_memory", retry_after=10
                )
            await self._unload(min(idle, key=lambda name: self._loaded[name].used))

    async def _unload(self, name: str) -> None:
        await asyncio.to_thread(self._loaded.pop(name).model.close)
