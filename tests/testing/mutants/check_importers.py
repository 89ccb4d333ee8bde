"""The kit over faulty importers, each with the one check that is to catch it."""

import torch
from safetensors.torch import save_file

from latelier.testing import ImporterContract

OF_KEYS = {
    "notes_alone": (None, "alone"),
    "recognizes_nothing": ("test_it_recognizes_its_format", "nothing"),
    "reads_to_recognize": ("test_recognizing_reads_no_tensor", "reads"),
    "greedy": ("test_it_recognizes_nothing_else", "greedy"),
    "twin": ("test_no_other_importer_recognizes_its_format", "notes"),
    "half_read": ("test_its_parts_can_be_built", "half"),
    "without_a_process": ("test_a_whole_model_has_a_process_and_a_size", "process"),
    "feeds_nothing": ("test_its_inputs_feed_its_conditioners", "feeds"),
    "remembers": ("test_reading_twice_gives_the_same", "remembers"),
    "key_errors": ("test_missing_tensors_raise_a_clear_error", "keys"),
    "fetches": ("test_it_opens_no_connection", "fetches"),
    "converts": ("test_it_starts_no_process", "converts"),
    "caches": ("test_it_writes_no_files", "caches"),
}
CAUGHT_BY = {name: check for name, (check, _) in OF_KEYS.items()}


def contract(name, key):
    class Contract(ImporterContract):
        component = f"latelier-mutants/{name}"

        def source(self, folder):
            save_file({f"blocks.gain.{key}": torch.ones(12)}, folder / "a.safetensors")
            return folder / "a.safetensors"

    return Contract


for _name, (_, _key) in OF_KEYS.items():
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (contract(_name, _key),), {})
