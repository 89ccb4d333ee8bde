"""Replicas in the process of the test: `EngineReplica` itself, and what is sent is pickled."""

import asyncio
import pickle
from contextlib import aclosing
from functools import partial

from latelier_ray.serving.remote_model import RemoteModel
from latelier_ray.serving.replica import EngineReplica
from latelier_ray.serving.replicas import ReplicaLostError


def send(value):
    return pickle.loads(pickle.dumps(value))


class LocalReplicas:
    """Two replicas that take orders in turn. `kill` lets one die with all of its orders."""

    def __init__(self, summary, settings):
        self.living = [EngineReplica(summary, settings) for _ in range(2)]
        self.turn = 0
        self.tasks = {id(each): set() for each in self.living}

    async def run(self, order):
        replica = self.next()
        messages = asyncio.Queue()
        task = asyncio.create_task(self.pump(replica, send(order), messages))
        self.tasks[id(replica)].add(task)
        try:
            while (message := await messages.get()) is not None:
                if message is ReplicaLostError:
                    raise ReplicaLostError("killed")
                yield send(message)
        finally:
            task.cancel()

    async def pump(self, replica, order, messages):
        try:
            async with aclosing(replica.run(order)) as found:
                async for message in found:
                    messages.put_nowait(message)
            messages.put_nowait(None)
        finally:
            messages.put_nowait(ReplicaLostError)

    def kill(self):
        """Let the first replica die; its orders end without a word."""
        dead = self.living.pop(0)
        for task in self.tasks[id(dead)]:
            task.cancel()
        dead._model.close()

    def next(self):
        self.turn += 1
        return self.living[self.turn % len(self.living)]

    async def report(self, front):
        return [send(await each.report(front)) for each in self.living]

    async def preview(self, run):
        found = [await each.preview(run) for each in self.living]
        return next((send(each) for each in found if each is not None), None)

    async def compute(self, function, values, options):
        return send(await self.next().compute(send(function), send(values), send(options)))

    def close(self):
        ended, self.living = self.living, []
        for each in ended:
            each._model.close()


def load_local(made, summary, settings):
    made.append(LocalReplicas(summary, settings))
    return RemoteModel(summary.name, made[-1])


def loader(made):
    """Return what loads models onto local replicas, which are added to a list."""
    return partial(load_local, made)
