"""From the tensors of one layer in a file to the changes of its weight and its bias."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from latelier.checkpoints.lora.peft import PeftScales
from latelier.checkpoints.lora.pieces import Piece
from latelier.checkpoints.lora.pieces import combine as combine_low_rank
from latelier.contracts.adapters import WeightChange
from latelier.contracts.errors import CompatibilityError, ModelFileError
from torch import Tensor

from latelier_addons.lycoris.changes import DecomposedChange, FormChange
from latelier_addons.lycoris.forms import FORMS, LOKR, find_form, whole

_MAGNITUDES = ("dora_scale", "lora_magnitude_vector")
_BIASES = ("diff_b", "b_norm")
_NO_FORMULA = {*_MAGNITUDES, *_BIASES, "alpha"}
"""Parts that are no part of the formula of a form."""


@dataclass(frozen=True, eq=False)
class FileLayer:
    """The tensors of one layer in a file.

    Attributes:
        what: the file and the layer, for errors.
        name: of the layer, in the file.
        parts: the tensors by the names of the parts.
        scales: that peft stores apart.
    """

    what: str
    name: str
    parts: Mapping[str, Tensor]
    scales: PeftScales

    @property
    def form(self) -> str | None:
        """The form of the change of the weight; None: only the bias changes.

        Raises:
            ModelFileError: tensors are missing, or of different forms.
        """
        names = self.parts.keys() - _NO_FORMULA
        form = find_form(frozenset(names))
        if form is None and (names or not self.parts.keys() & set(_BIASES)):
            raise ModelFileError(
                f"{self.what}: expected the tensors of one of {', '.join(FORMS)}, got "
                f"{', '.join(sorted(self.parts))}"
            )
        return form

    def build_weight(self, shape: tuple[int, ...]) -> WeightChange | None:
        """Return the change of a weight of a shape; None: there is none.

        Raises:
            ModelFileError: tensors are missing, or of different forms, or their ranks differ.
            CompatibilityError: the change is of a weight of another shape.
        """
        if self.form is None:
            return None
        form, scale = FORMS[self.form], self._scale()
        parts = {name: self.parts[name] for name in self.parts if name not in _NO_FORMULA}
        on_meta = {k: torch.empty(each.shape, device="meta") for k, each in parts.items()}
        try:
            found = form.compute(on_meta, torch.empty(shape, device="meta"))
        except (RuntimeError, ValueError, IndexError) as error:
            raise ModelFileError(
                f"{self.what}: its tensors do not fit together, or not a weight of {shape}: "
                f"{self._list_shapes()}"
            ) from error
        self._check_shape(found, shape)
        if parts.keys() == {"down", "up"}:  # the core's own change, several of which merge faster
            piece = Piece.of(parts, torch.arange(shape[0]), lambda rank: scale * rank)
            return self._decompose(combine_low_rank([piece], shape).requires_grad_(False))
        return self._decompose(FormChange(form.compute, parts, scale, shape))

    def build_bias(self, length: int) -> WeightChange | None:
        """Return the change of a bias of a length; None: there is none.

        Raises:
            ModelFileError: there are two.
            CompatibilityError: the change is of a bias of another length.
        """
        found = {name: self.parts[name] for name in _BIASES if name in self.parts}
        if not found:
            return None
        if len(found) > 1:
            raise ModelFileError(f"{self.what}: expected one of {' and '.join(found)}, got both")
        (difference,) = found.values()
        self._check_shape(difference, (length,))
        return FormChange(whole, found, 1.0, (length,))

    def _decompose(self, change: WeightChange) -> WeightChange:
        """Return the change with learnt norms, if the file has them."""
        found = next((name for name in _MAGNITUDES if name in self.parts), None)
        if found is None:
            return change
        magnitude = self.parts[found]
        is_of_inputs = found == "dora_scale" and magnitude.ndim > 1 and magnitude.shape[0] == 1
        axis = int(is_of_inputs and len(change.shape) > 1)
        if magnitude.numel() != change.shape[axis]:
            raise CompatibilityError(
                f"{self.what}: expected {change.shape[axis]} numbers in '{found}', got "
                f"{tuple(magnitude.shape)}"
            )
        return DecomposedChange(change, magnitude.flatten(), axis)

    def _scale(self) -> float:
        """Return alpha / r."""
        assert self.form is not None
        ranked = FORMS[self.form].ranked
        shapes = [(*self.parts[name].shape, 0) for name in ranked if name in self.parts]
        rank = shapes[0][0] if shapes else None
        alpha = self.parts.get("alpha")
        if alpha is not None and alpha.numel() != 1:
            raise ModelFileError(f"{self.what}: expected one number as alpha, got {alpha.numel()}")
        if rank is None:
            # LyCORIS does not scale whole matrices, peft does
            rank = self.scales.rank(self.name) if self.form == LOKR else None
            return 1.0 if rank is None else self.scales.alpha(self.name, rank) / rank
        if not rank:
            raise ModelFileError(f"{self.what}: expected a rank of 1 or more, got 0")
        if alpha is None:
            return self.scales.alpha(self.name, rank) / rank
        return float(alpha.flatten()[0]) / rank or 1.0  # an alpha of 0 stands for the rank

    def _check_shape(self, change: Tensor, shape: tuple[int, ...]) -> None:
        found = (len(change), change[0].numel()) if change.ndim and len(change) else (0, 0)
        if found != (shape[0], torch.Size(shape[1:]).numel()):
            raise CompatibilityError(
                f"{self.what}: is for another model: the change is of {found[1]} inputs and "
                f"{found[0]} outputs, the layer has {torch.Size(shape[1:]).numel()} and {shape[0]}"
                f": {self._list_shapes()}"
            )

    def _list_shapes(self) -> str:
        return ", ".join(f"{name} {tuple(each.shape)}" for name, each in self.parts.items())
