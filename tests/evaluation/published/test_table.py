"""The paper's tables, as they ship."""

import pytest

from latelier.contracts.errors import UnknownNameError
from latelier.evaluation.published.table import (
    PublishedColumn,
    PublishedRow,
    PublishedTable,
    list_published,
    read_published,
)


def test_the_tables_of_the_paper_ship():
    paper = [*range(1, 10), 18]
    assert list_published() == [f"table-{number:02}" for number in paper]


@pytest.mark.parametrize("name", list_published())
def test_every_table_can_be_read_and_every_column_has_a_value(name):
    table = read_published(name)
    used = {column for row in table.rows for column in row.values}
    assert used == set(table.columns)


def test_values_are_those_of_the_paper():
    guided = [row for row in read_published("table-03").rows if "guidance 1.5" in row.setting]
    assert [row.values for row in guided] == [
        {"frechet_distance": 3.60, "inception_score": 247.67, "precision": 0.87, "recall": 0.48}
    ]
    best = min(read_published("table-07").rows, key=lambda row: row.values["frechet_distance"])
    assert (best.model, best.values["lpips"]) == ("LDM-4 big, fine-tuned", 0.137)


def test_distances_name_the_network_of_their_features():
    for name in list_published():
        for column, meaning in read_published(name).columns.items():
            assert bool(meaning.network) == column.startswith(
                ("frechet", "inception", "precision", "recall", "lpips", "psim")
            )


def test_an_unknown_table_is_an_error_that_suggests_a_known_one():
    with pytest.raises(UnknownNameError, match=r"'table-1' not found.*table-01"):
        read_published("table-1")


def test_a_value_without_a_column_is_an_error():
    with pytest.raises(ValueError, match="LDM: there is no column 'psnr'"):
        PublishedTable(
            title="a table",
            protocol="none",
            columns={"ssim": PublishedColumn(title="SSIM", better="higher")},
            rows=(PublishedRow(model="LDM", values={"psnr": 20}),),
        )
