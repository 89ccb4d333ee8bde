import pytest
import torch
from safetensors.torch import save_file

from latelier.contracts.errors import DataError, InvalidInputError
from latelier.evaluation.records.chunk import (
    Chunk,
    Unusable,
    chunk_path,
    list_chunks,
    read_columns,
    read_header,
    write_chunk,
)


def make_chunk(number: int = 3) -> Chunk:
    columns = {"index": torch.tensor([6, 8]), "features": torch.rand(2, 4)}
    return Chunk(number, columns, (Unusable(7, "seven.png", "damaged"),), {})


def test_a_chunk_is_read_as_it_was_written(tmp_path):
    chunk = make_chunk()

    write_chunk(tmp_path, chunk, "identity")

    (path,) = list_chunks(tmp_path)
    header = read_header(path)
    index, features = read_columns(path, ["index", "features"])
    assert path == chunk_path(tmp_path, 3)
    assert (header.identity, header.number, header.count) == ("identity", 3, 2)
    assert header.unusable == chunk.unusable
    assert torch.equal(index, chunk.columns["index"])
    assert torch.equal(features, chunk.columns["features"])


def test_the_same_chunk_has_the_same_bytes(tmp_path):
    chunk = make_chunk()

    for folder in ("a", "b"):
        write_chunk(tmp_path / folder, chunk, "identity")

    first, second = (chunk_path(tmp_path / folder, 3).read_bytes() for folder in ("a", "b"))
    assert first == second


def test_a_chunk_without_pictures_says_why(tmp_path):
    write_chunk(tmp_path, Chunk(0, {}, (Unusable(0, "a", "b"),), {}), "identity")

    header = read_header(chunk_path(tmp_path, 0))

    assert header.count == 0
    assert len(header.unusable) == 1


def test_a_damaged_file_is_an_error(tmp_path):
    write_chunk(tmp_path, make_chunk(), "identity")
    path = chunk_path(tmp_path, 3)
    path.write_bytes(path.read_bytes()[:40])

    with pytest.raises(DataError, match="is damaged"):
        read_header(path)


def test_a_foreign_file_is_an_error(tmp_path):
    path = chunk_path(tmp_path, 0)
    save_file({"index": torch.zeros(1)}, path)

    with pytest.raises(DataError, match="is no chunk"):
        read_header(path)


def test_a_missing_column_is_an_error(tmp_path):
    write_chunk(tmp_path, make_chunk(), "identity")

    with pytest.raises(InvalidInputError, match="has no column 'logits'"):
        read_columns(chunk_path(tmp_path, 3), ["logits"])
