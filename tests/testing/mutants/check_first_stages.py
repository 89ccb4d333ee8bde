"""The kit over faulty first stages, each with the one check that is to catch it."""

from latelier.testing import FirstStageContract

CAUGHT_BY = {
    "blocks": None,
    "forgets_its_scale": "test_its_scale_is_in_the_latents",
    "zero_to_one": "test_images_come_back_as_they_were",
    "boasting": "test_latents_are_of_the_size_that_its_config_says",
    "crops_the_edge": "test_images_come_back_as_large_as_they_were",
    "of_the_batch_stage": "test_one_image_is_as_it_is_in_a_batch",
    "same": "test_images_that_differ_have_latents_that_differ",
    "decodes_detached": "test_decoding_is_differentiable",
    "takes_anything": "test_images_that_do_not_fit_are_one_clear_error",
}
INEXACT = {"crops_the_edge", "of_the_batch_stage", "same"}

for _name in CAUGHT_BY:
    _fields = {
        "component": f"latelier-mutants/{_name}",
        "exact": None if _name in INEXACT else 1e-5,
    }
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (FirstStageContract,), _fields)
