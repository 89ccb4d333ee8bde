"""Train the judge and measure it on held-out scenes: weights, judge.json, training.log.

OMP_NUM_THREADS=1 nice -n 10 python benchmarks/train_judge.py --out benchmarks/judge
"""

import argparse
import logging
import sys
import time
from pathlib import Path

import torch

from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.classifier.accuracy import accuracy
from latelier.evaluation.classifier.model import JUDGE_WEIGHTS, load_judge, save_judge
from latelier.evaluation.classifier.training import JudgeTraining, train_judge
from latelier.evaluation.labelled_scenes import render
from latelier.io.atomic import write_json

HELD_OUT_SEED = 7_200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "judge")
    parser.add_argument("--scenes", type=int, default=JudgeTraining().scenes)
    parser.add_argument("--epochs", type=int, default=JudgeTraining().epochs)
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
    config = JudgeTraining(scenes=arguments.scenes, epochs=arguments.epochs)
    began = time.monotonic()
    digest = save_judge(arguments.out / JUDGE_WEIGHTS, train_judge(config))
    seconds = round(time.monotonic() - began)
    judge = load_judge(arguments.out / JUDGE_WEIGHTS)
    held_out = render(EmojiScenes(seed=HELD_OUT_SEED, length=arguments.held_out), config.workers)
    measured = accuracy(judge.judge(held_out.images()), held_out)
    record = {
        "weights": {"file": JUDGE_WEIGHTS, "sha256": digest},
        "training": config.model_dump(),
        "seconds": seconds,
        "torch": torch.__version__,
        "held_out": {
            "seed": HELD_OUT_SEED,
            "scenes": arguments.held_out,
            **{name: round(share, 4) for name, share in measured.items()},
        },
    }
    write_json(arguments.out / "judge.json", record)
    logging.getLogger(__name__).info("held-out scenes: %s", record["held_out"])


if __name__ == "__main__":
    main()
