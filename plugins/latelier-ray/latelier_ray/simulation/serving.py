"""`serve`: runs a simulation."""

from functools import partial
from random import Random

from latelier_ray.simulation.autoscaling import Autoscaler, Autoscaling
from latelier_ray.simulation.clock import Clock
from latelier_ray.simulation.costs import Costs
from latelier_ray.simulation.fleet import Fleet
from latelier_ray.simulation.outcome import Outcome
from latelier_ray.simulation.policy import CONTINUOUS, Policy
from latelier_ray.simulation.replica import Replica
from latelier_ray.simulation.routing import Route, choose_of_two
from latelier_ray.simulation.workload import Request, Workload


def serve(
    workload: Workload,
    costs: Costs,
    policy: Policy = CONTINUOUS,
    *,
    replicas: int = 1,
    route: Route = choose_of_two,
    autoscaling: Autoscaling | None = None,
    seed: int = 0,
) -> Outcome:
    """Serve the requests of a workload, and return what came of them.

    Args:
        workload: the requests.
        costs: of the devices.
        policy: of the replicas.
        replicas: ready at the start.
        route: says which replica gets a request.
        autoscaling: rules for the number of replicas; None keeps it.
        seed: of the requests and the route.
    """
    clock, ended = Clock(), list[Request]()
    make_replica = partial(Replica, clock, policy, costs, ended.append)
    fleet = Fleet(clock, make_replica, route, Random(seed))
    for _ in range(replicas):
        fleet.add()
    requests = workload.make_requests(seed)
    for request in requests:
        clock.at(request.arrival, partial(fleet.submit, request))
    if autoscaling is not None:
        Autoscaler(clock, fleet, autoscaling).decide()
    clock.run(lambda: len(ended) == len(requests))
    fleet.close()
    return Outcome(tuple(ended), costs, fleet.paid, fleet.busy)
