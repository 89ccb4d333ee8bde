"""Streams, parts and conditions: what they refuse, and how their rows are put together."""

import pytest
import torch

from latelier.contracts.condition import Condition, ConditionPart, Stream, concat, where
from latelier.contracts.errors import ConditionError


def tokens(b=2, n=3, d=4, value=1.0):
    return torch.full((b, n, d), float(value))


def ones_mask(b=2, n=3):
    return torch.ones(b, n, dtype=torch.bool)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokens": torch.zeros(2, 4)}, r"stream tokens must be \(B, N, D\)"),
        ({"tokens": torch.zeros(2, 3, 4, dtype=torch.long)}, "stream tokens must be floating"),
        ({"mask": torch.ones(2, 4, dtype=torch.bool)}, r"stream mask must be \(2, 3\)"),
        ({"mask": torch.ones(2, 3)}, "stream mask must be bool, not torch.float32"),
        ({"region": torch.ones(2, 8, 8)}, r"stream region must be \(2, 1, h, w\)"),
        ({"region": torch.ones(1, 1, 8, 8)}, r"stream region must be \(2, 1, h, w\)"),
        ({"region": torch.ones(2, 1, 8, 8, dtype=torch.long)}, "stream region must be floating"),
        ({"scale": torch.ones(3)}, r"stream scale must be a number or \(2,\)"),
        ({"mask": ones_mask().to("meta")}, "stream mask is on meta, the tokens are on cpu"),
        ({"region": torch.ones(2, 1, 8, 8, device="meta")}, "stream region is on meta"),
        ({"scale": torch.ones(2, device="meta")}, "stream scale is on meta"),
    ],
)
def test_an_invalid_stream_is_refused(fields, message):
    with pytest.raises(ConditionError, match=message):
        Stream(**{"tokens": tokens(), **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a part is empty"),
        ({"spatial": torch.ones(2, 4, 4)}, r"spatial part must be \(B, C, h, w\)"),
        ({"spatial": torch.ones(2, 1, 4, 4).long()}, "spatial part must be floating point"),
        ({"vector": torch.ones(2)}, r"vector part must be \(B, V\)"),
        ({"vector": torch.ones(2, 4).long()}, "vector part must be floating point"),
        (
            {"stream": Stream(tokens(b=2)), "vector": torch.ones(3, 4)},
            r"different batch sizes: \{'stream': 2, 'vector': 3\}",
        ),
    ],
)
def test_an_invalid_part_is_refused(fields, message):
    with pytest.raises(ConditionError, match=message):
        ConditionPart(**fields)


def test_a_part_knows_its_batch():
    assert ConditionPart(vector=torch.ones(5, 4)).batch == 5
    assert ConditionPart(Stream(tokens(b=3)), vector=torch.ones(3, 4)).batch == 3


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (torch.ones(3, 4), "different batch sizes: streams.text 2, vectors.label 3"),
        (
            torch.ones(2, 4, device="meta"),
            "different devices: streams.text cpu, vectors.label meta",
        ),
        (torch.ones(2, 4).half(), "different dtypes: streams.text torch.float32, vectors.label"),
    ],
)
def test_the_parts_of_a_condition_must_have_equal_batches(other, message):
    with pytest.raises(ConditionError, match=message):
        Condition.of(
            {"text": ConditionPart(Stream(tokens())), "label": ConditionPart(vector=other)}
        )


def test_of_sorts_parts_into_slots():
    part = ConditionPart(Stream(tokens()), torch.ones(2, 1, 4, 4), torch.ones(2, 5))
    condition = Condition.of({"all": part, "label": ConditionPart(vector=torch.zeros(2, 7))})
    assert list(condition.streams) == ["all"]
    assert list(condition.spatial) == ["all"]
    assert list(condition.vectors) == ["all", "label"]
    assert condition.batch == 2
    assert Condition().batch is None


