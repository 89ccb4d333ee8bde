r"""Embed a trained pipeline in the package under a name.

    python tools/embed_model.py runs/denoiser/result emoji-scenes \
        --card configs/emoji-scenes/card.yaml

The weights are stored in half precision to keep the wheel small; loading widens them again.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import yaml

import latelier

LIMIT = 16 * 2**20
MODELS = Path(__file__).parent.parent / "core" / "latelier" / "models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pipeline", type=Path, help="folder of the trained pipeline")
    parser.add_argument("name", help="name of the embedded model")
    parser.add_argument("--card", type=Path, required=True, help="YAML: description and facts")
    arguments = parser.parse_args()

    card = yaml.safe_load(arguments.card.read_text(encoding="utf-8"))
    pipeline = latelier.load(arguments.pipeline, device="cpu", dtype="float32")
    half = replace(pipeline.to(dtype="float16"), description=card.pop("description"), card=card)
    folder = MODELS / arguments.name
    shutil.rmtree(folder, ignore_errors=True)
    half.save(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > LIMIT:
        raise SystemExit(f"{folder}: {size / 2**20:.1f} MiB, the limit is {LIMIT / 2**20:.0f}")
    print(f"{folder}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
