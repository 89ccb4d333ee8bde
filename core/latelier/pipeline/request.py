"""What a person asks of a pipeline, validated and complete: enough to do it again."""

import secrets
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from latelier.contracts.errors import InvalidInputError, UnknownNameError, suggestion
from latelier.contracts.frozen import Frozen, validate
from latelier.contracts.image_types import Image, Mask
from latelier.contracts.options import read_options
from latelier.kernel.registry import Registry


class NamedOptions(Frozen):
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

    def resolved(self, registry: Registry[Any]) -> "NamedOptions":
        """Return the choice by its full id, its options validated and complete.

        Raises:
            UnknownNameError, AmbiguousNameError: see `Registry.spec`.
            InvalidInputError: an option that it does not have, or one out of range.
        """
        spec = registry.spec(self.name)
        what = f"{spec.kind} '{self.name}'"
        options = read_options(registry.get(spec.id), self.options, what)
        return NamedOptions(name=spec.id, options=options)


class GuidanceOptions(NamedOptions):
    """A guidance rule; a bare number is the scale of classifier-free guidance."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"name": "cfg", "options": {"scale": value}}
        return value


def check_sides(what: str, sides: Mapping[str, int], multiple: int, hint: str = "") -> None:
    """Refuse sides that are not multiples of `multiple`, or below it.

    Args:
        what: what has these sides, as the person knows it.
        sides: name -> pixels.
        multiple: of the model.
        hint: what the error ends with.

    Raises:
        InvalidInputError: names the side and the nearest that is allowed.
    """
    for name, side in sides.items():
        if side < multiple or side % multiple:
            nearest = max(multiple, round(side / multiple) * multiple)
            raise InvalidInputError(
                f"{what}: the {name} {side} is not a multiple of {multiple}, as this model needs; "
                f"the nearest is {nearest}{hint}"
            )


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


def _listed(value: Any) -> Any:
    return value if value is None or isinstance(value, list | tuple) else [value]


Side = tuple[int, int]
"""(width, height) in pixels."""

Size = Annotated[Side, BeforeValidator(_pair)]
"""(width, height) in pixels; one number stands for both."""

KEEP = "white stays as it is, black is made anew (a mask of what to repaint is the inverse)"
"""Which way round the mask `keep` is."""


class Defaults(Frozen):
    """What a pipeline does where a request says nothing."""

    size: Size = Field(description="(width, height) in pixels: what it was trained on")
    steps: int = Field(20, ge=1)
    sampler: NamedOptions = NamedOptions(name="dpmpp_2m")
    schedule: NamedOptions = NamedOptions(name="karras")
    guidance: GuidanceOptions = GuidanceOptions(name="cfg")


class Request(Frozen):
    """One run: `n` pictures for each row of inputs, picture k with the seed `seed + k`."""

    inputs: dict[str, Any] = Field(description="public input -> value, or a list of values")
    negative: dict[str, Any] = Field(default_factory=dict, description="what to steer away from")
    n: int = Field(1, ge=1)
    seed: int = Field(ge=0, lt=2**63)
    size: Size | None = Field(None, description="(width, height); None: what the inputs ask for")
    init_image: Annotated[list[Image], BeforeValidator(_listed)] | None = Field(
        None, min_length=1, description="the picture to start from, or one for each row"
    )
    strength: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of the steps that is run from init_image, the last of them; 1: from "
        "pure noise. None: 0.8, or 1 with keep",
    )
    keep: Annotated[list[Mask], BeforeValidator(_listed)] | None = Field(
        None, min_length=1, description=f"what stays of init_image, or one for each row: {KEEP}"
    )
    resample: int | None = Field(
        None,
        ge=1,
        le=100,
        description="how often each stretch of the run is made, so that what is made and what "
        "stays go together; it takes as many times as long. None: once",
    )
    window: Size | None = Field(
        None,
        description="(width, height) of the windows that the picture is denoised in, blended at "
        "every step; None: in one piece",
    )
    overlap: float | None = Field(
        None,
        ge=0,
        le=0.9,
        description="least share of a window's side that is the next one's too. None: 0.5",
    )
    window_batch: int | None = Field(
        None,
        ge=1,
        description="most windows of a picture in one call of the denoiser; more are faster on "
        "some devices and take more memory. None: as many as have 64 x 64 latent positions",
    )
    tile: int | None = Field(
        None,
        ge=0,
        description="side in pixels of the tiles in which the first stage works, in agreement with "
        "the whole; 0: the whole at once. None: tiles where the picture is above 512 x 512",
    )
    steps: int = Field(ge=1, le=10_000)
    sampler: NamedOptions
    schedule: NamedOptions
    guidance: GuidanceOptions
    noise: Literal["independent", "brownian"] = Field(
        "independent",
        description="what a stochastic sampler draws: new numbers at each step, or the increments "
        "of one path, so that more steps come nearer to the same picture",
    )


KEYWORDS = frozenset(Request.model_fields) - {"inputs"}
"""What can be asked beside the inputs."""


def read_request(
    defaults: Defaults, public: Collection[str], inputs: Mapping[str, Any], asked: Mapping[str, Any]
) -> Request:
    """Return the request for `inputs` and the other keywords `asked`, None meaning unsaid.

    Args:
        defaults: the pipeline's.
        public: the public inputs; a bare `negative` is of the first.
        inputs: public input -> value.
        asked: the fields of `Request`, without `inputs`.

    Raises:
        UnknownNameError: a keyword that nothing takes.
        InvalidInputError: a value that cannot be used; says which, and what would be right.
    """
    said = {key: value for key, value in asked.items() if value is not None}
    said["inputs"] = {name: value for name, value in inputs.items() if value is not None}
    said.setdefault("seed", secrets.randbelow(2**31))
    if "negative" in said and not isinstance(said["negative"], Mapping):
        if not public:
            raise InvalidInputError("negative: this pipeline takes no inputs")
        said["negative"] = {next(iter(public)): said["negative"]}
    for name in (*said["inputs"], *said.get("negative", ())):
        if name not in public:
            hint = suggestion(name, {*public, *KEYWORDS})
            raise UnknownNameError(f"nothing here takes '{name}'. {hint}")
    fallbacks = Defaults.model_fields.keys() - {"size"}
    values = {name: getattr(defaults, name) for name in fallbacks} | said
    return validate(Request, values, "request", InvalidInputError)
