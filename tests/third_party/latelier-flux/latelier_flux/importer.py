from pathlib import Path

from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported, ImportedPart

PREFIXES = ("", "model.diffusion_model.")
SIGN = "double_blocks.0.img_attn.norm.key_norm.scale"


class FluxImporter:
    """Files of FLUX.1, and with the option `vae` a whole model of such a file and `ae`."""

    options = frozenset({"vae"})

    def recognizes(self, source):
        shapes = source.shapes()
        return any(prefix + SIGN in shapes for prefix in PREFIXES)

    def read(self, source):
        tensors = source.tensors()
        prefix = next((each for each in PREFIXES if each + SIGN in tensors), None)
        if prefix is None:
            raise ModelFileError(f"{source.path}: holds no FLUX.1: '{SIGN}' is missing")
        tensors = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        config = denoiser_config(tensors)
        parts = {"denoiser": ImportedPart("latelier-flux/flux", config, tensors)}
        if "vae" not in source.options:
            return Imported(parts, notes=("a denoiser alone; --option vae=FILE makes a model",))
        vae = source.tensors_of(Path(source.options["vae"]))
        parts["first_stage"] = ImportedPart("latelier/autoencoder_kl", vae_config(vae), vae)
        tokens = {"width": config["context"], "max_vectors": 512}
        parts["conditioners.t5"] = ImportedPart("latelier/embedding", tokens)
        vectors = {"clip": {"width": config["pooled"]}}
        if config["guidance"]:
            vectors["distilled_guidance"] = {"width": 1, "is_kept": True}
        for name, fields in vectors.items():
            parts[f"conditioners.{name}"] = ImportedPart("latelier-flux/numbers", fields)
        steps, shifts = (28, {}) if config["guidance"] else (4, {"base_shift": 0, "max_shift": 0})
        defaults = {
            "size": 1024,
            "steps": steps,
            "sampler": "euler",
            "schedule": {"name": "dynamic_shift", "options": shifts},
            "guidance": 1.0,
        }
        return Imported(parts, {"kind": "rectified_flow"}, defaults)


def denoiser_config(tensors):
    width, inputs = tensors["img_in.weight"].shape
    (head,) = tensors[SIGN].shape
    return {
        "channels": inputs // 4,
        "width": width,
        "heads": width // head,
        "double_blocks": count("double_blocks.", tensors),
        "single_blocks": count("single_blocks.", tensors),
        "axes": [head // 8, head * 7 // 16, head * 7 // 16],
        "context": tensors["txt_in.weight"].shape[1],
        "pooled": tensors["vector_in.in_layer.weight"].shape[1],
        "guidance": "guidance_in.in_layer.weight" in tensors,
    }


def vae_config(tensors):
    levels = count("encoder.down.", tensors)
    widths = [tensors[f"encoder.down.{n}.block.0.conv1.weight"].shape[0] for n in range(levels)]
    channels = tensors["decoder.conv_in.weight"].shape[1]
    return {
        "ch": widths[0],
        "ch_mult": [width // widths[0] for width in widths],
        "num_res_blocks": count("encoder.down.0.block.", tensors),
        "z_channels": channels,
        "embed_dim": channels,
        "scale_factor": 0.3611,
        "shift_factor": 0.1159,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    }


def count(prefix, names):
    numbers = {name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)}
    return len(numbers)
