"""Write what `latelier data cache` stores of some pictures and texts, which a test compares.

A cache is keyed by its inputs and networks, but not by the code between them: that is what the two
numbers VERSION are for, of training/data/cache/identity.py (latents) and of
training/data/features/identity.py (outputs of conditioners for texts and for views). When the code
gives other values, tests/training/data/test_cached_values.py fails. If that is on purpose, raise
the number and run

python tools/write_cached_values.py
"""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from latelier.checkpoints.component import Component, new_component
from latelier.kernel.default import default_atelier
from latelier.pipeline import load
from latelier.training.configs.data import DataConfig
from latelier.training.data.cache import identity as latents_identity
from latelier.training.data.conditions.cache import make_cache
from latelier.training.data.features import identity as features_identity
from latelier.training.data.features.features import make_feature_caches
from latelier.training.data.features.values import NO_CONDITIONS, FrozenConditions
from latelier.training.data.sources import open_training_sources

FILE = Path(__file__).parents[1] / "tests" / "training" / "data" / "cached_values.json"

VERSIONS = {
    "latents": latents_identity,
    "features": features_identity,
    "conditions": features_identity,
}

FIRST_STAGES: dict[str, dict[str, Any]] = {
    "identity": {},  # its latents are the pictures
    "autoencoder_kl": {"ch": 8, "ch_mult": [1, 2], "num_groups": 4, "scale_factor": 0.5},
    "autoencoder_vq": {"ch": 8, "ch_mult": [1, 2], "num_groups": 4, "n_embed": 16},
}
CONDITIONERS: dict[str, tuple[str, dict[str, Any]]] = {
    "text": (
        "prompt",
        {"width": 16, "layers": 1, "heads": 2, "max_length": 32, "vocab_size": 1024},
    ),
    "bert_text": ("prompt", {"n_embed": 16, "n_layer": 1, "vocab_size": 9, "max_seq_len": 20}),
    "class_label": ("class_label", {"num_classes": 3, "width": 4, "slot": "vector"}),
    "embedding": ("numbers", {"width": 2, "max_vectors": 3, "normalise": True}),
}
VIEW_CONDITIONERS: dict[str, tuple[str, dict[str, Any]]] = {
    "references": ("references", {"latent_channels": 3, "size": 16}),
    "collage": ("collage", {"latent_channels": 3}),
    "mask": ("image", {"latent_channels": 3}),
    "image": ("image", {"factor": 2}),
    "semantic_map": ("semantic_map", {"num_classes": 12, "n_stages": 1}),
}
WORDS = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nred\ncat\n##s\ndog"

DATA: dict[str, Any] = {
    "size": 16,
    "crop": "random",
    "crop_scale": [0.5, 1.0],
    "flip": True,
    "buckets": {"step": 8},
    "captions": {"templates": ["{caption}", "a photo of {caption}, {class}"]},
}
VIEWS = 3

T = TypeVar("T")


def main() -> None:
    values = measure()
    if FILE.exists():
        refuse_unversioned(json.loads(FILE.read_text()), values)
    text = json.dumps(values, indent=1)
    FILE.write_text(re.sub(r"\[[^]]*]", lambda found: " ".join(found[0].split()), text) + "\n")
    print(FILE)


def measure() -> dict[str, Any]:
    """Return the versions, and what is stored for each network, picture and input."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder / "data")
        return {
            "latents": {
                "version": latents_identity.VERSION,
                "values": {
                    each: dict(measure_latents(each, folder, config))
                    for each, config in FIRST_STAGES.items()
                },
            },
            "features": {
                "version": features_identity.VERSION,
                "values": {each: dict(measure_features(each, folder)) for each in CONDITIONERS},
            },
            "conditions": {
                "version": features_identity.VERSION,
                "values": measure_conditions(folder / "views"),
            },
        }


def list_changes(stored: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return the names of the stored values that are others now. Rounding is allowed for."""
    return [
        f"{network}, {name}"
        for network, values in stored["values"].items()
        for name, numbers in values.items()
        if not np.allclose(numbers, found["values"][network].get(name, np.nan), rtol=0, atol=0.001)
    ]


