import pytest
import torch

from latelier.contracts.errors import DataError, InvalidInputError, PluginError
from latelier.data.pictures import UnusableError
from latelier.evaluation.run.chunks import compute_chunk
from latelier.evaluation.samples.scenes import SceneSamples
from latelier.evaluation.tasks.originals import Originals


@pytest.fixture
def damage(monkeypatch):
    """Make some samples unusable."""

    def damage(*numbers):
        read = SceneSamples.read

        def read_undamaged(self, index, fields):
            if index in numbers:
                raise UnusableError("damaged")
            return read(self, index, fields)

        monkeypatch.setattr(SceneSamples, "read", read_undamaged)

    return damage


def test_a_chunk_has_the_samples_of_its_number(prepare):
    evaluation = prepare()

    last = compute_chunk(evaluation, 2)

    assert evaluation.chunk_count == 3
    assert last.columns["index"].tolist() == [8, 9, 10]
    assert last.columns["features"].shape == (3, 6)
    assert last.columns["difference.difference"].tolist() == [0, 0, 0]


def test_features_are_those_of_the_pictures(prepare):
    evaluation = prepare()

    columns = compute_chunk(evaluation, 0).columns

    assert evaluation.network is not None
    images = torch.stack([evaluation.samples.read(k, {"image"})["image"] for k in range(4)])
    torch.testing.assert_close(columns["features"], evaluation.network(images).vectors)


def test_an_unusable_sample_is_left_out_and_named(prepare, damage):
    damage(5)

    chunk = compute_chunk(prepare(max_unusable=0.1), 1)

    assert chunk.columns["index"].tolist() == [4, 6, 7]
    assert [(each.index, each.name, each.reason) for each in chunk.unusable] == [
        (5, "scene 5", "damaged")
    ]


def test_more_unusable_samples_than_allowed_are_an_error(prepare, damage):
    damage(1, 2)

    with pytest.raises(
        DataError, match="2 of 11 samples cannot be used, and max_unusable allows 1"
    ):
        compute_chunk(prepare(max_unusable=0.1), 0)


def test_a_chunk_may_have_no_picture(prepare, damage):
    damage(*range(4))

    chunk = compute_chunk(prepare(max_unusable=0.5), 0)

    assert chunk.columns == {}
    assert len(chunk.unusable) == 4


def test_samples_that_the_model_refuses_are_left_out(prepare, monkeypatch):
    made, calls = Originals.make_pictures, []

    def refuse(self, model, samples):
        calls.append([each["index"] for each in samples])
        if any(each["index"] == 1 for each in samples):
            raise InvalidInputError("the prompt is too long")
        return made(self, model, samples)

    monkeypatch.setattr(Originals, "make_pictures", refuse)

    chunk = compute_chunk(prepare(max_unusable=0.1), 0)

    assert chunk.columns["index"].tolist() == [0, 2, 3]
    assert chunk.unusable[0].reason == "the prompt is too long"
    assert calls == [[0, 1, 2], [0], [1, 2], [1], [2], [3]]


def test_samples_around_an_unusable_one_are_made_apart(prepare, damage, monkeypatch):
    made, calls = Originals.make_pictures, []

    def note(self, model, samples):
        calls.append([each["index"] for each in samples])
        return made(self, model, samples)

    monkeypatch.setattr(Originals, "make_pictures", note)
    damage(1)

    compute_chunk(prepare(max_unusable=0.1), 0)

    assert calls == [[0], [2], [3]]  # picture k has the seed of the first of its call plus k


def test_the_first_pictures_are_kept(prepare):
    evaluation = prepare(keep=5)

    assert list(compute_chunk(evaluation, 0).kept) == [0, 1, 2, 3]
    assert list(compute_chunk(evaluation, 1).kept) == [4]


def test_logits_of_a_network_without_any_are_an_error(prepare):
    with pytest.raises(DataError, match="needs the logits of classes"):
        compute_chunk(prepare(measures=["logits"]), 0)


def test_a_measure_of_features_that_records_is_an_error(prepare):
    with pytest.raises(PluginError, match="'recording' recorded a column 'mean', but"):
        compute_chunk(prepare(measures=["recording"]), 0)


def test_a_column_without_a_row_for_each_picture_is_an_error(prepare):
    with pytest.raises(PluginError, match=r"'broken' recorded a column 'mean' of shape \(1,\)"):
        compute_chunk(prepare(measures=["broken"]), 0)
