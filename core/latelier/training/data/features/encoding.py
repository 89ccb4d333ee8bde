"""Encoding inputs with a frozen conditioner."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.training.data.features.parts import split_part

_BATCH = 64
"""Inputs that are encoded together."""

_NO_PICTURE = PictureGeometry((0, 0), (0, 0))

Row = dict[str, Tensor]


class FeatureEncoder:
    """Encodes inputs as rows of tensors."""

    def __init__(
        self, conditioner: Any, field: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Create the encoder of a conditioner, which is moved to `device`.

        Args:
            conditioner: the module.
            field: of samples, its input; for messages.
            device: where it runs.
            dtype: of the tensors.
        """
        self._conditioner = conditioner.to(device)
        self._field = field
        self._device = device
        self._dtype = dtype

    def encode(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Row | str]]:
        """Yield the key of each value with its row, or with why the conditioner refuses it.

        Raises:
            DataError: a number does not fit into the type of the tensors.
        """
        items = iter(values.items())
        while batch := dict(islice(items, _BATCH)):
            yield from self._encode_batch(batch)

    def _encode_batch(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Row | str]]:
        inputs = {}
        for key, value in values.items():
            try:
                inputs[key] = self._read(value)
            except InvalidInputError as error:
                yield key, str(error)
        if inputs:
            yield from zip(inputs, self._compute(list(inputs.values())), strict=True)

    def _read(self, value: Any) -> Any:
        """Return a value as the conditioner's input.

        Raises:
            InvalidInputError: the conditioner does not take it, such as a long text.
        """
        read = read_input(
            self._conditioner.Input, value, f"'{self._field}' of the data", trusted=False
        )
        self._conditioner.prepare([read], _NO_PICTURE)
        return read

    @torch.no_grad()
    def _compute(self, inputs: list[Any]) -> list[Row]:
        prepared = self._conditioner.prepare(inputs, _NO_PICTURE)
        moved = {name: tensor.to(self._device) for name, tensor in prepared.items()}
        return split_part(self._conditioner(moved, _NO_PICTURE), self._dtype)
