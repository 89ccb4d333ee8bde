"""Serving models on replicas of their engines, behind the API of latelier-server.

The path of a request:
    RemoteModel     remote_model.py: what the server has in place of a model of its own process
    RemoteRun       remote_run.py: the request on one replica, and on another if that one dies
    Replicas        replicas.py: how a replica is reached; serve_replicas.py does it by Ray Serve
    EngineReplica   replica.py: a model with its engine, in a process of its own
messages.py has what they send, deployments.py starts and ends replicas, scaling.py says how many
there are, front.py is the server as a deployment, for a cluster that is described by a file.
"""
