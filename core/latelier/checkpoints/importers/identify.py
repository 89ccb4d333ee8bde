"""Recognizing published files that no importer reads, so that the error can say what they are."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from latelier.checkpoints.importers.diffusers.folder import CONFIG, INDEX, read_config
from latelier.checkpoints.io.shapes import Shapes
from latelier.checkpoints.weight_files import explain_foreign, is_weight_file
from latelier.contracts.importing import ImportSource

_UNET = "model.diffusion_model."
_SDXL = "conditioner.embedders."
_MODEL = "import a whole checkpoint, or the folder of a pipeline"
_ADD = "it is no model: add it to one with --adapter FILE"
_ADDONS = "the plugin latelier-addons reads those of Stable Diffusion 1, 2 and XL"
_UNREAD = "no installed importer reads it"
_READ_AS = "; if it samples like another pipeline, --option pipeline=NAME reads it as that"


@dataclass(frozen=True)
class _Format:
    """A published format.

    Attributes:
        matches: whether shapes are of the format.
        text: what it is, and what to do.
    """

    matches: Callable[[Shapes], bool]
    text: str


def identify(source: ImportSource) -> str:
    """Return what a source is that no importer recognizes, and what to do.

    Raises:
        ModelFileError: the file is damaged, or cannot be read.
    """
    path = source.path
    if path.is_file() and not is_weight_file(path):
        foreign = explain_foreign(path)
        return foreign or "is neither a safetensors file, nor a PyTorch checkpoint, nor a folder"
    shapes = source.shapes()
    if path.is_dir() and not shapes:
        return _identify_folder(path)
    if not shapes:
        return "holds no tensors"
    for format_ in _FORMATS:
        if format_.matches(shapes):
            return format_.text
    names = ", ".join(sorted(shapes)[:3])
    return (
        f"is of an unknown format; it holds {len(shapes)} tensors ({names} ...). A checkpoint of "
        "CompVis needs its YAML in the same folder, or --config"
    )


def _identify_folder(path: Path) -> str:
    for file, hint in ((INDEX, _READ_AS), (CONFIG, "")):
        found = read_config(path / file).get("_class_name") if (path / file).is_file() else None
        if found is not None:
            return f"is a '{found!s:.80}' of diffusers, which no installed importer reads{hint}"
    return (
        f"is of an unknown format: expected the {INDEX} of diffusers, or a {CONFIG} with a "
        "_class_name"
    )


def _has_prefix(*prefixes: str) -> Callable[[Shapes], bool]:
    """Return a test for a tensor whose name begins with each of the prefixes."""
    return lambda shapes: all(_any_starts(shapes, prefix) for prefix in prefixes)


def _has_part(*parts: str) -> Callable[[Shapes], bool]:
    """Return a test for a tensor whose name contains one of the parts."""
    return lambda shapes: any(part in name for name in shapes for part in parts)


def _any_starts(names: Collection[str], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in names)


def _is_embedding(shapes: Shapes) -> bool:
    names = {name.rpartition(".")[2] if "*" not in name else "*" for name in shapes}
    if names <= {"emb_params", "*", "clip_l", "clip_g", "t5xxl"}:
        return True
    return len(shapes) <= 2 and all(
        name.startswith("<") or (len(shape) <= 2 and shape[-1:] in ((768,), (1024,), (1280,)))
        for name, shape in shapes.items()
    )


def _is_video(shapes: Shapes) -> bool:
    """Return whether patches are of several frames: the layer that cuts them has three sides."""
    ends = ("patch_embedding.weight", "patch_embed.proj.weight")  # of Wan, and of others
    return any(name.endswith(ends) and len(shape) == 5 for name, shape in shapes.items())


def _is_compvis_unet(shapes: Shapes) -> bool:
    return "input_blocks.0.0.weight" in shapes or f"{_UNET}input_blocks.0.0.weight" in shapes


def _lacks_first_stage(shapes: Shapes) -> bool:
    has_text = any(_any_starts(shapes, prefix) for prefix in ("cond_stage_model.", _SDXL))
    return _is_compvis_unet(shapes) and has_text and not _any_starts(shapes, "first_stage_model.")


def _is_unet_alone(shapes: Shapes) -> bool:
    return _is_compvis_unet(shapes) and not _any_starts(shapes, "first_stage_model.")


def _is_vae(shapes: Shapes) -> bool:
    return {"encoder.conv_in.weight", "decoder.conv_in.weight"} <= {
        name.removeprefix("first_stage_model.") for name in shapes
    }


_FORMATS = (
    _Format(_has_part(".lora_down.", ".lora_up."), f"is a LoRA: {_ADD}"),
    _Format(_has_part(".lora_A.", ".lora_B.", ".lora.down.", ".lora.up."), f"is a LoRA: {_ADD}"),
    _Format(
        _has_part(".hada_w1", ".lokr_w", ".oft_", "dora_scale"), f"is a LyCORIS: {_ADD}; {_ADDONS}"
    ),
    _Format(
        _has_part("motion_modules.", "temporal_transformer."), f"is a motion module: {_UNREAD}"
    ),
    _Format(
        _has_prefix("controlnet_x_embedder.", "txt_norm."),
        f"is a ControlNet for Qwen-Image: {_UNREAD}",
    ),
    _Format(_has_prefix("controlnet_x_embedder."), f"is a ControlNet for FLUX.1: {_UNREAD}"),
    _Format(
        _has_prefix("controlnet_blocks.", "double_blocks."),
        f"is a ControlNet for FLUX.1: {_UNREAD}",
    ),
    _Format(
        _has_prefix("controlnet_blocks.", "pos_embed_input."),
        f"is a ControlNet for Stable Diffusion 3: {_UNREAD}",
    ),
    _Format(_has_prefix("controlnet_blocks."), f"is a ControlNet for a transformer: {_UNREAD}"),
    _Format(_has_prefix("control_all_x_embedder."), f"is a ControlNet for Z-Image: {_UNREAD}"),
    _Format(_has_prefix("lllite_"), f"is a ControlNet-LLLite: {_UNREAD}"),
    _Format(_has_prefix("control_model."), f"is a ControlNet: {_ADDONS}"),
    _Format(_has_prefix("controlnet_cond_embedding."), f"is a ControlNet: {_ADDONS}"),
    _Format(_has_prefix("input_hint_block."), f"is a ControlNet: {_ADDONS}"),
    _Format(_has_prefix("adapter.body."), f"is a T2I-Adapter: {_ADDONS}"),
    _Format(_has_prefix("body.0.", "conv_in."), f"is a T2I-Adapter: {_ADDONS}"),
    _Format(_has_prefix("image_proj."), f"is an IP-Adapter of an unknown kind: {_UNREAD}"),
    _Format(_has_part("time_stack."), f"is Stable Video Diffusion: {_UNREAD}"),
    _Format(_has_part("individual_token_refiner."), f"is HunyuanVideo: {_UNREAD}"),
    _Format(_has_part("patchify_proj."), f"is LTX-Video: {_UNREAD}"),
    _Format(_is_video, f"is a model of videos: {_UNREAD}"),
    _Format(_has_part("joint_blocks."), f"is Stable Diffusion 3: {_UNREAD}"),
    _Format(_has_part("double_stream_modulation_"), f"is FLUX.2: {_UNREAD}"),
    _Format(_has_part("double_blocks."), f"is FLUX.1, or a model like it: {_UNREAD}"),
    _Format(_has_part("double_layers."), f"is AuraFlow: {_UNREAD}"),
    _Format(_has_part(".img_mod.1."), f"is Qwen-Image: {_UNREAD}"),
    _Format(_has_part("add_k_proj."), f"is a transformer like Stable Diffusion 3: {_UNREAD}"),
    _Format(_has_part("noise_refiner."), f"is Z-Image, or a model like it: {_UNREAD}"),
    _Format(_has_part("cap_embedder.", "caption_projection."), f"is a PixArt: {_UNREAD}"),
    _Format(_has_part("y_embedder.y_proj."), f"is a PixArt: {_UNREAD}"),
    _Format(
        _has_part("y_embedder.embedding_table."),
        "is a DiT alone: import the folder of its pipeline, such as facebook/DiT-XL-2-256",
    ),
    _Format(
        _lacks_first_stage,
        "is a checkpoint without its VAE (no first_stage_model): merge the VAE into it, or import "
        "the folder of its pipeline",
    ),
    _Format(_is_unet_alone, f"is a UNet alone, without VAE and text encoder: {_MODEL}"),
    _Format(_has_prefix(_SDXL), f"is like Stable Diffusion XL, of other sizes: {_UNREAD}"),
    _Format(
        _has_prefix("down_blocks.", "up_blocks.", "time_embedding."),
        "is a UNet of diffusers alone: import its folder, with the config.json, or the folder of "
        "its pipeline",
    ),
    _Format(
        _has_part("encoder.down_blocks.", "decoder.up_blocks."),
        "is a VAE of diffusers alone: import its folder, with the config.json",
    ),
    _Format(
        _is_vae,
        "is a VAE alone: it needs its YAML in the same folder, or --config (presets: `latelier "
        "models presets`)",
    ),
    _Format(
        _has_part("text_model.embeddings.", "transformer.resblocks."),
        f"is a CLIP text encoder alone: {_MODEL}",
    ),
    _Format(
        _has_part("vision_model.", "visual.conv1."), f"is a CLIP image encoder alone: {_MODEL}"
    ),
    _Format(_has_part(".SelfAttention.q."), f"is a T5 text encoder alone: {_MODEL}"),
    _Format(_has_part(".rdb1.", "conv_first."), f"is an upscaler of pictures: {_UNREAD}"),
    _Format(_has_part("layers.0.self_attn.q_proj."), f"is a language model: {_UNREAD}"),
    _Format(
        _has_part("exp_avg", "optimizer."), "is the state of an optimizer: import the model instead"
    ),
    _Format(_is_embedding, f"is a textual-inversion embedding: {_ADD}"),
)
"""In order: an earlier format has names that a later one has too."""
