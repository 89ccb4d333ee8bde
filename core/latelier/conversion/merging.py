"""From a model and LoRAs to a model whose weights include them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidInputError
from latelier.conversion.destination import check_destination, check_source_outside, write_folder
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline


def merge_adapters(
    model: str | Path,
    adapters: Sequence[tuple[str | Path, float]],
    destination: str | Path,
    *,
    dtype: str = "float32",
    force: bool = False,
    atelier: Atelier | None = None,
) -> Path:
    """Write a model whose weights include those of LoRAs, and return its folder.

    The model's own LoRAs are merged too. The card of the result names all that were merged.

    Args:
        model: a model's name or folder.
        adapters: LoRAs, each a registered name, a folder or a file, and its scale.
        destination: the folder to make. It appears when it is complete.
        dtype: precision of the weights.
        force: whether an existing folder may be replaced. It must hold a model, or nothing.
        atelier: where components are registered; the default one if None.

    Raises:
        UnknownNameError: there is no such model or adapter.
        ModelFileError: the model or a LoRA is damaged.
        CompatibilityError: a LoRA is for another model.
        InvalidInputError: an adapter is no LoRA, there is none to merge, a scale is invalid, or the
            destination exists, holds something else, or cannot be written.
    """
    folder = expand_home(destination)
    check_destination(folder, force=force)
    for source in (model, *(name for name, _ in adapters)):
        check_source_outside(expand_home(source), folder)
    pipeline = load(model, device="cpu", atelier=atelier or default_atelier()).converted(dtype)
    for name, scale in adapters:
        view = pipeline.with_adapter(name, scale)
        if view.inputs != pipeline.inputs:
            raise InvalidInputError(
                f"{name}: expected a LoRA or another change of weights, got an adapter with an "
                "input, which cannot be merged; a model can be saved with it"
            )
        pipeline = view
    if not pipeline.weight_adapters():
        raise InvalidInputError(f"{model}: expected a LoRA to merge, got none; name an adapter")
    with write_folder(folder, force=force) as temporary:
        merged = pipeline.with_merged_weights()
        replace(merged, card={**merged.card, "merged": _describe(pipeline)}).save(temporary)
    return folder


def _describe(pipeline: Pipeline) -> list[Mapping[str, Any]]:
    """Return the merged LoRAs, after those of earlier merges."""
    earlier = pipeline.card.get("merged", [])
    return [
        *(earlier if isinstance(earlier, list) else []),
        *(
            {
                "lora": name,
                "scale": each.strength.scale,
                "weights_sha256": each.loaded.adapter.weights_sha256,
            }
            for name, each in pipeline.weight_adapters().items()
        ),
    ]
