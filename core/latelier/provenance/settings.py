"""The settings of a picture, to be shown; a replay reads and checks the whole record."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Size = tuple[int, int]
"""(width, height) in pixels."""

_SHOWN_APART = {"inputs", "negative", "n", "seed", "size"}
"""Fields of a request that have lines of their own."""


class _Open(BaseModel):
    """A value that ignores what a later latelier added."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class _Choice(_Open):
    name: str
    options: dict[str, Any] = {}


class _Request(_Open):
    model_config = ConfigDict(extra="allow")

    inputs: dict[str, list[Any]]
    negative: dict[str, list[Any]] = {}
    steps: int
    sampler: _Choice
    schedule: _Choice
    guidance: _Choice


class _Model(_Open):
    name: str | None = None


class _Adapter(_Open):
    source: str | None = None
    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0


class Settings(_Open):
    """What the provenance of a picture says of how it was asked for."""

    latelier: str
    model: _Model
    adapters: dict[str, _Adapter] = {}
    request: _Request
    machine: dict[str, Any] = {}
    index: int = Field(ge=0, description="which picture of the run it is")
    count: int = Field(ge=1, description="pictures of the run")
    seed: int

    @model_validator(mode="after")
    def _check_index(self) -> Self:
        if self.index >= self.count:
            raise ValueError(f"picture {self.index} of a run of {self.count}")
        return self

    @classmethod
    def read(cls, provenance: Mapping[str, Any]) -> Self | None:
        """Return the settings in a provenance; None if it has none."""
        try:
            return cls.model_validate(provenance)
        except ValidationError:
            return None

    def lines(self, size: Size) -> Iterator[tuple[str, str]]:
        """Yield names and values, for people, of a picture of a size."""
        request = self.request
        for name, values in request.inputs.items():
            yield name, _format(self._own(values))
        for name, values in request.negative.items():
            yield f"negative {name}", _format(self._own(values))
        place = f", picture {self.index + 1} of {self.count}" if self.count > 1 else ""
        yield "seed", f"{self.seed}{place}"
        yield "size", f"{size[0]}x{size[1]}"
        for name, value in request.model_dump().items():
            if name not in _SHOWN_APART and value not in (None, []):
                yield name, _format(value)
        yield "model", self.model.name or "of no folder"
        for name, each in self.adapters.items():
            steps = f", from {each.start:g} to {each.end:g} of the steps"
            part = "" if (each.start, each.end) == (0, 1) else steps
            yield f"adapter {name}", f"scale {each.scale:g}{part}: {each.source or 'of no file'}"
        known = {key: self.machine.get(key) for key in ("torch", "device", "precision")}
        yield "latelier", ", ".join([self.latelier, *(f"{k} {v}" for k, v in known.items() if v)])

    def infotext(self, size: Size) -> str:
        """Return the settings as the text that AUTOMATIC1111's web UI shows and reads."""
        request = self.request
        prompts, negatives = (
            [text for text in map(self._own, values.values()) if isinstance(text, str)]
            for values in (request.inputs, request.negative)
        )
        return format_infotext(
            "".join(prompts[:1]),
            "".join(negatives[:1]),
            request.model_dump(),
            self.seed,
            size,
            (self.model.name or "").rpartition("/")[2],
        )

    def _own(self, values: list[Any]) -> Any:
        """Return the value of this picture, of those of all rows."""
        return values[self.index * len(values) // self.count] if values else None


def format_infotext(
    prompt: str, negative: str, request: Mapping[str, Any], seed: int, size: Size, model: str
) -> str:
    """Return settings as the text that AUTOMATIC1111's web UI shows and reads.

    Args:
        prompt: of the picture.
        negative: of the picture; '' for none.
        request: as it ran, from the provenance.
        seed: of the picture.
        size: of the picture.
        model: its name.
    """
    settings = {
        "Steps": request["steps"],
        "Sampler": request["sampler"]["name"].rpartition("/")[2],
        "Schedule type": request["schedule"]["name"].rpartition("/")[2],
        "CFG scale": request["guidance"]["options"].get("scale", 1.0),
        "Seed": seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model": model,
    }
    lines = [prompt, *([f"Negative prompt: {negative}"] if negative else [])]
    return "\n".join([*lines, ", ".join(f"{name}: {value}" for name, value in settings.items())])


def _format(value: Any) -> str:
    """Return a value of a request as it is typed: 'ddim:eta=0.5', '16x12', 'a picture'."""
    if isinstance(value, str):
        return "a picture" if value.startswith("data:") else value
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        options = value.get("options") or {}
        pairs = ",".join(f"{key}={each}" for key, each in options.items() if each is not None)
        name = value["name"].removeprefix("latelier/")
        return f"{name}:{pairs}" if pairs else name
    if isinstance(value, dict):
        return "a picture" if "picture_sha256" in value else _pairs(value)
    if isinstance(value, list | tuple):
        is_size = len(value) == 2 and all(isinstance(each, int) for each in value)
        return ("x" if is_size else ", ").join(map(_format, value))
    return str(value)


def _pairs(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_format(each)}" for key, each in value.items() if each is not None)
