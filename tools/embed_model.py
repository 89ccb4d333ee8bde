"""Embed a trained pipeline in the package under a name.

    python tools/embed_model.py runs/scenes-denoiser/result scenes --card configs/scenes/card.yaml

The weights are stored in half precision to keep the wheel small; loading widens them again.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import yaml

import latelier

MEBI = 2**20
FILE_LIMIT, MODEL_LIMIT = 16, 40  # MiB
MODELS = Path(__file__).parent.parent / "core" / "latelier" / "models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pipeline", type=Path, help="folder of the trained pipeline")
    parser.add_argument("name", help="name of the embedded model")
    parser.add_argument("--card", type=Path, required=True, help="YAML: description and facts")
    arguments = parser.parse_args()

    card = yaml.safe_load(arguments.card.read_text(encoding="utf-8"))
    pipeline = latelier.load(arguments.pipeline, device="cpu", dtype="float32")
    half = replace(pipeline.converted("float16"), description=card.pop("description"), card=card)
    folder = MODELS / arguments.name
    shutil.rmtree(folder, ignore_errors=True)
    half.save(folder)
    sizes = {path.name: path.stat().st_size / MEBI for path in folder.iterdir()}
    for name, size in sizes.items():
        if size > FILE_LIMIT:
            raise SystemExit(f"{folder / name}: {size:.1f} MiB, the limit is {FILE_LIMIT}")
    if sum(sizes.values()) > MODEL_LIMIT:
        raise SystemExit(f"{folder}: {sum(sizes.values()):.1f} MiB, the limit is {MODEL_LIMIT}")
    print(f"{folder}: {sum(sizes.values()):.1f} MiB")


if __name__ == "__main__":
    main()
