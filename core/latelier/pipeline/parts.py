"""The parts of a pipeline: a value that runs read, apart from the verbs that start runs."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVar

import torch

from latelier.checkpoints.component import Component, load_component
from latelier.checkpoints.merging import merge
from latelier.contracts.adapters import WeightAdapter
from latelier.contracts.components import Denoiser, FirstStage
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError, UnknownNameError
from latelier.contracts.messages import shorten, suggestion
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.adapters import AdapterUse
from latelier.diffusion.processes.process import Process
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.pipeline.adapters import AttachedAdapter
from latelier.pipeline.compatibility import check_preview_decoder
from latelier.pipeline.conditioning.conditions import ConditionBuilder
from latelier.pipeline.offload import Offload
from latelier.pipeline.placement import resolve_device
from latelier.pipeline.request import Defaults, Limits, read_limits, request_schema
from latelier.pipeline.storage.sources import Source

P = TypeVar("P", bound="PipelineParts")


@dataclass(frozen=True, eq=False, repr=False)
class PipelineParts:
    """A first stage, a denoiser, named conditioners and a noise process that fit together.

    Attributes:
        atelier: the plugins and registries.
        first_stage_component: encodes images to latents and decodes them.
        denoiser_component: predicts what `process` defines.
        conditioner_components: by the names under which the denoiser takes them.
        preview_component: decodes previews; None: the first stage does.
        process: the noise process.
        inputs: public input -> the conditioners that it feeds, adapters' names included.
        defaults: of a request.
        device: where the modules are.
        dtype: their precision.
        source: where the model was loaded from; None for one that was composed.
        description: one human-readable line.
        card: human-readable facts: data, licence, measures.
        adapters: by name, which is also that of their public inputs. Components have the weights
            that adapters changed.
        unchanged: by place, the components without changed weights of those that have some.
        limits: of a request.
        called_denoiser: what runs call instead of the denoiser's module; None for the module.
        rows: of every call of the denoiser, where they are fixed; None where they are not.
        offload: how weights that are in main memory are placed for a run; None if they are on the
            device.
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
    preview_component: Component | None = None
    source: Source | None = None
    description: str = ""
    card: Mapping[str, Any] = field(default_factory=dict)
    adapters: Mapping[str, AttachedAdapter] = field(default_factory=dict)
    unchanged: Mapping[str, Component] = field(default_factory=dict)
    limits: Limits = field(default_factory=read_limits)
    called_denoiser: Denoiser | None = None
    rows: int | None = None
    offload: Offload | None = None

    def __repr__(self) -> str:
        """Return what it is in one line: its model, inputs, adapters and place."""
        name = self.source.name if self.source else "of no folder"
        adapters = ", ".join(map(repr, self.adapters.values())) or "none"
        return (
            f"<{type(self).__name__} {name}: inputs {', '.join(self.inputs)}; adapters {adapters}; "
            f"{self.dtype} on {self.device}>"
        )

    @property
    def first_stage(self) -> FirstStage:
        """Images in [-1, 1] to scaled latents, and back."""
        return self.first_stage_component.module

    @property
    def denoiser(self) -> Denoiser:
        """Predicts what `process` defines: noise, x0, v or flow."""
        module: Denoiser = self.denoiser_component.module
        return module if self.called_denoiser is None else self.called_denoiser

    @property
    def conditioners(self) -> Mapping[str, Conditioner]:
        """The conditioners by the names under which the denoiser knows them; adapters' too."""
        own = {name: each.module for name, each in self.conditioner_components.items()}
        of_adapters = {
            name: each.loaded.conditioner.module
            for name, each in self.adapters.items()
            if each.loaded.conditioner is not None
        }
        return MappingProxyType(own | of_adapters)

    @property
    def inpainting_conditioners(self) -> tuple[str, ...]:
        """The conditioners that take `init_image` and `mask`: those of inpainting models."""
        conditioners = self.conditioners
        return tuple(name for name, each in conditioners.items() if each.config.is_inpainting)

    @property
    def size_multiple(self) -> int:
        """Sides of pictures are multiples of this, in pixels."""
        return self.first_stage.config.downsampling * self.denoiser.config.size_multiple

    def components(self) -> dict[str, Component]:
        """Return every component that pictures depend on, by its place in the pipeline."""
        found = {"first_stage": self.first_stage_component, **self._with_changes()}
        for name, adapter in self.adapters.items():
            found |= adapter.components(name)
        return found

    def base_components(self) -> dict[str, Component]:
        """Return the denoiser and the conditioners by place, without the changes of adapters."""
        return {**self._with_changes(), **self.unchanged}

    def base_modules(self) -> dict[str, Any]:
        """Return the modules of `base_components`."""
        return {place: each.module for place, each in self.base_components().items()}

    def _with_changes(self) -> dict[str, Component]:
        conditioners = self.conditioner_components
        placed = {f"conditioners.{name}": each for name, each in conditioners.items()}
        return {"denoiser": self.denoiser_component, **placed}

    def weight_adapters(self) -> dict[str, AttachedAdapter]:
        """Return the adapters that change weights, by name."""
        return {name: each for name, each in self.adapters.items() if each.changes_weights}

    def call_adapters(self) -> dict[str, AttachedAdapter]:
        """Return the adapters that act in calls of the denoiser, by name."""
        return {name: each for name, each in self.adapters.items() if not each.changes_weights}

    def adapter_uses(self, sigmas: SigmaGrid) -> dict[str, AdapterUse]:
        """Return the adapters that act in calls of the denoiser, in a run with these steps."""
        return {
            name: AdapterUse(
                each.loaded.adapter.module,
                each.strength.scale,
                each.strength.sigma_range(sigmas),
            )
            for name, each in self.call_adapters().items()
        }

    def with_adapters(self, adapters: Mapping[str, AttachedAdapter]) -> Self:
        """Return a view with these adapters in place of its own.

        It shares all weights that they do not change.
        """
        return _replace_adapters(self, adapters)

    def with_merged_weights(self) -> Self:
        """Return the pipeline with what adapters changed as its own weights, of no file yet."""
        return _merge_weights(self)

    def input_schemas(self) -> dict[str, dict[str, Any]]:
        """Return the JSON schema of each public input, from which a host draws its form.

        A bare value stands for the one required field. Where a type does not say what a field
        holds, `format` does: image, mask, semantic-map, box, color. The schema has the labels and
        colours of this model.
        """
        conditioners = self.conditioners
        first = {public: conditioners[names[0]] for public, names in self.inputs.items()}
        return {
            public: each.config.input_schema(each.Input.model_json_schema())
            for public, each in first.items()
        }

    def request_schema(self) -> dict[str, Any]:
        """Return the JSON schema of a request, with the defaults of this pipeline.

        Its `inputs` have the schemas of `input_schemas`.
        """
        return request_schema(self.defaults)

    def condition_builder(self) -> ConditionBuilder:
        """Return what makes conditions of public inputs."""
        return ConditionBuilder(self.conditioners, self.inputs, self.device, self.dtype)

    def without_unused_adapters(self, inputs: Collection[str]) -> Self:
        """Return the parts without the adapters whose inputs are not among `inputs`."""
        unused = self.call_adapters().keys() - set(inputs)
        if not unused:
            return self
        return replace(
            self,
            inputs={name: each for name, each in self.inputs.items() if name not in unused},
            adapters={name: each for name, each in self.adapters.items() if name not in unused},
        )

    def placing(self) -> AbstractContextManager[None]:
        """Return a context in which the modules can be called.

        Raises:
            InvalidInputError: the weights are offloaded, and another run uses them.
        """
        if self.offload is None:
            return nullcontext()
        others = [self.first_stage_component, *self.conditioner_components.values()]
        others += [] if self.preview_component is None else [self.preview_component]
        modules = [each.module for each in others]
        return self.offload.placing(self.denoiser_component.module, modules)

    def check_on_device(self) -> None:
        """Check that the weights are on the device, also between runs.

        Raises:
            CompatibilityError: they are offloaded.
        """
        if self.offload is not None:
            raise CompatibilityError(
                "the weights of this pipeline are on the device in `generate` and `stream` alone: "
                "load it without `offload`"
            )

    def with_adapter_scales(self, scales: Mapping[str, float]) -> Self:
        """Return a view with other scales of attached adapters; those without one keep theirs.

        Raises:
            UnknownNameError: no adapter has that name.
            InvalidInputError: a scale is no number, or below 0 for an adapter with an input.
        """
        for name in scales:
            if name not in self.adapters:
                raise UnknownNameError(
                    f"there is no adapter '{shorten(name)}'. {suggestion(name, self.adapters)}"
                )
        scaled = {
            name: replace(each, strength=replace(each.strength, scale=scales[name]))
            for name, each in self.adapters.items()
            if name in scales
        }
        return self.with_adapters({**self.adapters, **scaled})

    def with_denoiser(self, denoiser: Denoiser, rows: int | None = None) -> Self:
        """Return a view for runs that call another denoiser instead of the component's module.

        It computes what the module does, in another place or in other batches. Adapters and device
        are chosen before.

        Args:
            denoiser: what runs call.
            rows: of each call of the module, where they are fixed.

        Raises:
            CompatibilityError: the weights are offloaded, and placed in runs of the pipeline alone.
        """
        self.check_on_device()
        return replace(self, called_denoiser=denoiser, rows=rows)

    def with_preview_decoder(self, decoder: Component | str | Path | None) -> Self:
        """Return a view whose previews a small first stage decodes. Pictures keep their bits.

            pipe.with_preview_decoder("models/taesd").save("models/with-fast-previews")

        Args:
            decoder: of the same latents: a component, or its folder; None: the own first stage.

        Raises:
            ModelFileError: the folder holds no first stage, or a damaged one.
            CompatibilityError: it decodes other latents, or is no first stage.
        """
        if isinstance(decoder, str | Path):
            decoder = load_component(expand_home(decoder), "first_stage", self.atelier)
        if decoder is None:
            return replace(self, preview_component=None)
        if decoder.kind != "first_stage":
            raise CompatibilityError(f"expected a first stage, got '{decoder.id}', {decoder.kind}")
        check_preview_decoder(decoder.module.config, self.first_stage.config)
        if self.offload is None:
            decoder = decoder.to(self.device, self.dtype)
        return replace(self, preview_component=decoder)

    def with_limits(
        self,
        *,
        pixels: int | None = None,
        pictures: int | None = None,
        evaluations: int | None = None,
    ) -> Self:
        """Return the pipeline with other `Limits` of a request; None keeps a limit."""
        return replace(
            self,
            limits=self.limits.updated(pixels=pixels, pictures=pictures, evaluations=evaluations),
        )

    def to(
        self, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None
    ) -> Self:
        """Return the parts on another device or in another precision, sharing what stays.

        Raises:
            InvalidInputError: there is no such device or precision here.
        """
        device, dtype = resolve_device(device or self.device, dtype or self.dtype)
        if self.unchanged:  # merged anew, so that the view shares what its moved base has
            moved = _without_changes(self).to(device, dtype)
            return moved.with_adapters({**self.adapters, **moved.adapters})
        adapters = {name: each.to(device, dtype) for name, each in self.adapters.items()}
        moved = _replace_each(self, lambda component: component.to(device, dtype))
        return replace(moved, adapters=adapters, device=device, dtype=dtype, offload=None)

    def converted(self, dtype: str | torch.dtype) -> Self:
        """Return the parts on the CPU with the weights of the model themselves in a precision.

        They are what `save` writes, where `to` keeps the stored ones for that.

        Raises:
            InvalidInputError: torch has no such precision.
        """
        device, dtype = resolve_device("cpu", dtype)
        base = _without_changes(self)
        adapters = {name: each.to(device, dtype) for name, each in base.adapters.items()}
        converted = _replace_each(base, lambda component: component.converted(dtype))
        placed = replace(converted, adapters=adapters, device=device, dtype=dtype, offload=None)
        return placed.with_adapters({**self.adapters, **adapters})