def refuse_unversioned(stored: dict[str, Any], found: dict[str, Any]) -> None:
    """Check that no value changed while its version stayed."""
    for kind, module in VERSIONS.items():
        changes = list_changes(stored[kind], found[kind]) if kind in stored else ()
        if changes and stored[kind]["version"] == found[kind]["version"]:
            raise SystemExit(f"{changes[0]}: changed; first raise VERSION in {module.__file__}")


def measure_latents(
    name: str, folder: Path, config: dict[str, Any]
) -> Iterator[tuple[str, list[float]]]:
    """Yield what a cache holds of each view of each sample."""
    cache = {"folder": folder / name, "views": VIEWS, "dtype": "float32"}
    data = make_data(folder, cache)
    sources = open_training_sources(data, ())
    component = with_fixed_weights(new_component("first_stage", name, config, default_atelier()))
    opened = make_cache(data, sources, component, name, NO_CONDITIONS, "32-true")
    opened.write(partial(opened.encode, device=torch.device("cpu"), workers=0), pass_on)
    (cached,) = opened.open()
    for number in range(cached.length or 0):
        for view in range(VIEWS):
            choose: Any = SimpleNamespace(integers=lambda _views, view=view: view)
            sample = cached.show(number, None, choose)
            if "layout" in sample:
                sample["layout"] = np.array([each["box"] for each in sample["layout"]])
            for field, value in sample.items():
                key = f"{cached.sample_name(number)}, view {view}, {field}"
                yield key, summarize(torch.as_tensor(value))


def measure_features(name: str, folder: Path) -> Iterator[tuple[str, list[float]]]:
    """Yield the features of each input."""
    source, config = CONDITIONERS[name]
    component = with_fixed_weights(new_component("conditioner", name, config, default_atelier()))
    if name == "text":
        embedded: Any = load("emoji-scenes", device="cpu").conditioners["text"]
        component.module.set_assets(embedded.assets())
    if name == "bert_text":
        component.module.set_assets({"vocab.txt": WORDS.encode()})
    cache = {"folder": folder / name, "views": VIEWS, "dtype": "float32", "conditioners": [name]}
    data = make_data(folder, cache)
    sources = open_training_sources(data, ())
    frozen = FrozenConditions({name: component}, name, {name: source})
    (features,) = make_feature_caches(data, sources, frozen)
    features.write(torch.device("cpu"), pass_on)
    reader = features.open()
    for number in range(sources[0].length or 0):
        for place, value in enumerate(sources[0].list_values(number, source)):
            for field, tensor in reader.read({source: value}).items():
                yield f"{sources[0].sample_name(number)}, {place}, {field}", summarize(tensor)


def measure_conditions(folder: Path) -> dict[str, dict[str, list[float]]]:
    """Return the outputs of conditioners for each view of some scenes."""
    names = tuple(VIEW_CONDITIONERS)
    cache = {"folder": folder, "views": 2, "dtype": "float32", "conditioners": names}
    scenes = {"size": 32, "objects": (1, 3), "slots": True}
    data = DataConfig.model_validate({"config": scenes, "length": 3, "cache": cache})
    config = {"ch": 8, "ch_mult": [1, 2], "num_groups": 4, "embed_dim": 3}
    atelier = default_atelier()
    first_stage = with_fixed_weights(
        new_component("first_stage", "autoencoder_kl", config, atelier)
    )
    components = {
        name: with_fixed_weights(new_component("conditioner", name, each, atelier))
        for name, (_, each) in VIEW_CONDITIONERS.items()
    }
    fields = {name: field for name, (field, _) in VIEW_CONDITIONERS.items()}
    frozen = FrozenConditions(components, "conditions", fields)
    sources = open_training_sources(data, ())
    opened = make_cache(data, sources, first_stage, "conditions", frozen, "32-true")
    opened.write(partial(opened.encode, device=torch.device("cpu"), workers=0), pass_on)
    (cached,) = opened.open()
    values: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for number in range(cached.length or 0):
        for view in range(2):
            choose: Any = SimpleNamespace(integers=lambda _views, view=view: view)
            for name, tensors in cached.show(number, None, choose)["features"].items():
                for field, tensor in tensors.items():
                    key = f"{cached.sample_name(number)}, view {view}, {field}"
                    values[name][key] = summarize(tensor)
    return values


