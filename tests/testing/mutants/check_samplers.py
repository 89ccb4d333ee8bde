"""The kit over faulty samplers, each with the one check that is to catch it."""

from latelier.testing import SamplerContract

CAUGHT_BY = {
    "euler": None,
    "heun": None,
    "ancestral": None,
    "calls_twice": "test_it_makes_the_calls_that_it_declares",
    "at_sigma_0": "test_the_model_is_never_asked_at_sigma_0",
    "tells_where_it_was": "test_one_step_for_each_interval",
    "one_step_too_few": "test_one_step_for_each_interval",
    "looks_before_it_is_asked": "test_closing_it_early_stops_the_work",
    "works_in_place": "test_no_tensor_is_changed_once_it_is_out_of_hand",
    "adams": "test_its_order_is_that_declared",
    "wrong_main_order": "test_its_main_order_is_that_declared",
    "nan_preview": "test_outputs_are_finite",
    "half_precision": "test_the_state_is_float32_at_least",
    "collapses": "test_an_image_differs_from_its_neighbours",
    "over_the_batch": "test_an_image_is_the_same_alone_and_in_a_batch",
    "keeps_in_module": "test_runs_do_not_disturb_each_other",
    "noise_of_its_own": "test_it_draws_no_numbers_of_its_own",
    "undeclared_noise": "test_noise_is_drawn_if_it_is_declared",
    "mute_option": "test_its_options_are_described",
    "needed_option": "test_its_options_have_defaults",
    "any_option": "test_it_refuses_unknown_options",
}
OPTIONS = {"needed_option": {"strength": 0.5}}

for _name in CAUGHT_BY:
    _fields = {"component": f"latelier-mutants/{_name}", "options": OPTIONS.get(_name, {})}
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (SamplerContract,), _fields)
