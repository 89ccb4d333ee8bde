"""The kit over faulty conditioners, each with the one check that is to catch it."""

from latelier.testing import ConditionerContract


class BeadsContract(ConditionerContract):
    config = {"width": 6}
    inputs = [["#ff0000"], {"colors": ["#00ff00", "#0000ff"]}, ["#ff00ff"]]
    bad_inputs = [["no colour"], [], ["red"] * 5, {"colours": ["red"]}]


class TileContract(ConditionerContract):
    config = {"width": 8}
    inputs = [
        {"color": "red", "box": [0, 0, 0.5, 0.5]},
        {"color": "blue", "box": [0.25, 0.5, 1, 1]},
    ]
    bad_inputs = [{"color": "red", "box": [0.5, 0, 0.5, 1]}, "red"]


class PlaneContract(ConditionerContract):
    config = {}
    inputs = ["red", "blue"]
    bad_inputs = ["no colour"]


FAULTLESS = {"beads": BeadsContract, "fixed_length": BeadsContract}
FAULTLESS |= {"tile": TileContract, "plane": PlaneContract}

OF_BEADS = {
    "wrong_width": "test_its_widths_are_those_of_its_config",
    "drops_doubles": "test_there_is_a_row_for_each_input",
    "reuses_its_output": "test_guidance_1_is_the_condition_alone",
    "prepares_names": "test_prepare_gives_cpu_tensors",
    "batch_second": "test_prepare_has_the_batch_first",
    "constant": "test_inputs_that_differ_give_parts_that_differ",
    "ignores_mask": "test_padding_changes_nothing",
    "inverts_mask": "test_what_differs_is_not_masked",
    "not_a_number": "test_outputs_are_finite",
    "normalises_over_batch": "test_one_input_is_as_it_is_in_a_batch",
    "null_of_the_last": "test_null_does_not_depend_on_inputs",
    "null_of_another_slot": "test_null_can_stand_where_the_part_stood",
    "null_that_counts": "test_null_is_the_same_for_every_row",
    "scales_its_cache": "test_it_keeps_no_state_between_calls",
    "shares_a_scratch": "test_threads_can_share_it",
    "differs_each_time": "test_it_is_deterministic",
    "uses_global_state": "test_it_leaves_the_global_random_state_alone",
    "draws_in_prepare": "test_prepare_draws_no_random_numbers",
    "augments_by_global_state": "test_augment_draws_from_the_generator_it_is_given",
    "null_on_cpu": "test_outputs_are_on_the_device_of_the_weights",
    "null_in_float32": "test_outputs_have_the_precision_of_the_weights",
    "plain_attribute": "test_its_weights_survive_a_file",
    "without_gradient": "test_it_is_differentiable",
    "prepares_with_weights": "test_prepare_touches_no_weights",
    "writes_home": "test_it_writes_no_files",
    "opens_socket": "test_it_opens_no_connection",
    "starts_process": "test_it_starts_no_process",
    "cuts_off": "test_a_bad_input_is_refused",
    "naked_error": "test_a_refusal_is_one_clear_error",
    "window_dims": "test_a_window_of_the_whole_changes_nothing",
    "lax_config": "test_its_config_refuses_unknown_fields",
    "mute_config": "test_its_config_is_described",
    "forgetful_config": "test_its_config_survives_a_round_trip",
    "promising_config": "test_it_fills_the_slots_that_its_config_gives",
    "lax_input": "test_its_input_refuses_what_it_does_not_know",
    "mute_input": "test_its_input_is_described",
    "forgetful_input": "test_its_input_survives_a_round_trip",
    "opens_files": "test_a_client_cannot_open_a_file",
    "tells_of_files": "test_a_client_does_not_learn_which_files_exist",
    "other_input": "test_it_names_its_input",
    "torch_inputs": "test_its_schemas_do_not_import_torch",
}
OF_TILES = {
    "box_as_size": "test_what_a_box_changes_lies_in_it",
    "corners_as_size": "test_boxes_that_differ_give_parts_that_differ",
}
OF_PLANES = {
    "output_size": "test_a_map_is_of_latent_size",
    "straight_alpha": "test_what_it_knows_of_pixels_is_premultiplied_color",
}


def contracts():
    yield from FAULTLESS.items()
    for base, mutants in (
        (BeadsContract, OF_BEADS),
        (TileContract, OF_TILES),
        (PlaneContract, OF_PLANES),
    ):
        yield from ((name, base) for name in mutants)


for _name, _base in contracts():
    _class = f"Test_{_name}"
    globals()[_class] = type(_class, (_base,), {"component": f"latelier-mutants/{_name}"})


class Test_forgetful_config(BeadsContract):
    component = "latelier-mutants/forgetful_config"
    config = {"order": 1}


class Test_forgetful_input(BeadsContract):
    component = "latelier-mutants/forgetful_input"
    inputs = [["#ff0000"], {"colors": ["#00ff00"], "order": 1}]


class Test_torch_plugin(BeadsContract):
    component = "latelier-torch-mutant/torch_plugin"


CAUGHT_BY = {
    **dict.fromkeys(FAULTLESS),
    **OF_BEADS,
    **OF_TILES,
    **OF_PLANES,
    "torch_plugin": "test_registering_does_not_import_torch",
}
