"""A model on replicas that do what the test says: deaths, cancelling, previews, full queues."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from latelier.contracts.errors import (
    DeadlineError,
    EngineError,
    InvalidInputError,
    JobCancelledError,
    QueueFullError,
)
from latelier.engine import Stats
from latelier.engine.stats import CallCounts, JobCounts
from latelier.pipeline.picture import Picture
from latelier_server.errors import ServerError
from latelier_server.models.host import RunCost
from PIL import Image

from latelier_ray.serving import remote_model, remote_run
from latelier_ray.serving.messages import (
    Accepted,
    Computed,
    Failed,
    Finished,
    Order,
    Report,
    RunProgress,
)
from latelier_ray.serving.remote_model import RemoteModel
from latelier_ray.serving.replicas import ReplicaLostError

COST = RunCost(steps=4, pictures=1, picture_steps=4)
PICTURES = [Picture(Image.new("RGB", (8, 8)), 7, {})]
REQUEST = {"inputs": {"prompt": "a cat"}, "seed": 7}


class Lost:
    """The replica dies."""


class Wait:
    """The replica goes on until the test sets `released`."""


class FakeReplicas:
    """Replicas that follow scripts, one for each order that they get."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.orders: list[Order] = []
        self.cancelled: list[str] = []
        self.progress = RunProgress(position=0)
        self.replica = "a"
        self.calls = CallCounts()
        self.released = asyncio.Event()
        self.image = Image.new("RGB", (8, 8), "red")
        self.is_closed = False

    async def run(self, order):
        self.orders.append(order)
        script = self.scripts.pop(0)
        is_complete = False
        try:
            for each in script:
                if isinstance(each, Exception):
                    raise each
                if each is Lost:
                    raise ReplicaLostError("died")
                if each is Wait:
                    await self.released.wait()
                else:
                    yield each
            is_complete = True
        finally:
            if not is_complete:
                self.cancelled.append(order.id)

    async def report(self, front):
        await asyncio.sleep(0)
        stats = Stats(JobCounts(running=1), self.calls, 8, {})
        return [Report(self.replica, {each.id: self.progress for each in self.orders}, stats)]

    async def preview(self, run):
        return self.image

    async def compute(self, function, values, options):
        script = self.scripts.pop(0)
        if script is Lost:
            raise ReplicaLostError("died")
        if isinstance(script, Exception):
            return Computed(None, script)
        return Computed(function(*values, **options), None)

    def close(self):
        self.is_closed = True


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(remote_model, "REPORT_SECONDS", 0.001)
    monkeypatch.setattr(remote_run, "MAX_PAUSE", 0.001)


def submit(
    model, request=REQUEST, admit: Callable[[RunCost], None] = lambda _: None, deadline=60.0
):
    return model.submit(request, deadline=deadline, client="ann", adapter_scales={}, admit=admit)


def test_a_run_ends_with_its_pictures():
    async def run():
        replicas = FakeReplicas([Accepted(COST), Finished(PICTURES)])
        costs = []
        found = await submit(RemoteModel("m", replicas), admit=costs.append)
        return await found, costs, replicas

    pictures, costs, replicas = asyncio.run(run())
    assert pictures == PICTURES
    assert costs == [COST]
    assert replicas.cancelled == []


def test_a_run_whose_replica_dies_is_run_again_with_the_same_seed_and_id():
    async def run():
        request = {"inputs": {"prompt": "a cat"}}
        replicas = FakeReplicas(
            [Accepted(COST), Lost], *[[Lost]] * 4, [Accepted(COST), Finished(PICTURES)]
        )
        found = await submit(RemoteModel("m", replicas), request)
        return await found, replicas.orders

    pictures, orders = asyncio.run(run())
    assert pictures == PICTURES
    assert len(orders) == 6
    assert isinstance(orders[0].request["seed"], int)
    assert len({each.id for each in orders}) == 1
    assert len({each.request["seed"] for each in orders}) == 1
    assert orders[-1].deadline < orders[0].deadline


def test_messages_that_end_early_are_a_death():
    async def run():
        replicas = FakeReplicas([Accepted(COST)], [Accepted(COST), Finished(PICTURES)])
        return await (await submit(RemoteModel("m", replicas)))

    assert asyncio.run(run()) == PICTURES


def test_a_run_that_kills_its_replicas_ends_with_an_error():
    async def run():
        replicas = FakeReplicas(*[[Accepted(COST), Lost]] * 9)
        found = await submit(RemoteModel("m", replicas))
        with pytest.raises(EngineError, match="3 replicas have died"):
            await found
        return replicas.orders

    assert len(asyncio.run(run())) == 3


def test_an_accepted_run_waits_while_the_other_replicas_are_full():
    async def run():
        full = [Failed(QueueFullError("full", retry_after=3))]
        handle_full = [QueueFullError("full", retry_after=3)]
        replicas = FakeReplicas(
            [Accepted(COST), Lost], full, handle_full, full, [Accepted(COST), Finished(PICTURES)]
        )
        return await (await submit(RemoteModel("m", replicas)))

    assert asyncio.run(run()) == PICTURES


def test_a_run_that_was_not_accepted_is_refused_when_all_are_full():
    async def run():
        replicas = FakeReplicas([Failed(QueueFullError("full", retry_after=3))])
        with pytest.raises(QueueFullError) as caught:
            await submit(RemoteModel("m", replicas))
        return caught.value.retry_after, len(replicas.orders)

    assert asyncio.run(run()) == (3, 1)


def test_mistakes_raise_when_the_request_is_submitted():
    async def run():
        error = InvalidInputError.of_field("steps", "expected a number")
        with pytest.raises(InvalidInputError) as caught:
            await submit(RemoteModel("m", FakeReplicas([Failed(error)])))
        assert caught.value.field == "steps"

    asyncio.run(run())


