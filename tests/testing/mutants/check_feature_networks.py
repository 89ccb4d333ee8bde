"""The kit over faulty feature networks, each with the one check that is to catch it."""

from latelier.testing import FeatureNetworkContract

CAUGHT_BY = {
    "shades": None,
    "nameless": "test_it_says_what_it_is",
    "double_precision": "test_its_features_have_the_declared_shape",
    "width_of_the_tiles": "test_its_features_have_the_declared_shape",
    "log_of_zero": "test_features_are_finite",
    "with_gradients": "test_it_is_frozen",
    "flickers": "test_it_is_deterministic",
    "seeds_all": "test_it_leaves_the_global_random_state_alone",
    "of_the_batch_network": "test_each_picture_as_if_alone",
    "moving_mean": "test_the_order_of_calls_does_not_matter",
    "blind": "test_different_pictures_have_different_features",
    "one_identity": "test_other_features_have_another_identity",
    "takes_floats": "test_other_tensors_raise_one_clear_error",
    "downloads": "test_it_opens_no_connection",
    "keeps_pictures": "test_it_writes_no_files",
}


def contract(name):
    class Contract(FeatureNetworkContract):
        component = f"latelier-mutants/{name}"
        config = {"tiles": 2}
        others = ({"tiles": 3},)

    return Contract


for _name in CAUGHT_BY:
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (contract(_name),), {})
