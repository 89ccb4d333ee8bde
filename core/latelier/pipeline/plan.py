"""Plan a run: turn a request into a complete plan before the first step.

The stops of `make_plan`:
    read_content        planning/content.py: the inputs, initial images and size -> `Content`
    choose_layout       planning/layout.py: batches, windows and tiles -> `Layout`
    resolve_functions   planning/functions.py: sampler, schedule, guidance and acceleration
    make_sigmas         planning/functions.py: the noise levels of the steps that run
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from latelier.contracts.components import FirstStage, PictureGeometry
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.pipeline.conditioning.rows import Rows, repeat_rows
from latelier.pipeline.editing.init_image import InitImage
from latelier.pipeline.editing.inpaint import InpaintMask, make_inpaint_mask
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.planning.content import read_content
from latelier.pipeline.planning.functions import make_sigmas, resolve_functions
from latelier.pipeline.planning.layout import choose_layout
from latelier.pipeline.planning.references.drawn import DrawnReference, Lookup
from latelier.pipeline.request import Request
from latelier.pipeline.tiling.multidiffusion import Windowing


@dataclass(frozen=True, eq=False)
class Plan:
    """A run of one batch of pictures.

    Attributes:
        request: the request, complete: what provenance records.
        inputs: conditioner -> its input for each row.
        negative: conditioner -> its negative input for each row.
        count: number of pictures in all batches.
        batch: indices in range(count) of the pictures that this plan makes.
        geometry: of a picture.
        first_stage: the pipeline's, with tiling if the plan uses it.
        preview_decoder: what decodes previews; the same by default.
        init_image: the initial images; None for pure noise.
        mask: the known area of each row of `init_image`; None if every cell may change.
        windowing: how pictures are denoised in windows; None for one piece.
        sampler: with its options.
        guidance: with its options.
        acceleration: with its options; None: exact.
        sigmas: of the steps that run.
        warnings: human-readable sentences.
        references: the reference pictures of all rows.
        negative_references: those of the negative inputs.
    """

    request: Request
    inputs: Rows
    negative: Rows
    count: int
    batch: range
    geometry: PictureGeometry
    first_stage: FirstStage
    preview_decoder: FirstStage
    init_image: InitImage | None
    mask: InpaintMask | None
    windowing: Windowing | None
    sampler: Callable[..., Any]
    guidance: Callable[..., Any]
    acceleration: Callable[..., Any] | None
    sigmas: SigmaGrid
    warnings: tuple[str, ...]
    references: Lookup
    negative_references: Lookup

    @property
    def seeds(self) -> list[int]:
        """The seed of each picture of the batch."""
        return [self.request.seed + k for k in self.batch]

    @property
    def batch_size(self) -> int:
        """Most pictures of a batch."""
        return self.request.batch_size or self.count

    @property
    def batch_count(self) -> int:
        """Number of batches."""
        return ceil(self.count / self.batch_size)

    @property
    def batch_number(self) -> int:
        """Which batch this is, counted from 1."""
        return self.batch.start // self.batch_size + 1

    @property
    def windows(self) -> int:
        """Number of windows of a picture; 1 for one piece."""
        return 1 if self.windowing is None else self.windowing.count(self.geometry)

    def batches(self) -> "Iterator[Plan]":
        """Yield the plan of each batch."""
        for start in range(0, self.count, self.batch_size):
            yield replace(self, batch=range(start, min(start + self.batch_size, self.count)))

    def batch_of(self, index: int) -> "Plan":
        """Return the plan of the batch that makes picture `index`."""
        return next(each for each in self.batches() if index in each.batch)

    def repeat_rows(self, rows: Rows) -> Rows:
        """Return the value of each picture of the batch, from those of all rows of the run."""
        pictures = slice(self.batch.start, self.batch.stop)
        return {
            name: repeat_rows(name, values, self.count)[pictures] for name, values in rows.items()
        }

    def drawn_references(self) -> list[tuple[DrawnReference, ...]]:
        """Return the reference pictures of each picture of the batch."""
        drawn = self.references.placed or self.references.drawn
        return [drawn[row] if drawn else () for row in self.rows_of_batch(len(drawn))]

    def rows_of_batch(self, total: int) -> list[int]:
        """Return the row index of each picture of the batch, from `total` rows of the run."""
        return [k * total // self.count for k in self.batch]


def make_plan(parts: PipelineParts, request: Request, *, trusted: bool = True) -> Plan:
    """Return the plan of a request. What is wrong with the request raises here.

    Args:
        parts: the pipeline's, without unused adapters.
        request: the request.
        trusted: False for a request from a client: its values name no files.

    Raises:
        UnknownNameError: a sampler, schedule, guidance or acceleration that is not registered.
        InvalidInputError: a value is invalid; the error names it and says what is valid.
    """
    content = read_content(parts, request, trusted=trusted)
    layout = choose_layout(parts, request, content.size, content.count)
    functions = resolve_functions(parts, request, trusted)
    request = request.model_copy(update=content.fields() | layout.fields() | functions)
    mask = _held_mask(parts, content.init)
    plan = Plan(
        request=request,
        inputs=content.inputs,
        negative=content.negative,
        count=content.count,
        batch=range(content.count),
        geometry=layout.geometry,
        first_stage=layout.first_stage,
        preview_decoder=layout.preview_decoder,
        init_image=_starting_image(content.init, mask),
        mask=mask,
        windowing=layout.windowing,
        sampler=request.sampler.bind(parts.atelier.samplers),
        guidance=request.guidance.bind(parts.atelier.guidances),
        acceleration=(
            None
            if request.acceleration is None
            else request.acceleration.bind(parts.atelier.accelerations)
        ),
        sigmas=make_sigmas(parts, request, layout.geometry),
        warnings=content.warnings + layout.notes,
        references=content.references,
        negative_references=content.negative_references,
    )
    _check_evaluations(parts, plan)
    _check_inputs(parts, plan)
    return plan


def _held_mask(parts: PipelineParts, init: InitImage | None) -> InpaintMask | None:
    """Return the known area for a model that was not trained to inpaint; else None."""
    if init is None or init.mask is None or parts.inpainting_conditioners:
        return None
    return make_inpaint_mask(init.mask, parts.first_stage.config.downsampling)


def _starting_image(init: InitImage | None, mask: InpaintMask | None) -> InitImage | None:
    """Return the initial images, or None if the run starts from pure noise and holds nothing."""
    if init is None or (init.strength == 1 and mask is None):
        return None
    return init


def _check_evaluations(parts: PipelineParts, plan: Plan) -> None:
    """Check the number of denoiser evaluations, as far as it is known before the run."""
    traits = parts.atelier.samplers.spec(plan.request.sampler.name).traits
    parts.limits.check_evaluations(
        {
            "n": plan.count,
            "steps": plan.sigmas.steps,
            "sampler": (traits.nfe_per_step if traits else None) or 1,
            "window": plan.windows,
            "repaint_resamples": plan.request.repaint_resamples or 1,
        }
    )


def _check_inputs(parts: PipelineParts, plan: Plan) -> None:
    """Check that row counts match, and validate the inputs of later batches.

    Those of the first batch are validated when its conditions are made.
    """
    for rows in (plan.inputs, plan.negative):
        plan.repeat_rows(rows)
        if plan.batch_count > 1:
            parts.condition_builder().check_prepare(rows, plan.geometry)