def test_union_refuses_equal_names():
    text = Condition.of({"text": ConditionPart(Stream(tokens()))})
    label = Condition.of({"text": ConditionPart(vector=torch.ones(2, 4))})
    joined = text.union(label)  # one name in two slots: one conditioner may fill both
    assert list(joined.streams) == list(joined.vectors) == ["text"]
    with pytest.raises(ConditionError, match=r"both conditions have streams\.text"):
        joined.union(text)


def test_updated_uses_the_values_of_the_other():
    one = Condition({"a": Stream(tokens(value=1)), "b": Stream(tokens(value=2))})
    other = Condition({"b": Stream(tokens(value=3))})
    replaced = one.updated(other)
    assert replaced.streams["a"].tokens[0, 0, 0] == 1
    assert replaced.streams["b"].tokens[0, 0, 0] == 3
    assert one.streams["b"].tokens[0, 0, 0] == 2


def test_to_changes_only_floating_point_tensors():
    stream = Stream(tokens(), ones_mask(), torch.ones(2, 1, 4, 4), torch.ones(2))
    moved = Condition({"t": stream}, {"s": torch.ones(2, 1, 4, 4)}, {"v": torch.ones(2, 3)}).to(
        "cpu", torch.bfloat16
    )
    assert moved.streams["t"].mask is not None
    assert moved.streams["t"].mask.dtype == torch.bool
    floats = [
        moved.streams["t"].tokens,
        moved.streams["t"].region,
        moved.streams["t"].scale,
        moved.spatial["s"],
        moved.vectors["v"],
    ]
    assert {each.dtype for each in floats} == {torch.bfloat16}


def test_pad_adds_zero_tokens_under_a_mask():
    padded = Stream(tokens(n=3)).pad(5)
    assert padded.tokens.shape == (2, 5, 4)
    assert padded.tokens[:, 3:].abs().sum() == 0
    assert padded.mask.tolist() == [[True] * 3 + [False] * 2] * 2


def test_pad_keeps_masks_and_long_streams():
    mask = torch.tensor([[True, False, False], [True, True, False]])
    assert Stream(tokens(), mask).pad(4).mask.tolist() == [
        [True, False, False, False],
        [True, True, False, False],
    ]
    stream = Stream(tokens())
    assert stream.pad(3) is stream


def test_pad_never_shortens():
    with pytest.raises(ConditionError, match="at most 2 tokens long"):
        Stream(tokens(n=3)).pad(2)


def test_concat_appends_rows():
    one = Condition(
        {"t": Stream(tokens(b=2, value=1))}, {"s": torch.ones(2, 1, 4, 4)}, {"v": torch.ones(2, 3)}
    )
    two = Condition(
        {"t": Stream(tokens(b=3, value=2))},
        {"s": torch.zeros(3, 1, 4, 4)},
        {"v": torch.zeros(3, 3)},
    )
    both = concat([one, two])
    assert both.batch == 5
    assert both.streams["t"].tokens[:, 0, 0].tolist() == [1, 1, 2, 2, 2]
    assert both.streams["t"].mask is None
    assert both.streams["t"].scale == 1
    assert both.spatial["s"][:, 0, 0, 0].tolist() == [1, 1, 0, 0, 0]
    assert both.vectors["v"][:, 0].tolist() == [1, 1, 0, 0, 0]
    assert concat([one]) is one


def test_concat_pads_the_shorter_stream_under_a_mask():
    both = concat([Condition({"t": Stream(tokens(1, 3))}), Condition({"t": Stream(tokens(1, 1))})])
    assert both.streams["t"].mask.tolist() == [[True, True, True], [True, False, False]]


def test_concat_masks_a_missing_stream():
    one = Condition({"t": Stream(tokens(2)), "u": Stream(tokens(2, d=5))})
    other = Condition({"t": Stream(tokens(1))})
    both = concat([one, other])
    assert both.streams["u"].mask.tolist() == [[True] * 3, [True] * 3, [False] * 3]
    assert both.streams["u"].tokens[2].abs().sum() == 0
    assert concat([other, one]).streams["u"].mask[0].tolist() == [False] * 3


