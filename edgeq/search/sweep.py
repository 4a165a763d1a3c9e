"""Sweep: many independent jobs through joblib, on this machine or a Dask cluster, each result kept when it is there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgeq.errors import EdgeqError, InputError, ToolError
from edgeq.progress import Progress, silent
from edgeq.search.store import Store

#: seconds to wait for a cluster and its first worker
TIMEOUT = 30


@dataclass(frozen=True)
class Job:
    """One piece of work: a function of a module, so that workers can import it, and plain arguments.

    key: under which its result is stored; the function returns plain data.
    """

    key: str
    function: Callable[..., dict[str, Any]]
    arguments: tuple[Any, ...]


def run(
    jobs: Sequence[Job],
    store: Store,
    *,
    workers: int = 1,
    cluster: str | None = None,
    progress: Progress = silent,
) -> dict[str, str]:
    """Do the jobs that the store has no result of; key -> reason for those that cannot be done.

    workers: processes on this machine; cluster: address of a Dask scheduler, whose workers need edgeq and the same
    files under the same paths. A reason is not stored, so that the job is tried again the next time.
    Raises ToolError where joblib or the cluster is missing.
    """
    if workers < 1:
        raise InputError(f"search: {workers} workers; give 1 or more")
    todo = [job for job in {job.key: job for job in jobs}.values() if job.key not in store]
    done, reasons = len(jobs) - len(todo), {}
    progress(done, len(jobs))
    with contextlib.closing(_results(todo, workers, cluster)) as results:
        for key, result, reason in results:
            done += 1
            if result is None:
                reasons[key] = reason
            else:
                store.put(key, result)
            progress(done, len(jobs))
    return reasons


Outcome = tuple[str, dict[str, Any] | None, str]


def _work(job: Job, alone: bool = True) -> Outcome:
    """Do one job; what it refuses to do is a result, too."""
    try:
        if not alone:
            import torch

            torch.set_num_threads(1)
        return job.key, job.function(*job.arguments), ""
    except EdgeqError as error:
        return job.key, None, " ".join(str(error).split())


def _results(todo: Sequence[Job], workers: int, cluster: str | None) -> Generator[Outcome, None, None]:
    """Results as they come."""
    if not todo:
        return
    if workers == 1 and cluster is None:
        yield from map(_work, todo)
        return
    try:
        from joblib import Parallel, delayed
    except ImportError:
        raise ToolError("sweeps on several workers need joblib: pip install 'edgeq[search]'") from None
    tasks = [delayed(_work)(job, False) for job in todo]
    with _backend(cluster):
        # One job at a time: they take seconds to minutes, and a result is only safe when it is back.
        parallel = Parallel(
            n_jobs=-1 if cluster else workers, return_as="generator_unordered", batch_size=1, pre_dispatch="all"
        )
        yield from parallel(tasks)


@contextlib.contextmanager
def _backend(cluster: str | None) -> Iterator[None]:
    """joblib's backend: processes, or a Dask cluster."""
    if cluster is None:
        yield
        return
    try:
        from dask.distributed import Client
        from joblib import parallel_config
    except ImportError:
        raise ToolError("a cluster needs dask.distributed: pip install 'edgeq[search]'") from None
    try:
        client = Client(cluster, timeout=TIMEOUT, set_as_default=True)
    except (OSError, ValueError, TimeoutError) as error:
        fact = " ".join(str(error).split())
        raise ToolError(f"cluster {cluster}: cannot be reached ({fact}); start one with: dask scheduler") from None
    try:
        with parallel_config(backend="dask", wait_for_workers_timeout=TIMEOUT):
            yield
    finally:
        client.close()
