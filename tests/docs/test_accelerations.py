"""docs/accelerations.md lists every acceleration, with the defaults of its options."""

import re
from pathlib import Path

from latelier.contracts.options import options_model

PAGE = (Path(__file__).parents[2] / "docs" / "accelerations.md").read_text()


def test_the_table_has_every_acceleration_and_its_defaults(built_ins):
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE))
    assert set(rows) == set(built_ins.accelerations.names())
    for name, row in rows.items():
        for option, field in options_model(built_ins.accelerations.get(name)).model_fields.items():
            assert re.search(
                rf"`{option}`[^|`]*\({field.default}\)|`{option}` \({field.default}\)", row
            )