def _replace_adapters(parts: P, adapters: Mapping[str, AttachedAdapter]) -> P:
    changes = _list_changes(adapters)
    if changes == _list_changes(parts.adapters):
        return replace(parts, adapters=dict(adapters))  # with the weights that are merged already
    base = parts.base_components()
    changed = merge(base, changes)
    unchanged = {place: base[place] for place in changed}
    return replace(_place(parts, {**base, **changed}), adapters=dict(adapters), unchanged=unchanged)


def _list_changes(adapters: Mapping[str, AttachedAdapter]) -> list[tuple[WeightAdapter, float]]:
    """Return the adapters that change weights, each with its scale."""
    return [
        (each.loaded.adapter.module, each.strength.scale)
        for each in adapters.values()
        if each.changes_weights
    ]


def _without_changes(parts: P) -> P:
    """Return the parts without the adapters that change weights."""
    return _replace_adapters(parts, parts.call_adapters())


def _merge_weights(parts: P) -> P:
    components = parts.components()
    merged = {place: replace(components[place], weights_sha256=None) for place in parts.unchanged}
    source = None if merged else parts.source
    kept = parts.call_adapters()
    return replace(_place(parts, merged), adapters=kept, unchanged={}, source=source)


def _replace_each(parts: P, change: Callable[[Component], Component]) -> P:
    """Return the parts with a changed component in place of each of the model's own."""
    preview = parts.preview_component
    return replace(
        parts,
        first_stage_component=change(parts.first_stage_component),
        preview_component=None if preview is None else change(preview),
        denoiser_component=change(parts.denoiser_component),
        conditioner_components={
            name: change(component) for name, component in parts.conditioner_components.items()
        },
    )


def _place(parts: P, components: Mapping[str, Component]) -> P:
    """Return the parts with other components, by place."""
    conditioners = {
        name: components.get(f"conditioners.{name}", each)
        for name, each in parts.conditioner_components.items()
    }
    denoiser = components.get("denoiser", parts.denoiser_component)
    return replace(parts, denoiser_component=denoiser, conditioner_components=conditioners)
