"""Lifecycle hooks: told one plugin at a time; one that fails hurts nobody."""

import pytest

from latelier import hookimpl
from latelier.contracts.errors import PluginError
from latelier.kernel import dispatcher as announcing
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy


class Listener:
    def __init__(self, error=None):
        self.told = []
        self.error = error

    @hookimpl
    def latelier_images_finished(self, pictures):
        self.told.append(list(pictures))
        if self.error:
            raise self.error

    @hookimpl
    def latelier_pipeline_composed(self, pipeline):
        self.told.append(pipeline)


def atelier(strict=False, **listeners):
    made = Atelier(policy=Policy(), candidates=[], strict=strict)
    for name, listener in listeners.items():
        made.register(listener, name)
    return made


def test_every_plugin_is_told_once_for_each_event():
    one, two = Listener(), Listener()
    dispatcher = atelier(one=one, two=two).dispatcher()
    dispatcher.emit("latelier_images_finished", pictures=(1, 2))
    dispatcher.emit("latelier_images_finished", pictures=(3,))
    assert one.told == two.told == [[1, 2], [3]]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(2)])
def test_a_failing_plugin_is_left_out_for_the_rest_of_the_run(caplog, error):
    failing, sound = Listener(error), Listener()
    made = atelier(failing=failing, sound=sound)
    dispatcher = made.dispatcher()
    dispatcher.emit("latelier_images_finished", pictures=(1,))
    dispatcher.emit("latelier_images_finished", pictures=(2,))
    dispatcher.emit("latelier_pipeline_composed", pipeline="p")
    assert failing.told == [[1]]
    assert sound.told == [[1], [2], "p"]
    assert list(dispatcher.quarantined) == ["failing:Listener"]
    assert caplog.text.count("latelier_images_finished of plugin 'failing:Listener' raised") == 1
    made.dispatcher().emit("latelier_images_finished", pictures=(3,))
    assert failing.told == [[1], [3]]


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError


def test_an_error_that_cannot_say_what_it_is(caplog):
    dispatcher = atelier(failing=Listener(UnspeakableError())).dispatcher()
    dispatcher.emit("latelier_images_finished", pictures=())
    assert "raised UnspeakableError: its message cannot be read" in caplog.text


def test_strict_raises():
    dispatcher = atelier(strict=True, failing=Listener(ValueError("broken"))).dispatcher()
    said = "latelier_images_finished of plugin 'failing:Listener' raised ValueError: broken"
    with pytest.raises(PluginError, match=said):
        dispatcher.emit("latelier_images_finished", pictures=())


def test_an_interrupt_passes():
    dispatcher = atelier(failing=Listener(KeyboardInterrupt())).dispatcher()
    with pytest.raises(KeyboardInterrupt):
        dispatcher.emit("latelier_images_finished", pictures=())


class Counter:
    """InputSpec no argument but those it names, in an order of its own."""

    def __init__(self):
        self.told = []

    @hookimpl
    def latelier_after_step(self, sigma, step):
        self.told.append((step, sigma))

    @hookimpl
    def latelier_before_step(self, run):
        self.told.append(run)


def test_a_plugin_takes_the_arguments_that_it_needs():
    counter = Counter()
    dispatcher = atelier(counter=counter).dispatcher()
    dispatcher.emit("latelier_before_step", step=1, steps=2, sigma=1.0)
    dispatcher.emit("latelier_after_step", step=1, steps=2, sigma=0.5, snapshot=None)
    assert counter.told == [dispatcher.run, (1, 0.5)]


def test_first_and_last_are_told_first_and_last():
    told = []

    def listener(name, **options):
        class Ordered:
            @hookimpl(**options)
            def latelier_before_step(self):
                told.append(name)

        return Ordered()

    dispatcher = atelier(
        a=listener("last", trylast=True), b=listener("any"), c=listener("first", tryfirst=True)
    ).dispatcher()
    dispatcher.emit("latelier_before_step", step=1, steps=1, sigma=1.0)
    assert told == ["first", "any", "last"]


def test_every_run_has_a_name_of_its_own():
    made = atelier()
    assert len({made.dispatcher().run for _ in range(9)}) == 9


class Sleeper:
    @hookimpl
    def latelier_before_step(self, step):
        announcing.perf_counter.now += 0.3 if step < 4 else 0.0

    @hookimpl
    def latelier_after_step(self, step):
        announcing.perf_counter.now += 0.3 if step < 4 else 0.0


class Clock:
    """Stands still but for those who take time."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(announcing, "perf_counter", found)
    return found


def steps(dispatcher, clock, between):
    for step in (1, 2, 3, 4, 5):
        dispatcher.emit("latelier_before_step", step=step, steps=5, sigma=1.0)
        clock.now += between
        dispatcher.emit("latelier_after_step", step=step, steps=5, sigma=1.0, snapshot=None)


def test_a_slow_plugin_is_named_once_and_goes_on_being_told(caplog, clock):
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


def test_a_small_share_of_a_long_run_is_not_slow(caplog, clock):
    dispatcher = atelier(sleepy=Sleeper()).dispatcher()
    clock.now += 60
    steps(dispatcher, clock, between=1)
    assert dispatcher.seconds["sleepy:Sleeper"] > announcing.BUDGET_SECONDS
    assert caplog.text == ""


def test_a_plugin_that_takes_its_time_and_fails_is_charged(clock):
    class Both(Sleeper):
        @hookimpl
        def latelier_before_step(self, step):
            announcing.perf_counter.now += 2
            raise ValueError

    dispatcher = atelier(both=Both()).dispatcher()
    steps(dispatcher, clock, between=0.1)
    assert dispatcher.seconds == {"both:Both": 2}
    assert list(dispatcher.quarantined) == ["both:Both"]


class Recursive:
    """Starts a run of its own whenever it is told of one."""

    def __init__(self):
        self.told = 0
        self.atelier = None

    @hookimpl
    def latelier_images_finished(self, pictures):
        self.told += 1
        self.atelier.dispatcher().emit("latelier_images_finished", pictures=())


def test_nobody_is_told_of_a_run_that_a_hook_starts():
    plugin, other = Recursive(), Listener()
    plugin.atelier = atelier(plugin=plugin, other=other)
    dispatcher = plugin.atelier.dispatcher()
    for _ in range(2):
        dispatcher.emit("latelier_images_finished", pictures=(1,))
    assert plugin.told == 2
    assert other.told == [[1], [1]]