def write_data(folder: Path) -> None:
    """Write pictures of several modes and sizes, with annotations."""
    folder.mkdir()
    y, x = np.mgrid[0:24, 0:36] / 36
    rgb = np.stack([x, y, (x + y) / 2], axis=-1)
    colors = Image.fromarray((rgb * 255).round().astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    colors.save(folder / "turned.png", exif=exif)
    colors.resize((300, 200)).save(folder / "large.jpg", quality=95)
    colors.convert("CMYK").save(folder / "cmyk.tif")
    clear = Image.fromarray((y * 255).round().astype(np.uint8))
    colors.putalpha(clear)
    colors.save(folder / "transparent.png")
    Image.fromarray((x * 65535).round().astype(np.uint16)).save(folder / "deep.png")
    Image.fromarray((x * 4).astype(np.uint8)).save(folder / "map.png")
    clear.save(folder / "mask.png")
    names = ("turned.png", "large.jpg", "cmyk.tif", "transparent.png", "deep.png")
    header = {"latelier_manifest": 1, "class_names": ["cats", "dogs", "mice"]}
    lines: list[dict[str, Any]] = [header]
    for number, name in enumerate(names):
        lines.append(
            {
                "file": name,
                "captions": [f"A red cat {number}", "two dogs, one cats"],
                "class_label": number % 3,
                "fields": {"numbers": [[1.0, number], [0.5, 2.0]][: 1 + number % 2]},
            }
        )
    lines[2] |= {
        "boxes": [{"box": [0.1, 0.2, 0.6, 0.9], "label": 1}],
        "semantic_map": "map.png",
        "mask": "mask.png",
    }
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "manifest.jsonl").write_text(text)


def make_data(folder: Path, cache: dict[str, Any]) -> DataConfig:
    """Return the configuration of the data; none of them is held out."""
    path = folder / "data"
    values = {**DATA, "path": path, "held_out": {"path": path}, "cache": cache}
    return DataConfig.model_validate(values)


def with_fixed_weights(component: Component) -> Component:
    """Set weights by a formula: random ones may differ between versions of torch."""
    module: nn.Module = component.module
    for number, (name, tensor) in enumerate(sorted(module.state_dict().items())):
        if tensor.is_floating_point():
            places = torch.arange(tensor.numel(), dtype=torch.float64)
            values = torch.sin(1.7 * places + number).view_as(tensor)
            if tensor.ndim > 1:
                tensor.copy_(values * 2 / (tensor.numel() / len(tensor)) ** 0.5)
            else:
                tensor.copy_(0.1 * values + name.endswith("weight"))  # those of norms are about 1
    return component


def summarize(tensor: Tensor) -> list[float]:
    """Return the mean square of the numbers and four sums of them, each with weights of its own."""
    numbers = tensor.double().flatten()
    scale = numbers.square().mean().sqrt().clamp(min=1e-9)
    places = torch.arange(len(numbers), dtype=torch.float64)
    sums = [
        ((numbers / scale) * torch.sin(places * k + k)).sum() / len(numbers) ** 0.5
        for k in (0.7, 1.3, 2.1, 2.9)
    ]
    return [round(float(each), 4) for each in (scale, *sums)]


def pass_on(results: Iterable[T], _total: int) -> Iterable[T]:
    return results


if __name__ == "__main__":
    main()
