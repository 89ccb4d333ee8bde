"""The contracts between components, as typed protocols.

Shapes: B images of a batch, C latent channels, h x w latent size, N tokens of width D.
Sigma is the noise's standard deviation in units of x.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from latelier.kernel.condition import Condition, Part
from latelier.kernel.slots import ConditionerConfig, DenoiserConfig, FirstStageConfig

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor

FrameOfReference = Literal["ve", "flow"]
"""How a sampler sees x: 've' x = x0 + sigma * eps; 'flow' x = (1 - sigma) * x0 + sigma * eps."""


@dataclass(frozen=True)
class Frame:
    """The picture that a condition is prepared for.

    size: (H, W) in pixels. latent_size: (h, w). crop: window x0, y0, x1, y1 in 0..1 of the whole.
    first_stage: for conditioners that work on latents; `forward` and `null` have it, `prepare` not.
    """

    size: tuple[int, int]
    latent_size: tuple[int, int]
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    first_stage: "FirstStage | None" = None


@dataclass(frozen=True, eq=False)
class ScaledAdapter:
    """An adapter (see `latelier.denoisers.adapter`), and how much it counts in a call.

    module: has its `config`. scale: a number or (B,); 0 is the same as none.
    """

    module: Any
    scale: "float | Tensor" = 1.0

    @property
    def is_off(self) -> bool:
        """Whether it counts nowhere; told without a look at a tensor's numbers."""
        return isinstance(self.scale, float | int) and self.scale == 0


@dataclass(frozen=True, eq=False)
class Control:
    """What one call asks of a denoiser beside its condition. Nothing is patched into a module.

    residuals: block name -> (B, C, h, w), added to that block's output (ControlNet, T2I-Adapter).
    self_values: names of self-attention layers that pass their values through unattended
        (perturbed-attention guidance, arXiv:2403.17377).
    recompute: whether the backward pass makes the activations inside blocks again, which otherwise
        wait for it in memory (gradient checkpointing, arXiv:1604.06174). No number changes.
    adapters: name -> what is added to cross-attentions (IP-Adapter, arXiv:2308.06721). What an
        adapter is told is the condition's stream of the same name.
    """

    residuals: "Mapping[str, Tensor]" = field(default_factory=dict)
    self_values: frozenset[str] = frozenset()
    recompute: bool = False
    adapters: Mapping[str, ScaledAdapter] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a sampler: `x` at `sigma` after step `index`, and the newest estimate of x0."""

    index: int
    sigma: float
    x: "Tensor"
    denoised: "Tensor"


class Denoise(Protocol):
    """The whole of what a sampler knows of a model."""

    def __call__(self, x: "Tensor", sigma: "float | Tensor", /) -> "Tensor":
        """Return the estimate of x0, (B, C, h, w), of `x` at `sigma` (a float or (B,), above 0)."""
        ...


class Noise(Protocol):
    """Where samplers get their noise from: each image's own generator."""

    def __call__(self, sigma_from: float, sigma_to: float, /) -> "Tensor":
        """Return unit-variance float32 noise (B, C, h, w) for the step between two sigmas."""
        ...


class Grid(Protocol):
    """The sigmas of a run: `steps + 1` strictly decreasing floats, and the frame they are in."""

    @property
    def sigmas(self) -> tuple[float, ...]:
        """Decreasing, the last usually 0."""
        ...

    @property
    def frame(self) -> FrameOfReference:
        """How x is seen."""
        ...

    @property
    def steps(self) -> int:
        """Number of steps."""
        ...

    def alpha(self, sigma: float, /) -> float:
        """Return the factor of x0 in x."""
        ...

    def log_snr(self, sigma: float, /) -> float:
        """Return log(alpha / sigma), half the log signal-to-noise ratio; may be infinite."""
        ...


class Sampler(Protocol):
    """A generator function; further keyword arguments are its options."""

    def __call__(
        self, denoise: Denoise, x: "Tensor", grid: Grid, /, *, noise: Noise, **options: Any
    ) -> Iterator[Step]:
        """Yield a `Step` after each step from x at grid.sigmas[0] to the last sigma."""
        ...


class Schedule(Protocol):
    """Chooses the sigmas of a run; keyword arguments are its options."""

    def __call__(self, steps: int, process: Any, /, **options: Any) -> Grid:
        """Return a grid of `steps` steps for a noise process."""
        ...


class Predict(Protocol):
    """Evaluates several conditions of one x in as few denoiser calls as possible.

    Beside that it says what a guidance may have to know of the run.
    """

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        ...

    def decoded(self, latents: "Tensor", /) -> "Tensor":
        """Return the whole images (B, 3, H, W) of latents, differentiably.

        Raises:
            CompatibilityError: the run has no first stage, or sees windows of a picture.
        """
        ...

    def told(self, value: Any, /) -> Condition:
        """Return the run's condition with another value of its first public input.

        Raises:
            InvalidInputError: that input cannot take it.
            CompatibilityError: there is no such input.
        """
        ...

    def __call__(
        self,
        x: "Tensor",
        sigma: "float | Tensor",
        conditions: Sequence[Condition],
        control: Control | None = None,
        /,
    ) -> "list[Tensor]":
        """Return one estimate of x0 for each condition."""
        ...


