"""Lifecycle hooks are called one plugin at a time; one that fails affects no other."""

import pytest

from latelier import hookimpl
from latelier.contracts.errors import PluginError
from latelier.kernel import dispatcher as dispatching
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy


class Observer:
    def __init__(self, error=None):
        self.events = []
        self.error = error

    @hookimpl
    def latelier_images_finished(self, pictures):
        self.events.append(list(pictures))
        if self.error:
            raise self.error

    @hookimpl
    def latelier_pipeline_composed(self, pipeline):
        self.events.append(pipeline)


def atelier(strict=False, **plugins):
    made = Atelier(policy=Policy(), candidates=[], strict=strict)
    for name, plugin in plugins.items():
        made.register(plugin, name)
    return made


def test_every_plugin_is_called_once_for_each_event():
    one, two = Observer(), Observer()
    dispatcher = atelier(one=one, two=two).dispatcher()
    dispatcher.emit("latelier_images_finished", pictures=(1, 2))
    dispatcher.emit("latelier_images_finished", pictures=(3,))
    assert one.events == two.events == [[1, 2], [3]]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(2), BaseException("panic")])
def test_a_failing_plugin_is_disabled_for_the_rest_of_the_run(caplog, error):
    failing, sound = Observer(error), Observer()
    made = atelier(failing=failing, sound=sound)
    dispatcher = made.dispatcher()
    dispatcher.emit("latelier_images_finished", pictures=(1,))
    dispatcher.emit("latelier_images_finished", pictures=(2,))
    dispatcher.emit("latelier_pipeline_composed", pipeline="p")
    assert failing.events == [[1]]
    assert sound.events == [[1], [2], "p"]
    assert list(dispatcher.quarantined) == ["failing:Observer"]
    assert caplog.text.count("latelier_images_finished of plugin 'failing:Observer' raised") == 1
    made.dispatcher().emit("latelier_images_finished", pictures=(3,))
    assert failing.events == [[1], [3]]


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError


def test_an_exception_whose_str_fails_is_reported(caplog):
    dispatcher = atelier(failing=Observer(UnspeakableError())).dispatcher()
    dispatcher.emit("latelier_images_finished", pictures=())
    assert "raised UnspeakableError: its message cannot be read" in caplog.text


def test_strict_mode_raises():
    dispatcher = atelier(strict=True, failing=Observer(ValueError("broken"))).dispatcher()
    message = "latelier_images_finished of plugin 'failing:Observer' raised ValueError: broken"
    with pytest.raises(PluginError, match=message):
        dispatcher.emit("latelier_images_finished", pictures=())


def test_an_interrupt_propagates():
    dispatcher = atelier(failing=Observer(KeyboardInterrupt())).dispatcher()
    with pytest.raises(KeyboardInterrupt):
        dispatcher.emit("latelier_images_finished", pictures=())


class Counter:
    """Names some arguments, in another order."""

    def __init__(self):
        self.events = []

    @hookimpl
    def latelier_after_step(self, sigma, step):
        self.events.append((step, sigma))

    @hookimpl
    def latelier_before_step(self, run):
        self.events.append(run)


def test_a_hook_receives_only_the_arguments_it_declares():
    counter = Counter()
    dispatcher = atelier(counter=counter).dispatcher()
    dispatcher.emit("latelier_before_step", step=1, steps=2, sigma=1.0)
    dispatcher.emit("latelier_after_step", step=1, steps=2, sigma=0.5, snapshot=None)
    assert counter.events == [dispatcher.run, (1, 0.5)]


def test_tryfirst_and_trylast_set_the_order():
    calls = []

    def ordered(name, **options):
        class Ordered:
            @hookimpl(**options)
            def latelier_before_step(self):
                calls.append(name)

        return Ordered()

    dispatcher = atelier(
        a=ordered("last", trylast=True), b=ordered("any"), c=ordered("first", tryfirst=True)
    ).dispatcher()
    dispatcher.emit("latelier_before_step", step=1, steps=1, sigma=1.0)
    assert calls == ["first", "any", "last"]


def test_every_run_has_a_unique_identifier():
    made = atelier()
    assert len({made.dispatcher().run for _ in range(9)}) == 9


class Sleeper:
    @hookimpl
    def latelier_before_step(self, step):
        dispatching.perf_counter.now += 0.3 if step < 4 else 0.0

    @hookimpl
    def latelier_after_step(self, step):
        dispatching.perf_counter.now += 0.3 if step < 4 else 0.0


class Clock:
    """Stands still unless a hook moves it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(dispatching, "perf_counter", found)
    return found


def steps(dispatcher, clock, between):
    for step in (1, 2, 3, 4, 5):
        dispatcher.emit("latelier_before_step", step=step, steps=5, sigma=1.0)
        clock.now += between
        dispatcher.emit("latelier_after_step", step=step, steps=5, sigma=1.0, snapshot=None)


def test_a_slow_plugin_is_named_once_and_its_hooks_go_on(caplog, clock):
    dispatcher = atelier(sleepy=Sleeper(), quick=Counter()).dispatcher()
    steps(dispatcher, clock, between=0.1)
    assert dispatcher.seconds["sleepy:Sleeper"] == pytest.approx(1.8)
    assert dispatcher.seconds["quick:Counter"] == 0
    assert dispatcher.quarantined == {}
    (record,) = caplog.records
    assert record.getMessage() == (
        "the hooks of plugin 'sleepy:Sleeper' are slow: they took 0.6 s of the 0.7 s of this run, "
        "latelier_after_step most recently; `latelier plugins disable sleepy:Sleeper` disables "
        "the plugin"
    )


def test_a_hook_is_not_slow_if_its_share_of_the_run_is_small(caplog, clock):
    dispatcher = atelier(sleepy=Sleeper()).dispatcher()
    clock.now += 60
    steps(dispatcher, clock, between=1)
    assert dispatcher.seconds["sleepy:Sleeper"] > dispatching.BUDGET_SECONDS
    assert caplog.text == ""


def test_the_time_of_a_failing_hook_counts(clock):
    class Both(Sleeper):
        @hookimpl
        def latelier_before_step(self, step):
            dispatching.perf_counter.now += 2
            raise ValueError

    dispatcher = atelier(both=Both()).dispatcher()
    steps(dispatcher, clock, between=0.1)
    assert dispatcher.seconds == {"both:Both": 2}
    assert list(dispatcher.quarantined) == ["both:Both"]


class Recursive:
    """Starts another run in every hook."""

    def __init__(self):
        self.events = 0
        self.atelier = None

    @hookimpl
    def latelier_images_finished(self, pictures):
        self.events += 1
        self.atelier.dispatcher().emit("latelier_images_finished", pictures=())


def test_hooks_are_not_called_for_a_run_that_a_hook_starts():
    plugin, other = Recursive(), Observer()
    plugin.atelier = atelier(plugin=plugin, other=other)
    dispatcher = plugin.atelier.dispatcher()
    for _ in range(2):
        dispatcher.emit("latelier_images_finished", pictures=(1,))
    assert plugin.events == 2
    assert other.events == [[1], [1]]
