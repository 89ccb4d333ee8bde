"""Messages about what to install."""

import pytest

from latelier.contracts.messages import pip_install


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (("latelier-foo",), {}, "pip install latelier-foo"),
        (("latelier-foo", "1.2"), {}, "pip install 'latelier-foo>=1.2'"),
        (("latelier-foo",), {"upgrade": True}, "pip install --upgrade latelier-foo"),
        (
            ("latelier-palette", "1.2"),
            {},
            "pip install ./plugins/latelier-palette in a checkout of latelier",
        ),
    ],
)
def test_pip_install_names_the_plugin(arguments, keywords, message):
    assert pip_install(*arguments, **keywords) == message
