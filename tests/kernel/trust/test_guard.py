import pytest

from latelier.contracts.errors import PluginError
from latelier.kernel.trust.guard import guard_plugin


class Panic(BaseException):
    pass


def fail(error: BaseException) -> None:
    with guard_plugin("the sampler 'mine'"):
        raise error


@pytest.mark.parametrize("error", [SystemExit(3), Panic("now")])
def test_what_would_end_the_process_is_an_error_of_the_plugin(error):
    with pytest.raises(PluginError, match=r"the sampler 'mine' failed: (SystemExit: 3|Panic: now)"):
        fail(error)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("x"), GeneratorExit()])
def test_other_errors_pass(error):
    with pytest.raises(type(error)):
        fail(error)
