"""Rows of files, with the places that errors name."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from latelier.contracts.errors import DataError

from latelier_ray.batch.table import Row, find_files, read_rows


def test_csv_has_texts_and_lines_and_empty_cells_are_left_out(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('\ufeffid,prompt,steps\na,"a cat,\nblue",\nb,a dog,3\n', encoding="utf-8")
    assert list(read_rows([path])) == [
        Row(f"{path}, line 3", {"id": "a", "prompt": "a cat,\nblue"}, True),
        Row(f"{path}, line 4", {"id": "b", "prompt": "a dog", "steps": "3"}, True),
    ]


def test_lines_of_json_keep_types_and_blank_ones_are_skipped(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "prompt": "é"}\n\n{"id": 2, "seed": null}\n', encoding="utf-8")
    assert list(read_rows([path])) == [
        Row(f"{path}, line 1", {"id": 1, "prompt": "é"}),
        Row(f"{path}, line 3", {"id": 2}),
    ]


def test_parquet_has_rows_across_groups(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": range(2500)}), path, row_group_size=700)
    rows = list(read_rows([path]))
    assert [row.values["id"] for row in rows] == list(range(2500))
    assert rows[-1].place == f"{path}, row 2500"


def test_a_folder_and_a_pattern_are_their_files_by_name(tmp_path):
    for name in ("b.jsonl", "a.jsonl", "notes.txt"):
        (tmp_path / name).write_text(json.dumps({"id": name}))
    names = ["a.jsonl", "b.jsonl"]
    assert [each.name for each in find_files(str(tmp_path))] == names
    assert [each.name for each in find_files(f"{tmp_path}/*.jsonl")] == names


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"id": 1}\n{"id":', "line 2: cannot be read as JSON"),
        ("a.jsonl", b"[1]", "line 1: expected a JSON object"),
        ("a.jsonl", b'{"id": "\xff"}', "expected text in UTF-8"),
        ("a.csv", b"id,prompt\na,b,c\n", "line 2: has more cells than the first line has names"),
        ("a.csv", b'id\n"a\n', "line 1: unexpected end of data"),
        ("a.parquet", b"PAR1 no table", "cannot be read as Parquet"),
        ("a.txt", b"", "expected a file of rows: .parquet, .jsonl, .ndjson, .csv"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_the_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_rows(find_files(str(tmp_path / name))))


def test_a_missing_file_and_an_empty_folder_are_errors(tmp_path):
    with pytest.raises(DataError, match="file not found"):
        find_files(str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="has no file with rows"):
        find_files(str(tmp_path))
    with pytest.raises(DataError, match="has no file with rows"):
        find_files(str(tmp_path / "*.csv"))
