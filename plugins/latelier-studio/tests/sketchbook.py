"""A small model with every kind of input that the page has a widget for. Its weights are random."""

from pathlib import Path

import latelier

NAMES = ("cat", "dog", "sun", "house")
PLACES = ("sky", "water", "sand", "grass")
COLORS = ("#9cc9ef", "#2f6fb5", "#e8cf94", "#5d9b4b")


def save_model(folder: Path) -> None:
    """Write the model into a folder."""
    width = 32
    pipe = latelier.compose(
        first_stage=(
            "autoencoder_kl",
            {
                "ch": 16,
                "ch_mult": [1, 1],
                "num_res_blocks": 1,
                "attn_resolutions": [],
                "resolution": 64,
                "z_channels": 4,
                "embed_dim": 4,
                "num_groups": 8,
            },
        ),
        denoiser=(
            "unet",
            {
                "in_channels": 4,
                "out_channels": 4,
                "model_channels": 16,
                "num_groups": 8,
                "channel_mult": [1, 2],
                "num_res_blocks": 1,
                "attention_resolutions": [2],
                "num_heads": 2,
                "context_dim": width,
                "streams": {
                    "prompt": {"width": width, "injection": "native"},
                    "layout": {"width": width, "injection": "native"},
                },
                "spatial": {"map": len(PLACES), "inpainting": 5},
                "vectors": {"kind": width},
            },
        ),
        conditioners={
            "prompt": (
                "text",
                {"width": width, "layers": 1, "heads": 2, "max_length": 16, "vocab_size": 512},
            ),
            "layout": (
                "layout_fourier",
                {
                    "num_classes": len(NAMES),
                    "names": NAMES,
                    "width": width,
                    "max_objects_per_image": 4,
                },
            ),
            "map": (
                "semantic_map",
                {
                    "num_classes": len(PLACES),
                    "names": PLACES,
                    "colors": COLORS,
                    "n_stages": 1,
                    "absence": "guided",
                },
            ),
            "inpainting": ("mask", {"latent_channels": 4, "absence": "trained"}),
            "kind": (
                "class_label",
                {"num_classes": len(NAMES), "names": NAMES, "width": width, "slot": "vector"},
            ),
        },
        # the page also has a field for the conditioner's own input, besides `init_image` and `mask`
        inputs={name: name for name in ("prompt", "layout", "map", "inpainting", "kind")},
        process={"kind": "vp", "beta_start": 0.0015, "beta_end": 0.0195},
        defaults={"size": [96, 64], "schedule": "model", "steps": 10},
    )
    pipe.conditioners["prompt"].fit(
        [f"a {name} on the {place}" for name in NAMES for place in PLACES]
    )
    pipe.save(folder)


if __name__ == "__main__":
    import sys

    save_model(Path(sys.argv[1]))
