"""The kit over faulty accelerations, each with the one check that is to catch it."""

from latelier.testing import AccelerationContract

CAUGHT_BY = {
    "skips": None,
    "always_double": "test_its_estimates_are_like_x",
    "infinite_at_the_end": "test_outputs_are_finite",
    "never_exact": "test_exact_it_has_the_bits_of_the_model",
    "always_exact": "test_it_approximates",
    "centres_the_batch": "test_each_image_as_if_alone",
    "forgets_the_condition": "test_each_condition_as_if_alone",
    "one_number": "test_a_sigma_for_each_image",
    "in_the_module": "test_runs_do_not_disturb_each_other",
    "counts_calls": "test_a_run_may_go_back",
    "loses_controls": "test_controls_reach_the_model",
    "undivided": "test_calls_may_be_divided",
    "scales_in_place": "test_no_tensor_of_others_is_changed",
    "jitters": "test_it_draws_no_random_numbers",
    "any_denoiser": "test_a_model_that_it_cannot_accelerate_is_one_clear_error",
}

for _name in CAUGHT_BY:
    _fields = {"component": f"latelier-mutants/{_name}", "exact": {"interval": 1}}
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (AccelerationContract,), _fields)
