"""The networks of a pipeline, which a device calls for many runs together."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from itertools import chain

import torch
from torch import Tensor

from latelier.contracts.components import ConditionalFirstStage, Denoiser, FirstStage
from latelier.contracts.condition import select
from latelier.diffusion.calls import DenoiserCall
from latelier.diffusion.fixed_rows import FixedRows
from latelier.engine.batcher import Batcher
from latelier.engine.fitting_rows import FittingRows
from latelier.engine.openmp import release_team
from latelier.engine.row_limit import RowLimit
from latelier.engine.shared_calls import SharedCalls
from latelier.engine.sharing import sharing_key
from latelier.engine.work import Work
from latelier.pipeline.conditioning.conditions import Conditions
from latelier.pipeline.conditioning.rows import Rows
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.plan import Plan
from latelier.pipeline.planning.layout import fastest_batch_size
from latelier.pipeline.run import encode_inputs


class SharedModel:
    """Makes work for the device of what runs compute, and says what can be done together.

    Where rows are fixed, only calls of the denoiser are.

    Args:
        parts: the pipeline's.
        batcher: where the work waits.
        limit: of the rows of a call of the denoiser.
        rows: of every call of the denoiser, where they are fixed.

    Attributes:
        denoiser: with fixed rows, or with as many as fit into memory.
        calls: of the denoiser.
        rows: see above.
    """

    def __init__(
        self, parts: PipelineParts, batcher: Batcher, limit: RowLimit, rows: int | None
    ) -> None:
        self.rows = rows
        self.denoiser: Denoiser = (
            FittingRows(parts.denoiser, limit) if rows is None else FixedRows(parts.denoiser, rows)
        )
        self.calls = SharedCalls(self.denoiser)
        self._batcher = batcher
        self._limit = limit
        self._pads_streams = rows is None and "masks" in parts.denoiser.config.supports
        self._device = parts.device

    def predict(self, run: Hashable, call: DenoiserCall) -> Tensor:
        """Return the prediction for a call of the denoiser, (B, C, h, w).

        A call under autograd is computed in the thread of its caller, whose graph it belongs to.
        """
        if torch.is_grad_enabled():
            self.leave(run)
            return call.run(self.denoiser)
        release_team()
        key = sharing_key(call, pads_streams=self._pads_streams)
        most = self._limit.of(*call.x.shape[2:])
        return self._batcher.compute(Work(call, self.calls.compute, key, call.rows, most), run)

    def encode(self, run: Hashable, first_stage: FirstStage, images: Tensor) -> Tensor:
        """Return the latents (B, C, h, w) of images (B, 3, H, W)."""
        return self._apply(run, first_stage.encode, (images,), images.shape[2:])

    def decode(self, run: Hashable, first_stage: FirstStage, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W) of latents (B, C, h, w)."""
        f = first_stage.config.downsampling
        return self._apply(run, first_stage.decode, (latents,), [f * n for n in latents.shape[2:]])

    def add_known(
        self, run: Hashable, first_stage: ConditionalFirstStage, images: Tensor, known: Tensor
    ) -> Tensor:
        """Return decoded images (B, 3, H, W) with what inputs know of them, (B, 4 K, H, W)."""
        return self._apply(run, first_stage.add_known, (images, known), images.shape[2:])

    def encode_inputs(self, run: Hashable, parts: PipelineParts, plan: Plan) -> Conditions:
        """Return the conditions of a batch."""
        key = (
            tuple(parts.conditioners.items()),
            plan.geometry,
            frozenset(plan.inputs),
            frozenset(plan.negative),
        )
        count, most = len(plan.batch), self._most_pictures(plan.geometry.size)
        work = Work(
            (parts, plan), _encode_together, key if self._pads_streams else object(), count, most
        )
        return self._batcher.compute(work, run)

    def leave(self, run: Hashable) -> None:
        """Expect no more work of a run, or none soon."""
        self._batcher.leave(run)

    def _apply(
        self,
        run: Hashable,
        function: Callable[..., Tensor],
        rows: tuple[Tensor, ...],
        size: Sequence[int],
    ) -> Tensor:
        """Return the output of a function of the first stage for rows, each (B, C, H, W)."""
        if torch.is_grad_enabled() or self._batcher.is_closed:
            self.leave(run)
            return function(*rows)
        shapes = tuple((each.shape[1:], each.dtype) for each in rows)
        key = (function, shapes) if self.rows is None else object()
        most = self._most_pictures(size)
        return self._batcher.compute(
            Work(rows, partial(_apply_together, function), key, len(rows[0]), most), run
        )

    def _most_pictures(self, size: Sequence[int]) -> int:
        height, width = size
        return fastest_batch_size((width, height), self._device)


def _apply_together(
    function: Callable[..., Tensor], batches: Sequence[tuple[Tensor, ...]]
) -> Sequence[Tensor]:
    if len(batches) == 1:
        return [function(*batches[0])]
    joined = [torch.cat(parts) for parts in zip(*batches, strict=True)]
    return torch.split(function(*joined), [len(batch[0]) for batch in batches])


def _encode_together(batches: Sequence[tuple[PipelineParts, Plan]]) -> list[Conditions]:
    """Return the conditions of batches whose parts, geometries and inputs are of one kind."""
    if len(batches) == 1:
        return [encode_inputs(*batches[0])]
    parts, plan = batches[0]
    counts = [len(each.batch) for _, each in batches]
    joined = parts.condition_builder().conditions(
        _join_rows([each.repeat_rows(each.inputs) for _, each in batches]),
        _join_rows([each.repeat_rows(each.negative) for _, each in batches]),
        sum(counts),
        plan.geometry,
    )
    return [
        Conditions(select(joined.condition, rows), select(joined.negative, rows))
        for rows in torch.split(torch.arange(sum(counts), device=parts.device), counts)
    ]


def _join_rows(batches: Sequence[Rows]) -> Rows:
    return {name: list(chain.from_iterable(each[name] for each in batches)) for name in batches[0]}