def test_a_cost_that_is_refused_cancels_the_run():
    async def run():
        def refuse(_cost):
            raise ServerError(429, "too many steps", "rate_limited")

        replicas = FakeReplicas([Accepted(COST), Wait])
        with pytest.raises(ServerError, match="too many steps"):
            await submit(RemoteModel("m", replicas), admit=refuse)
        await asyncio.sleep(0.01)
        return replicas

    replicas = asyncio.run(run())
    assert replicas.cancelled == [replicas.orders[0].id]


def test_without_a_replica_the_client_is_told_to_come_back(monkeypatch):
    monkeypatch.setattr(remote_model, "ACCEPT_SECONDS", 0.01)

    async def run():
        replicas = FakeReplicas([Wait])
        with pytest.raises(ServerError) as caught:
            await submit(RemoteModel("m", replicas))
        await asyncio.sleep(0.01)
        return caught.value, replicas

    error, replicas = asyncio.run(run())
    assert (error.status, error.code) == (503, "unavailable")
    assert int(error.headers()["Retry-After"]) > 0
    assert len(replicas.cancelled) == 1


def test_cancelling_ends_the_run_here_and_on_its_replica():
    async def run():
        replicas = FakeReplicas([Accepted(COST), Wait])
        found = await submit(RemoteModel("m", replicas))
        found.cancel()
        with pytest.raises(JobCancelledError):
            await found
        with pytest.raises(JobCancelledError):
            [each async for each in found]
        found.cancel()
        await asyncio.sleep(0.01)
        return found, replicas

    found, replicas = asyncio.run(run())
    assert replicas.cancelled == [found.id]
    assert found.position is None


def test_a_task_that_waits_for_a_run_does_not_cancel_it():
    async def run():
        replicas = FakeReplicas([Accepted(COST), Wait, Finished(PICTURES)])
        found = await submit(RemoteModel("m", replicas))

        async def wait():
            return await found

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        replicas.released.set()
        return await found

    assert asyncio.run(run()) == PICTURES


def test_a_run_misses_its_deadline_without_a_replica_that_says_so():
    async def run():
        replicas = FakeReplicas([Accepted(COST), Wait])
        found = await submit(RemoteModel("m", replicas), deadline=0.02)
        with pytest.raises(DeadlineError, match=r"within 0\.02 seconds"):
            await found
        return replicas

    assert len(asyncio.run(run()).cancelled) == 1


def test_previews_come_in_order_and_fetch_their_image():
    async def run():
        replicas = FakeReplicas([Accepted(COST), Wait, Finished(PICTURES)])
        found = await submit(RemoteModel("m", replicas))
        replicas.progress = RunProgress(2)
        while found.position != 2:
            await asyncio.sleep(0.001)
        replicas.progress = RunProgress(None, 1, 4)
        steps, images = [], []
        async for preview in found:
            steps.append(preview.step)
            images.append(await asyncio.to_thread(lambda each: each.image, preview))
            if preview.step == 4:
                replicas.released.set()
            else:
                replicas.progress = replace(replicas.progress, step=preview.step + 1)
        return steps, images, replicas.image, found.position, await found

    steps, images, image, position, pictures = asyncio.run(run())
    assert steps == [1, 2, 3, 4]
    assert images == [image] * 4
    assert position is None
    assert pictures == PICTURES


def test_a_preview_of_a_run_that_has_ended_is_an_error():
    async def run():
        replicas = FakeReplicas([Accepted(COST), Wait])
        replicas.image = None
        replicas.progress = RunProgress(None, 1, 4)
        found = await submit(RemoteModel("m", replicas))
        async for preview in found:
            with pytest.raises(EngineError):
                await asyncio.to_thread(lambda each: each.image, preview)
            break
        found.cancel()

    asyncio.run(run())


def test_stats_keep_the_calls_of_replicas_that_are_gone():
    async def run():
        replicas = FakeReplicas(*[[Accepted(COST), Finished(PICTURES)]] * 2)
        model = RemoteModel("m", replicas)
        for name, calls in (("a", CallCounts(3, 6, 1.0)), ("b", CallCounts(1, 2, 0.5))):
            replicas.replica, replicas.calls = name, calls
            await (await submit(model))
            await model._watching
        return model.stats()

    stats = asyncio.run(run())
    assert stats.calls == CallCounts(4, 8, 1.5)
    assert (stats.jobs.running, stats.jobs.queued) == (0, 0)


def test_stats_count_the_runs_of_the_server():
    async def run():
        replicas = FakeReplicas([Accepted(COST), Wait], [Accepted(COST), Wait])
        model = RemoteModel("m", replicas)
        first, second = await submit(model), await submit(model)
        second.advance(RunProgress(None, 1, 4))
        before = model.stats().jobs
        first.cancel()
        second.cancel()
        return before, model.stats().jobs

    before, after = asyncio.run(run())
    assert (before.queued, before.running) == (1, 1)
    assert (after.queued, after.running) == (0, 0)


def test_a_function_is_called_on_another_replica_if_one_dies():
    async def run(*scripts):
        return await RemoteModel("m", FakeReplicas(*scripts)).compute(max, 3, 5)

    assert asyncio.run(run(Lost, "compute")) == 5
    with pytest.raises(InvalidInputError):
        asyncio.run(run(InvalidInputError("no")))
    with pytest.raises(ServerError) as caught:
        asyncio.run(run(Lost, Lost, Lost))
    assert caught.value.status == 503


def test_closing_ends_the_replicas():
    replicas = FakeReplicas()
    RemoteModel("m", replicas).close()
    assert replicas.is_closed
