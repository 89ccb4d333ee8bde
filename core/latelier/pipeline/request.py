"""The request for a run: validated, and complete enough to make the same pictures again."""

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from math import prod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from latelier.contracts.errors import (
    InvalidConfigError,
    InvalidInputError,
    LatelierError,
    LimitError,
    UnknownNameError,
)
from latelier.contracts.frozen import Frozen, validate
from latelier.contracts.images.reading import MAX_SIDE
from latelier.contracts.images.types import Image, Mask
from latelier.contracts.inputs import MAX_DEPTH, is_too_deep
from latelier.contracts.messages import shorten, suggestion
from latelier.contracts.options import read_options
from latelier.kernel.registry import Registry


class NamedOptions(Frozen, json_schema_extra={"format": "named-options"}):
    """A registered name and options: read from 'ddim' or {'name': 'ddim', 'eta': 0.5}."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and "name" in value and "options" not in value:
            return {
                "name": value["name"],
                "options": {key: each for key, each in value.items() if key != "name"},
            }
        return value

    def resolve(self, registry: Registry[Any], *, trusted: bool = True) -> "NamedOptions":
        """Return the same choice with its full id and all options, validated.

        Args:
            registry: of the function.
            trusted: False for options from a client: they name no files.

        Raises:
            UnknownNameError: see `Registry.spec`.
            AmbiguousNameError: see `Registry.spec`.
            InvalidInputError: the function does not have an option, or a value is out of range.
        """
        kind = registry.kind
        try:
            id_ = registry.spec(self.name).id
            what = f"{kind} '{self.name}'"
            options = read_options(registry.get(id_), self.options, what, trusted=trusted)
        except LatelierError as error:
            error.field = kind if error.field is None else f"{kind}.{error.field}"
            raise
        return NamedOptions(name=id_, options=options)

    def bind(self, registry: Registry[Any]) -> Callable[..., Any]:
        """Return the registered function with these options."""
        return partial(registry.get(self.name), **self.options)


class GuidanceOptions(NamedOptions, json_schema_extra={"format": "guidance"}):
    """A guidance rule; a bare number is the scale of classifier-free guidance."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"name": "cfg", "options": {"scale": value}}
        return value


def check_sides(field: str, sides: Mapping[str, int], multiple: int, hint: str = "") -> None:
    """Refuse sides that are not multiples of `multiple`, or below it.

    Args:
        field: of the request, that has these sides.
        sides: name -> pixels.
        multiple: of the model, in pixels.
        hint: the end of the error.

    Raises:
        InvalidInputError: names the side and the nearest that is allowed.
    """
    for name, side in sides.items():
        if side < multiple or side % multiple:
            nearest = max(multiple, round(side / multiple) * multiple)
            raise InvalidInputError.of_field(
                field,
                f"the {name} {side} is not a multiple of {multiple}, as this model needs; the "
                f"nearest is {nearest}{hint}",
            )


def _to_pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


def _to_list(value: Any) -> Any:
    return value if value is None or isinstance(value, list | tuple) else [value]


Size = Annotated[
    tuple[int, int],
    BeforeValidator(_to_pair),
    Field(json_schema_extra={"format": "size"}),
]
"""(width, height) in pixels. A field of this type also takes one number, for both."""


_MAX_DEFAULT_STEPS = 10_000
"""Has a bound, like the size, because the file of a model may come from others."""

_TrainedSide = Annotated[int, Field(ge=1, le=16_384)]
TrainedSize = Annotated[
    tuple[_TrainedSide, _TrainedSide],
    BeforeValidator(_to_pair),
    Field(json_schema_extra={"format": "size"}),
]
"""A `Size` that the file of a model states."""


class Defaults(Frozen):
    """What a pipeline does where a request leaves something out."""

    size: TrainedSize = Field(
        description="(width, height) in pixels: what the model was trained on"
    )
    steps: int = Field(20, ge=1, le=_MAX_DEFAULT_STEPS)
    sampler: NamedOptions = NamedOptions(name="dpmpp_2m")
    schedule: NamedOptions = NamedOptions(name="karras")
    guidance: GuidanceOptions = GuidanceOptions(name="cfg")
    database: str | None = Field(
        None, max_length=200, description="database of a model that draws reference pictures"
    )


