"""CLIP's features of pictures and texts (Radford et al. 2021, arXiv:2103.00020)."""

from collections.abc import Sequence

import numpy as np
import PIL.Image
import torch
from latelier.checkpoints.io.hub import find_local
from latelier.contracts.features import Features
from latelier.metrics.features import FrozenNetwork
from latelier.metrics.networks.checks import check_pictures, full_precision, hash_weights
from torch import Tensor

from latelier_transformers.clip_features.configs import ClipFeaturesConfig
from latelier_transformers.clip_features.folder import read_clip
from latelier_transformers.clip_text.tokens import pad
from latelier_transformers.published_weights import name_folder

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of the levels of a picture, in 0..1, in each channel, as OpenAI published them."""


class ClipFeatures(FrozenNetwork):
    """The projections of CLIP's two encoders, not of unit length."""

    def __init__(self, config: ClipFeaturesConfig) -> None:
        """Read the folder.

        Raises:
            ModelFileError: a file is missing or damaged, or nothing was fetched.
        """
        super().__init__()
        folder = find_local(config.weights)
        clip = read_clip(folder)
        self.model, self.width = clip.model, clip.width
        self._vocabulary, self._text = clip.vocabulary, clip.text
        self._side = clip.vision.image_size
        self.name = f"CLIP {name_folder(folder, config.weights)}"
        self.identity = (
            f"CLIP, weights {hash_weights(self.model)}, shortest side {self._side} by Pillow's "
            "bicubic, centre crop"
        )
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        """Return features (B, D) of pictures uint8 (B, 3, H, W), without logits.

        Raises:
            InvalidInputError: the pictures have another shape or type.
        """
        check_pictures(images, "the network 'clip'")
        self.to(images.device)
        pixels = torch.stack([prepare_picture(image, self._side) for image in images.cpu()])
        with full_precision():
            pooled = self.model.vision_model(pixel_values=pixels.to(images.device)).pooler_output
        return Features(self.model.visual_projection(pooled))

    def embed_texts(self, texts: Sequence[str], /) -> Tensor:
        """Return features (B, D) of texts; of a longer one than CLIP reads, those of its start."""
        rows = [pad(self._encode(text)[: self._capacity], self._text) for text in texts]
        weight = self.model.text_projection.weight
        tokens = torch.tensor(rows, dtype=torch.int64, device=weight.device)
        features: Tensor = self.model.text_projection(
            self.model.text_model(input_ids=tokens).pooler_output
        )
        return features

    def is_cut(self, text: str) -> bool:
        """Return whether a text is longer than CLIP reads."""
        return len(self._encode(text)) > self._capacity

    def _encode(self, text: str) -> list[int]:
        return self._vocabulary.encode(text)

    @property
    def _capacity(self) -> int:
        """Tokens between start and end."""
        return self._text.max_position_embeddings - 2


def prepare_picture(image: Tensor, side: int) -> Tensor:
    """Return the pixels of a picture as CLIP's vision encoder takes them, float32 (3, S, S).

    The shortest side is resized to S by Pillow's bicubic filter, with levels rounded to 0..255, and
    the square in the centre is taken.

    Args:
        image: uint8 (3, H, W), on the CPU.
        side: S, in pixels.
    """
    height, width = image.shape[1:]
    shortest = min(height, width)
    size = side * width // shortest, side * height // shortest
    picture = PIL.Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    resized = picture.resize(size, PIL.Image.Resampling.BICUBIC)
    left, top = ((each - side) // 2 for each in size)
    square = resized.crop((left, top, left + side, top + side))
    levels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (_MEAN, _STD))
    return (levels - mean) / std