class Guidance(Protocol):
    """Makes a `denoise` out of conditions; built anew for each run, so it may hold run state."""

    def __call__(
        self, predict: Predict, condition: Condition, null: Condition, grid: Grid, /, **options: Any
    ) -> Denoise:
        """Return the guided denoise. `null` holds the unconditional part of every conditioner."""
        ...


class FirstStage(Protocol):
    """Compresses images to latents and back. Images in [-1, 1]; latents already scaled."""

    @property
    def config(self) -> FirstStageConfig:
        """What it was built with."""
        ...

    def encode(self, images: "Tensor", /) -> "Tensor":
        """Return latents (B, C, H / f, W / f) of images (B, 3, H, W)."""
        ...

    def decode(self, latents: "Tensor", /) -> "Tensor":
        """Return images (B, 3, H, W) of latents (B, C, H / f, W / f)."""
        ...


class Denoiser(Protocol):
    """Predicts what its noise process asks it to (eps, x0, v or flow).

    One that honours "adapters" has beside `cross_attentions`: the name of each of its
    cross-attentions -> the width of the queries.
    """

    @property
    def config(self) -> DenoiserConfig:
        """What it was built with."""
        ...

    def __call__(
        self, x: "Tensor", t: "Tensor", condition: Condition, control: Control | None = None
    ) -> "Tensor":
        """Return the prediction (B, C, h, w); t (B,) float32 is the process's `timestep`."""
        ...


class Conditioner(Protocol):
    """Turns what a person gives into a part of a condition."""

    Input: type[BaseModel]

    @property
    def config(self) -> ConditionerConfig:
        """What it was built with."""
        ...

    def prepare(self, inputs: Sequence[Any], frame: Frame, /) -> "Mapping[str, Tensor]":
        """Return CPU tensors for a batch of inputs; pure, so that data workers can do it."""
        ...

    def __call__(self, batch: "Mapping[str, Tensor]", frame: Frame, /) -> Part:
        """Return the part for a prepared batch."""
        ...

    def picture_size(self, value: Any, /) -> tuple[int, int] | None:
        """Return the (width, height) that an input asks the picture to have; None if any does."""
        ...

    def finished(self, picture: "Image", value: Any, /) -> "Image":
        """Return a generated picture as an input wants it."""
        ...

    def augment(self, value: Any, rng: "np.random.Generator", /) -> Any:
        """Return the input that training sees in place of `value`."""
        ...

    def window(
        self, batch: "Mapping[str, Tensor]", box: tuple[float, float, float, float], /
    ) -> "Mapping[str, Tensor]":
        """Return the batch for a window of the picture: x0, y0, x1, y1 in 0..1."""
        ...

    def null(self, rows: int, frame: Frame, /) -> Part:
        """Return the unconditional part, with the same slots, for that many rows."""
        ...


class ImportSource(Protocol):
    """Published weights as an importer is shown them: opened safely, and read when asked for."""

    @property
    def path(self) -> Path:
        """The file or folder that was named."""
        ...

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The YAML file of the weights, as plain values; None where there is none."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """What the person said beside: see the importer."""
        ...

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of each tensor by name, without reading one; a folder has none."""
        ...

    def tensors(self) -> "Mapping[str, Tensor]":
        """Return the tensors of the file, mapped from disk; a folder has none."""
        ...

    def tensors_of(self, path: Path, /) -> "Mapping[str, Tensor]":
        """Return the tensors of another file of the same model; a pickle is converted first."""
        ...

    def beside(self, name: str, /) -> bytes | None:
        """Return a small file that lies with the weights, such as a vocabulary; None if none."""
        ...


@dataclass(frozen=True, eq=False)
class ImportedPart:
    """A component as an importer found it.

    id: 'distribution/name' of a registered component. config: its fields. tensors: its state dict,
    complete. assets: its other files, by name.
    """

    id: str
    config: Mapping[str, Any]
    tensors: "Mapping[str, Tensor]" = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Imported:
    """A model as an importer found it.

    parts: by place, "first_stage", "denoiser" and "conditioners.NAME"; or one of the first two
        alone, which becomes a component folder; or "adapter" and "conditioner", which become the
        folder of an adapter.
    process: the fields of the noise process with its `kind`; none for a component alone.
    defaults: of the pipeline; `size` at least.
    inputs: public input -> conditioner; one that is not named is an input itself. Of an adapter
        its name -> "conditioner".
    notes: what was found and chosen, a line each, for people.
    """

    parts: Mapping[str, ImportedPart]
    process: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Importer(Protocol):
    """Reads one format of published weights."""

    @property
    def options(self) -> frozenset[str]:
        """Names of what a person may say beside the source."""
        ...

    def recognises(self, source: ImportSource, /) -> bool:
        """Tell whether the source is of this format: by names, keys and shapes, reading no tensor.

        Formats exclude each other: a source that two importers recognise is an error.
        """
        ...

    def read(self, source: ImportSource, /) -> Imported:
        """Return what there is; the weights stay mapped.

        Raises:
            ModelFileError: the weights are damaged, incomplete, or not what the format says.
            InvalidConfigError: their configuration asks for what there is not here.
        """
        ...
