"""The sizes of the study, and its folder."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.tradeoff.phases import list_phases
from benchmarks.tradeoff.study import Study, open_study, read_study


def test_a_rehearsal_has_a_share_of_everything(tmp_path: Path) -> None:
    study = Study(tmp_path)
    rehearsal = study.rehearse(0.01)
    assert rehearsal.denoiser_steps == study.denoiser_steps // 100
    assert rehearsal.scenes == study.scenes // 100
    assert study.rehearse(1e-9).pictures == 16


def test_a_study_is_read_from_its_folder(study: Study) -> None:
    open_study(study)
    open_study(study)
    assert read_study(study.out) == study


def test_a_study_of_another_size_is_refused(study: Study) -> None:
    open_study(study)
    with pytest.raises(SystemExit, match="holds another study"):
        open_study(replace(study, pictures=17))


def test_no_two_phases_have_one_result(study: Study) -> None:
    phases = []
    for phase in list_phases(study):
        if phase.title.endswith("denoiser"):
            break  # its pictures are listed after its training
        phases.append(phase)
    assert len({phase.result for phase in phases}) == len(phases) == 10
