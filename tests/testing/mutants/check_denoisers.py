"""The kit over faulty denoisers, each with the one check that is to catch it."""

from latelier.testing import DenoiserContract

CAUGHT_BY = {
    "mixer": None,
    "absent_has_a_bias": "test_an_absent_stream_adds_nothing",
    "sees_masked": "test_masked_tokens_change_nothing",
    "nan_backward": "test_a_masked_stream_has_no_gradient",
    "deaf_to_the_label": "test_every_input_changes_the_prediction",
    "twice_the_channels": "test_the_prediction_has_the_shape_of_x",
    "mean_of_the_batch": "test_rows_of_a_batch_are_independent",
    "ignores_the_unknown": "test_a_wrong_condition_raises_one_clear_error",
    "ignores_controls": "test_an_unknown_control_raises_one_clear_error",
    "ignores_the_wrapper": "test_a_wrapper_computes_the_self_attentions",
    "ignores_the_branch": "test_a_deep_branch_that_is_kept_is_not_computed",
}

UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 8,
    "channel_mult": (1, 2),
    "num_res_blocks": 1,
    "attention_resolutions": (2,),
    "num_heads": 2,
    "num_groups": 4,
}
CONFIGS = dict.fromkeys(("ignores_the_wrapper", "ignores_the_branch"), UNET)

for _name in CAUGHT_BY:
    _fields = {"component": f"latelier-mutants/{_name}", "config": CONFIGS.get(_name, {})}
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (DenoiserContract,), _fields)
