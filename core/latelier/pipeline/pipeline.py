"""The pipeline: components that fit together, and the ways to run them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from latelier._version import __version__
from latelier.checkpoints.adapter import LoadedAdapter
from latelier.checkpoints.component import store
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.sampling import Denoise
from latelier.io.atomic import write_json
from latelier.pipeline.adapters import attach
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.picture import Picture, Preview
from latelier.pipeline.plan import Plan, make_plan
from latelier.pipeline.request import KEYWORDS, Limits, read_request
from latelier.pipeline.run import guide, run
from latelier.pipeline.storage.manifest import Manifest
from latelier.pipeline.storage.manifest_header import MANIFEST

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


def _with_keywords_of(
    _model: Callable[Concatenate[S, P], Any],
) -> Callable[[Callable[..., T]], Callable[Concatenate[S, P], T]]:
    """Return a decorator that types a method with the keywords of another."""
    return lambda method: method


@dataclass(frozen=True, eq=False)
class Pipeline(PipelineParts):
    """The parts of a pipeline, and the verbs that run them. `compose` and `load` make pipelines.

    A pipeline never changes, and one pipeline serves many threads at once: every run keeps its
    state to itself.
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
        **inputs: Any,
    ) -> list[Picture]:
        """Make pictures. None stands for the pipeline's default.

        With `init_image` a run starts from that picture: noised, and then sampled for the last
        int(steps * strength) steps. With `mask` its white pixels are repainted and the others come
        out as they were, with any model; an inpainting model also sees the mask.

        With `window` the picture is denoised in overlapping windows, blended at every step: for
        pictures larger than the model was trained on, with the memory of that size.

        Args:
            negative: what to steer away from: a value of the first public input, or a mapping from
                public inputs to values. '' is none.
            n: pictures for each row of inputs: of three prompts with n=2 come six pictures.
            seed: of the first picture; picture k has `seed + k`. Drawn at random by default.
            size: (width, height) in pixels, or one number for both. By default the size of the
                inputs or of `init_image`; these are resized to a size that is given.
            steps: sampling steps.
            sampler: a name, or a mapping with `name` and options: {"name": "ddim", "eta": 1}.
            schedule: a name or mapping, as for `sampler`.
            guidance: the scale of classifier-free guidance, or a name or mapping.
            noise: what a stochastic sampler draws: "independent" noise at each step, the default,
                or increments of one "brownian" path, with which more steps converge to the same
                picture.
            init_image: the picture to start from: a PIL image, a path or a data URI, or a list of
                one for each row.
            strength: above 0 and to 1, how far to go from `init_image`; 1 starts from pure noise.
                By default 0.8, or 1 with `mask`.
            mask: what to repaint of `init_image`, in the same forms: white is repainted, black
                stays.
            repaint_resamples: RePaint resampling steps with `mask`, 1 by default and 10 in the
                paper: higher values blend the repainted region better, at proportional cost.
            window: (width, height) of the windows in pixels, or one number for both; best is the
                size of training. A side beyond the picture's is cut to it.
            overlap: 0..0.9, least share of a window that the next one covers too. 0.5 by default;
                less is faster and shows where windows meet.
            window_batch: most windows of a picture in one call of the denoiser. By default as many
                as have 64 x 64 latent positions in all pictures together.
            tile: side in pixels of the tiles in which the first stage encodes and decodes, with the
                same result as in one piece; 0 for one piece. By default 256 in pictures above
                512 x 512.
            batch_size: most pictures that are made at once; the others follow. By default as many
                as have 256 x 256 pixels together on a CPU, or 1024 x 1024 on a GPU.
            **inputs: by public input; a list holds one value for each row.

        Raises:
            UnknownNameError: a component that is not registered, or an unknown keyword.
            InvalidInputError: a value that cannot be used.
            NotFiniteError: a step gives NaN or infinity.
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
            **inputs,
        )
        return [picture for preview in previews for picture in preview.pictures]

    @_with_keywords_of(generate)
    def stream(self, /, **keywords: Any) -> Iterator[Preview]:
        """Make pictures with the keywords of `generate`, and yield a `Preview` after each step.

        The last preview of a batch has its finished pictures. To cancel, stop iterating. Faults in
        the request raise at once, not at the first step.
        """
        return run(*self._plan(keywords))

    def stream_json(self, request: Mapping[str, Any]) -> Iterator[Preview]:
        """Make pictures for a client and yield previews, as `stream` does.

        Nothing in the request is opened as a file: pictures are data URIs, of a limited size.

        Args:
            request: JSON values as in `request_schema`, such as
                {"inputs": {"prompt": "a cat"}, "steps": 20}.

        Raises:
            UnknownNameError: see `generate`.
            InvalidInputError: see `generate`; `field` names the value at fault.
        """
        inputs = request.get("inputs", {})
        if not isinstance(inputs, Mapping):
            raise InvalidInputError(
                f"inputs: expected public inputs with their values, got {inputs!r:.80}",
                field="inputs",
            )
        options = {name: value for name, value in request.items() if name != "inputs"}
        return run(*self._plan_request(inputs, options, trusted=False))

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
        **inputs: Any,
    ) -> Denoise:
        """Return denoise(x, sigma) -> x0 under a condition, for a sampler outside the registry.

        x: (B, C, h, w), B the rows of the inputs times n; sigma: a float above 0, or (B,). The
        keywords are those of `generate`.
        """
        keywords = {
            "negative": negative,
            "n": n,
            "size": size,
            "guidance": guidance,
            "window": window,
            "overlap": overlap,
            "window_batch": window_batch,
        }
        return guide(*self._plan({**keywords, **inputs}))

    def with_adapter(
        self, adapter: str | Path | LoadedAdapter, scale: float = 1.0, *, as_: str | None = None
    ) -> Self:
        """Return a view of this pipeline with an adapter, which adds a public input.

        The view shares all weights and adds the adapter's own. Views nest. This pipeline stays as
        it is, and both serve threads at once. A run that leaves the input out makes the same bits
        as one without the adapter.

            pipe.with_adapter("palette", scale=0.8).generate(prompt="a cat", palette=["#f00"])

        Args:
            adapter: a registered name, a folder, or an adapter in memory, such as
                `view.adapters[name].loaded`: its pictures cannot be replayed before it is saved.
            scale: strength of the adapter, 0 or more: 1 is the strength of training, 0 is off.
            as_: the name of the input; by default the adapter's own.

        Raises:
            UnknownNameError: there is no such adapter; lists those that are registered.
            CompatibilityError: the adapter is for another denoiser, or its name is taken.
            ModelFileError: a file of the adapter is missing, damaged or changed, or a plugin is
                missing.
            InvalidInputError: a scale or name that cannot be used.
        """
        placement = self.device, self.dtype
        attached = attach(adapter, scale, self.denoiser, placement, self.atelier)
        name = attached.loaded.name if as_ is None else as_
        self._check_new_input(name)
        return replace(
            self,
            inputs={**self.inputs, name: (name,)},
            adapters={**self.adapters, name: attached},
        )

    def with_limits(self, *, pixels: int | None = None, pictures: int | None = None) -> Self:
        """Return the pipeline with other limits of a request; None keeps a limit.

        Args:
            pixels: of a picture.
            pictures: of a request.
        """
        limits = Limits(
            pixels=self.limits.pixels if pixels is None else pixels,
            pictures=self.limits.pictures if pictures is None else pictures,
        )
        return replace(self, limits=limits)

    def save(self, folder: str | Path) -> None:
        """Write the pipeline: safetensors, other assets, and `latelier.json`, which comes last."""
        folder = Path(folder)
        manifest = Manifest(
            latelier=__version__,
            description=self.description,
            first_stage=store(self.first_stage_component, folder, "first_stage"),
            denoiser=store(self.denoiser_component, folder, "denoiser"),
            conditioners={
                name: store(component, folder, f"conditioner.{name}")
                for name, component in self.conditioner_components.items()
            },
            adapters={name: each.store(name, folder) for name, each in self.adapters.items()},
            process=self.process,  # type: ignore[arg-type]
            inputs=dict(self.inputs),
            defaults=self.defaults,
            card=dict(self.card),
        )
        write_json(folder / MANIFEST, manifest.model_dump(mode="json"))

    def _plan(self, keywords: Mapping[str, Any]) -> tuple[PipelineParts, Plan]:
        """Return the parts that a request uses, and its plan."""
        options = {name: value for name, value in keywords.items() if name in KEYWORDS}
        inputs = {name: value for name, value in keywords.items() if name not in KEYWORDS}
        return self._plan_request(inputs, options)

    def _plan_request(
        self, inputs: Mapping[str, Any], options: Mapping[str, Any], *, trusted: bool = True
    ) -> tuple[PipelineParts, Plan]:
        request = read_request(self.defaults, self.inputs, inputs, options, trusted=trusted)
        parts = self.without_unused_adapters({*request.inputs, *request.negative})
        return parts, make_plan(parts, request, trusted=trusted)

    def _check_new_input(self, name: str) -> None:
        """Refuse a name that an adapter's input cannot have here."""
        if not isinstance(name, str) or not name.isidentifier() or name in KEYWORDS:
            raise InvalidInputError(
                f"an adapter cannot be called {name!r}: a name is letters, digits and underscores, "
                "and no keyword of generate"
            )
        taken = {*self.inputs, *self.conditioners, *self.denoiser.config.inputs().streams}
        if name in taken:
            raise CompatibilityError(
                f"this pipeline already has an input, conditioner or stream '{name}'; give the "
                "adapter another name with as_"
            )
