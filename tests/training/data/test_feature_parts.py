import pytest
import torch

from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.errors import DataError
from latelier.training.data.features.parts import join_part, split_part, stack_rows


def test_a_part_is_the_same_after_it_was_split_and_joined():
    tokens, mask = torch.randn(3, 5, 4), torch.rand(3, 5) < 0.5
    mask[0, 4] = True
    part = ConditionPart(Stream(tokens, mask), torch.randn(3, 2, 4, 4), torch.randn(3, 2))
    joined = join_part(stack_rows(split_part(part, torch.float32)))
    assert joined.stream.mask.equal(mask)
    assert joined.stream.tokens[mask].equal(tokens[mask])
    assert joined.spatial.equal(part.spatial)
    assert joined.vector.equal(part.vector)


def test_masked_tokens_at_the_end_take_no_place():
    mask = torch.tensor([[True, False, True, False], [True, False, False, False], [False] * 4])
    rows = split_part(ConditionPart(Stream(torch.randn(3, 4, 2), mask)), torch.float16)
    assert [len(row["tokens"]) for row in rows] == [3, 1, 1]
    assert [row["mask"].tolist() for row in rows] == [[True, False, True], [True], [False]]


def test_a_stream_without_a_mask_has_none_afterwards():
    rows = split_part(ConditionPart(Stream(torch.randn(2, 5, 4))), torch.float16)
    assert rows[0]["tokens"].dtype == torch.float16
    part = join_part(stack_rows(rows))
    assert part.stream.mask is None
    assert part.stream.tokens.dtype == torch.float32


def test_shorter_streams_are_padded_under_a_mask():
    rows = [{"tokens": torch.ones(n, 2)} for n in (1, 3)]
    stacked = stack_rows(rows)
    assert stacked["mask"].tolist() == [[True, False, False], [True, True, True]]
    assert stacked["tokens"].sum((1, 2)).tolist() == [2, 6]


def test_numbers_beyond_16_bits_are_an_error():
    part = ConditionPart(vector=torch.tensor([[1e5]]))
    with pytest.raises(DataError, match=r"up to 1e.05 do not fit into float16.*set it to float32"):
        split_part(part, torch.float16)
