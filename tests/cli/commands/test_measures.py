"""Listing measures and feature networks, and showing their configurations."""

import json


def test_the_list_has_both_kinds(cli):
    done = cli("measures", "list")
    assert done.status == 0
    assert "scenes" in done.out
    assert "feature network" in done.out
    rows = json.loads(cli("measures", "list", "--json").out)
    [row] = [row for row in rows if row["id"] == "latelier/inception"]
    assert (row["kind"], row["name"]) == ("feature_network", "inception")
    assert row["summary"]


def test_show_describes_the_fields(cli):
    done = cli("measures", "show", "inception")
    assert "feature network  latelier/inception" in done.out
    assert "weights  required" in done.out
    assert 'resize   "tf1_bilinear"' in done.out
    [shown] = json.loads(cli("measures", "show", "latelier/inception", "--json").out)
    assert shown["config"]["required"] == ["weights"]


def test_an_unknown_measure_is_one_line(cli):
    done = cli("measures", "show", "incepton")
    assert (done.status, done.out) == (2, "")
    assert "there is no measure or feature network 'incepton'. Did you mean" in done.err
