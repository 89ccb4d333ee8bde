"""Every scheduler of diffusers is read as what it is, or refused by name."""

import pytest
import torch

from latelier.checkpoints.importers.diffusers.configs.scheduler import (
    check_class,
    process_from_diffusers,
    schedule_from_diffusers,
    scheduler_notes,
    scheduler_to_diffusers,
)
from latelier.contracts.errors import InvalidConfigError
from latelier.diffusion.processes.kinds import process_from

OTHER_PROCESSES = {
    "FlowMatchEulerDiscreteScheduler": "flow matching",
    "FlowMatchHeunDiscreteScheduler": "flow matching",
    "EDMEulerScheduler": "EDM",
    "CosineDPMSolverMultistepScheduler": "EDM",
    "CMStochasticIterativeScheduler": "a consistency model",
    "KarrasVeScheduler": "a variance-exploding process",
    "ScoreSdeVeScheduler": "a variance-exploding process",
    "ScoreSdeVpScheduler": "a continuous variance-preserving process",
    "VQDiffusionScheduler": "discrete tokens",
}


@pytest.mark.parametrize(("name", "process"), OTHER_PROCESSES.items())
def test_a_scheduler_of_another_process_is_refused(name, process):
    with pytest.raises(InvalidConfigError, match=f"'{name}' is for {process}"):
        process_from_diffusers({"_class_name": name, "num_train_timesteps": 1000})


def test_an_unknown_scheduler_is_refused():
    with pytest.raises(InvalidConfigError, match="unknown scheduler 'DDMIScheduler'"):
        process_from_diffusers({"_class_name": "DDMIScheduler"})
    with pytest.raises(InvalidConfigError, match="unknown scheduler 'None'"):
        process_from_diffusers({})


def test_every_scheduler_of_diffusers_is_known():
    diffusers = pytest.importorskip("diffusers")
    names = [name for name in dir(diffusers.schedulers) if name.endswith("Scheduler")]
    assert len(names) > 40
    unknown = [name for name in names if "unknown" in refusal(name)]
    assert not unknown


def refusal(name: str) -> str:
    try:
        check_class({"_class_name": name})
    except InvalidConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("trained_betas", [0.1, 0.2]),
        ("use_flow_sigmas", True),
        ("timestep_type", "continuous"),
        ("prediction_type", "flow_prediction"),
        ("prediction_type", "original_sample"),
        ("predict_epsilon", False),
        ("beta_schedule", "sigmoid"),
        ("snr_shift_scale", 3.0),
    ],
)
def test_an_option_that_changes_the_meaning_of_the_model_is_refused(option, value):
    config = {"_class_name": "DPMSolverMultistepScheduler", option: value}
    with pytest.raises(InvalidConfigError, match=f"{option}.*not supported"):
        process_from_diffusers(config)


CLIPPING = [
    ("DDIMScheduler", {}, 1.0),
    ("DDPMScheduler", {"clip_sample": True, "clip_sample_range": 2.5}, 2.5),
    ("DDPMScheduler", {"clip_sample": False}, None),
    ("PNDMScheduler", {}, None),
    ("EulerDiscreteScheduler", {}, None),
    ("HeunDiscreteScheduler", {"clip_sample": True}, 1.0),
    ("DPMSolverMultistepScheduler", {"thresholding": True}, 1.0),
    ("DDIMScheduler", {"thresholding": True, "clip_sample_range": 3.0}, 1.0),
]


@pytest.mark.parametrize(("name", "options", "bound"), CLIPPING)
def test_clipping_is_part_of_the_process(name, options, bound):
    config = {"_class_name": name, **options}
    process = process_from(process_from_diffusers(config))
    assert process.clip_x0 == bound
    assert any("clipped" in note for note in scheduler_notes(config)) == (bound is not None)
    x, output = torch.full((1, 3, 2, 2), 9.0), torch.zeros(1, 3, 2, 2)
    assert float(process.denoised(output, x, 1.0).max()) == (bound or 9.0)


def test_a_threshold_of_a_varying_size_is_refused():
    config = {"_class_name": "DDIMScheduler", "thresholding": True, "sample_max_value": 2.0}
    with pytest.raises(InvalidConfigError, match="sample_max_value: 2"):
        process_from_diffusers(config)


@pytest.mark.parametrize("bound", [None, 1.0, 2.5])
def test_clipping_survives_an_export(bound):
    process = process_from({"kind": "vp", "clip_x0": bound})
    assert process_from(process_from_diffusers(scheduler_to_diffusers(process))) == process


@pytest.mark.parametrize("option", ["use_karras_sigmas", "use_exponential_sigmas"])
def test_other_sigmas_are_reported(option):
    config = {"_class_name": "EulerDiscreteScheduler", option: True}
    assert [option in note for note in scheduler_notes(config)] == [True]


@pytest.mark.parametrize(
    ("name", "spacing"),
    [("PNDMScheduler", "leading"), ("LCMScheduler", "leading"), ("EulerDiscreteScheduler", "lins")],
)
def test_the_default_spacing_depends_on_the_class(name, spacing):
    options = schedule_from_diffusers({"_class_name": name})["options"]
    assert options["spacing"].startswith(spacing)
