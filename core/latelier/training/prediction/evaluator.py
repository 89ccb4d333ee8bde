"""Validation of predictions on held-out samples, and what sample sheets are drawn from."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.training.conditioning import to_device
from latelier.training.data.datasets import make_held_out_samples
from latelier.training.evaluator import Evaluator
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.prediction.validation import LevelErrors
from latelier.training.randomness import Draws, Purpose


class PredictionEvaluator(Evaluator):
    """Measures predictions for held-out samples at fixed noise levels.

    Attributes:
        geometry: That of held-out pictures, which is that of training unless it has buckets.
        held_out: Samples that training never uses, with pictures.
    """

    objective: PredictionObjective

    def __init__(self, objective: PredictionObjective) -> None:
        super().__init__(objective)
        config = objective.config
        held_out = make_held_out_samples(config, config.validation.samples)
        self.geometry: PictureGeometry = objective.make_geometry(held_out[0])
        self.held_out = held_out.with_preparation(objective.prepare_samples)

    def validate(self) -> dict[str, float]:
        """Return the errors of x0 at fixed noise levels, with every condition (see `LevelErrors`).

        No number of it depends on the seed of the run.
        """
        objective = self.objective
        errors = LevelErrors(objective.config.validation.levels, objective.process)
        for prepared in self._batches:
            batch = to_device(prepared, objective.device)
            latents: Tensor = batch["latents"]
            kept = objective.conditioning.keep_all(len(latents))
            condition = objective.encode_condition(batch, kept)
            draws = Draws(0, 0, batch["index"])
            eps = draws.normal(Purpose.NOISE, latents.shape[1:], latents.device)
            errors.add(latents, eps, partial(objective.predict_x0, condition))
        return errors.summarize()

    def read_inputs(
        self, inputs: Mapping[str, Sequence[str]], samples: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return the arguments of `generate` that samples have, each with a value for a row.

        Args:
            inputs: names of the conditioners that each public input feeds.
            samples: of the data.
        """
        conditioning = self.objective.conditioning
        found: dict[str, Any] = {}
        for public, names in inputs.items():
            known = [name for name in names if name in conditioning.sources]
            if known:
                found[public] = list(conditioning.augment(known[0], samples))
        return found

    def list_held_out(self, count: int) -> list[dict[str, Any]]:
        """Return the first held-out samples, `count` or as many as there are."""
        return [self.held_out[k] for k in range(min(count, len(self.held_out)))]

    @cached_property
    def _batches(self) -> list[dict[str, Any]]:
        """The held-out samples in batches on the CPU, encoded once: the first stage stays as it is.

        Latents take the place of pictures, of which one batch at a time is in memory.
        """
        size, count = self.objective.config.batch_size, len(self.held_out)
        return [
            self._encode([self.held_out[k] for k in range(first, min(first + size, count))])
            for first in range(0, count, size)
        ]

    def _encode(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        objective = self.objective
        batch = objective.collate(samples)
        image = batch.pop("image").to(objective.device)
        batch.pop("weight", None)  # errors of validation are not weighted
        with torch.no_grad():
            latents = objective.first_stage.encode(image).float()
        return {**batch, "latents": latents.cpu()}
