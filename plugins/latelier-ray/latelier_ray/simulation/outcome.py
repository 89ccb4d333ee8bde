"""What came of the requests: latencies, goodput, cost and fairness."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, inf, nan
from statistics import fmean, median

from latelier_ray.simulation.costs import Costs
from latelier_ray.simulation.workload import Request

SLACK = 10
"""A request is in time if it takes at most so many times as long as on an idle device."""


@dataclass(frozen=True)
class Outcome:
    """What came of the requests of a simulation.

    Attributes:
        requests: in the order of their ends.
        costs: of the devices.
        paid: seconds of all replicas.
        busy: seconds in which their devices have worked.
    """

    requests: Sequence[Request]
    costs: Costs
    paid: float
    busy: float

    @cached_property
    def served(self) -> Sequence[Request]:
        """The requests that were not refused."""
        return [each for each in self.requests if not each.is_refused]

    @property
    def refused(self) -> float:
        """Share of the requests that were refused."""
        return 1 - len(self.served) / len(self.requests)

    @cached_property
    def latencies(self) -> Sequence[float]:
        """Seconds of the requests that were served, in rising order."""
        return sorted(each.latency for each in self.served)

    @property
    def in_time(self) -> float:
        """Share of all requests that were served in time."""
        return fmean(self.is_in_time(each) for each in self.requests)

    @property
    def median_client(self) -> float:
        """Share of the requests of a client that were served in time: the median of all clients."""
        found = defaultdict[str, list[bool]](list)
        for each in self.requests:
            found[each.client].append(self.is_in_time(each))
        return median(fmean(each) for each in found.values())

    @property
    def goodput(self) -> float:
        """Pictures in a second that were served in time."""
        pictures = sum(each.shape.pictures for each in self.requests if self.is_in_time(each))
        return pictures / self._last_end

    @property
    def cost(self) -> float:
        """Seconds of replicas for each picture."""
        return self.paid / sum(each.shape.pictures for each in self.served)

    @property
    def utilization(self) -> float:
        """Share of the replicas' seconds in which their devices have worked."""
        return self.busy / self.paid

    @property
    def slowdowns(self) -> Mapping[str, float]:
        """Client -> mean of its requests' latencies, relative to those on an idle device."""
        found = defaultdict[str, list[float]](list)
        for each in self.served:
            found[each.client].append(self.slowdown(each))
        return {client: fmean(found[client]) for client in sorted(found)}

    @property
    def fairness(self) -> float:
        """Jain's index of the clients' slowdowns: 1 if all are equal, 1/n if one has them all."""
        values = self.slowdowns.values()
        return sum(values) ** 2 / (len(values) * sum(each**2 for each in values))

    def percentile(self, share: float) -> float:
        """Return the latency that a share of the served requests does not exceed."""
        if not self.latencies:
            return nan
        return self.latencies[max(0, ceil(share * len(self.latencies)) - 1)]

    def slowdown(self, request: Request) -> float:
        """Return the latency of a request, relative to that on an idle device."""
        return request.latency / self.costs.seconds_alone(request.shape)

    def is_in_time(self, request: Request) -> bool:
        """Return whether a request was served in time."""
        return self.slowdown(request) <= SLACK

    @property
    def _last_end(self) -> float:
        return max((each.end for each in self.served if each.end is not None), default=inf)
