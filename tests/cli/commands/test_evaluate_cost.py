"""The cost of sampling."""

import json

from latelier.evaluation.cost import sampling


def test_the_cost_is_shown_by_steps_and_batch(cli, tiny_model, monkeypatch):
    monkeypatch.setattr(sampling, "REPEATS", 2)
    chosen = ("--steps", 1, "--steps", 2, "--batch-size", 3)
    done = cli("evaluate", "cost", tiny_model, "--prompt", "a cat", *chosen)
    assert done.status == 0, done.err
    head, *lines = done.out.splitlines()
    assert head.split() == ["STEPS", "BATCH", "PICTURES/S", "SLOWEST", "FASTEST", "GFLOP/PICTURE"]
    assert [line.split()[:2] for line in lines] == [["1", "3"], ["2", "3"]]
    assert done.err.strip().splitlines()[-1].startswith("cpu (")
    assert "CPU threads, float32, torch" in done.err
    whole = json.loads(cli("evaluate", "cost", tiny_model, *chosen, "--json").out)
    assert (whole["model"], whole["machine"]["precision"]) == (str(tiny_model), "float32")
    rows = whole["costs"]
    assert rows[0]["flops"] < rows[1]["flops"]
    assert all(row["slowest"] <= row["throughput"] <= row["fastest"] for row in rows)


def test_an_input_that_the_model_does_not_have_is_an_error(cli, tiny_model):
    done = cli("evaluate", "cost", tiny_model, "--condition", "layout=1")
    assert (done.status, "layout" in done.err) == (2, True)
