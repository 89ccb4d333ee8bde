"""A tiny model, and plugins written on the spot."""

from collections.abc import Callable
from pathlib import Path

import pytest

import latelier

WIDTH = 16


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """The folder of a model that takes a prompt and a class: 16 x 16 pixels, two steps."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    pipeline = latelier.compose(
        first_stage=(
            "autoencoder_kl",
            {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4, "attn_type": "none"},
        ),
        denoiser=(
            "unet",
            {
                "in_channels": 4,
                "out_channels": 4,
                "model_channels": 8,
                "channel_mult": (1, 2),
                "num_res_blocks": 1,
                "num_heads": 1,
                "num_groups": 4,
                "context_dim": WIDTH,
                "streams": {"text": {"width": WIDTH}, "class_label": {"width": WIDTH}},
            },
        ),
        process={"kind": "rectified_flow"},
        conditioners={
            "text": ("text", {"width": WIDTH, "layers": 1, "heads": 2, "vocab_size": 320}),
            "class_label": (
                "class_label",
                {"num_classes": 3, "width": WIDTH, "names": ["cat", "dog", "cow"]},
            ),
        },
        inputs={"prompt": "text", "class_label": "class_label"},
        defaults={"size": 16, "steps": 2, "schedule": "model"},
        device="cpu",
        description="a tiny one",
    )
    pipeline.conditioners["text"].fit(
        f"a {colour} {thing}"
        for colour in ("red", "blue", "green", "yellow")
        for thing in ("cat", "dog", "cow", "apple", "house")
    )
    pipeline.save(folder)
    return folder


@pytest.fixture
def install(monkeypatch, tmp_path_factory) -> Callable[..., None]:
    """Install a distribution of one module with one entry point, for this and child processes."""
    folder = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def write(name: str, code: str, group: str = "latelier.v1") -> None:
        module = name.replace("-", "_")
        (folder / f"{module}.py").write_text(code)
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\nmain = {module}:plugin\n")

    return write
