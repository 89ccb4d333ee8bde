import json
import shutil
from dataclasses import replace
from math import isnan

import pytest
import torch

from latelier.contracts.errors import (
    DataError,
    EvaluationError,
    InvalidConfigError,
    InvalidInputError,
)
from latelier.data.pictures import UnusableError
from latelier.evaluation.records.chunk import list_chunks
from latelier.evaluation.run.evaluation import prepare_evaluation
from latelier.evaluation.run.folder import hold_folder
from latelier.evaluation.run.merging import merge_runs
from latelier.evaluation.run.processes import compute_here
from latelier.evaluation.run.recording import Part
from latelier.evaluation.run.run import run_evaluation
from latelier.evaluation.samples.scenes import SceneSamples


def read_results(config) -> bytes:
    return (config.out / "results.json").read_bytes()


@pytest.fixture
def uninterrupted(configure, resources, tmp_path) -> bytes:
    """The results of the run in one go."""
    config = configure(out=tmp_path / "uninterrupted")
    run_evaluation(config, resources)
    return read_results(config)


def test_the_report_has_the_figures_of_all_measures(configure, resources):
    config = configure()

    results = run_evaluation(config, resources)

    assert results is not None
    assert [(each.measure, each.network) for each in results.figures] == [
        ("difference", ""),
        ("shift", "toy"),
    ]
    assert results.figures[0].figure.value == 0
    assert results.figures[1].figure.value > 0
    assert results.pictures == 11
    assert results.reference == "6 pictures of emoji_scenes"
    assert json.loads(read_results(config))["provenance"]["facts"]["network"] == "toy 1"
    assert (config.out / "results.md").is_file()
    assert (config.out / "results.csv").is_file()


def test_pictures_of_the_reference_itself_are_not_shifted(configure, resources):
    results = run_evaluation(configure(reference={"pictures": 11}), resources)

    assert results is not None
    assert results.figures[1].figure.value == pytest.approx(0, abs=1e-5)


def test_a_run_goes_on_with_what_is_stored(configure, resources, uninterrupted):
    config = configure()

    def stop_after_one(*arguments):
        yield next(compute_here(*arguments))
        raise KeyboardInterrupt

    stopped = replace(resources, compute=stop_after_one)
    with pytest.raises(KeyboardInterrupt, match="4 of 6 reference pictures are stored"):
        run_evaluation(config, stopped)
    with pytest.raises(KeyboardInterrupt, match="6 of 6 reference pictures are stored"):
        run_evaluation(config, stopped)
    computed = []

    def note(evaluation, folder, numbers, identity):
        computed.append(list(numbers))
        return compute_here(evaluation, folder, numbers, identity)

    run_evaluation(config, replace(resources, compute=note))

    assert computed == [[], [0, 1, 2]]
    assert read_results(config) == uninterrupted


def test_a_finished_run_computes_nothing_again(configure, resources, monkeypatch):
    config = configure()
    run_evaluation(config, resources)
    before = read_results(config)
    monkeypatch.setattr("latelier.evaluation.run.processes.compute_chunk", None)

    run_evaluation(config, resources)

    assert read_results(config) == before


def test_a_measure_of_features_is_added_to_a_finished_run(configure, resources, monkeypatch):
    run_evaluation(configure(measures=["difference", "shift"]), resources)
    monkeypatch.setattr("latelier.evaluation.run.processes.compute_chunk", None)

    twice = ["difference", "shift", {"id": "shift", "config": {"version": 2}}]
    more = run_evaluation(configure(measures=twice), resources)
    fewer = run_evaluation(configure(measures=["difference", "shift"]), resources)

    assert more is not None
    assert fewer is not None
    assert [each.measure for each in more.figures] == ["difference", "shift", "shift-2"]
    assert [each.measure for each in fewer.figures] == ["difference", "shift"]
    assert list(more.provenance["measures"]) == ["difference", "shift", "shift-2"]


def test_a_measure_that_cannot_be_computed_has_no_value(configure, resources):
    config = configure(measures=["failing", "shift"])

    results = run_evaluation(config, resources)

    assert results is not None
    failed, shift = (each.figure for each in results.figures)
    assert isnan(failed.value)
    assert failed.note == "failing: cannot be computed: expected more pictures"
    assert shift.value > 0
    assert "failing: cannot be computed" in (config.out / "results.md").read_text()


