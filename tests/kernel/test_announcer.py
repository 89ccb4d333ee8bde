"""Lifecycle hooks: told one plugin at a time; one that fails hurts nobody."""

import pytest

from latelier import hookimpl
from latelier.kernel.atelier import Atelier
from latelier.kernel.errors import PluginError
from latelier.kernel.policy import Policy


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
    announcer = atelier(one=one, two=two).announcer()
    announcer.tell("latelier_images_finished", pictures=(1, 2))
    announcer.tell("latelier_images_finished", pictures=(3,))
    assert one.told == two.told == [[1, 2], [3]]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(2)])
def test_a_failing_plugin_is_left_out_for_the_rest_of_the_run(caplog, error):
    failing, sound = Listener(error), Listener()
    made = atelier(failing=failing, sound=sound)
    announcer = made.announcer()
    announcer.tell("latelier_images_finished", pictures=(1,))
    announcer.tell("latelier_images_finished", pictures=(2,))
    announcer.tell("latelier_pipeline_composed", pipeline="p")
    assert failing.told == [[1]]
    assert sound.told == [[1], [2], "p"]
    assert list(announcer.quarantined) == ["failing:Listener"]
    assert caplog.text.count("latelier_images_finished of plugin 'failing:Listener' raised") == 1
    made.announcer().tell("latelier_images_finished", pictures=(3,))
    assert failing.told == [[1], [3]]


def test_strict_raises():
    announcer = atelier(strict=True, failing=Listener(ValueError("broken"))).announcer()
    said = "latelier_images_finished of plugin 'failing:Listener' raised ValueError: broken"
    with pytest.raises(PluginError, match=said):
        announcer.tell("latelier_images_finished", pictures=())


def test_an_interrupt_passes():
    announcer = atelier(failing=Listener(KeyboardInterrupt())).announcer()
    with pytest.raises(KeyboardInterrupt):
        announcer.tell("latelier_images_finished", pictures=())
