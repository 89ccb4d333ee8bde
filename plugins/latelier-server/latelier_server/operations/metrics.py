"""What the server counts, as Prometheus reads it. Nothing of a request's content is in it."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from latelier_server.jobs.job import ServerJob
from latelier_server.models.host import ModelHost

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """Counters and histograms of one server."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "latelier_http_requests",
            "Answers",
            ["endpoint", "status"],
            registry=registry,
        )
        self.postprocess = Histogram(
            "latelier_diffusion_postprocess_seconds",
            "Encoding and keeping the pictures of a job",
            buckets=_SECONDS,
            registry=registry,
        )
        self._finished = Counter(
            "latelier_requests", "Jobs that have ended", ["finished_reason"], registry=registry
        )
        self._images = Counter("latelier_image_count", "Finished pictures", registry=registry)
        self._latency = Histogram(
            "latelier_e2e_request_latency_seconds",
            "From acceptance to the end of a job",
            buckets=_SECONDS,
            registry=registry,
        )
        self._wait = Histogram(
            "latelier_request_queue_wait_seconds",
            "From acceptance to the first step of a job",
            buckets=_SECONDS,
            registry=registry,
        )
        self._run = Histogram(
            "latelier_diffusion_exec_seconds",
            "From the first step to the end of a job",
            buckets=_SECONDS,
            registry=registry,
        )
        self._steps = Histogram(
            "latelier_num_inference_steps",
            "Sampling steps of a picture",
            buckets=(1, 2, 4, 8, 16, 20, 30, 50, 100, 200),
            registry=registry,
        )
        self._pixels = Histogram(
            "latelier_image_pixels",
            "Pixels of a picture",
            buckets=[2**k for k in range(12, 27, 2)],
            registry=registry,
        )

    def watch(self, models: Callable[[], Iterable[ModelHost]]) -> None:
        """Read the state of the loaded models whenever the metrics are read."""
        self._registry.register(_ModelCollector(models))

    def observe_job(self, job: ServerJob) -> None:
        """Count a job that has ended."""
        ended = job.ended or job.created
        reason = "succeeded" if job.error is None else job.error.code
        self._finished.labels(reason).inc()
        self._latency.observe(ended - job.created)
        if job.started is not None:
            self._wait.observe(job.started - job.created)
            self._run.observe(ended - job.started)
        self._images.inc(len(job.pictures))
        for picture in job.pictures:
            self._steps.observe(job.steps)
            self._pixels.observe(picture.width * picture.height)

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)


class _ModelCollector(Collector):
    """Gauges and counters of the engines, read from their stats."""

    def __init__(self, models: Callable[[], Iterable[ModelHost]]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("latelier_num_requests_running", "Jobs", labels=["model"])
        waiting = GaugeMetricFamily("latelier_num_requests_waiting", "Jobs", labels=["model"])
        calls = CounterMetricFamily("latelier_denoiser_calls", "Calls", labels=["model"])
        rows = CounterMetricFamily("latelier_batch_rows", "Rows of all calls", labels=["model"])
        for model in self._models():
            stats = model.stats()
            running.add_metric([model.name], stats.jobs.running)
            waiting.add_metric([model.name], stats.jobs.queued)
            calls.add_metric([model.name], stats.calls.calls)
            rows.add_metric([model.name], stats.calls.rows)
        yield from (running, waiting, calls, rows)
