"""The configurations of all trainings of the study."""

from typing import Any

from benchmarks.tradeoff.models import SIDE, Model
from benchmarks.tradeoff.study import CLASSES, PROGRESS_STEPS, SCENES, TRAINING_SEED, Study
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.first_stage import FirstStageTraining

SNAPSHOTS = 16
"""Averages of a denoiser's weights that are stored, at equal intervals of the training."""

LENGTH = 0.1
"""Relative length of these averages."""


def first_stage_folder(study: Study, model: Model) -> str:
    """Return the folder of a trained first stage."""
    return str(study.out / "first-stages" / model.name / "result")


def configure_first_stage(study: Study, model: Model) -> FirstStageTraining:
    """Return the training of a first stage.

    The losses are the paper's but for LPIPS: the one perceptual network at hand also measures.
    """
    values: dict[str, Any] = {
        "patch_size": 2,
        "ch": 32,
        "ch_mult": model.first_stage_mult,
        "num_res_blocks": 1,
        "resolution": SIDE,
        "z_channels": model.channels,
        "embed_dim": model.channels,
        "attn_type": "none",
        "num_groups": 8,
    }
    regularization: dict[str, Any] = {"kl_weight": 1e-4}
    if model.kind == "vq":
        values["n_embed"] = model.codes
        regularization = {"codebook_start": 0.2}
    steps = study.first_stage_steps
    return FirstStageTraining.model_validate(
        {
            "out": study.out / "first-stages" / model.name,
            "data": {"dataset": "emoji_scenes", "seed": TRAINING_SEED, "config": SCENES},
            "steps": steps,
            "batch_size": model.first_stage_batch,
            "precision": "bf16-mixed",
            "accelerator": "cpu",
            "optimizer": {"lr": 2e-3},
            "schedule": {"kind": "wsd", "warmup": min(100, steps // 10), "decay": 0.4},
            "ema": {"lengths": [0.05]},
            "first_stage": {"id": f"latelier/autoencoder_{model.kind}", "config": values},
            "terms": {"absolute": 1.0, "squared": 2.0, "edges": 0.5},
            "adversarial": {
                "start": 0.6,
                "weight": 0.25,
                "discriminator": {"layers": 2, "channels": 32},
                "optimizer": {"lr": 5e-4, "betas": [0.5, 0.9]},
            },
            **regularization,
            "log_every": max(1, steps // 80),
            "validate_every": max(1, steps // 2),
            "sheet_every": max(1, steps // 2),
            "sheet_weights": ["average"],
        }
    )


def configure_denoiser(study: Study, model: Model) -> DenoiserTraining:
    """Return the training of a denoiser, of a class and on stored latents.

    The rate is constant, as in the paper, so that every step of the training could be its last. It
    is proportional to the root of the batch size, 1e-3 at 64, and at most 1.5e-3.
    """
    steps = study.denoiser_steps
    return DenoiserTraining.model_validate(
        {
            "out": study.out / "denoisers" / model.name,
            "description": f"Scenes of 32 objects, 64 x 64 pixels; {model.name} of a study.",
            "data": {
                "dataset": "emoji_scenes",
                "seed": TRAINING_SEED,
                "config": SCENES,
                "length": study.scenes,
                "cache": study.out / "latents" / model.name,
            },
            "steps": steps,
            "batch_size": model.batch,
            "precision": "bf16-mixed",
            "accelerator": "cpu",
            "optimizer": {"lr": min(1.5e-3, round(1e-3 * (model.batch / 64) ** 0.5, 6))},
            "schedule": {"kind": "constant", "warmup": min(200, steps // 10)},
            "ema": {"lengths": [LENGTH], "snapshots": SNAPSHOTS},
            "first_stage": first_stage_folder(study, model),
            "denoiser": {
                "id": "latelier/unet",
                "config": {
                    "in_channels": model.channels,
                    "out_channels": model.channels,
                    "model_channels": 32,
                    "channel_mult": model.denoiser_mult,
                    "num_res_blocks": 1,
                    "attention_resolutions": model.attention,
                    "num_head_channels": 32,
                    "num_groups": 8,
                    "vectors": {"class_label": 128},
                },
            },
            "conditioners": {
                "class_label": {
                    "id": "latelier/class_label",
                    "source": "class_label",
                    "drop": 0.0,
                    "config": {"num_classes": CLASSES, "width": 128, "slot": "vector"},
                }
            },
            "process": {"kind": "rectified_flow"},
            "defaults": {"steps": PROGRESS_STEPS, "sampler": "ddim", "guidance": 1.0},
            "validation": {"samples": 64},
            "log_every": max(1, steps // 80),
            "validate_every": max(1, steps // 2),
            "sheet_every": max(1, steps // 2),
            "sheet_weights": ["average"],
            "keep": {"last": 1, "best": 0},
        }
    )
