"""One engine: its queue, its runs and its device."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf

from latelier.engine.rendezvous import Rendezvous, Waiting
from latelier.engine.work import Work

from latelier_ray.simulation.clock import Clock
from latelier_ray.simulation.costs import Costs, Curve, read
from latelier_ray.simulation.policy import Policy, most_rows
from latelier_ray.simulation.workload import Request

Works = Iterator[Work[float, float]]


class Replica:
    """An engine whose device takes the seconds of a curve for its work.

    The engine's own queue and rendezvous decide who starts and what is done together.

    Args:
        clock: of the simulation.
        policy: how the engine serves.
        costs: of its device.
        end: is called with each request that has ended.

    Attributes:
        rows: of the requests that wait or run.
        busy: seconds in which the device has worked.
    """

    def __init__(
        self, clock: Clock, policy: Policy, costs: Costs, end: Callable[[Request], object]
    ) -> None:
        self.rows = 0
        self.busy = 0.0
        self._clock = clock
        self._policy = policy
        self._costs = costs
        self._end = end
        self._limit = costs.limit_rows(policy.rows)
        self._queue = policy.make_queue()
        self._rendezvous = Rendezvous(clock, arrival=policy.patience)
        self._running = 0
        self._is_working = False
        self._next_look = inf

    def submit(self, request: Request) -> None:
        """Queue a request, or refuse it if the queue is full."""
        if len(self._queue) >= self._policy.queue:
            request.is_refused = True
            self._end(request)
            return
        self.rows += request.shape.rows
        self._queue.put(request)
        self._start_requests()

    def _start_requests(self) -> None:
        for request in self._policy.admit(self._policy, self._queue, self._running, self._limit):
            self._running += 1
            bring = partial(self._bring_next, request, self._list_works(request))
            self._clock.after(self._costs.begin, bring)

    def _list_works(self, request: Request) -> Works:
        """Yield what a run has the device do."""
        shape, costs = request.shape, self._costs
        pictures = max(1, int(costs.pictures / shape.size))
        rows = most_rows(self._limit, request)
        yield make_work("encode", costs.encode, request, shape.pictures, pictures)
        for _ in range(shape.calls):
            yield make_work("call", costs.call, request, shape.rows, rows)
        yield make_work("decode", costs.decode, request, shape.pictures, pictures)

    def _bring_next(self, request: Request, works: Works) -> None:
        """Bring the next work of a run to the rendezvous, or end it."""
        work = next(works, None)
        if work is None:
            self._end_run(request)
        else:
            self._rendezvous.bring(work, request, lambda _: self._go_on(request, works))
        if not self._rendezvous.has_turn:
            self._look_for_work()

    def _go_on(self, request: Request, works: Works) -> None:
        self._clock.after(self._costs.between, partial(self._bring_next, request, works))

    def _end_run(self, request: Request) -> None:
        self._rendezvous.leave(request)
        self._running -= 1
        self.rows -= request.shape.rows
        request.end = self._clock()
        self._end(request)
        self._start_requests()

    def _look_for_work(self) -> None:
        """Let an idle device take work, now or when it has waited for other runs."""
        if self._is_working:
            return
        if (delay := self._rendezvous.delay()) > 0:
            self._wait(delay)
        elif group := self._rendezvous.take():
            seconds = compute(group)
            self.busy += seconds
            self._is_working = True
            self._clock.after(seconds, partial(self._deliver, group))

    def _wait(self, seconds: float) -> None:
        """Look for work again after some seconds."""
        look = self._clock() + seconds
        if look < self._next_look:
            self._next_look = look
            self._clock.at(look, self._end_waiting)

    def _end_waiting(self) -> None:
        self._next_look = inf
        self._look_for_work()

    def _deliver(self, group: Sequence[Waiting]) -> None:
        self._is_working = False
        self._rendezvous.deliver(group, [None] * len(group))
        self._look_for_work()


def make_work(
    kind: str, curve: Curve, request: Request, rows: int, most_rows: int
) -> Work[float, float]:
    """Return work whose result is the seconds that it takes together with others."""
    size = request.shape.size
    return Work(rows * size, partial(read_together, curve), (kind, size), rows, most_rows)


def read_together(curve: Curve, counts: Sequence[float]) -> Sequence[float]:
    """Return the seconds of a call with all rows, for each of them."""
    return [read(curve, sum(counts))] * len(counts)


def compute(group: Sequence[Waiting]) -> float:
    """Return the seconds that a group takes."""
    seconds: float = group[0].work.compute([each.work.argument for each in group])[0]
    return seconds