def test_concat_expands_an_empty_condition():
    both = concat([Condition(), Condition({"t": Stream(tokens(2))})])
    assert both.batch == 4
    assert both.streams["t"].mask.any(dim=1).tolist() == [False, False, True, True]
    assert concat([Condition(), Condition()]).batch is None


def test_concat_fills_in_regions_and_scales():
    region = torch.rand(1, 1, 4, 4)
    one = Condition({"t": Stream(tokens(1), region=region, scale=0.5)})
    two = Condition({"t": Stream(tokens(2), scale=torch.tensor([2.0, 3.0]))})
    both = concat([one, two]).streams["t"]
    assert torch.equal(both.region, torch.cat([region, torch.ones(2, 1, 4, 4)]))
    assert both.scale.tolist() == [0.5, 2.0, 3.0]
    half = Condition({"t": Stream(tokens(1), scale=0.5)})
    assert concat([half, half]).streams["t"].scale == 0.5


def test_concat_fills_a_missing_vector_with_zeros():
    both = concat([Condition(), Condition({}, {}, {"v": torch.ones(2, 3)})])
    assert both.vectors["v"][:, 0].tolist() == [0, 0, 1, 1]


def test_a_spatial_part_has_no_neutral_value():
    full = Condition({}, {"s": torch.ones(2, 1, 4, 4)}, {"v": torch.ones(2, 3)})
    lacking = Condition({}, {}, {"v": torch.ones(2, 3)})
    for conditions in ([full, lacking], [lacking, full]):
        with pytest.raises(ConditionError, match="spatial part 's' is missing"):
            concat(conditions)


KEEP = torch.tensor([True, False])


def test_where_selects_rows():
    part = ConditionPart(Stream(tokens(value=1)), torch.ones(2, 1, 4, 4), torch.ones(2, 3))
    other = ConditionPart(Stream(tokens(value=0)), torch.zeros(2, 1, 4, 4), torch.zeros(2, 3))
    mixed = where(KEEP, part, other)
    assert mixed.stream.tokens[:, 0, 0].tolist() == [1, 0]
    assert mixed.stream.mask is None
    assert mixed.spatial[:, 0, 0, 0].tolist() == [1, 0]
    assert mixed.vector[:, 0].tolist() == [1, 0]


def test_where_aligns_lengths_masks_regions_and_scales():
    region = torch.zeros(2, 1, 4, 4)
    part = ConditionPart(Stream(tokens(n=3), region=region, scale=0.5))
    mixed = where(KEEP, part, ConditionPart(Stream(tokens(n=1)))).stream
    assert mixed.mask.tolist() == [[True] * 3, [True, False, False]]
    assert mixed.region[:, 0, 0, 0].tolist() == [0, 1]  # the dropped row acts everywhere
    assert mixed.scale.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("keep", "other", "message"),
    [
        (KEEP, ConditionPart(vector=torch.zeros(2, 3)), "2 rows from 2 of stream and 2 of vector"),
        (KEEP, ConditionPart(Stream(tokens(b=1))), "2 rows from 2 of stream and 1 of stream"),
        (KEEP[:1], ConditionPart(Stream(tokens())), "cannot choose 1 rows"),
    ],
)
def test_where_refuses_parts_with_other_slots_or_rows(keep, other, message):
    with pytest.raises(ConditionError, match=message):
        where(keep, ConditionPart(Stream(tokens())), other)


def test_where_passes_gradients_to_both():
    null = torch.zeros(1, 1, 4, requires_grad=True)
    given = tokens(n=1).requires_grad_()
    mixed = where(KEEP, ConditionPart(Stream(given)), ConditionPart(Stream(null.expand(2, -1, -1))))
    mixed.stream.tokens.sum().backward()
    assert given.grad[:, 0, 0].tolist() == [1, 0]
    assert null.grad[0, 0, 0] == 1
