"""Reads checkpoints of CompVis by their YAML."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.clip import PROMPT_SYNTAX
from latelier.checkpoints.importers.compvis.conditioners import (
    CONDITIONERS,
    Conditioning,
    FoundConditioner,
    label_embedding,
)
from latelier.checkpoints.importers.compvis.first_stages import FIRST_STAGES
from latelier.checkpoints.importers.compvis.process import process_of
from latelier.checkpoints.importers.compvis.target import Target, look_up
from latelier.checkpoints.importers.compvis.tensors import (
    BUFFERS,
    COND_STAGE,
    EMA,
    FIRST_STAGE,
    UNET,
    has_controlnet,
    replace_with_ema,
    strip_prefix,
)
from latelier.checkpoints.importers.compvis.unet import unet_part
from latelier.checkpoints.importers.fit import IGNORE_LEFTOVERS, refuse_leftovers
from latelier.checkpoints.importers.parameters import unknown_params
from latelier.checkpoints.importers.tokenizer_json import with_fallback
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.importing import Imported, ImportedPart, ImportSource
from latelier.contracts.messages import suggestion

UNCONDITIONAL = "__is_unconditional__"
SHARED = "__is_first_stage__"

LABELS = "label_emb.weight"
"""The class embedding table in a UNet with `num_classes`."""

_UNETS = ("UNetModel",)
_KNOWN = frozenset(
    [
        "unet_config",
        "first_stage_config",
        "cond_stage_config",
        "first_stage_key",
        "cond_stage_key",
        "cond_stage_trainable",
        "cond_stage_forward",
        "concat_mode",
        "conditioning_key",
        "scale_factor",
        "scale_by_std",
        "image_size",
        "channels",
        "timesteps",
        "num_timesteps_cond",
        "beta_schedule",
        "linear_start",
        "linear_end",
        "cosine_s",
        "given_betas",
        "parameterization",
        "v_posterior",
        "clip_denoised",
        "use_ema",
        "loss_type",
        "l_simple_weight",
        "original_elbo_weight",
        "learn_logvar",
        "logvar_init",
        "monitor",
        "log_every_t",
        "ckpt_path",
        "ignore_keys",
        "load_only_unet",
        "scheduler_config",
        "finetune_keys",
        "concat_keys",
        "masked_image_key",
        "keep_finetune_dims",
        "use_positional_encodings",
    ]
)
"""Parameters of the model's class and its relatives. Those of training alone are not read."""

_CONDITIONING_KEYS = ("concat", "crossattn", "hybrid", "adm")
_TRAINING = ("loss.", f"{EMA}loss")
"""Tensors of training in the file of a first stage: losses, and averages of their weights."""


