"""The kit over faulty guidance rules, each with the one check that is to catch it."""

from latelier.testing import GuidanceContract

CAUGHT_BY = {
    "extrapolated": None,
    "both_at_1": "test_alone_it_is_the_condition_alone",
    "other_precision": "test_its_estimate_is_like_x",
    "nan_at_the_end": "test_outputs_are_finite",
    "does_nothing": "test_it_guides",
    "forgets_the_size": "test_it_keeps_what_null_lacks",
    "of_the_batch": "test_each_image_as_if_alone",
    "one_sigma": "test_a_sigma_for_each_image",
    "keeps_momentum": "test_runs_do_not_disturb_each_other",
    "in_place": "test_no_tensor_of_others_is_changed",
    "dithers": "test_it_draws_no_random_numbers",
}

for _name in CAUGHT_BY:
    _fields = {"component": f"latelier-mutants/{_name}"}
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (GuidanceContract,), _fields)
