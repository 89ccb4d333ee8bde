"""Actors of Ray that run in this process, and die when a test says so."""

import itertools
from collections.abc import Callable

from latelier.contracts.errors import LatelierError
from ray.exceptions import ActorDiedError, RayTaskError


class Reference:
    _count = itertools.count()

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call
        self.number = next(self._count)


class Method:
    def __init__(self, actor, name):
        self.actor, self.name = actor, name

    def remote(self, *arguments):
        def call():
            if self.actor.is_dead:
                raise ActorDiedError
            try:
                return getattr(self.actor.instance, self.name)(*arguments)
            except (LatelierError, OSError) as error:
                raise RayTaskError(self.name, "", error) from None

        return Reference(call)


class Actor:
    def __init__(self, instance):
        self.instance, self.is_dead = instance, False
        self.start, self.compute = Method(self, "start"), Method(self, "compute")


class FakeRay:
    """Stands for Ray: a call runs when its result is fetched, the oldest first."""

    def __init__(self):
        self.actors: list[Actor] = []
        self.most_at_once = 0

    def remote(self, kind):
        self.kind = kind
        return self

    def options(self, **_options):
        return _Factory(self)

    def wait(self, references, num_returns, timeout):
        self.most_at_once = max(self.most_at_once, len(references))
        oldest = min(references, key=lambda each: each.number)
        return [oldest], [each for each in references if each is not oldest]

    def get(self, reference):
        return reference.call()

    def kill(self, actor):
        actor.is_dead = True


class _Factory:
    def __init__(self, cluster):
        self.cluster = cluster

    def remote(self, *arguments):
        self.cluster.actors.append(Actor(self.cluster.kind(*arguments)))
        return self.cluster.actors[-1]
