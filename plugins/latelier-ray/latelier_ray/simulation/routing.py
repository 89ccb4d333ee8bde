"""Which replica gets a request."""

from collections.abc import Callable, Sequence
from random import Random

from latelier_ray.simulation.replica import Replica

Route = Callable[[Sequence[Replica], Random], Replica]


def choose_any(replicas: Sequence[Replica], randomness: Random) -> Replica:
    """Return any replica."""
    return randomness.choice(replicas)


def choose_of_two(replicas: Sequence[Replica], randomness: Random) -> Replica:
    """Return that of two random replicas which has fewer rows."""
    return min(randomness.sample(replicas, min(2, len(replicas))), key=count_rows)


def choose_least(replicas: Sequence[Replica], _: Random) -> Replica:
    """Return the replica with the fewest rows."""
    return min(replicas, key=count_rows)


def count_rows(replica: Replica) -> int:
    """Return the rows of the requests that a replica has."""
    return replica.rows


ROUTES: dict[str, Route] = {
    "random": choose_any,
    "two choices": choose_of_two,
    "least rows": choose_least,
}
