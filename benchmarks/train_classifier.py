"""Train the scene classifier and measure it on held-out scenes.

Writes classifier.safetensors, classifier.json and training.log to --out:

OMP_NUM_THREADS=1 nice -n 10 python benchmarks/train_classifier.py --out benchmarks/classifier
"""

import argparse
import logging
import sys
import time
from pathlib import Path

import torch

from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.classifier.accuracy import accuracy
from latelier.evaluation.classifier.training import ClassifierTraining, train_classifier
from latelier.evaluation.labelled_scenes import render
from latelier.io.atomic import write_json
from latelier.metrics.scene_classifier import (
    CLASSIFIER_WEIGHTS,
    load_classifier,
)
from latelier.metrics.small_network import save_network

HELD_OUT_SEED = 7_200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "classifier")
    parser.add_argument("--scenes", type=int, default=ClassifierTraining().scenes)
    parser.add_argument("--epochs", type=int, default=ClassifierTraining().epochs)
    parser.add_argument("--held-out", type=int, default=5000)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[
            logging.StreamHandler(sys.stderr),
            logging.FileHandler(arguments.out / "training.log", mode="w"),
        ],
    )
    config = ClassifierTraining(scenes=arguments.scenes, epochs=arguments.epochs)
    start = time.monotonic()
    digest = save_network(arguments.out / CLASSIFIER_WEIGHTS, train_classifier(config))
    seconds = round(time.monotonic() - start)
    classifier = load_classifier(arguments.out / CLASSIFIER_WEIGHTS)
    held_out = render(EmojiScenes(seed=HELD_OUT_SEED, length=arguments.held_out), config.workers)
    measured = accuracy(classifier.predict(held_out.images()), held_out)
    record = {
        "weights": {"file": CLASSIFIER_WEIGHTS, "sha256": digest},
        "training": config.model_dump(),
        "seconds": seconds,
        "torch": torch.__version__,
        "held_out": {
            "seed": HELD_OUT_SEED,
            "scenes": arguments.held_out,
            **{name: round(share, 4) for name, share in measured.items()},
        },
    }
    write_json(arguments.out / "classifier.json", record)
    logging.getLogger(__name__).info("held-out scenes: %s", record["held_out"])


if __name__ == "__main__":
    main()
