import json
import math
from pathlib import Path

import pytest
import torch

from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.classifier.accuracy import accuracy
from latelier.evaluation.classifier.augment import softened
from latelier.evaluation.classifier.model import (
    JUDGE_WEIGHTS,
    SIDE,
    Judge,
    Verdict,
    load_judge,
    save_judge,
)
from latelier.evaluation.labelled_scenes import LabelledScenes, render

JUDGE = Path(__file__).parents[3] / "benchmarks" / "judge"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge(JUDGE / JUDGE_WEIGHTS)


@pytest.fixture(scope="module")
def held_out() -> LabelledScenes:
    return render(EmojiScenes(seed=9_000_001, length=200))


def test_a_verdict_has_a_row_for_each_picture(judge: Judge) -> None:
    verdict = judge(torch.zeros(3, 3, SIDE, SIDE))
    assert verdict.glyph.shape == (3, 512)
    assert verdict.kind.shape == (3, 6)
    assert verdict.color.shape == (3, 16)


def test_pictures_are_judged_alike_alone_and_together(
    judge: Judge, held_out: LabelledScenes
) -> None:
    images = held_out.images()[:10]
    together, apart = judge.judge(images), judge.judge(images, batch=3)
    for name in ("glyph", "kind", "color"):
        torch.testing.assert_close(
            getattr(apart, name), getattr(together, name), rtol=1e-4, atol=1e-4
        )


def test_the_committed_judge_is_as_good_as_it_says(judge: Judge, held_out: LabelledScenes) -> None:
    stated = json.loads((JUDGE / "judge.json").read_text())["held_out"]
    measured = accuracy(judge.judge(held_out.images()), held_out)
    assert stated["glyph"] >= 0.93
    for name, least in (("glyph", 0.9), ("color", 0.9)):
        spread = 4 * math.sqrt(stated[name] * (1 - stated[name]) / 150)
        assert measured[name] >= max(least, stated[name] - spread)


def test_the_committed_judge_bears_softness(judge: Judge, held_out: LabelledScenes) -> None:
    images = softened(held_out.images(), torch.Generator().manual_seed(0))
    assert accuracy(judge.judge(images), held_out)["glyph"] >= 0.9


def test_the_committed_weights_are_those_of_the_record() -> None:
    from latelier.io.hashing import sha256_of

    record = json.loads((JUDGE / "judge.json").read_text())["weights"]
    assert sha256_of(JUDGE / record["file"]) == record["sha256"]
    assert (JUDGE / record["file"]).stat().st_size < 2 * 2**20


def test_saved_weights_judge_as_before(judge: Judge, tmp_path: Path) -> None:
    save_judge(tmp_path / "again.safetensors", judge)
    images = torch.linspace(-1, 1, 2 * 3 * SIDE * SIDE).reshape(2, 3, SIDE, SIDE)
    again = load_judge(tmp_path / "again.safetensors")
    assert torch.equal(again(images).glyph, judge(images).glyph)
    assert not again.training


@pytest.mark.parametrize("shape", [(3, SIDE, SIDE), (1, 1, SIDE, SIDE), (1, 3, 32, 32)])
def test_other_shapes_are_refused(judge: Judge, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="3, 64, 64"):
        judge(torch.zeros(shape))


def test_weights_that_are_no_judge_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        load_judge(tmp_path / "missing.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes((JUDGE / JUDGE_WEIGHTS).read_bytes()[:5000])
    with pytest.raises(ModelFileError, match="damaged"):
        load_judge(damaged)


def test_accuracy_counts_colors_only_where_one_is_named() -> None:
    labels = LabelledScenes(
        pictures=torch.zeros(4, 3, 1, 1, dtype=torch.uint8),
        glyph=torch.tensor([0, 1, 2, 3]),
        kind=torch.tensor([0, 0, 5, 5]),
        color=torch.tensor([7, 8, -1, -1]),
    )
    verdict = Verdict(
        glyph=torch.eye(512)[[0, 1, 2, 4]],
        kind=torch.eye(6)[[0, 0, 0, 5]],
        color=torch.eye(16)[[7, 7, 7, 7]],
    )
    assert accuracy(verdict, labels) == {"glyph": 0.75, "kind": 0.75, "color": 0.5}
