"""The kit over faulty first stages, each with the one check that is to catch it."""

from latelier.testing import FirstStageContract

CAUGHT_BY = {
    "blocks": None,
    "completing": None,
    "forgets_its_scale": "test_latents_are_multiplied_by_the_scale_factor",
    "zero_to_one": "test_images_survive_encoding_and_decoding",
    "boasting": "test_latents_have_the_configured_shape",
    "crops_the_edge": "test_decoded_images_have_the_shape_of_the_encoded",
    "of_the_batch_stage": "test_rows_of_a_batch_are_independent",
    "same": "test_different_images_have_different_latents",
    "decodes_detached": "test_decoding_is_differentiable",
    "takes_anything": "test_wrong_images_raise_one_clear_error",
    "sees_tiles": "test_known_pixels_are_added_in_tiles_as_in_the_whole",
    "takes_any_known": "test_known_pixels_of_a_wrong_shape_raise_one_clear_error",
}
INEXACT = {"crops_the_edge", "of_the_batch_stage", "same"}

for _name in CAUGHT_BY:
    _fields = {
        "component": f"latelier-mutants/{_name}",
        "max_error": None if _name in INEXACT else 1e-5,
    }
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (FirstStageContract,), _fields)
