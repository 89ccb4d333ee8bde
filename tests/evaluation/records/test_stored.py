import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.records.chunk import Chunk, Unusable, list_chunks, write_chunk
from latelier.evaluation.records.stored import StoredRecords


@pytest.fixture
def records(tmp_path) -> StoredRecords:
    for number, indices in enumerate([[0, 1], [], [4]]):
        columns = {"index": torch.tensor(indices), "psnr.psnr": torch.tensor(indices) * 2.0}
        unusable = () if indices else (Unusable(2, "2", "damaged"), Unusable(3, "3", "damaged"))
        write_chunk(tmp_path, Chunk(number, columns if indices else {}, unusable, {}), "x")
    return StoredRecords(list_chunks(tmp_path), "network", "psnr")


def test_columns_are_in_the_order_of_indices(records):
    assert records.count == 3
    assert records.network == "network"
    assert records.column("index").tolist() == [0, 1, 4]
    assert [each.index for each in records.unusable] == [2, 3]


def test_a_measure_reads_its_columns_by_their_own_names(records):
    assert records.column("psnr").tolist() == [0, 2, 8]
    assert [len(part) for part, _ in records.chunks("psnr", "index")] == [2, 1]


def test_a_missing_column_is_an_error(records):
    with pytest.raises(InvalidInputError, match=r"no column 'psnr\.ssim'"):
        records.column("ssim")
