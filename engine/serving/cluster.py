"""The engine as a deployment of Ray Serve: replicas, each with the model, behind one port.

Needs the extra `cluster`. Each replica is the same application as an engine of one's own, without
the routes that are for its socket. A request that dies with its replica gets a status that says
"try again"; requests are idempotent, so its client may.
"""

# Only who wants a cluster has Ray.
# pyright: reportMissingImports=false
from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory

from starlette.types import ASGIApp

from engine.application import Application
from engine.editors import open_editor
from engine.errors import ConfigError, EngineUnavailable
from engine.pages import in_large_pages
from engine.place import residence_of
from engine.scheduler import MAX_WAITING
from engine.serving.guard import Guard
from engine.serving.listener import ADDRESS

NAME = "diffill"
DRAIN_S = 30.0
HEALTH_PERIOD_S, HEALTH_TIMEOUT_S = 5.0, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How many replicas, how many requests each decodes together, and where they answer."""

    replicas: int
    batch: int
    port: int
    token: str


class Replica:
    """One engine; `make` starts it, in the replica's own process."""

    def __init__(self, make: Callable[[], Application], token: str) -> None:
        self._application, self._token = make(), token

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return what answers; Ray Serve asks for it once."""
        return Guard(self._application.public, self._token)

    def check_health(self) -> None:
        """Let Ray Serve replace a replica that cannot work.

        Raises:
            EngineUnavailable: if a thread that works with the model is gone.
        """
        if not self._application.scheduler.is_alive:
            raise EngineUnavailable("a thread that works with the model has ended")


def maker_of(model: str, batch: int) -> Callable[[], Application]:
    """Return what starts the application of a model that works on so many requests at once.

    Raises:
        EngineError: if there is no such model.
    """
    identity = residence_of(model).identity
    load = partial(open_editor, model)
    return partial(Application, identity, load, at_once=batch)


def start(cluster: Cluster, make: Callable[[], Application]) -> None:
    """Start the replicas on this machine, or on the cluster that `RAY_ADDRESS` names.

    Returns when they answer; the model may still be loading.

    Raises:
        ConfigError: if Ray is not installed.
        EngineUnavailable: if the replicas cannot be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Diffill calls nobody
    os.environ.update(in_large_pages(dict(os.environ)))  # for the processes of a Ray of our own
    try:
        import ray
        from ray import serve
        from ray.exceptions import RayError
        from ray.serve.config import HTTPOptions
    except ImportError as error:
        raise ConfigError("Ray is not installed: `pip install 'diffill[cluster]'`") from error
    deployed = serve.deployment(
        name=NAME,
        num_replicas=cluster.replicas,
        # As many again are ready to be worked on; what waits in front can go to any replica.
        max_ongoing_requests=2 * cluster.batch,
        max_queued_requests=MAX_WAITING * cluster.replicas,
        graceful_shutdown_timeout_s=DRAIN_S,
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        ray_actor_options={"num_cpus": 0},  # the machine's owner has said how many there are
    )(serve.ingress()(Replica))
    try:
        # Ray puts the working directory on its workers' module path: not the user's project.
        with TemporaryDirectory() as nothing, chdir(nothing):
            ray.init(
                # Otherwise it joins any Ray of this machine, which `stop` would then end.
                address=os.environ.get("RAY_ADDRESS") or "local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        serve.start(http_options=HTTPOptions(host=ADDRESS, port=cluster.port))
        serve.run(deployed.bind(make, cluster.token), name=NAME, route_prefix="/")
    except (RuntimeError, ConnectionError, RayError) as error:
        raise EngineUnavailable(f"the replicas could not be started: {error}") from error


def stop() -> None:
    """Take no more requests, finish those that are worked on, end the replicas."""
    try:
        import ray
        from ray import serve
    except ImportError:
        return  # nothing was started
    if not ray.is_initialized():
        return
    serve.delete(NAME)  # it waits for them; a shutdown does not
    if not os.environ.get("RAY_ADDRESS"):  # otherwise it is not ours
        serve.shutdown()
    ray.shutdown()
