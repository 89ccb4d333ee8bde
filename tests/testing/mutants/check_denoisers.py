"""The kit over faulty denoisers, each with the one check that is to catch it."""

from latelier.testing import DenoiserContract

CAUGHT_BY = {
    "mixer": None,
    "absent_has_a_bias": "test_an_absent_stream_counts_for_nothing",
    "sees_masked": "test_masked_tokens_change_nothing",
    "nan_backward": "test_gradients_of_a_masked_stream_are_finite",
    "deaf_to_the_label": "test_everything_told_changes_the_prediction",
    "twice_the_channels": "test_its_prediction_is_like_x",
    "mean_of_the_batch": "test_one_image_is_as_it_is_in_a_batch",
    "ignores_the_unknown": "test_a_condition_that_does_not_fit_is_one_clear_error",
    "ignores_controls": "test_a_control_that_it_does_not_honour_is_one_clear_error",
}

for _name in CAUGHT_BY:
    _fields = {"component": f"latelier-mutants/{_name}"}
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (DenoiserContract,), _fields)
