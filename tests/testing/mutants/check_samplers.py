"""The kit over faulty samplers, each with the one check that is to catch it."""

from latelier.testing import SamplerContract

CAUGHT_BY = {
    "euler": None,
    "heun": None,
    "midpoint": None,
    "ancestral": None,
    "calls_twice": "test_it_makes_the_calls_that_it_declares",
    "at_sigma_0": "test_the_model_is_never_called_at_sigma_0",
    "tells_where_it_was": "test_one_step_for_each_interval",
    "one_step_too_few": "test_one_step_for_each_interval",
    "looks_before_it_is_asked": "test_closing_it_early_stops_the_work",
    "works_in_place": "test_no_tensor_is_changed_after_it_is_passed_on",
    "adams": "test_its_order_is_the_declared_one",
    "wrong_main_order": "test_its_main_order_is_the_declared_one",
    "nan_preview": "test_outputs_are_finite",
    "single_precision": "test_it_keeps_the_precision_of_x",
    "collapses": "test_an_image_differs_from_its_neighbours",
    "over_the_batch": "test_an_image_is_the_same_alone_and_in_a_batch",
    "keeps_in_module": "test_runs_do_not_disturb_each_other",
    "noise_of_its_own": "test_it_draws_no_other_random_numbers",
    "undeclared_noise": "test_it_draws_noise_if_it_declares_so",
    "mute_option": "test_its_options_are_described",
    "needed_option": "test_its_options_have_defaults",
    "any_option": "test_it_refuses_unknown_options",
}
OPTIONS = {"needed_option": {"strength": 0.5}}

for _name in CAUGHT_BY:
    _fields = {"component": f"latelier-mutants/{_name}", "options": OPTIONS.get(_name, {})}
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (SamplerContract,), _fields)
