"""The base classes of configurations.

They describe components well enough to check a composition before weights are read or torch is
imported.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from latelier.contracts.bounds import Width
from latelier.contracts.frozen import Frozen


class OutputSpec(Frozen):
    """What a conditioner outputs: at most one part for each of three slots."""

    stream: Width | None = Field(default=None, description="width D of its tokens (B, N, D)")
    spatial: Width | None = Field(default=None, description="channels C of its map (B, C, h, w)")
    vector: Width | None = Field(default=None, description="width V of its vector (B, V)")


class StreamSlot(Frozen):
    """A stream that a denoiser attends to."""

    width: Width = Field(description="width D of its tokens")
    injection: Literal["native", "named"] = Field(
        "named",
        description="native: the context itself, of the context's width; "
        "named: through its own projection and modality embedding",
    )


class InputSpec(Frozen):
    """What a denoiser takes. Keys are the names of conditioners in a pipeline."""

    streams: dict[str, StreamSlot] = Field(default_factory=dict)
    spatial: dict[str, Width] = Field(
        default_factory=dict, description="name -> channels, in the order of concatenation"
    )
    vectors: dict[str, Width] = Field(default_factory=dict, description="name -> width")


class FirstStageConfig(Frozen):
    """Base class of the configurations of first stages."""

    @property
    def downsampling(self) -> int:
        """Factor f: an image (H, W) has latents (H / f, W / f)."""
        raise NotImplementedError

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        raise NotImplementedError

    @property
    def decoding_values(self) -> int:
        """Numbers that `decode` holds at a time, for each pixel of a picture, at the most.

        Decides by default how many pictures are decoded at once, and whether in tiles.
        """
        return 512

    @property
    def known_inputs(self) -> tuple[str, ...]:
        """Names of the conditioners whose pixels `ConditionalFirstStage.add_known` takes.

        Empty for a first stage without a conditional decoder. Those that a pipeline does not have
        are as those without an input; one that has none of them only decodes.
        """
        return ()


class DenoiserConfig(Frozen):
    """Base class of the configurations of denoisers."""

    @property
    def latent_channels(self) -> int:
        """Channels C of x, without spatial conditions."""
        raise NotImplementedError

    @property
    def size_multiple(self) -> int:
        """The sides of x must be multiples of this."""
        return 1

    @property
    def supports(self) -> frozenset[str]:
        """Optional features that the denoiser has.

        Any of 'masks' and 'regions' of streams, and 'residuals', 'perturbed_attention',
        'gradient_checkpointing', 'adapters', 'self_attention' and 'deep_branch' of `Control`.
        """
        return frozenset()

    @property
    def middle_self_attention(self) -> str | None:
        """Name of the self-attention in the middle, for `Control.perturbed_attention`; or None."""
        return None

    def inputs(self) -> InputSpec:
        """Return the conditions that the denoiser takes."""
        return InputSpec()


class ConditionerConfig(Frozen):
    """Base class of the configurations of conditioners."""

    def outputs(self) -> OutputSpec:
        """Return the slots that the conditioner fills."""
        raise NotImplementedError

    @property
    def is_inpainting(self) -> bool:
        """Whether the conditioner takes the picture that a run edits, and the mask of the edit.

        It is then no public input: a run gives it `init_image` and `mask`. Its `Input` has the
        fields `image` and `mask`.
        """
        return False

    @property
    def is_optional(self) -> bool:
        """Whether the denoiser was trained without the spatial part too.

        A run of any other model warns if the input is missing.
        """
        return False

    @property
    def is_guided(self) -> bool:
        """Whether guidance compares with the null of the spatial part.

        Otherwise a spatial part is the same in the condition and the negative condition, as in
        models that were never trained without it.
        """
        return False

    @property
    def is_kept_in_negative(self) -> bool:
        """Whether guidance keeps the part, so that the negative condition has none of its own.

        For values that say how to draw and not what: the size of a picture, the strength of a
        distilled guidance. A negative input replaces the part all the same.
        """
        return False

    @property
    def knows_pixels(self) -> bool:
        """Whether an input says what pixels of the picture are; see `Conditioner.known_pixels`."""
        return False

    @property
    def reference_role(
        self,
    ) -> Literal["pictures", "placed_pictures", "text", "layout", "map"] | None:
        """How the conditioner takes part in the look-up of reference pictures; None: not at all.

        pictures: its `Input` has the field `pictures`, a tuple of `Reference`s, and its
            configuration the property `max_references`.
        placed_pictures: the same, and its `Input` has the field `boxes`, a `Box` for each picture,
            which the run chooses where the request has none.
        text: its `Input` has the field `text`, whose words may mention entries of a database. The
            look-up replaces them by slots "#1", "#2" ..., if the vocabulary has "#1" or no limits.
            In windows of a large picture, those of placed pictures outside are left out.
        layout: its `Input` has the field `objects`, whose field `label` may name an entry. The
            look-up replaces it by a slot, if the vocabulary has "#1".
        map: its `Input` has the field `map`, and the conditioner the method `read_labels`, which
            returns the labels (H, W) of a map, positions in the vocabulary. Placed pictures are
            placed in the areas whose labels are groups of the database.
        """
        return None

    @property
    def is_shown_references(self) -> bool:
        """Whether the conditioner takes reference pictures, at places or not."""
        return self.reference_role in ("pictures", "placed_pictures")

    def input_schema(self, schema: dict[str, Any], /) -> dict[str, Any]:
        """Return the JSON schema of the conditioner's `Input` for this model.

        Override it to add what only the configuration knows and a host must show: names of
        labels, colours, limits.

        Args:
            schema: of the `Input` class, the same for every model. The method may change it.
        """
        return schema

    def vocabulary(self, assets: Mapping[str, bytes], /) -> Sequence[str]:  # noqa: ARG002
        """Return the words or labels that inputs may use, empty where they are not limited.

        Args:
            assets: files of the conditioner, by name (see `Conditioner.assets`).
        """
        return ()


class SpatialConfig(ConditionerConfig):
    """Base class of the configurations of conditioners that give a spatial part."""

    absence: Literal["untrained", "trained", "guided"] = Field(
        default="untrained",
        description="untrained: every picture of the training had the input; trained: training "
        "dropped it too, so that it may be missing; guided: guidance also compares with its "
        "absence, which suits inputs that leave much open, such as semantic maps",
    )

    @property
    def is_optional(self) -> bool:
        return self.absence != "untrained"

    @property
    def is_guided(self) -> bool:
        return self.absence == "guided"
