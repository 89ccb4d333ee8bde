"""The kit over faulty measures, each with the one check that is to catch it."""

from latelier.testing import MeasureContract

CAUGHT_BY = {
    "contrast": None,
    "lists_needs": "test_its_needs_are_declared",
    "needs_without_word": "test_it_uses_no_more_than_it_needs",
    "lists_numbers": "test_its_columns_have_a_row_for_each_picture",
    "centres_the_rows": "test_a_row_depends_on_its_picture_alone",
    "wipes_pictures": "test_it_changes_no_pictures",
    "changes_figures": "test_it_is_deterministic",
    "seeds_the_run": "test_it_leaves_the_global_random_state_alone",
    "mean_of_means": "test_chunks_do_not_matter",
    "untitled": "test_its_figures_are_described",
    "swaps_ends": "test_its_figures_are_numbers",
}


def contract(name):
    class Contract(MeasureContract):
        component = f"latelier-mutants/{name}"
        config = {"tiles": 2}

    return Contract


for _name in CAUGHT_BY:
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (contract(_name),), {})
