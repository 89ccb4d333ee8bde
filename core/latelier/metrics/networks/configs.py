"""Configurations of feature networks. They import no torch."""

from typing import Literal

from pydantic import Field

from latelier.contracts.frozen import Frozen

InceptionResize = Literal["tf1_bilinear", "bicubic_antialias", "none"]
"""The rule of resizing to 299 x 299 pixels."""


class InceptionConfig(Frozen):
    """The Inception network of FID."""

    weights: str = Field(
        description="its file, safetensors or PyTorch: a path, or owner/name/FILE of the hub, "
        "fetched before. Published by torch-fidelity as weights-inception-2015-12-05-6726825d.pth "
        "and by pytorch-fid as pt_inception-2015-12-05-6726825d.pth"
    )
    resize: InceptionResize = Field(
        default="tf1_bilinear",
        description="how pictures become 299 x 299 pixels. tf1_bilinear: as in the original "
        "implementation and torch-fidelity; bicubic_antialias: as in clean-fid "
        "(arXiv:2104.11222); none: they must have that size. FIDs of different rules differ",
    )


class ScenesConfig(Frozen):
    """The scene detector, which ships with its weights."""

    size: int | None = Field(
        default=None,
        ge=32,
        le=1024,
        multiple_of=16,
        description="side in pixels to which pictures are resized (bicubic, antialiased); null: "
        "they keep their size, whose sides must be multiples of 16",
    )
