"""Procedural scenes of pictograms, with exact captions, boxes, masks and maps.

`latelier.data.emoji_scenes.dataset` has the torch data set; this package does not import torch.
"""

from latelier.data.emoji_scenes.backgrounds import BACKGROUND_KINDS, BackgroundInfo
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.glyphs import VOCABULARIES, Glyph, all_glyphs, vocabulary
from latelier.data.emoji_scenes.objects import SceneObject
from latelier.data.emoji_scenes.palette import PALETTE, Color
from latelier.data.emoji_scenes.scene import SEMANTIC_CLASSES, Scene, compose

__all__ = [
    "BACKGROUND_KINDS",
    "PALETTE",
    "SEMANTIC_CLASSES",
    "VOCABULARIES",
    "BackgroundInfo",
    "Color",
    "Glyph",
    "Scene",
    "SceneConfig",
    "SceneObject",
    "all_glyphs",
    "compose",
    "vocabulary",
]
