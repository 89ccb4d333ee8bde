import pytest
import torch

from latelier.training.data.cache.packing import PackedRows, pack_rows


def test_rows_of_one_shape_are_the_same_after_packing():
    rows = [{"a": torch.randn(2, 3).half(), "b": torch.tensor([k])} for k in range(3)]
    packed = pack_rows(rows)
    assert len(packed) == 4  # however many rows
    read = PackedRows(packed)
    for k, row in enumerate(rows):
        assert all(torch.equal(tensor, row[name]) for name, tensor in read.read(k).items())


def test_rows_may_differ_in_tensors_shapes_and_types():
    rows = [
        {"a": torch.arange(3)},
        {"a": torch.ones(2, dtype=torch.uint8), "b": torch.ones(1, 2, dtype=torch.bool)},
        {},
        {"a": torch.arange(5), "b": torch.tensor([4.0])},
    ]
    read = PackedRows(pack_rows(rows))
    for k, row in enumerate(rows):
        found = read.read(k)
        assert found.keys() == row.keys()
        for name, tensor in row.items():
            assert found[name].dtype == tensor.dtype
            assert found[name].equal(tensor)


def test_numbers_that_do_not_fit_their_shapes_are_an_error():
    packed = pack_rows([{"a": torch.ones(4)}])
    name = next(each for each in packed if each.startswith("data/"))
    with pytest.raises(ValueError, match="a has 3 numbers, expected 4"):
        PackedRows({**packed, name: torch.ones(3)})