def test_another_configuration_in_the_folder_is_an_error(configure, resources):
    run_evaluation(configure(), resources)

    with pytest.raises(InvalidConfigError, match=r"has another seed \(seed: 0 there, 1 here\)"):
        run_evaluation(configure(seed=1), resources)


def test_other_reference_pictures_are_computed_again(configure, resources):
    first = run_evaluation(configure(), resources)
    second = run_evaluation(configure(reference={"pictures": 9}), resources)

    assert first is not None
    assert second is not None
    assert first.figures[1] != second.figures[1]


@pytest.mark.parametrize(
    "name", ["evaluation.yaml", "chunks", "pictures", "results.md", "results.csv"]
)
def test_a_file_of_the_user_is_not_overwritten(configure, resources, tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("mine")

    with pytest.raises(InvalidConfigError, match=f"{name} was not written by a run"):
        run_evaluation(configure(), resources)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [name]


def test_a_refused_run_leaves_no_folder(configure, resources, tmp_path):
    with pytest.raises(DataError, match="not found"):
        run_evaluation(configure(reference=tmp_path / "missing.safetensors"), resources)

    assert not (tmp_path / "run").exists()


def test_an_error_in_a_stored_run_leaves_it(configure, resources, tmp_path):
    run_evaluation(configure(), resources)
    before = sorted((tmp_path / "run").rglob("*"))

    with pytest.raises(DataError, match="not found"):
        run_evaluation(configure(reference=tmp_path / "missing.safetensors"), resources)

    assert sorted((tmp_path / "run").rglob("*")) == before


def test_two_runs_in_one_folder_are_an_error(configure, resources, toys):
    config = configure()
    with (
        hold_folder(config.out, prepare_evaluation(config, toys)),
        pytest.raises(InvalidConfigError, match="another process evaluates"),
    ):
        run_evaluation(config, resources)


def test_a_damaged_chunk_is_an_error_that_names_it(configure, resources):
    config = configure()
    run_evaluation(config, resources)
    path = list_chunks(config.out / "chunks")[1]
    path.write_bytes(b"damaged")

    with pytest.raises(DataError, match=r"chunk-000001\.safetensors: is damaged"):
        run_evaluation(config, resources)


def test_a_run_without_measures_is_an_error(configure, resources):
    with pytest.raises(InvalidConfigError, match="measures: expected one or more"):
        run_evaluation(configure(measures=[]), resources)


def test_kept_pictures_are_files(configure, resources):
    config = configure(keep=2)

    run_evaluation(config, resources)

    names = [path.name for path in sorted((config.out / "pictures").iterdir())]
    assert names == ["000000.png", "000001.png"]


def test_a_stored_reference_of_another_network_is_an_error(configure, resources, tmp_path):
    run_evaluation(configure(out=tmp_path / "first"), resources)
    stored = tmp_path / "first" / "reference.safetensors"
    other = {"id": "toy", "config": {"version": 2}}

    with pytest.raises(DataError, match=r"features of toy \(toy 1\), and this run compares"):
        run_evaluation(configure(reference=stored, network=other), resources)


def test_a_stored_reference_of_another_size_is_an_error(configure, resources, tmp_path):
    run_evaluation(configure(out=tmp_path / "first"), resources)
    stored = tmp_path / "first" / "reference.safetensors"

    with pytest.raises(DataError, match="is of pictures of 32 x 32, and those of this run have 48"):
        run_evaluation(configure(reference=stored, data={"config": {"size": 48}}), resources)


def test_more_reference_pictures_than_there_are_is_an_error_that_names_them(
    configure, resources, paint_folder
):
    fields = {"data": {"path": paint_folder(3)}, "pictures": 2, "reference": {"pictures": 9}}

    with pytest.raises(DataError, match=r"^reference\.pictures: .* has 3 pictures, and 9 are"):
        run_evaluation(configure(**fields), resources)


def test_a_stored_reference_gives_the_same_results(configure, resources, tmp_path, uninterrupted):
    config = configure(reference=tmp_path / "uninterrupted" / "reference.safetensors")

    run_evaluation(config, resources)

    assert read_results(config) == uninterrupted


def test_parts_are_merged_into_the_whole(configure, resources, tmp_path, uninterrupted):
    parts = []
    for number in (1, 2):
        config = configure(out=tmp_path / f"part-{number}", keep=0)
        assert run_evaluation(config, replace(resources, part=Part(number, 2))) is None
        assert not (config.out / "results.json").exists()
        parts.append(config.out)

    merge_runs(parts, tmp_path / "merged", resources)

    assert (tmp_path / "merged" / "results.json").read_bytes() == uninterrupted


def test_a_missing_part_is_an_error(configure, resources, tmp_path):
    config = configure()
    run_evaluation(config, replace(resources, part=Part(1, 2)))

    with pytest.raises(EvaluationError, match="1 of 3 chunks are in none of the parts"):
        merge_runs([config.out], tmp_path / "merged", resources)


def test_parts_of_different_evaluations_are_an_error(configure, resources, tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        config = configure(out=tmp_path / name, seed=seed)
        run_evaluation(config, replace(resources, part=Part(1, 2)))

    with pytest.raises(InvalidConfigError, match="has another seed"):
        merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "merged", resources)


@pytest.mark.parametrize("fields", [{"seed": 1, "keep": 2}, {"reference": {"pictures": 9}}])
def test_a_merged_run_replaces_another_only_by_force(
    configure, resources, tmp_path, uninterrupted, fields
):
    parts = [tmp_path / "uninterrupted"]
    other = configure(out=tmp_path / "other", **fields)
    run_evaluation(other, resources)
    before = read_results(other)

    with pytest.raises(InvalidInputError, match="other: already has a run; --force replaces it"):
        merge_runs(parts, other.out, resources)
    assert read_results(other) == before
    merge_runs(parts, other.out, resources, force=True)

    assert read_results(other) == uninterrupted
    assert not (other.out / "pictures").exists()


def test_parts_are_not_merged_into_a_folder_of_the_user(configure, resources, tmp_path):
    run_evaluation(configure(), resources)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "results.md").write_text("mine")

    with pytest.raises(InvalidInputError, match="mine: is no folder of an evaluation"):
        merge_runs([tmp_path / "run"], tmp_path / "mine", resources, force=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["results.md"]


def test_an_interrupted_merging_goes_on(configure, resources, tmp_path, uninterrupted, monkeypatch):
    config = configure()
    run_evaluation(config, resources)
    with monkeypatch.context() as patch:
        patch.setattr("latelier.evaluation.run.run.write_report", None)
        with pytest.raises(TypeError):
            merge_runs([config.out], tmp_path / "merged", resources)

    merge_runs([config.out], tmp_path / "merged", resources)

    assert (tmp_path / "merged" / "results.json").read_bytes() == uninterrupted


def test_a_folder_that_is_no_run_is_not_merged(resources, tmp_path):
    with pytest.raises(DataError, match="is not the folder of an evaluation"):
        merge_runs([tmp_path], tmp_path / "merged", resources)


def test_all_is_computed_with_the_threads_of_the_configuration(configure, resources):
    before = torch.get_num_threads()

    results = run_evaluation(configure(measures=["threads"], threads=before + 2), resources)

    assert results is not None
    assert [each.figure.value for each in results.figures] == [before + 2, before + 2]
    assert torch.get_num_threads() == before


def test_a_chunk_of_another_evaluation_is_an_error(configure, resources, tmp_path):
    run_evaluation(configure(), resources)
    other = configure(out=tmp_path / "other", seed=1)
    run_evaluation(other, resources)
    (path,) = list_chunks(other.out / "chunks")[1:2]
    shutil.copyfile(path, tmp_path / "run" / "chunks" / path.name)

    with pytest.raises(DataError, match=r"chunk-000001\.safetensors: is a chunk of another"):
        run_evaluation(configure(), resources)


def test_unusable_samples_are_listed_by_index_whatever_was_computed_first(
    configure, resources, monkeypatch
):
    read = SceneSamples.read

    def read_most(self, index, fields):
        if index in (1, 5):
            raise UnusableError("damaged")
        return read(self, index, fields)

    monkeypatch.setattr(SceneSamples, "read", read_most)
    config = configure(measures=["difference"], max_unusable=0.2)
    run_evaluation(config, replace(resources, part=Part(2, 2)))

    results = run_evaluation(config, resources)

    assert results is not None
    assert results.pictures == 9
    assert results.provenance["unusable"] == {
        "count": 2,
        "samples": ["scene 1: damaged", "scene 5: damaged"],
    }
