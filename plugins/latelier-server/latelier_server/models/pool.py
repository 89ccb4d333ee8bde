"""The models that a server has. The least recently used is unloaded if memory is short."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from latelier.contracts.messages import suggestion

from latelier_server.errors import ServerError
from latelier_server.models.model import LoadedModel, load_model
from latelier_server.models.summary import ModelSummary
from latelier_server.settings import Settings


class ModelPool:
    """Loads models when they are needed.

    Attributes:
        summaries: of all models by name, the default first.
    """

    def __init__(self, summaries: Sequence[ModelSummary], settings: Settings) -> None:
        self.summaries = {each.name: each for each in summaries}
        self._settings = settings
        self._loaded: dict[str, LoadedModel] = {}
        self._loading = asyncio.Lock()

    @property
    def default(self) -> str:
        """The model of requests that name none."""
        return next(iter(self.summaries))

    def loaded(self) -> list[LoadedModel]:
        """Return the models in memory."""
        return list(self._loaded.values())

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[LoadedModel]:
        """Give a model, which stays loaded inside of the `with` block.

        Raises:
            ServerError: there is no such model, or no memory for it until others are done.
            LatelierError: it cannot be loaded.
        """
        model = self._loaded.get(name)
        if model is None:
            async with self._loading:
                model = self._loaded.get(name) or await self._load(name)
        model.jobs += 1
        try:
            yield model
        finally:
            model.jobs -= 1
            model.used = time.monotonic()

    async def close(self) -> None:
        """Unload all models, after their jobs."""
        async with self._loading:
            for name in list(self._loaded):
                await self._unload(name)

    async def _load(self, name: str) -> LoadedModel:
        summary = self.summaries.get(name)
        if summary is None:
            hint = suggestion(name, self.summaries)
            raise ServerError(
                404, f"there is no model '{name[:80]}'. {hint}", "model_not_found", field="model"
            )
        await self._make_room(summary.bytes)
        model = await asyncio.to_thread(load_model, summary, self._settings)
        self._loaded[name] = model
        return model

    async def _make_room(self, size: int) -> None:
        """Unload idle models until another of `size` bytes fits into the budget."""
        budget = self._settings.memory
        while budget is not None and size + sum(m.size for m in self._loaded.values()) > budget:
            idle = [name for name, model in self._loaded.items() if not model.jobs]
            if not idle:
                if not self._loaded:
                    return  # the only one may be larger than the budget
                raise ServerError(
                    503, "other models are in use; try again later", "no_memory", retry_after=10
                )
            await self._unload(min(idle, key=lambda name: self._loaded[name].used))

    async def _unload(self, name: str) -> None:
        await asyncio.to_thread(self._loaded.pop(name).close)
