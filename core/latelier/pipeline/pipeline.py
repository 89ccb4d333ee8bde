"""The pipeline: components that fit together, and the ways to run them.

The path of a request:
    Pipeline.generate   takes keywords, or the JSON of a client in `stream_json`
    read_request        request.py: validates them, with the pipeline's defaults -> `Request`
    make_plan           plan.py: checks everything and decides sizes, batches, sigmas -> `Plan`
    run                 run.py: samples batch after batch -> a `Preview` after each step
    encode_inputs       run.py: makes the conditions of a batch, by a
    ConditionBuilder    conditioning/conditions.py: runs the conditioners -> `Conditions`
    make_denoise        denoise.py: applies guidance, and windows if any -> `denoise(x, sigma)`
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from latelier.checkpoints.adapter import LoadedAdapter
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.images.reading import limit_total_pixels
from latelier.contracts.sampling import Denoise
from latelier.pipeline.adapters import Strength, attach, find_adapter, update_defaults
from latelier.pipeline.denoise import make_denoise
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.picture import Picture, Preview
from latelier.pipeline.plan import Plan, make_plan
from latelier.pipeline.request import KEYWORDS, read_request
from latelier.pipeline.run import encode_inputs, run
from latelier.pipeline.saving import save

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
Pipe = TypeVar("Pipe", bound="Pipeline")


def _with_keywords_of(
    _model: Callable[Concatenate[S, P], Any],
) -> Callable[[Callable[..., T]], Callable[Concatenate[S, P], T]]:
    """Return a decorator that types a method with the keywords of another."""
    return lambda method: method


@dataclass(frozen=True, eq=False, repr=False)
class Pipeline(PipelineParts):
    """The parts of a pipeline, and the verbs that run them. `compose` and `load` make pipelines.

    A pipeline never changes, and one pipeline serves many threads: a run keeps its own state.
    """

    def generate(
        self,
        /,
        *,
        negative: Any = None,
        n: int | None = None,
        seed: int | None = None,
        size: int | tuple[int, int] | None = None,
        steps: int | None = None,
        sampler: str | Mapping[str, Any] | None = None,
        schedule: str | Mapping[str, Any] | None = None,
        guidance: float | str | Mapping[str, Any] | None = None,
        acceleration: str | Mapping[str, Any] | None = None,
        noise: str | None = None,
        init_image: Any = None,
        strength: float | None = None,
        mask: Any = None,
        repaint_resamples: int | None = None,
        window: int | tuple[int, int] | None = None,
        overlap: float | None = None,
        window_batch: int | None = None,
        tile: int | None = None,
        batch_size: int | None = None,
        database: str | None = None,
        **inputs: Any,
    ) -> list[Picture]:
        """Make pictures. None stands for the default; `request_schema` has all ranges.

        Args:
            negative: what to steer away from: a value of the first public input, or a mapping.
            n: pictures for each row of inputs: three prompts and n=2 make six pictures.
            seed: of the first picture; picture k has `seed + k`. Random by default.
            size: (width, height) in pixels, or one number; `init_image` is resized to it.
            steps: sampling steps.
            sampler: a name, or a mapping: {"name": "ddim", "eta": 1}.
            schedule: a name or mapping.
            guidance: the scale of classifier-free guidance, or a name or mapping.
            acceleration: a name or mapping, such as "deep_cache": faster, and another picture.
            noise: "independent" at each step of a stochastic sampler, or of one "brownian" path.
            init_image: the picture to start from: an image, path or data URI, or one for each row.
            strength: share of the steps that is run from `init_image`, above 0; 1 starts from pure
                noise. By default 0.8, or 1 with `mask`.
            mask: what to repaint of `init_image`: white is repainted, black stays as it is.
            repaint_resamples: RePaint resampling steps with `mask`; 10 in the paper.
            window: (width, height) of the windows in which a large picture is denoised, or a side.
            overlap: 0..0.9, least share of a window that the next one covers too.
            window_batch: most windows of a picture in one call of the denoiser.
            tile: side of the tiles in which the first stage works, in pixels; 0 for none. Tiles by
                default for a picture that does not fit in the free memory.
            batch_size: most pictures that are made at once; the others follow. The default is
                bounded by the free memory.
            database: in which a model with reference pictures looks up what the inputs name.
            **inputs: by public input; a list holds one value for each row.

        Raises:
            UnknownNameError: a component is not registered, or a keyword is unknown.
            InvalidInputError: a value is invalid.
            NotFiniteError: a step gives NaN or infinity.
            NotEnoughMemoryError: the memory is exhausted; the error says which option helps.
        """
        previews = self.stream(
            negative=negative,
            n=n,
            seed=seed,
            size=size,
            steps=steps,
            sampler=sampler,
            schedule=schedule,
            guidance=guidance,
            acceleration=acceleration,
            noise=noise,
            init_image=init_image,
            strength=strength,
            mask=mask,
            repaint_resamples=repaint_resamples,
            window=window,
            overlap=overlap,
            window_batch=window_batch,
            tile=tile,
            batch_size=batch_size,
            database=database,
            **inputs,
        )
        return [picture for preview in previews for picture in preview.pictures]

    @_with_keywords_of(generate)
    def stream(self, /, **keywords: Any) -> Iterator[Preview]:
        """Make pictures with the keywords of `generate`, and yield a `Preview` after each step.

        The last preview of a batch has its pictures. Stop iterating to cancel. Faults in the
        request raise at once, not at the first step.
        """
        return run(*plan_keywords(self, keywords))

    def stream_json(self, request: Mapping[str, Any]) -> Iterator[Preview]:
        """Run an untrusted JSON request that matches `request_schema`. Yield as `stream` does.

        Nothing in it is opened as a file: pictures are data URIs, of a limited size. An example is
        {"inputs": {"prompt": "a cat"}, "steps": 20}.
        """
        return run(*plan_json(self, request))

    def denoise_fn(
        self,
        /,
        *,
        negative: Any = None,
        n: int | None = None,
        size: int | tuple[int, int] | None = None,
        guidance: float | str | Mapping[str, Any] | None = None,
        window: int | tuple[int, int] | None = None,
        overlap: float | None = None,
        window_batch: int | None = None,
        database: str | None = None,
        **inputs: Any,
    ) -> Denoise:
        """Return denoise(x, sigma) -> x0 under a condition; the keywords are those of `generate`.

        x: (B, C, h, w), B the rows of the inputs times n; sigma: a float above 0, or (B,).
        """
        self.check_on_device()
        options = {
            "negative": negative,
            "n": n,
            "size": size,
            "guidance": guidance,
            "window": window,
            "overlap": overlap,
            "window_batch": window_batch,
            "database": database,
        }
        parts, plan = _plan(self, inputs, options)
        return make_denoise(parts, plan, encode_inputs(parts, plan))

    def with_adapter(
        self,
        adapter: str | Path | LoadedAdapter,
        scale: float = 1.0,
        *,
        start: float = 0.0,
        end: float = 1.0,
        as_: str | None = None,
    ) -> Self:
        """Return a view of this pipeline with an adapter. It shares all weights that do not change.

        An adapter with a conditioner adds a public input. A run without that input gives
        bit-identical output to this pipeline. One that changes weights, like a LoRA, has no input.

            pipe.with_adapter("palette", scale=0.8).generate(prompt="a cat", palette=["#f00"])
            pipe.with_adapter("style.safetensors", scale=0.8).generate(prompt="a cat")

        Args:
            adapter: a registered name, a folder, a safetensors file such as that of a LoRA, or an
                adapter in memory, such as `view.adapters[name].loaded`, whose pictures cannot be
                replayed.
            scale: strength of the adapter: 1 is the strength of training, 0 is off. That of changed
                weights may be below 0.
            start: share of the steps before the adapter acts, 0..1. Changed weights take none.
            end: share of the steps after which the adapter is off, 0..1. Changed weights take none.
            as_: the name of the adapter, and of its input; by default its own.

        Raises:
            UnknownNameError: there is no such adapter; lists those that are registered.
            CompatibilityError: the adapter is for another model, or its name is taken.
            ModelFileError: a file is missing, damaged or changed, or a plugin is missing.
            InvalidInputError: the scale, the start, the end or the name is invalid.
        """
        return _attach(self, adapter, Strength(scale, start, end), as_)

    def save(self, folder: str | Path) -> None:
        """Write the pipeline to a folder that `load` reads."""
        save(self, Path(folder))


def plan_keywords(pipeline: Pipeline, keywords: Mapping[str, Any]) -> tuple[PipelineParts, Plan]:
    """Return the parts and the plan of a run with the keywords of `Pipeline.generate`.

    Raises:
        UnknownNameError: a component is not registered, or a keyword is unknown.
        InvalidInputError: a value is invalid.
    """
    options = {name: value for name, value in keywords.items() if name in KEYWORDS}
    inputs = {name: value for name, value in keywords.items() if name not in KEYWORDS}
    parts, plan = _plan(pipeline, inputs, options)
    return parts, replace(plan, warnings=(*plan.warnings, *_idle_adapters(pipeline, parts)))


def plan_json(pipeline: Pipeline, request: Mapping[str, Any]) -> tuple[PipelineParts, Plan]:
    """Return the parts and the plan of an untrusted JSON request; see `Pipeline.stream_json`.

    Raises:
        UnknownNameError: a component is not registered, or a field is unknown.
        InvalidInputError: a value is invalid.
    """
    inputs = request.get("inputs", {})
    if not isinstance(inputs, Mapping):
        raise InvalidInputError.of_field(
            "inputs", f"expected public inputs with values, got {inputs!r:.80}"
        )
    options = {name: value for name, value in request.items() if name != "inputs"}
    return _plan(pipeline, inputs, options, trusted=False)


def _plan(
    pipeline: Pipeline,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    trusted: bool = True,
) -> tuple[PipelineParts, Plan]:
    """Return the parts that a request uses, and its plan."""
    pipeline.limits.check_lists(options, ("init_image", "mask"))
    with limit_total_pixels():
        request = read_request(pipeline.defaults, pipeline.inputs, inputs, options, trusted=trusted)
        parts = pipeline.without_unused_adapters({*request.inputs, *request.negative})
        return parts, make_plan(parts, request, trusted=trusted)


def _idle_adapters(pipeline: Pipeline, used: PipelineParts) -> Iterator[str]:
    """Warn of adapters that were attached, and have no input in a run."""
    for name, adapter in pipeline.adapters.items():
        if name not in used.adapters and not adapter.saved:
            yield f"the adapter '{name}' has no effect: its input '{name}' is missing"


def _attach(
    pipeline: Pipe,
    adapter: str | Path | LoadedAdapter,
    strength: Strength,
    as_: str | None,
) -> Pipe:
    found = (
        adapter if isinstance(adapter, LoadedAdapter) else find_adapter(adapter, pipeline.atelier)
    )
    placement = pipeline.device, pipeline.dtype
    attached = attach(found, strength, pipeline.base_modules(), placement, pipeline.atelier)
    own, has_input = attached.loaded.name, attached.loaded.conditioner is not None
    default = own if has_input else _make_free(pipeline, own)
    name = default if as_ is None else as_
    _check_new_name(pipeline, name)
    defaults = update_defaults(pipeline.defaults, attached.loaded)
    view = pipeline.with_adapters({**pipeline.adapters, name: attached})
    inputs = {**pipeline.inputs, name: (name,)} if has_input else pipeline.inputs
    return replace(view, defaults=defaults, inputs=inputs)


def _make_free(parts: PipelineParts, name: str) -> str:
    """Return a name, with a number if the pipeline has it already: no input is called so."""
    taken = {*parts.inputs, *parts.conditioners, *parts.adapters, *KEYWORDS}
    numbered = (f"{name}_{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def _check_new_name(parts: PipelineParts, name: str) -> None:
    """Refuse a name that an adapter cannot have."""
    if not isinstance(name, str) or not name.isidentifier() or name in KEYWORDS:
        raise InvalidInputError(
            f"an adapter cannot be called {name!r}: a name is letters, digits and underscores, "
            "and no keyword of generate"
        )
    streams = parts.denoiser.config.inputs().streams
    what = "an adapter" if name in parts.adapters else "an input, conditioner or stream"
    if name in {*parts.inputs, *parts.conditioners, *parts.adapters, *streams}:
        raise CompatibilityError(
            f"this pipeline already has {what} '{name}'; give the adapter another name with as_"
        )
