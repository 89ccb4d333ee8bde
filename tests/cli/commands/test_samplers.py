"""Listing samplers and comparing them."""

import csv
import json

import pytest

from latelier.cli.commands import samplers
from latelier.cli.commands.samplers import deterministic_samplers
from latelier.contracts.errors import InvalidInputError
from latelier.kernel.atelier import Atelier

SMALL = ("--seeds", 2, "--nfe", 4, "--nfe", 8)


def test_samplers_are_listed_with_their_traits(cli):
    rows = {row["name"]: row for row in json.loads(cli("samplers", "list", "--json").out)}
    assert (rows["heun"]["order"], rows["heun"]["nfe_per_step"]) == (2, 2)
    assert rows["ddpm"]["stochastic"]
    assert rows["ddpm"]["summary"].startswith("The original method")
    lines = cli("samplers", "list").out.splitlines()
    assert len(lines) == 1 + len(rows)


def test_an_unknown_nfe_is_left_blank(cli):
    (line,) = (x for x in cli("samplers", "list").out.splitlines() if x.startswith("adaptive "))
    assert line.split() == ["adaptive", "latelier"]


def test_deterministic_samplers_of_known_nfe_are_compared_by_default():
    names = {choice.name for choice in deterministic_samplers(Atelier())}
    assert {"ddim", "heun", "unipc"} <= names
    assert not names & {"adaptive", "ddim_inversion", "ddpm"}


def test_a_comparison_is_shown_and_written(cli, tmp_path):
    pytest.importorskip("matplotlib")
    chosen = ("--sampler", "ddim", "--sampler", "dpmpp_2m", "--schedule", "model")
    done = cli("samplers", "compare", *chosen, *SMALL, "-o", "out")
    assert done.status == 0, done.err
    head, *lines = done.out.splitlines()
    assert head.split()[:2] == ["SAMPLER", "SCHEDULE"]
    assert {line.split()[0] for line in lines[:2]} == {"dpmpp_2m", "ddim"}
    errors = [float(line.split()[-1]) for line in lines[:2]]
    assert errors == sorted(errors)
    with (tmp_path / "out" / "errors.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["sampler"], row["nfe"]) for row in rows] == [
        (name, nfe) for name in ("ddim", "dpmpp_2m") for nfe in ("4", "8")
    ]
    assert (tmp_path / "out" / "errors.svg").is_file()


def test_samplers_are_compared_on_a_model(cli, tiny_model, monkeypatch):
    monkeypatch.setattr(samplers, "count_exact_steps", lambda on: 20)
    asked = ("--condition", "prompt=a cat", "--guidance", 5)
    done = cli("samplers", "compare", "--on", tiny_model, "--sampler", "heun", *asked, *SMALL)
    assert done.status == 0, done.err
    assert done.out.splitlines()[1].split()[:2] == ["heun", "karras"]


def test_a_schedule_is_tuned_and_used(cli, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(samplers, "count_exact_steps", lambda on: 20)
    tuning = ("samplers", "tune", tiny_model, "--steps", 3, "--seeds", 2, "-o", "tuned.json")
    done = cli(*tuning)
    assert done.status == 0, done.err
    made = ("generate", "a cat", "--model", tiny_model, "--seed", 1, "-o", "cat.png")
    assert cli(*made, "--schedule", "@tuned.json", "--steps", 3).status == 0
    refused = cli(*made, "--schedule", "@tuned.json", "--steps", 4, "--force")
    assert "4 sigmas, for 3 steps, not 4" in refused.err
    again = cli(*tuning)
    assert (again.status, again.err) == (
        2,
        "error: tuned.json: already exists; --force replaces it\n",
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--sampler", "huen"), "Did you mean 'heun'"),
        (("--sampler", "ddim:eta=2"), "'eta'"),
        (("--schedule", "karas"), "Did you mean 'karras'"),
        (("--on", "nowhere"), "model 'nowhere' not found"),
    ],
)
def test_user_errors_are_one_line(cli, arguments, why):
    done = cli("samplers", "compare", *arguments, *SMALL)
    assert done.status == 2
    assert why in done.err


def test_without_matplotlib_the_table_is_written_and_the_plot_reported(cli, monkeypatch, tmp_path):
    monkeypatch.setattr("latelier.evaluation.sampling.plot.find_spec", lambda name: None)
    done = cli("samplers", "compare", "--sampler", "heun", *SMALL, "-o", "out")
    assert done.status == 0
    assert "out/errors.svg will not be written: a plot needs matplotlib" in done.err
    assert "pip install 'latelier[plot]'" in done.err
    assert (tmp_path / "out" / "errors.csv").read_text().startswith("problem,sampler,schedule")
    assert not (tmp_path / "out" / "errors.svg").exists()


def test_a_missing_matplotlib_is_reported_before_the_run(cli, monkeypatch):
    def run(*_):
        raise InvalidInputError("the run has begun")

    monkeypatch.setattr("latelier.evaluation.sampling.plot.find_spec", lambda name: None)
    monkeypatch.setattr(samplers, "make_problem", run)
    done = cli("samplers", "compare", *SMALL, "-o", "out")
    assert [line.partition(" ")[0] for line in done.err.splitlines()] == ["warning:", "error:"]
    assert cli("samplers", "compare", *SMALL).err == "error: the run has begun\n"


def test_tuning_and_comparing_use_different_starting_points(cli, tiny_model, monkeypatch):
    monkeypatch.setattr(samplers, "count_exact_steps", lambda on: 20)
    asked = []
    problem = samplers.make_problem

    def spied(on, seeds, *rest):
        asked.append(set(seeds))
        return problem(on, seeds, *rest)

    monkeypatch.setattr(samplers, "make_problem", spied)
    cli("samplers", "compare", "--on", tiny_model, "--sampler", "heun", *SMALL)
    cli("samplers", "tune", tiny_model, "--steps", 3, "--seeds", 2, "-o", "tuned.json")
    compared, tuned = asked
    assert len(compared) == len(tuned) == 2
    assert not compared & tuned


def test_a_sampler_is_shown_with_its_registered_defaults(cli):
    shown = cli("samplers", "show", "euler_ancestral")
    assert shown.status == 0
    lines = shown.out.splitlines()
    assert lines[0].split() == ["sampler", "latelier/euler_ancestral"]
    assert lines[1].strip().startswith("New noise in each step: lively pictures")
    assert lines[2].strip().startswith("DDIM (Song et al.")
    assert ["stochastic", "True"] in [line.split() for line in lines]
    assert lines[-1].split()[:3] == ["eta", "1.0", "number;"]
    [ddim] = json.loads(cli("samplers", "show", "ddim", "--json").out)
    assert ddim["options"]["properties"]["eta"]["default"] == 0
    assert (ddim["kind"], ddim["traits"]["order"]) == ("sampler", 1)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("karras", "rho 7.0 number; higher values put more steps on fine detail, at low sigma"),
        ("restart", "intervals [[4, 2, 0.1, 2.0]] list of Interval;"),
        ("apg", "interval null [number, number] or null;"),
        ("deep_cache", "interval 3 integer; steps for which deep features are used; 1: exact"),
        ("heun", "It takes no options."),
    ],
)
def test_schedules_guidance_and_accelerations_are_shown(cli, name, line):
    shown = cli("samplers", "show", name)
    assert line in " ".join(shown.out.split())


def test_an_unknown_name_is_an_error(cli):
    shown = cli("samplers", "show", "heum")
    assert shown.status == 2
    assert (
        "no sampler, schedule, guidance or acceleration 'heum'. Did you mean 'heun'?" in shown.err
    )
