"""Many pictures are made in batches: memory is bounded, and pictures come as they are done."""

import logging

import numpy as np
import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.pipeline import load
from latelier.pipeline.replay.replay import replay

REQUEST = {"prompt": "a red cat in a meadow", "label": "cat", "seed": 5, "steps": 2}


def levels(picture):
    return np.asarray(picture.image, dtype=int)


def rows_of(pipeline, **keywords):
    """Return the rows of each call of the denoiser."""
    rows = []
    handle = pipeline.denoiser.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    try:
        pipeline.generate(**keywords)
    finally:
        handle.remove()
    return rows


def test_the_batch_size_bounds_each_call(tiny):
    keywords = {**REQUEST, "guidance": 1.0}
    assert rows_of(tiny, **keywords, n=5, batch_size=2) == [2, 2, 2, 2, 1, 1]
    assert rows_of(tiny, **keywords, n=5) == [5, 5]


def test_the_default_batch_size_depends_on_the_pixels(tiny):
    def size_of(**keywords):
        (picture, *_) = tiny.generate(**REQUEST, **keywords)
        return picture.provenance["request"]["batch_size"]

    assert size_of(n=3) == 3
    assert size_of(n=2, size=256) == 1
    assert size_of(n=300, size=16) == 256


def test_pictures_are_yielded_after_their_batch(tiny):
    previews = list(tiny.stream(**REQUEST, n=3, batch_size=2))
    assert [(each.batch, each.batches, each.step, len(each.pictures)) for each in previews] == [
        (1, 2, 1, 0),
        (1, 2, 2, 2),
        (2, 2, 1, 0),
        (2, 2, 2, 1),
    ]
    assert [picture.seed for each in previews for picture in each.pictures] == [5, 6, 7]


def test_batches_change_nothing_but_rounding(tiny, photo, other_photo, left_stays):
    keywords = {
        **REQUEST,
        "prompt": ["a cat", "a dog"],
        "label": ["cat", "dog"],
        "negative": ["fog", ""],
        "n": 2,
        "init_image": [photo, other_photo],
        "mask": left_stays,
    }
    together = tiny.generate(**keywords)
    for batch_size in (1, 3):
        apart = tiny.generate(**keywords, batch_size=batch_size)
        assert [each.seed for each in apart] == [5, 6, 7, 8]
        for one, other in zip(together, apart, strict=True):
            assert np.abs(levels(one) - levels(other)).max() <= 2


def test_a_fault_in_a_later_batch_is_an_error_at_once(tiny):
    prompts = ["a cat", "a dog", "cat " * 100]
    with pytest.raises(InvalidInputError, match="input 'prompt'"):
        tiny.stream(prompt=prompts, batch_size=1)


def test_a_picture_is_replayed_in_its_batch(tiny, tmp_path, built_ins):
    tiny.save(tmp_path / "model")
    pipeline = load(tmp_path / "model", "cpu", atelier=built_ins)
    pictures = pipeline.generate(**REQUEST, n=3, batch_size=2)
    assert [each.provenance["index"] for each in pictures] == [0, 1, 2]
    assert [each.provenance["count"] for each in pictures] == [3, 3, 3]
    for k, picture in enumerate(pictures):
        picture.save(tmp_path / f"{k}.png")
        assert replay(tmp_path / f"{k}.png", atelier=built_ins).verdict == "identical"


def test_a_warning_explains_n_with_a_list(tiny, caplog):
    with caplog.at_level(logging.WARNING):
        tiny.generate(**{**REQUEST, "prompt": ["a cat", "a dog"]}, n=2)
        assert "`n`: 2 pictures for each of 2 rows of inputs, 4 in all" in caplog.text
        caplog.clear()
        tiny.generate(**{**REQUEST, "prompt": ["a cat", "a dog"]})
        tiny.generate(**REQUEST, n=2)
        assert caplog.text == ""


@pytest.mark.parametrize(("seed", "n"), [(2**63 - 1, 2), (2**63 - 3, 4)])
def test_a_seed_that_overflows_for_the_last_picture_is_refused(tiny, seed, n):
    with pytest.raises(InvalidInputError, match=rf"greatest for {n} pictures is {2**63 - n}") as e:
        tiny.stream(**{**REQUEST, "seed": seed}, n=n)
    assert e.value.field == "seed"
    (*_, last) = tiny.generate(**{**REQUEST, "seed": 2**63 - n}, n=n)
    assert last.seed == 2**63 - 1