class Request(Frozen):
    """One run: `n` pictures for each row of inputs; picture k has the seed `seed + k`.

    The JSON schema of a field has a `default_text` where its default is not one plain value.
    Descriptions name other fields in backticks, so that a host can put its own names for them.
    """

    inputs: dict[str, Any] = Field(description="public input -> value, or a list of values")
    negative: dict[str, Any] = Field(
        default_factory=dict, description="what to steer away from, by public input"
    )
    n: int = Field(1, ge=1, description="number of pictures, for each row of inputs")
    seed: int = Field(
        ge=0, lt=2**63, description="seed of the first picture; picture k has seed + k"
    )
    size: Size | None = Field(
        None,
        description="(width, height) in pixels",
        json_schema_extra={"default_text": "the size of the inputs or `init_image`"},
    )
    init_image: Annotated[list[Image], BeforeValidator(_to_list)] | None = Field(
        None, min_length=1, description="the picture to start from, or one for each row"
    )
    strength: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of the steps that is run from `init_image`, the last of them; 1: from "
        "pure noise",
        json_schema_extra={"default_text": "0.8, or 1 with `mask`"},
    )
    mask: Annotated[list[Mask], BeforeValidator(_to_list)] | None = Field(
        None,
        min_length=1,
        description="what to repaint of `init_image`, or one for each row: white is repainted, "
        "black stays",
    )
    repaint_resamples: int | None = Field(
        None,
        ge=1,
        le=100,
        description="how often the steps are repeated with `mask`: more blend the repainted part "
        "better into the rest, and take longer in proportion. RePaint's resampling steps",
        json_schema_extra={"default_text": "1"},
    )
    window: Size | None = Field(
        None,
        description="for pictures much larger than those that the model has learned from: "
        "(width, height) in pixels of overlapping windows in which they are made. The windows are "
        "denoised one by one and blended at every step",
        json_schema_extra={"default_text": "the picture in one piece"},
    )
    overlap: float | None = Field(
        None,
        ge=0,
        le=0.9,
        description="least share of a `window` that the next window covers too; more hides the "
        "seams, and takes longer",
        json_schema_extra={"default_text": "0.5"},
    )
    window_batch: int | None = Field(
        None,
        ge=1,
        description="most windows of a picture that are computed at once; fewer need less memory",
        json_schema_extra={"default_text": "as many as have 64 x 64 latent positions"},
    )
    tile: int | None = Field(
        None,
        ge=0,
        description="to save memory in large pictures: side in pixels of the tiles in which the "
        "first stage encodes and decodes; 0: no tiles",
        json_schema_extra={
            "default_text": "256 in pictures that do not fit in the free memory, else 0"
        },
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="most pictures that are made at once; fewer need less memory",
        json_schema_extra={
            "default_text": "as many as have 256 x 256 pixels together on a CPU, or 1024 x 1024 on "
            "a GPU, or fewer if the free memory is too small"
        },
    )
    steps: int = Field(ge=1, le=10_000, description="sampling steps")
    sampler: NamedOptions = Field(description="sampling method: a name, or a name and options")
    schedule: NamedOptions = Field(description="noise levels: a name, or a name and options")
    guidance: GuidanceOptions = Field(
        description="scale of classifier-free guidance, or a name and options"
    )
    acceleration: NamedOptions | None = Field(
        None,
        description="what makes a run faster, and its pictures slightly different. A name, or a "
        "name and options",
        json_schema_extra={"default_text": "none"},
    )
    database: str | None = Field(
        None,
        max_length=200,
        description="database in which a model with reference pictures looks up what the inputs "
        "name",
        json_schema_extra={"format": "name", "default_text": "the model's"},
    )
    noise: Literal["independent", "brownian"] = Field(
        "independent",
        description="where samplers that add noise take it from: new at each step, or from one "
        "Brownian path, so that more steps lead to the same picture",
    )


KEYWORDS = frozenset(Request.model_fields) - {"inputs"}
"""The keywords of `Pipeline.generate` that are not public inputs."""


def request_schema(defaults: Defaults) -> dict[str, Any]:
    """Return the JSON schema of a request to a pipeline with these defaults."""
    schema = Request.model_json_schema()
    for name, default in defaults.model_dump(mode="json").items():
        schema["properties"][name]["default"] = default
    return {**schema, "required": []}


