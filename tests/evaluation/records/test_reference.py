import pytest
import torch

from latelier.contracts.errors import DataError
from latelier.evaluation.records.reference import (
    StoredReference,
    measure_reference,
    merge_references,
    read_reference,
    write_reference,
)

FACTS = {
    "name": "pictures",
    "network": "net:1",
    "network_name": "net",
    "size": [64, 64],
    "data": [{"source": "abc", "pictures": 30}],
}
FEATURES = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))


def measure(indices: range, chunk: int = 4, limit: int = 10, **facts: object) -> StoredReference:
    parts = torch.tensor(indices).split(chunk)
    return measure_reference(((p, FEATURES[p]) for p in parts), {**FACTS, **facts}, limit)


def test_halves_merge_into_the_whole_bit_for_bit(tmp_path):
    whole = measure(range(30))
    halves = [measure(range(15, 30), chunk=7), measure(range(15), chunk=2)]

    write_reference(tmp_path / "whole", whole)
    write_reference(tmp_path / "merged", merge_references(halves))

    assert (tmp_path / "whole").read_bytes() == (tmp_path / "merged").read_bytes()


def test_the_kept_features_are_spread_and_depend_on_no_order():
    whole, longer = measure(range(30)), measure(range(30), limit=20)

    assert whole.features.shape == (10, 5)
    assert torch.equal(longer.features[:10], whole.features)
    assert not torch.equal(whole.features, FEATURES[:10])


def test_all_features_are_kept_where_there_are_few():
    assert sorted(measure(range(8)).features[:, 0].tolist()) == sorted(FEATURES[:8, 0].tolist())


def test_a_reference_is_read_as_it_was_written(tmp_path):
    reference = measure(range(30))

    write_reference(tmp_path / "reference.safetensors", reference)
    read = read_reference(tmp_path / "reference.safetensors")

    assert read.facts == FACTS
    assert read.count == 30
    assert torch.equal(read.features, reference.features)
    assert torch.equal(read.statistics.covariance, reference.statistics.covariance)
    expected = FEATURES.double()
    torch.testing.assert_close(read.statistics.mean, expected.mean(0), atol=1e-5, rtol=0)


def test_data_sets_merge_into_one():
    first, second = (
        measure(range(10)),
        measure(range(10, 20), name="b", data=[{"source": "d", "pictures": 30}]),
    )

    merged = first.merge(second)

    assert merged.name == "b + pictures"
    assert second.merge(first).facts == merged.facts
    assert merged.facts["data"] == [
        {"source": "abc", "pictures": 30},
        {"source": "d", "pictures": 30},
    ]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (measure(range(15, 30), network="net:2"), "another network"),
        (measure(range(15, 30), size=[32, 32]), "another size"),
        (measure(range(15, 30), limit=5), "keep 10 and 5 features"),
        (measure(range(30)), "a picture in common"),
    ],
)
def test_what_does_not_fit_together_is_not_merged(other, message):
    with pytest.raises(DataError, match=message):
        measure(range(15)).merge(other)


def test_a_picture_is_known_in_any_choice_of_a_data_set():
    data = {"source": "abc", "pictures": 10, "records": 30}  # records 0, 3, 6 ...
    third = measure(range(1, 2), data=[data])

    with pytest.raises(DataError, match="a picture in common"):
        measure(range(3, 5)).merge(third)
    assert measure(range(2)).merge(third).count == 3


def test_no_pictures_are_an_error():
    with pytest.raises(DataError, match="no picture can be used"):
        measure_reference([], FACTS, 10)


def test_a_file_that_is_no_reference_is_an_error(tmp_path):
    (tmp_path / "damaged").write_bytes(b"0123456789")

    with pytest.raises(DataError, match="not found"):
        read_reference(tmp_path / "missing")
    with pytest.raises(DataError, match="is damaged"):
        read_reference(tmp_path / "damaged")
