"""The models that a server has. The least recently used is unloaded if memory is short."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from latelier.contracts.errors import UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.pipeline.storage.catalog import list_models
from latelier.pipeline.storage.manifest_header import read_manifest_header
from latelier.pipeline.storage.sources import find

from latelier_server.errors import ServerError
from latelier_server.models.model import LoadedModel, load_model
from latelier_server.settings import Settings


@dataclass(frozen=True)
class ModelSummary:
    """What is known of a model before it is loaded.

    Attributes:
        name: under which clients ask for it.
        place: from where it is loaded.
        description: one line.
        size: (width, height) of its pictures by default.
        inputs: its public inputs.
        bytes: of its files.
        created: when its files were written, seconds since 1970.
    """

    name: str
    place: str
    description: str
    size: tuple[int, int]
    inputs: tuple[str, ...]
    bytes: int
    created: int


def find_models(names: Sequence[str]) -> list[ModelSummary]:
    """Return summaries of models, of all on this machine if there are no names.

    A folder is known by its last name: clients do not see where it is.

    Raises:
        LatelierError: there is no such model, or two have one name.
    """
    places = list(names) or [info.name for info in list_models()]
    found: dict[str, ModelSummary] = {}
    for place in places:
        summary = _summarize(place)
        if summary.name in found:
            raise UnknownNameError(f"two models have the name '{summary.name}'; rename a folder")
        found[summary.name] = summary
    if not found:
        raise UnknownNameError("there is no model on this machine; name one of the hub or a folder")
    return list(found.values())


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
        model = await asyncio.to_thread(load_model, summary.place, summary.bytes, self._settings)
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


def _summarize(place: str) -> ModelSummary:
    source = find(place)
    header = read_manifest_header(source.folder)
    files = [each for each in Path(source.folder).rglob("*") if each.is_file()]
    return ModelSummary(
        name=Path(place).resolve().name if Path(place).is_dir() else place,
        place=place,
        description=header.description,
        size=header.defaults.size,
        inputs=tuple(header.inputs),
        bytes=sum(each.stat().st_size for each in files),
        created=int(max(each.stat().st_mtime for each in files)),
    )