class CompVis:
    """Checkpoints of latent-diffusion with their YAML: whole models, and first stages alone.

    Options: null_class, whether the last row of a class embedding table stands for no class;
    num_classes, of a layout's objects; prompt_syntax, of CLIP: "plain", "a1111" or "comfyui";
    ignore_leftovers, unexpected tensors to ignore.
    """

    options = frozenset({"null_class", "num_classes", PROMPT_SYNTAX, IGNORE_LEFTOVERS})

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether there is a YAML with a model of named classes, and no ControlNet."""
        model = (source.config or {}).get("model")
        has_target = isinstance(model, Mapping) and "target" in model
        return has_target and not has_controlnet(source.shapes())

    def read(self, source: ImportSource, /) -> Imported:
        """Return the model that the YAML describes.

        Raises:
            ModelFileError: the weights do not fit the YAML.
            InvalidConfigError: a class or a parameter in the YAML is not supported.
        """
        model = Target.parse((source.config or {}).get("model"), "model")
        tensors = source.tensors()
        if model.name in FIRST_STAGES:
            return _first_stage_alone(model, tensors)
        if "unet_config" not in model.params:
            raise InvalidConfigError(
                f"the YAML's model '{model.name}' is not supported: expected a unet_config, or the "
                f"class of a first stage ({', '.join(FIRST_STAGES)})"
            )
        return _LatentDiffusion(model, tensors, source).read()


def _first_stage_alone(model: Target, tensors: Mapping[str, Tensor]) -> Imported:
    # the first stage inside a whole model is accepted too
    own = strip_prefix(FIRST_STAGE, tensors) or tensors
    weights = {name: tensor for name, tensor in own.items() if not name.startswith(_TRAINING)}
    plain = {name: tensor for name, tensor in weights.items() if not name.startswith(EMA)}
    if model.params.get("use_ema") and len(plain) < len(weights):
        plain = replace_with_ema("", "", weights, among=plain)
    part = FIRST_STAGES[model.name](model, plain, 1.0)
    return Imported({"first_stage": part}, notes=(f"a first stage alone, {model.name}",))


class _LatentDiffusion:
    """One whole model, read from its YAML and its tensors together."""

    def __init__(self, model: Target, tensors: Mapping[str, Tensor], source: ImportSource) -> None:
        self._params = model.params
        self._unet = Target.parse(model.params["unet_config"], "unet_config")
        look_up(self._unet, dict.fromkeys(_UNETS), "unet_config")
        self._tensors = tensors
        self._source = source
        self._notes: list[str] = [f"the model is a {model.name}"]
        unknown = unknown_params(model.name, model.params, _KNOWN)
        if unknown:
            self._notes.append(f"unknown parameters: {', '.join(unknown)}")

    def read(self) -> Imported:
        """Return its parts, its process and its defaults."""
        first_stage = self._first_stage()
        latents = int(first_stage.config.get("embed_dim") or first_stage.config["channels"])
        weights = self._unet_tensors()
        has_classes = self._unet.params.get("num_classes") is not None
        classes = weights.pop(LABELS, None) if has_classes else None
        found = self._conditioners(latents, classes)
        denoiser = unet_part(
            self._unet,
            weights,
            latents,
            {each.name: each.stream for each in found if each.stream is not None},
            {each.name: each.spatial for each in found if each.spatial is not None},
            {each.name: each.vector for each in found if each.vector is not None},
        )
        self._check_channels(denoiser, latents)
        self._check_leftovers(found)
        for each in found:
            self._notes.extend(each.notes)
        return Imported(
            {
                "first_stage": first_stage,
                "denoiser": denoiser,
                **{f"conditioners.{each.name}": each.part for each in found},
            },
            process_of(self._params, self._tensors.get("betas")),
            self._defaults(first_stage, found),
            {"prompt": "text"} if any(each.name == "text" for each in found) else {},
            tuple(self._notes),
        )

    def _first_stage(self) -> ImportedPart:
        node = self._params.get("first_stage_config")
        pixels = Target("IdentityFirstStage", {"channels": self._unet.params["out_channels"]})
        target = pixels if node is None else Target.parse(node, "first_stage_config")
        target = pixels if target.name == pixels.name else target
        reader = look_up(target, FIRST_STAGES, "first_stage_config")
        return reader(target, strip_prefix(FIRST_STAGE, self._tensors), self._scale_factor())

    def _scale_factor(self) -> float:
        """Return the factor that training measured and stored, else that of the YAML."""
        stored = self._tensors.get("scale_factor")
        if stored is not None:
            self._notes.append(f"scale_factor {float(stored):.6g} is stored in the checkpoint")
            return float(stored)
        return float(self._params.get("scale_factor", 1.0))

    def _unet_tensors(self) -> dict[str, Tensor]:
        has_average = any(name.startswith(EMA) and name not in BUFFERS for name in self._tensors)
        wants_average = self._params.get("use_ema", True)
        if has_average and wants_average:
            self._notes.append("the denoiser has its averaged (EMA) weights")
            return replace_with_ema(UNET, "diffusion_model.", self._tensors)
        why = "as in the YAML" if not wants_average else "the file has no averaged ones"
        self._notes.append(f"the denoiser has its plain weights: {why}")
        return strip_prefix(UNET, self._tensors)

    def _conditioners(self, latents: int, classes: Tensor | None) -> list[FoundConditioner]:
        node = self._params.get("cond_stage_config", UNCONDITIONAL)
        if node == UNCONDITIONAL:
            return []
        key = _read_conditioning_key(self._params)
        if key == "adm":
            rows = self._unet.params.get("num_classes")
            return [_read_class_label(node, rows, classes, self._source.options)]
        extra = int(self._unet.params["in_channels"]) - latents
        if node == SHARED:
            self._notes.append(
                "the masked image is encoded by the first stage, which is stored once"
            )
            return [masked_image(latents, extra)]
        target = Target.parse(node, "cond_stage_config")
        conditioning = Conditioning(
            strip_prefix(COND_STAGE, self._tensors),
            key,
            self._unet.params.get("context_dim"),
            extra,
            self._source.options,
            with_fallback(self._source.sibling),
        )
        found = [look_up(target, CONDITIONERS, "cond_stage_config")(target, conditioning)]
        if key == "hybrid":
            found.append(mask_first(latents, extra))
        return found

    def _check_channels(self, denoiser: ImportedPart, latents: int) -> None:
        found = latents + sum(denoiser.config["spatial"].values())
        expected = self._unet.params["in_channels"]
        if found != expected:
            raise InvalidConfigError(
                f"the UNet takes {expected} channels; latents and conditions have {found}"
            )

    def _check_leftovers(self, found: list[FoundConditioner]) -> None:
        read = [UNET, FIRST_STAGE, EMA]
        is_shared = self._params.get("cond_stage_config") == SHARED  # a copy of the first stage
        if is_shared or any(each.part.tensors for each in found):
            read.append(COND_STAGE)
        names = {name for name in self._tensors if not name.startswith(tuple(read))} - BUFFERS
        ignore = self._source.options.get(IGNORE_LEFTOVERS, ())
        self._notes += refuse_leftovers("the checkpoint", names, ignore)

    def _defaults(self, first_stage: ImportedPart, found: list[FoundConditioner]) -> dict[str, Any]:
        """Return the defaults of the pipeline."""
        side = self._params.get("image_size", self._unet.params.get("image_size"))
        levels = len(first_stage.config.get("ch_mult", (1,)))
        return {
            "size": int(side) * 2 ** (levels - 1),
            "steps": 50,
            "sampler": "ddim",
            "schedule": "compvis",
            "guidance": max((each.guidance for each in found), default=1.0),
        }


def _read_conditioning_key(params: Mapping[str, Any]) -> str:
    """Return how the condition reaches the UNet; without a key `concat_mode` decides."""
    key = params.get("conditioning_key")
    if key is None:
        key = "concat" if params.get("concat_mode", True) else "crossattn"
    if key not in _CONDITIONING_KEYS:
        raise InvalidConfigError(
            f"conditioning_key '{key}' is not supported. {suggestion(str(key), _CONDITIONING_KEYS)}"
        )
    return str(key)


def _read_class_label(
    node: Any, rows: int | None, table: Tensor | None, options: Mapping[str, Any]
) -> FoundConditioner:
    """Return the classes of a UNet that holds their table.

    Args:
        node: the cond_stage_config.
        rows: num_classes of the UNet.
        table: the class embedding table (classes, width) in the checkpoint.
        options: see `ImportSource`.
    """
    name = Target.parse(node, "cond_stage_config").name
    if name != "Identity":
        raise InvalidConfigError(
            f"conditioning_key 'adm' with a cond_stage_config of the class '{name}' is not "
            "supported; with 'Identity', for numbers of classes, it is"
        )
    if table is None or len(table) != rows:
        raise ModelFileError(
            f"conditioning_key 'adm' needs num_classes of the UNet ({rows}) and a table "
            f"'{UNET}{LABELS}' of as many rows in the checkpoint"
        )
    return label_embedding(table, options)


def masked_image(latents: int, extra: int) -> FoundConditioner:
    """Return the condition of the paper's inpainting: the masked image's latents, then the mask."""
    published = {"mask_first": False, "mask_values": (-1.0, 1.0), "hole_value": -1.0}
    part = ImportedPart("latelier/mask", {"latent_channels": latents, **published})
    return FoundConditioner("mask", part, spatial=extra)


def mask_first(latents: int, extra: int) -> FoundConditioner:
    """Return the condition of Stable Diffusion's inpainting: the mask, then those latents."""
    part = ImportedPart("latelier/mask", {"latent_channels": latents})
    return FoundConditioner("mask", part, spatial=extra)
