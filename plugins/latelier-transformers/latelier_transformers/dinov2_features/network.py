"""DINOv2's features of pictures (Oquab et al. 2023, arXiv:2304.07193)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from latelier import Frozen
from latelier.checkpoints.io.hub import find_local
from latelier.checkpoints.io.json_files import read_json_object
from latelier.checkpoints.io.weights import load_into, meta_device
from latelier.checkpoints.weight_files import tensors_of
from latelier.contracts.bounds import Layers, Width
from latelier.contracts.errors import ModelFileError
from latelier.contracts.features import Features
from latelier.contracts.frozen import validate
from latelier.metrics.features import FrozenNetwork
from latelier.metrics.networks.checks import check_pictures, full_precision, hash_weights
from latelier.metrics.networks.resizing import resize_bicubic_antialias
from pydantic import Field
from torch import Tensor

from latelier_transformers.dinov2_features.configs import Dinov2FeaturesConfig
from latelier_transformers.library import transformers
from latelier_transformers.published_weights import find_weights, name_folder

SIDE = 224
"""Height and width of the network's pictures in pixels: 16 patches."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the levels of ImageNet, in 0..1, in each channel."""

_NEW_NAMES = {
    "attention.attention.query.": "attention.q_proj.",
    "attention.attention.key.": "attention.k_proj.",
    "attention.attention.value.": "attention.v_proj.",
    "attention.output.dense.": "attention.o_proj.",
}
"""Part of a published name -> that of a later transformers."""


class Dinov2Fields(Frozen):
    """Fields of transformers' `Dinov2Config`, with its defaults."""

    hidden_size: Width = 768
    num_hidden_layers: Layers = Field(12, ge=1)
    num_attention_heads: Width = 12
    mlp_ratio: Width = 4
    image_size: Width = 224
    patch_size: Width = 14
    layer_norm_eps: float = Field(1e-6, gt=0)
    qkv_bias: bool = True
    use_swiglu_ffn: bool = False


class Dinov2Features(FrozenNetwork):
    """The class token after the last norm, as Stein et al. 2023 compare pictures by.

    Pictures are resized to 224 x 224 pixels by the rule of clean-fid, which their code calls the
    clean one (arXiv:2306.04675).
    """

    def __init__(self, config: Dinov2FeaturesConfig) -> None:
        """Read the folder.

        Raises:
            ModelFileError: a file is missing or damaged, or nothing was fetched.
        """
        super().__init__()
        folder = find_local(config.weights)
        self.model = read_dinov2(folder)
        self.width: int = self.model.config.hidden_size
        self.name = f"DINOv2 {name_folder(folder, config.weights)}"
        self.identity = (
            f"DINOv2, weights {hash_weights(self.model)}, resize bicubic_antialias to {SIDE}"
        )
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        """Return features (B, D) of pictures uint8 (B, 3, H, W), without logits.

        Raises:
            InvalidInputError: the pictures have another shape or type.
        """
        check_pictures(images, "the network 'dinov2'")
        self.to(images.device)
        levels = resize_bicubic_antialias(images, SIDE, SIDE) / 255
        mean, std = (levels.new_tensor(each).view(3, 1, 1) for each in (_MEAN, _STD))
        with full_precision():
            return Features(self.model(pixel_values=(levels - mean) / std).pooler_output)


def read_dinov2(folder: Path) -> Any:
    """Return a `Dinov2Model` in float32, without running code of the folder.

    Raises:
        ModelFileError: a file is missing or damaged, or the folder has another model.
    """
    path = folder / "config.json"
    values = read_json_object(path)
    if values.get("model_type") != "dinov2":
        raise ModelFileError(
            f"{path}: expected the model_type 'dinov2', got {values.get('model_type')!r:.80}"
        )
    known = {name: value for name, value in values.items() if name in Dinov2Fields.model_fields}
    fields = validate(Dinov2Fields, known, str(path), ModelFileError)
    library = transformers()
    with meta_device():
        model = library.Dinov2Model(library.Dinov2Config(**fields.model_dump()))
    weights = find_weights(folder)
    load_into(model, _rename(tensors_of(weights), model), str(weights))
    return model.to(torch.float32)


def _rename(tensors: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Return published weights under the names of the installed transformers: 5.23 has new ones."""
    known = model.state_dict().keys()
    renamed = {}
    for name, tensor in tensors.items():
        new = name
        for published, ours in _NEW_NAMES.items():
            new = new.replace(published, ours)
        renamed[name if name in known else new] = tensor
    return renamed
