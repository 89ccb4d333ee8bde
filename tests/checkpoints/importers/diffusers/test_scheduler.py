"""Every scheduler of diffusers is read as what it is, or refused by name."""

from inspect import signature

import pytest
import torch

from latelier import default_atelier
from latelier.checkpoints.importers.diffusers.configs.edm_scheduler import EDM_SAMPLERS
from latelier.checkpoints.importers.diffusers.configs.scheduler import (
    defaults_from_diffusers,
    process_from_diffusers,
    schedule_from_diffusers,
    scheduler_notes,
    scheduler_to_diffusers,
)
from latelier.checkpoints.importers.diffusers.configs.scheduler_classes import SAMPLERS, check_class
from latelier.contracts.errors import InvalidConfigError
from latelier.diffusion.processes.kinds import process_from

OTHER_PROCESSES = {
    "FlowMatchEulerDiscreteScheduler": "flow matching",
    "FlowMatchHeunDiscreteScheduler": "flow matching",
    "CosineDPMSolverMultistepScheduler": "audio",
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
    unknown = {name for name in names if "unknown" in refusal(name)}
    assert unknown == set(EDM_SAMPLERS)


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
        ("invert_sigmas", True),
        ("use_dynamic_shifting", True),
        ("shift_terminal", 0.02),
        ("trained_betas", []),
        ("trained_betas", [float("nan")]),
    ],
)
def test_an_option_that_changes_the_meaning_of_the_model_is_refused(option, value):
    config = {"_class_name": "DPMSolverMultistepScheduler", option: value}
    with pytest.raises(InvalidConfigError, match=f"{option}.*not supported"):
        process_from_diffusers(config)


@pytest.mark.parametrize("name", EDM_SAMPLERS)
@pytest.mark.parametrize("spacing", ["karras", "exponential"])
def test_edm_has_the_sigmas_of_its_scheduler(name, spacing):
    diffusers = pytest.importorskip("diffusers")
    changes = {"sigma_schedule": spacing, "rho": 5.0, "sigma_min": 0.01, "sigma_max": 40.0}
    theirs = getattr(diffusers, name)(sigma_data=1.0, **changes)
    theirs.set_timesteps(10)
    config = {**theirs.config, "_class_name": name}
    process, defaults = (
        process_from(process_from_diffusers(config)),
        defaults_from_diffusers(config),
    )
    assert (process.kind, process.sigma_data) == ("edm", 1.0)
    assert scheduler_notes(config) == []
    schedule = defaults["schedule"]
    make = default_atelier().schedules.get(schedule["name"])
    found = make(10, process, **schedule["options"]).sigmas
    assert list(found) == pytest.approx(theirs.sigmas.tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("prediction_type", "v_prediction"),
        ("sigma_schedule", "linear"),
        ("thresholding", True),
        ("sigma_data", 0.0),
        ("sigma_max", float("inf")),
    ],
)
def test_edm_with_another_meaning_is_refused(option, value):
    with pytest.raises(InvalidConfigError, match=f"'EDMEulerScheduler'.*{option}"):
        process_from_diffusers({"_class_name": "EDMEulerScheduler", option: value})


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
    assert sum(option in note for note in scheduler_notes(config)) == 1


@pytest.mark.parametrize(
    ("name", "spacing"),
    [
        ("PNDMScheduler", "leading"),
        ("DDPMScheduler", "leading"),
        ("EulerDiscreteScheduler", "lins"),
    ],
)
def test_the_default_spacing_depends_on_the_class(name, spacing):
    options = schedule_from_diffusers({"_class_name": name})["options"]
    assert options["spacing"].startswith(spacing)


IMPOSSIBLE = [
    *[("num_train_timesteps", value) for value in (0, 1, -1, 10**9, 1000.5, "1000", True, None)],
    *[("steps_offset", value) for value in (-1, 1000, 10**9, 0.5, "1")],
    *[("beta_start", value) for value in (0, -1e-4, 1.0, float("nan"), "0.1", None)],
    *[("beta_end", value) for value in (1.0, float("inf"), 1e-9)],
    ("beta_schedule", ["linear"]),
    ("prediction_type", {}),
    ("clip_sample", "no"),
    ("clip_sample_range", 0),
    ("clip_sample_range", float("inf")),
    ("rescale_betas_zero_snr", 1),
    ("thresholding", "false"),
    ("timestep_spacing", "leding"),
    ("final_sigmas_type", "one"),
    ("interpolation_type", "cubic"),
    ("sigma_min", -1.0),
    ("sigma_max", float("nan")),
]


