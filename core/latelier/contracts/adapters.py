"""The contract of adapters: what is added to a finished model, whose own weights never change.

A registered kind of adapter is a module with a configuration, in one of three forms:

- `latelier.denoisers.adapter.AttentionAdapter`: a denoiser attends to its stream of tokens.
- `ResidualAdapter`: at each step it computes what is added to the outputs of the denoiser's blocks.
- `WeightAdapter`: it changes weights, in a view of the model that shares all others. It may extend
  conditioners too, see `ConditionerAdapter`.

The first two have a conditioner, which makes of a public input what they work on.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from latelier.contracts.bounds import Width
from latelier.contracts.condition import Condition
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.frozen import Frozen

if TYPE_CHECKING:
    from torch import Tensor

Model = Mapping[str, Any]
"""The modules of a model by place: "denoiser", and "conditioners.NAME"."""


class AdapterConfig(Frozen):
    """Base class of the configurations of adapters."""

    def check(self, name: str, conditioner: ConditionerConfig | None, denoiser: Any) -> None:
        """Check that the adapter fits its conditioner and a denoiser, before weights are read.

        Args:
            name: of the adapter.
            conditioner: configuration of the adapter's own conditioner; None: it has none.
            denoiser: of the model.

        Raises:
            CompatibilityError: the adapter does not fit; the error names what differs.
        """
        raise NotImplementedError


def check_outputs(name: str, conditioner: ConditionerConfig | None, slot: str, width: int) -> None:
    """Check that the conditioner of an adapter fills one slot, in a width.

    Raises:
        CompatibilityError: it does not.
    """
    spec = OutputSpec() if conditioner is None else conditioner.outputs()
    outputs = {kind: size for kind, size in spec if size is not None}
    if outputs != {slot: width}:
        found = ", ".join(f"a {kind} of {size}" for kind, size in outputs.items()) or "nothing"
        raise CompatibilityError(
            f"adapter '{name}': expected a conditioner with one {slot} of width {width}, "
            f"got {found}"
        )


class ResidualConfig(AdapterConfig):
    """Base class of the configurations of residual adapters."""

    @property
    def hint_channels(self) -> Width:
        """Channels of the hint: of the spatial part that the adapter's conditioner gives."""
        raise NotImplementedError

    @property
    def blocks(self) -> Collection[str]:
        """Names of the denoiser's blocks to whose outputs residuals are added."""
        raise NotImplementedError

    def check(self, name: str, conditioner: ConditionerConfig | None, denoiser: Any) -> None:
        """Check the hint, and that the denoiser has the blocks."""
        check_outputs(name, conditioner, "spatial", self.hint_channels)
        blocks: Collection[str] = getattr(denoiser, "residual_blocks", ())
        missing = [block for block in self.blocks if block not in blocks]
        if missing:
            raise CompatibilityError(
                f"adapter '{name}' is for another denoiser: it adds residuals to "
                f"{len(missing)} blocks that this one does not have, such as '{missing[0]}'"
            )


@runtime_checkable
class ResidualAdapter(Protocol):
    """Computes residuals from a hint at each step (ControlNet, arXiv:2302.05543; T2I-Adapter)."""

    @property
    def config(self) -> ResidualConfig:
        """The configuration that it was built with."""
        ...

    def residuals(
        self, x: "Tensor", t: "Tensor", condition: Condition, hint: "Tensor", /
    ) -> "Mapping[str, Tensor]":
        """Return block -> (B, C, h, w), which is added to the output of that block.

        Args:
            x: the denoiser's input, (B, C, h, w).
            t: (B,) float32, the process's `timestep`.
            condition: the denoiser's.
            hint: (B, hint_channels, h, w), what the adapter's conditioner gives. All zero in rows
                for which nothing was given: the residuals of these are to be 0.
        """
        ...


class WeightChange(Protocol):
    """The change of one parameter."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the parameter."""
        ...

    def difference(self, weight: "Tensor", /) -> "Tensor":
        """Return what is added to the unchanged parameter at a scale of 1."""
        ...


@runtime_checkable
class WeightAdapter(Protocol):
    """Changes the weights of layers (LoRA, arXiv:2106.09685, and its relatives).

    A parameter has an address: its place and path, "denoiser.input_blocks.1.1.proj_in.weight".
    Files name layers in many ways, and which one is meant depends on the model: so the adapter
    reads and writes its own.
    """

    @property
    def config(self) -> AdapterConfig:
        """What a manifest holds of the adapter."""
        ...

    @property
    def changes(self) -> Mapping[str, WeightChange]:
        """The changes by the addresses of their parameters."""
        ...

    @classmethod
    def recognizes(cls, shapes: Mapping[str, tuple[int, ...]], /) -> bool:
        """Return whether a file with tensors of these names and shapes is of this kind.

        Kinds exclude each other: it is an error if two of them recognize a file.
        """
        ...

    @classmethod
    def read(cls, path: Path, model: Model, /) -> Self:
        """Read a safetensors file for a model.

        Raises:
            ModelFileError: the file is damaged, or not of this kind.
            CompatibilityError: it is for a model of other layers; names them.
        """
        ...

    def write(self, path: Path, model: Model, /) -> str:
        """Write a safetensors file that `read` reads, and return its SHA-256."""
        ...


@runtime_checkable
class ConditionerAdapter(Protocol):
    """What a weight adapter also is if it gives conditioners more than other weights.

    Textual inversion (arXiv:2208.01618) is one: it adds words to a text encoder.
    """

    def extend(self, conditioner: Any, /) -> Any:
        """Return a view of a conditioner, or the conditioner itself if nothing is for it.

        Its outputs keep their widths, and it shares all weights that need no change.
        """
        ...
