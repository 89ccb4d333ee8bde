"""The contract of conditioners."""

from latelier.testing.conditioner_checks.clients import ClientChecks
from latelier.testing.conditioner_checks.inputs import InputChecks
from latelier.testing.conditioner_checks.null import NullChecks
from latelier.testing.conditioner_checks.parts import PartChecks
from latelier.testing.conditioner_checks.places import PlaceChecks
from latelier.testing.conditioner_checks.prepare import PrepareChecks


class ConditionerContract(
    InputChecks, ClientChecks, PrepareChecks, PartChecks, NullChecks, PlaceChecks
):
    """The contract of conditioners. A plugin's own test file:

        from latelier.testing import ConditionerContract

        class TestPalette(ConditionerContract):
            component = "latelier-palette/palette"
            config = {"width": 128}
            inputs = [["#ff0000"], ["#00ff00", "#0000ff"]]
            bad_inputs = [["no colour"]]

    Override `equip` for what it needs besides its config, such as a vocabulary.

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        config: the fields to build it with; small, so that the tests are fast.
        inputs: at least two that differ, as people give them, in the short or the long form.
        bad_inputs: values that it must refuse.
        geometry: of the picture that inputs are prepared for; with a first stage if it needs one.
        reach: cells of latents around a box that maps may change too, as a first stage that encodes
            them sees beyond each cell.
    """  # noqa: D415
