"""A tiny model, an adapter for it, and plugins written by the tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import latelier
from latelier import default_atelier, load
from latelier.checkpoints.adapter import LoadedAdapter, adapter_component, save_adapter
from latelier.checkpoints.component import new_component
from latelier.denoisers.adapter import ATTENTION_ID, create_adapter
from latelier.kernel.registrar import Registrar
from latelier.kernel.registry import Registry

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


@pytest.fixture
def adapter(tiny_model, tmp_path) -> Path:
    """The folder of an adapter 'colours' for the tiny model, conditioned on vectors of width 3."""
    denoiser = load(tiny_model, "cpu").denoiser_component.module
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = create_adapter(denoiser, 3)
        for weights in module.parameters():
            torch.nn.init.normal_(weights)
    conditioner = new_component("conditioner", "embedding", {"width": 3}, default_atelier())
    folder = tmp_path / "colours"
    folder.mkdir()
    component = adapter_component(ATTENTION_ID, module)
    save_adapter(LoadedAdapter("colours", component, conditioner), {}, folder)
    return folder


@pytest.fixture
def registered(adapter, tmp_path, monkeypatch):
    """The adapter, registered as 'paint' in the default atelier."""
    package = tmp_path / "site" / "paint_pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copytree(adapter, package / "data")
    monkeypatch.syspath_prepend(tmp_path / "site")
    registrar = Registrar("latelier-paint", "1.0")
    registrar.adapter("paint", folder="paint_pkg:data")
    registry = Registry("adapter")
    registry.add(registrar.specs[0])
    monkeypatch.setattr(default_atelier(), "adapters", registry)
