"""The kit over faulty adapters, each with the one check that is to catch it."""

import torch

from latelier.nn.low_rank import create_low_rank
from latelier.testing import (
    AttentionAdapterContract,
    ResidualAdapterContract,
    WeightAdapterContract,
)

ATTENTIONS = {
    "resampler": None,
    "wrong_width_adapter": "test_it_adds_what_a_layer_can_take",
    "sees_masked_adapter": "test_masked_tokens_change_nothing",
    "ignores_the_tokens": "test_tokens_change_what_it_adds",
}
RESIDUALS = {
    "sketch": None,
    "another_block": "test_its_residuals_are_for_the_blocks_of_its_config",
    "acts_without_a_hint": "test_a_row_without_a_hint_gets_no_residual",
    "ignores_the_hint": "test_the_hint_changes_the_residuals",
    "mean_of_the_batch_adapter": "test_rows_are_independent",
    "changes_t": "test_it_leaves_its_arguments_alone",
    "fits_all": "test_another_denoiser_or_conditioner_is_refused",
}
WEIGHTS = {
    "plain": None,
    "misaddressed": "test_its_changes_are_of_parameters_of_the_model",
    "not_finite": "test_a_difference_is_finite_and_of_the_weights_shape",
    "changes_weights": "test_it_changes_no_weight_in_place",
    "writes_half": "test_its_file_is_read_again",
    "recognizes_all": "test_it_recognizes_its_files_alone",
    "takes_any_model": "test_a_file_for_another_model_is_refused",
    "naked_file_error": "test_a_damaged_file_is_one_clear_error",
}
CAUGHT_BY = {**ATTENTIONS, **RESIDUALS, **WEIGHTS}


class _Attentions(AttentionAdapterContract):
    config = {"width": 6, "layers": {"middle.attn": 8}}


class _Weights(WeightAdapterContract):
    def create(self, layers):
        changes = {address: create_low_rank(layer, 2, 1.0) for address, layer in layers.items()}
        for change in changes.values():
            torch.nn.init.normal_(change.up)
        return self.kind_class(changes).eval().requires_grad_(False)


for _name in CAUGHT_BY:
    _base = (
        _Attentions
        if _name in ATTENTIONS
        else ResidualAdapterContract
        if _name in RESIDUALS
        else _Weights
    )
    _fields = {"component": f"latelier-mutants/{_name}"}
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (_base,), _fields)
