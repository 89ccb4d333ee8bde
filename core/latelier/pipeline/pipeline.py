"""The pipeline: components that fit together, and the ways to run them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from latelier._version import __version__
from latelier.checkpoints.adapter import LoadedAdapter
from latelier.checkpoints.component import Component, store
from latelier.contracts.components import Denoiser, FirstStage
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.sampling import Denoise
from latelier.diffusion.processes.process import Process
from latelier.io.atomic import write_json
from latelier.kernel.atelier import Atelier
from latelier.pipeline.adapters import AttachedAdapter, attached, check_name
from latelier.pipeline.conditions import ConditionBuilder
from latelier.pipeline.manifest import Manifest
from latelier.pipeline.manifest_header import MANIFEST
from latelier.pipeline.picture import Picture, Preview
from latelier.pipeline.placement import resolve_device
from latelier.pipeline.request import KEYWORDS, Defaults, read_request
from latelier.pipeline.run import Run
from latelier.pipeline.sources import Source


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A first stage, a denoiser, named conditioners and a noise process. It never changes.

    One pipeline serves many threads at once: a run keeps what it needs to itself.
    """

    atelier: Atelier
    first_stage_component: Component
    denoiser_component: Component
    conditioner_components: Mapping[str, Component]
    process: Process
    inputs: Mapping[str, tuple[str, ...]]
    defaults: Defaults
    device: torch.device
    dtype: torch.dtype
    source: Source | None = None
    description: str = ""
    card: Mapping[str, Any] = field(default_factory=dict)
    adapters: Mapping[str, AttachedAdapter] = field(default_factory=dict)

    @property
    def first_stage(self) -> FirstStage:
        """Images in [-1, 1] to scaled latents, and back."""
        module: FirstStage = self.first_stage_component.module
        return module

    @property
    def denoiser(self) -> Denoiser:
        """Predicts what `process` asks it to."""
        module: Denoiser = self.denoiser_component.module
        return module

    @property
    def conditioners(self) -> Mapping[str, Conditioner]:
        """The conditioners by the names under which the denoiser knows them; adapters' too."""
        own = {name: each.module for name, each in self.conditioner_components.items()}
        of_adapters = {name: each.loaded.conditioner for name, each in self.adapters.items()}
        return MappingProxyType(own | {name: each.module for name, each in of_adapters.items()})

    def with_adapter(
        self, adapter: str | Path | LoadedAdapter, scale: float = 1.0, *, as_: str | None = None
    ) -> "Pipeline":
        """Return a view of this pipeline that has another input, which an adapter brings.

        The view shares all weights, and has the adapter's own beside. Views of views have several.
        This pipeline stays as it is, and both serve threads at once. A run that is told nothing by
        that input is one without the adapter, to the bit.

            pipe.with_adapter("palette", scale=0.8).generate(prompt="a cat", palette=["#f00"])

        Args:
            adapter: a registered name, the folder of one, or one in memory, such as
                `view.adapters[name].loaded`: its pictures cannot be replayed before it is saved.
            scale: how much it counts, 0 or more; 1 is as it was trained, 0 the same as none.
            as_: the name of the input; by default the adapter's own.

        Raises:
            UnknownNameError: there is no such adapter; lists those that are registered.
            CompatibilityError: it is for another denoiser, or its name is taken; says what differs.
            ModelFileError: a file of it is missing, damaged or changed; a plugin is missing.
            InvalidInputError: a scale or name that cannot be used.
        """
        found = attached(self, adapter, scale)
        name = found.loaded.name if as_ is None else as_
        check_name(self, name)
        return replace(
            self,
            inputs={**self.inputs, name: (name,)},
            adapters={**self.adapters, name: found},
        )

    def telling(self, inputs: Collection[str]) -> "Pipeline":
        """Return the pipeline without the adapters that none of these public inputs tells."""
        silent = self.adapters.keys() - set(inputs)
        if not silent:
            return self
        return replace(
            self,
            inputs={name: fed for name, fed in self.inputs.items() if name not in silent},
            adapters={name: each for name, each in self.adapters.items() if name not in silent},
        )

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
        keep: Any = None,
        resample: int | None = None,
        window: int | tuple[int, int] | None = None,
        overlap: float | None = None,
        window_batch: int | None = None,
        tile: int | None = None,
        **inputs: Any,
    ) -> list[Picture]:
        """Make pictures. What is None takes the pipeline's default.

        With `init_image` they are made from that picture: noised, and then sampled for the last
        int(steps * strength) steps. With `keep` the pixels that stay come out as they were.

        With `window` the picture is denoised in overlapping windows, blended at every step: for
        pictures larger than what the model was trained on, with the memory of that size.

        Args:
            negative: what to steer away from: a value of the first public input, or a mapping.
            n: pictures for each row of inputs.
            seed: of the first picture; picture k has `seed + k`. None draws one.
            size: (width, height) in pixels, or one number for both. By default what the inputs
                or `init_image` have; if given, `init_image` and `keep` are resized to it.
            steps: sampling steps.
            sampler: a name, or a mapping with `name` and options: {"name": "ddim", "eta": 1}.
            schedule: likewise.
            guidance: the scale of classifier-free guidance, or like `sampler`.
            noise: what a stochastic sampler draws: "independent" numbers at each step (also if
                None), or with "brownian" the increments of one path: more steps then come nearer
                to the same picture.
            init_image: the picture to start from: a PIL image, a path or a data URI, or a list of
                one for each row.
            strength: above 0 and to 1, how far to go from it; 1 starts from pure noise. 0.8, or 1
                with `keep`, if None.
            keep: a mask of what stays of `init_image`, given likewise: white stays as it is, black
                is made anew. (The input `mask` of inpainting models is the inverse.)
            resample: how often each stretch of the run is made with `keep`, so that what is made
                and what stays go together (RePaint); once if None. 10 in the paper.
            window: (width, height) of the windows in pixels, or one number for both; best what the
                model was trained on. A side beyond the picture's is as long as that.
            overlap: from 0 to 0.9, the least share of a window that it has in common with the
                next. 0.5 if None; less is faster and shows where the windows meet.
            window_batch: the most windows of a picture in one call of the denoiser. If None, as
                many as have 64 x 64 latent positions in all pictures together.
            tile: side in pixels of the tiles in which the first stage encodes and decodes, which
                agree with the whole; 0 for the whole at once. If None, 256 in pictures above
                512 x 512 pixels.
            **inputs: by public input; a list holds one value for each row.

        Raises:
            UnknownNameError: a component, or a keyword that nothing takes.
            InvalidInputError: a value that cannot be used.
        """
        run = self._run(
            inputs,
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
            keep=keep,
            resample=resample,
            window=window,
            overlap=overlap,
            window_batch=window_batch,
            tile=tile,
        )
        *_, last = run.previews()
        return list(last.pictures)

    def stream(self, /, **asked: Any) -> Iterator[Preview]:
        """Make pictures as `generate` does, and yield a `Preview` after each step.

        The last one holds the finished pictures. To cancel, stop iterating. Faults in the request
        raise at once, not at the first step.
        """
        keywords = {key: asked.pop(key) for key in KEYWORDS & asked.keys()}
        return self._run(asked, **keywords).previews()

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
        """Return denoise(x, sigma) -> x0 under a condition, for a sampler of one's own.

        x: (B, C, h, w), B the rows of the inputs times n; sigma: a float above 0, or (B,).
        """
        run = self._run(
            inputs,
            negative=negative,
            n=n,
            size=size,
            guidance=guidance,
            window=window,
            overlap=overlap,
            window_batch=window_batch,
        )
        return run.denoise

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
            adapters={name: each.stored(name, folder) for name, each in self.adapters.items()},
            process=self.process,  # type: ignore[arg-type]
            inputs=dict(self.inputs),
            defaults=self.defaults,
            card=dict(self.card),
        )
        write_json(folder / MANIFEST, manifest.model_dump(mode="json"))

    def to(
        self, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None
    ) -> "Pipeline":
        """Return the pipeline on another device or in another precision; this one stays.

        What does not have to move is shared.
        """
        device, dtype = resolve_device(device or self.device, dtype or self.dtype)
        return replace(
            self,
            first_stage_component=self.first_stage_component.to(device, dtype),
            denoiser_component=self.denoiser_component.to(device, dtype),
            conditioner_components={
                name: component.to(device, dtype)
                for name, component in self.conditioner_components.items()
            },
            adapters={name: each.to(device, dtype) for name, each in self.adapters.items()},
            device=device,
            dtype=dtype,
        )

    def input_schemas(self) -> dict[str, dict[str, Any]]:
        """Return the JSON schema of each public input: what a host needs to draw its form.

        A bare value stands for the one required field. Where a type does not say what a field
        holds, `format` does: image, mask, semantic-map, box, color. The schema has the labels and
        colours of this model.
        """
        conditioners = self.conditioners
        fed = {public: conditioners[names[0]] for public, names in self.inputs.items()}
        return {
            public: each.config.input_schema(each.Input.model_json_schema())
            for public, each in fed.items()
        }

    def components(self) -> dict[str, Component]:
        """Return every component by the place it has in the pipeline."""
        conditioners = {
            f"conditioners.{name}": each for name, each in self.conditioner_components.items()
        }
        found = {
            "first_stage": self.first_stage_component,
            "denoiser": self.denoiser_component,
            **conditioners,
        }
        for name, each in self.adapters.items():
            found |= each.components(name)
        return found

    def condition_builder(self) -> ConditionBuilder:
        """Return what makes conditions for this pipeline."""
        return ConditionBuilder(self.conditioners, self.inputs, self.device, self.dtype)

    def _run(self, inputs: Mapping[str, Any], **asked: Any) -> Run:
        return Run(self, read_request(self.defaults, self.inputs, inputs, asked))