def read(config: dict[str, object]) -> None:
    process_from_diffusers(config)
    schedule_from_diffusers(config)


@pytest.mark.parametrize(("option", "value"), IMPOSSIBLE)
def test_an_impossible_value_is_refused_with_its_class_and_field(option, value):
    config = {"_class_name": "DDIMScheduler", option: value}
    with pytest.raises(InvalidConfigError, match=rf"DDIMScheduler.*{option}"):
        read(config)


def test_betas_without_finite_sigmas_are_refused():
    config = {"_class_name": "DDIMScheduler", "beta_start": 0.5, "beta_end": 0.99}
    with pytest.raises(InvalidConfigError, match=r"sigmas of 1000 steps"):
        process_from_diffusers({**config, "num_train_timesteps": 1000})
    process_from_diffusers({**config, "num_train_timesteps": 10})


OWN_BETAS = ("beta_start", "beta_end", "beta_schedule")


def test_the_default_betas_are_those_of_the_class():
    diffusers = pytest.importorskip("diffusers")
    compared = 0
    for name in SAMPLERS:
        parameters = signature(getattr(diffusers, name)).parameters
        if "beta_start" not in parameters:  # some classes need further packages
            continue
        given = {key: parameters[key].default for key in OWN_BETAS}
        by_default = process_from_diffusers({"_class_name": name})
        assert by_default == process_from_diffusers({"_class_name": name, **given})
        compared += 1
    assert compared > 15


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sigma_min", 0.1),
        ("sigma_max", 10.0),
        ("final_sigmas_type", "sigma_min"),
        ("interpolation_type", "log_linear"),
        ("lambda_min_clipped", -5.1),
        ("use_beta_sigmas", True),
        ("use_lu_lambdas", True),
        ("rho", 7.0),
        ("variance_type", "learned_range"),
        ("variance_type", "learned"),
        ("set_alpha_to_one", False),
        ("clip_sample", True),
        ("gamma", 0.5),
    ],
)
def test_an_option_that_is_not_followed_is_reported(option, value):
    config = {"_class_name": "DPMSolverMultistepScheduler"}
    assert len(scheduler_notes({**config, option: value})) == len(scheduler_notes(config)) + 1
    key = "learned variance" if option == "variance_type" else option
    assert sum(key in note for note in scheduler_notes({**config, option: value})) == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sigma_min", None),
        ("final_sigmas_type", "zero"),
        ("lambda_min_clipped", float("-inf")),
        ("variance_type", None),
        ("variance_type", "fixed_small"),
        ("solver_order", 3),
        ("flow_shift", 3.0),
        ("_diffusers_version", "0.1"),
        ("gamma", None),
    ],
)
def test_an_option_without_effect_is_not_reported(option, value):
    config = {"_class_name": "DPMSolverMultistepScheduler"}
    assert scheduler_notes({**config, option: value}) == scheduler_notes(config)


def test_a_misspelt_option_is_refused():
    with pytest.raises(InvalidConfigError, match=r"'predition_type'.*Did you mean"):
        scheduler_notes({"_class_name": "DDIMScheduler", "predition_type": "v_prediction"})


def test_options_for_several_spacings_of_sigmas_are_refused():
    several = {"use_karras_sigmas": True, "use_beta_sigmas": True}
    with pytest.raises(InvalidConfigError, match="use_karras_sigmas and use_beta_sigmas"):
        process_from_diffusers({"_class_name": "EulerDiscreteScheduler", **several})


def test_an_option_of_other_classes_has_no_effect():
    config = {"_class_name": "PNDMScheduler", "clip_sample": True, "rescale_betas_zero_snr": True}
    process = process_from_diffusers(config)
    assert process["clip_x0"] is None
    assert not process["zero_terminal_snr"]


@pytest.mark.parametrize(("name", "sampler"), SAMPLERS.items())
def test_another_sampler_than_the_default_is_reported(name, sampler):
    notes = scheduler_notes({"_class_name": name, "clip_sample": False})
    assert any(name in note for note in notes) == (sampler != "ddim")
    if sampler is not None:
        assert sampler in default_atelier().samplers.names()
        assert sampler == "ddim" or any(sampler in note for note in notes)


@pytest.mark.parametrize(("name", "sampler"), [("LCMScheduler", "lcm"), ("TCDScheduler", "ddim")])
def test_a_distilled_model_draws_in_a_few_steps_without_guidance(name, sampler):
    found = defaults_from_diffusers({"_class_name": name})
    assert (found["sampler"], found["steps"], found["guidance"]) == (sampler, 4, 1.0)
    assert found["schedule"]["options"] == {"spacing": "trailing"}
