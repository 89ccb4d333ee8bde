"""The kit over faulty schedules, each with the one check that is to catch it."""

from latelier.testing import ScheduleContract

CHECKS = {
    "geometric": None,
    "not_decreasing": "test_sigmas_decrease",
    "one_too_many": "test_it_makes_the_requested_steps",
    "tensors": "test_sigmas_are_finite_floats",
    "beyond": "test_sigmas_lie_where_the_model_was_trained",
    "other_frame": "test_its_frame_is_that_of_the_process",
    "another_each_time": "test_the_same_arguments_give_the_same_grid",
    "fits_nothing": "test_it_fits_a_process",
    "asks_in_vain": "test_it_depends_on_the_size_if_it_asks_for_it",
    "naked_error": "test_a_process_that_does_not_fit_is_one_clear_error",
    "zero_steps": "test_fewer_steps_than_one_are_refused",
}
CAUGHT_BY = {f"schedule_{name}": check for name, check in CHECKS.items()}

for _name in CAUGHT_BY:
    _fields = {"component": f"latelier-mutants/{_name}"}
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (ScheduleContract,), _fields)