class Limits(Frozen):
    """The most that a single request may ask for, so that a typing error cannot exhaust a machine.

    `Pipeline.with_limits` sets others.
    """

    pixels: int = Field(2**26, ge=1, description="pixels of a picture")
    pictures: int = Field(10_000, ge=1, description="pictures of a request")
    evaluations: int = Field(
        10_000_000,
        ge=1,
        description="denoiser evaluations of a request: one for each picture or window, and each "
        "call by the sampler",
    )

    def updated(self, **limits: int | None) -> "Limits":
        """Return the limits with others by name; None keeps a limit."""
        given = {name: value for name, value in limits.items() if value is not None}
        return Limits(**{**self.model_dump(), **given})

    def check(self, size: Size, pictures: int) -> None:
        """Refuse pictures of `size` that are too large, or too many.

        Raises:
            LimitError: names the limit and how to raise it.
            InvalidInputError: a side is longer than any picture may be.
        """
        width, height = size
        self._check("size", width * height, "pixels", self.pixels)
        if max(size) > MAX_SIDE:
            raise InvalidInputError.of_field(
                "size", f"a side has at most {MAX_SIDE:,} pixels, not {max(size):,}"
            )
        self.check_pictures("n", pictures)

    def check_pictures(self, field: str, count: int) -> None:
        """Refuse a field that asks for too many pictures.

        Raises:
            LimitError: names the limit and how to raise it.
        """
        self._check(field, count, "pictures", self.pictures)

    def check_lists(self, values: Mapping[str, Any], fields: Iterable[str]) -> None:
        """Refuse lists of rows that are too long, before one of their values is read.

        Raises:
            LimitError: names the field, the limit and how to raise it.
        """
        for field in fields:
            value = values.get(field)
            if isinstance(value, list | tuple):
                self.check_pictures(field, len(value))

    def check_evaluations(self, factors: Mapping[str, int]) -> None:
        """Refuse a request that needs too many denoiser evaluations.

        Args:
            factors: field of the request -> by how much it multiplies them.

        Raises:
            LimitError: names the greatest factor, the limit and how to raise it.
        """
        greatest = max(factors, key=lambda field: factors[field])
        product = " x ".join(f"`{name}` {each:,}" for name, each in factors.items() if each > 1)
        detail = f" of the denoiser ({product})"
        self._check(greatest, prod(factors.values()), "evaluations", self.evaluations, detail)

    def _check(self, field: str, value: int, unit: str, limit: int, detail: str = "") -> None:
        if value > limit:
            raise LimitError.of_limit(
                field,
                f"{value:,} {unit}{detail} are above the limit of {limit:,}",
                f"LATELIER_MAX_{unit.upper()}={value} in the environment, or in Python "
                f"pipe.with_limits({unit}={value}), raises it",
            )


def read_limits(environment: Mapping[str, str] = os.environ) -> Limits:
    """Return the limits of this process, which LATELIER_MAX_PIXELS and the like set.

    Raises:
        InvalidConfigError: a variable is not a whole number above 0.
    """
    variables = {name: f"LATELIER_MAX_{name.upper()}" for name in Limits.model_fields}
    values = {name: environment[key] for name, key in variables.items() if environment.get(key)}
    return validate(Limits, values, "environment: LATELIER_MAX_...", InvalidConfigError)


def read_request(
    defaults: Defaults,
    public: Collection[str],
    inputs: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    trusted: bool = True,
) -> Request:
    """Return the request for `inputs` with `options`; None stands for the default.

    Args:
        defaults: the pipeline's.
        public: the public inputs; a bare `negative` belongs to the first.
        inputs: public input -> value.
        options: the other fields of `Request`.
        trusted: False for values from a client: they name no files.

    Raises:
        UnknownNameError: the pipeline does not have a keyword.
        InvalidInputError: a value is invalid; the error names it and says what is valid.
    """
    for name, value in (*inputs.items(), *options.items()):
        if is_too_deep(value):
            reason = f"lists and mappings are nested more than {MAX_DEPTH} deep"
            raise InvalidInputError.of_field(name, reason)
    given = {key: value for key, value in options.items() if value is not None}
    given["inputs"] = {name: value for name, value in inputs.items() if value is not None}
    given.setdefault("seed", secrets.randbelow(2**31))
    if "negative" in given and not isinstance(given["negative"], Mapping):
        if not public:
            raise InvalidInputError.of_field("negative", "this pipeline takes no inputs")
        given["negative"] = {next(iter(public)): given["negative"]}
    given["negative"] = _drop_empty(given.get("negative", {}))
    for name in (*given["inputs"], *given["negative"]):
        if name not in public:
            hint = suggestion(name, {*public, *KEYWORDS})
            raise UnknownNameError(
                f"this pipeline has no input or option '{shorten(name)}'. {hint}", field=name
            )
    fallbacks = Defaults.model_fields.keys() - {"size"}
    values = {name: getattr(defaults, name) for name in fallbacks} | given
    return validate(Request, values, "request", InvalidInputError, trusted=trusted)


def _drop_empty(negative: Mapping[str, Any]) -> dict[str, Any]:
    """Return a negative without empty texts: steering away from '' is steering from nothing."""

    def read(value: Any) -> Any:
        if isinstance(value, list | tuple):
            rows = [read(each) for each in value]
            return None if value and rows == [None] * len(rows) else rows
        return None if isinstance(value, str) and not value.strip() else value

    found = {name: read(value) for name, value in negative.items()}
    return {name: value for name, value in found.items() if value is not None}
