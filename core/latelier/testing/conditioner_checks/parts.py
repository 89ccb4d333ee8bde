"""Checks of the parts that a conditioner gives for inputs."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import torch
from torch import Tensor

from latelier.contracts.condition import ConditionPart
from latelier.contracts.configs import OutputSpec
from latelier.testing.conditioner_checks.base import ConditionerBase
from latelier.testing.conditioner_checks.comparison import has_difference, has_distance
from latelier.testing.support.comparison import is_close
from latelier.testing.support.randomness import seeded
from latelier.testing.support.reading import active_tokens, attend_part


class PartChecks(ConditionerBase):
    """Parts fill the declared slots, differ where inputs differ, and depend on their input only."""

    def test_it_fills_the_slots_that_its_config_gives(self) -> None:
        """A model is composed from configurations, before anything is built."""
        outputs = self._outputs().model_dump()
        declared = {name for name, width in outputs.items() if width is not None}
        filled = set(self.part().tensors())
        assert filled == declared, (
            f"the config declares {sorted(declared)}, the part fills {sorted(filled)}"
        )

    def test_its_widths_are_those_of_its_config(self) -> None:
        """The denoiser's projections have the width that the config declares."""
        outputs = self._outputs().model_dump()
        for name, tensor in self.part().tensors().items():
            width = tensor.shape[1] if name == "spatial" else tensor.shape[-1]
            assert outputs[name] in (None, width), (
                f"the {name} has width {width}, and the config declares {outputs[name]}"
            )

    def test_there_is_a_row_for_each_input(self) -> None:
        """Equal inputs have a row each, too."""
        for rows in (self.rows, [0, 0, *self.rows]):
            part = self.part(rows)
            assert part.batch == len(rows), f"{len(rows)} inputs give {part.batch} rows"

    def test_a_map_is_of_latent_size(self) -> None:
        """A spatial part is concatenated to the latents, so it has their size."""
        for part in (self.part(), self.null()):
            if part.spatial is not None:
                size = tuple(part.spatial.shape[2:])
                assert size == self.geometry.latent_size, (
                    f"the spatial part is {size}, the latents are {self.geometry.latent_size}: "
                    "resize it to geometry.latent_size"
                )

    def test_inputs_that_differ_give_parts_that_differ(self) -> None:
        """Otherwise a model cannot tell them apart."""
        for one, other in combinations(self.rows, 2):
            assert has_difference(self.part([one]), self.part([other])), (
                f"inputs {one} and {other} give the same part: their difference is ignored"
            )

    def test_what_differs_is_not_masked(self) -> None:
        """A denoiser sees the difference only in tokens that the mask marks True."""
        for one, other in combinations(self.rows, 2):
            parts = self.part([one]), self.part([other])
            masks = [part.stream.mask for part in parts if part.stream is not None]
            if not any(mask is not None and not mask.all() for mask in masks):
                continue
            assert has_distance(*(attend_part(part) for part in parts)), (
                f"the difference between inputs {one} and {other} is masked: True in a mask marks "
                "a token that counts, False marks padding"
            )

    def test_padding_changes_nothing(self) -> None:
        """The values that `prepare` puts under a mask's False do not affect the other tokens."""
        with torch.no_grad(), seeded():
            batch = self.make_inputs(self.build(), self.rows)
            part: ConditionPart = self.build()(batch, self.geometry)
            if part.stream is None or part.stream.mask is None or part.stream.mask.all():
                return
            mask = part.stream.mask
            others = [
                self.build()(each, self.geometry).stream for each in _change_padding(batch, mask)
            ]
        for other in others:
            if not torch.equal(other.mask, mask):
                continue  # this tensor is what the conditioner recognizes padding by
            assert is_close(other.tokens[mask], part.stream.tokens[mask]), (
                "other padding gives other tokens: mask it inside the conditioner, in attention "
                "and in every mean over tokens"
            )

    def test_what_it_knows_of_pixels_is_premultiplied_color(self) -> None:
        """A conditional decoder lays it over the picture: c + (1 - alpha) picture."""
        component = self.build()
        if not component.config.knows_pixels:
            return
        with torch.no_grad(), seeded():
            batch = self.prepare(component, self.rows)
            known = component.known_pixels(batch, self.geometry)
            alone = component.known_pixels(self.prepare(component, [0]), self.geometry)
        expected = (len(self.rows), 4, *self.geometry.size)
        assert tuple(known.shape) == expected, (
            f"known pixels are {tuple(known.shape)}, not {expected}: RGB and alpha of the picture"
        )
        color, alpha = known[:, :3], known[:, 3:]
        assert ((alpha >= 0) & (alpha <= 1)).all(), "alpha is not in 0..1"
        assert ((color >= 0) & (color <= alpha + 1 / 255)).all(), (
            "RGB is not in 0..alpha: it is in 0..1, multiplied by alpha"
        )
        assert is_close(known[0], alone[0]), "the known pixels of input 0 differ in a batch"

    def test_one_input_is_as_it_is_in_a_batch(self) -> None:
        """Padding, normalisation and the rest do not depend on the other inputs of a batch."""
        together = self.part()
        for row in self.rows:
            alone = self.part([row])
            for name, tensor in alone.tensors().items():
                if name != "stream":
                    assert is_close(together.tensors()[name][row], tensor[0]), (
                        f"the {name} of input {row} differs in a batch"
                    )
            if alone.stream is not None and together.stream is not None:
                tokens = active_tokens(together.stream, row)
                assert is_close(tokens, active_tokens(alone.stream, 0)), (
                    f"the unmasked tokens of input {row} differ in a batch: mask padding, and "
                    "compute nothing over the batch"
                )

    def _outputs(self) -> OutputSpec:
        config = self.registry.validate_config(self.component, self.config)
        outputs: OutputSpec = config.outputs()  # type: ignore[attr-defined]
        return outputs


def _change_padding(batch: Mapping[str, Tensor], mask: Tensor) -> Iterator[dict[str, Tensor]]:
    """Yield a batch with each tensor in turn changed where the mask (B, N) hides it.

    The new values are those of a token that counts, so that ids remain valid.
    """
    for name, tensor in batch.items():
        if tensor.shape[:2] == mask.shape and not torch.equal(tensor, mask):
            valid = tensor[mask][-1]
            counts = mask.view(*mask.shape, *[1] * (tensor.ndim - 2)).expand_as(tensor)
            yield {**batch, name: torch.where(counts, tensor, valid)}
