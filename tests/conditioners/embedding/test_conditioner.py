from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, concat, where
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier_conditioners.embedding.conditioner import EmbeddingConditioner
from latelier_conditioners.embedding.inputs import Embedding, EmbeddingConfig

GEOMETRY = PictureGeometry((64, 64), (16, 16))
ONE = [0.5, -1.0, 2.0]


def new_conditioner(**options: Any) -> EmbeddingConditioner:
    config: dict[str, Any] = {"width": 3, "max_vectors": 4}
    return EmbeddingConditioner(EmbeddingConfig.model_validate({**config, **options}))


def given(value: Any) -> Tensor:
    part = new_conditioner().encode([value])
    assert part.stream is not None
    assert part.stream.mask is None
    return part.stream.tokens


@pytest.mark.parametrize(
    "value",
    [
        ONE,
        [ONE],
        np.array(ONE),
        np.array([ONE], dtype=np.float16),
        torch.tensor(ONE),
        torch.tensor([ONE], dtype=torch.bfloat16, requires_grad=True),
        [np.array(ONE)],
        (torch.tensor(ONE, requires_grad=True),),
        {"vectors": [ONE]},
    ],
)
def test_every_form_of_one_vector_gives_one_token(value: Any) -> None:
    assert torch.equal(given(value), torch.tensor([[ONE]]))


def test_several_vectors_keep_their_order() -> None:
    vectors = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(given(vectors), vectors[None])
    assert torch.equal(given(list(vectors.numpy())), vectors[None])


def test_vectors_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "neighbours.npy"
    np.save(path, np.array([ONE, ONE]))
    for name in (path, str(path)):
        assert torch.equal(given(name), torch.tensor([[ONE, ONE]]))


def test_the_schema_is_an_array() -> None:
    schema = Embedding.model_json_schema()["properties"]["vectors"]
    assert schema["type"] == "array"


def test_provenance_stores_the_same_bits() -> None:
    vectors = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    stored = Embedding.model_validate({"vectors": vectors}).model_dump_json()
    again = Embedding.model_validate_json(stored)
    assert torch.equal(torch.tensor(again.vectors), vectors)


def test_vectors_may_be_scaled_to_unit_length() -> None:
    conditioner = new_conditioner(normalise=True)
    part = conditioner.encode([[[3.0, 0, 4.0], [1e-30, 0, 0], [0, 1e30, 0]]])
    assert part.stream is not None
    expected = torch.tensor([[[0.6, 0, 0.8], [1, 0, 0], [0, 1, 0]]])
    torch.testing.assert_close(part.stream.tokens, expected)


def test_the_null_part_is_one_token_of_zeros() -> None:
    part = new_conditioner().null(5, GEOMETRY)
    assert part.stream is not None
    assert part.stream.mask is None
    assert torch.equal(part.stream.tokens, torch.zeros(5, 1, 3))


def test_attention_to_one_zero_token_equals_attention_to_many() -> None:
    null = new_conditioner().null(2, GEOMETRY).stream
    assert null is not None
    queries = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    keys, values = torch.eye(3) * 2, torch.ones(3, 3)
    one, many = (
        torch.softmax(queries @ (t @ keys).mT, 2) @ (t @ values + 0.25)
        for t in (null.tokens, torch.zeros(2, 11, 3))
    )
    torch.testing.assert_close(one, many)


def test_the_null_part_has_the_dtype_of_the_conditioner() -> None:
    part = new_conditioner().to(torch.bfloat16).null(1, GEOMETRY)
    assert part.stream is not None
    assert part.stream.tokens.dtype == torch.bfloat16
    assert new_conditioner().state_dict() == {}


def test_rows_of_different_lengths_are_padded_under_a_mask() -> None:
    part = new_conditioner().encode([[ONE], [ONE, ONE, ONE]])
    assert part.stream is not None
    assert part.stream.mask is not None
    assert part.stream.mask.tolist() == [[True, False, False], [True, True, True]]
    assert torch.equal(part.stream.tokens[0], torch.tensor([ONE, [0, 0, 0], [0, 0, 0]]))


def test_a_row_does_not_depend_on_its_batch() -> None:
    rows = [[ONE], [ONE, [1, 2, 3], ONE]]
    together = new_conditioner(normalise=True).encode(rows).stream
    assert together is not None
    assert together.mask is not None
    for row, value in enumerate(rows):
        alone = new_conditioner(normalise=True).encode([value]).stream
        assert alone is not None
        assert torch.equal(alone.tokens[0], together.tokens[row, together.mask[row]])


def test_an_empty_batch_has_no_rows() -> None:
    assert new_conditioner().prepare([], GEOMETRY)["vectors"].shape == (0, 1, 3)


def test_guidance_and_drop_out_pad_the_null_part() -> None:
    conditioner = new_conditioner()
    some, null = conditioner.encode([[ONE, ONE], [ONE, ONE]]), conditioner.null(2, GEOMETRY)
    both = concat([Condition.of({"embedding": part}) for part in (some, null)])
    mask = both.streams["embedding"].mask
    assert mask is not None
    assert mask.tolist() == [[True, True], [True, True], [True, False], [True, False]]
    mixed = where(torch.tensor([False, True]), some, null).stream
    assert mixed is not None
    assert mixed.tokens.tolist() == [[[0, 0, 0], [0, 0, 0]], [ONE, ONE]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], "a vector has 2 numbers, but this model takes 3"),
        ([ONE] * 5, "there are 5 vectors, but at most 4 fit"),
        ([ONE, [1.0, float("nan"), 2.0]], "vector 1 has numbers that are not finite"),
        ([1e39, 0, 0], "vector 0 has numbers that are not finite"),
        ([ONE, [1.0, 2.0]], "expected lists of numbers of one length"),
        (["a", "b", "c"], "expected lists of numbers of one length"),
        ([[ONE]], "expected one vector, or a list of at least one vector"),
        ([], "expected one vector, or a list of at least one vector"),
        ([[]], "expected one vector, or a list of at least one vector"),
        (None, "expected one vector, or a list"),
        (3, "expected one vector, or a list"),
        ("no/such.npy", "'no/such.npy' cannot be read as an .npy file"),
        ({"vector": ONE}, "there is no field 'vector'. Did you mean 'vectors'"),
    ],
)
def test_invalid_vectors_are_refused(value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as error:
        new_conditioner().encode([value])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04\x95"])
def test_a_file_without_an_array_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vector.npy"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"cannot be read as an \.npy file"):
        read_input(Embedding, path, "embedding")


def test_a_file_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "vector.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInputError, match=r"cannot be read as an \.npy file"):
        read_input(Embedding, path, "embedding")


def test_a_zero_vector_cannot_be_normalized() -> None:
    with pytest.raises(InvalidInputError, match="a vector of zeros has no direction"):
        new_conditioner(normalise=True).encode([[ONE, [0, 0, 0]]])


def test_clients_cannot_open_files(tmp_path: Path) -> None:
    path = tmp_path / "vector.npy"
    np.save(path, np.array([ONE]))
    with pytest.raises(InvalidInputError, match="a path is not opened for a client"):
        read_input(Embedding, str(path), "embedding", trusted=False)
    assert read_input(Embedding, [ONE], "embedding", trusted=False).vectors == (tuple(ONE),)
