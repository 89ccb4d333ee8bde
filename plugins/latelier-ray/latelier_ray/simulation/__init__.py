"""A simulation of serving: many requests, 1 to 64 engines, no model.

The engines admit, group and hand out work by the engine's own code; what a call takes is read off
a measured curve. The same seed gives the same numbers.

clock.py         events in the order of their time
workload.py      what is asked for, by whom, and when
arrivals.py      Poisson arrivals and bursts
costs.py         what a device takes for a call
devices/         measured costs
policy.py        how an engine serves: the engine's way, and what it is compared with
queues.py        which request starts next
replica.py       one engine
routing.py       which replica gets a request
autoscaling.py   how many replicas there are
fleet.py         the replicas behind one door
serving.py       `serve`: runs a simulation
outcome.py       latencies, goodput, cost and fairness
tables.py        the tables by which the defaults were chosen
command.py       `latelier ray simulate` and `latelier ray tune`
"""
