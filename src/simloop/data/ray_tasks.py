"""Make shards on a Ray cluster: a task for each, tried again by Ray where its machine or process is lost.

All machines must see the dataset's folder under the same path, and have simloop installed.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from simloop.data.order import Order, unpacked
from simloop.data.plan import shard_name
from simloop.data.processes import ATTEMPTS, Told
from simloop.data.shard import RECORD, ShardRecord
from simloop.errors import InputError, MissingExtraError, count

#: s, in which a cluster must answer
_PATIENCE = 10.0


def in_ray(order: Order, shards: Sequence[int], address: str | None, told: Told) -> Generator[ShardRecord]:
    """Make shards as Ray tasks; yield the record of each as it is done.

    Args:
        order: what to make.
        shards: their numbers.
        address: of a running cluster; None starts Ray on this machine and ends it afterwards, unless it runs already.
        told: how far it is.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        from ray import cloudpickle
    except ImportError:
        raise MissingExtraError("--executor ray", "ray") from None
    content = replace(order, folder=order.folder.absolute()).packed(cloudpickle.dumps)
    mine = not ray.is_initialized()
    if mine:
        _connect(address)
    try:
        make = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_make)
        shared = ray.put(content)
        running = {make.remote(shared, shard): shard for shard in shards}
        while running:
            ready, _ = ray.wait(list(running), num_returns=1)
            for task in ready:
                shard = running.pop(task)
                record = _result(task, shard)
                if not (order.folder / shard_name(shard) / RECORD).exists():
                    raise InputError(
                        f"{order.folder}: {shard_name(shard)} was made, but is not there; the machines of the cluster"
                        " must share this folder"
                    )
                told(shard, record.photographs)
                yield record
    finally:
        if mine:
            ray.shutdown()


def _connect(address: str | None) -> None:
    import ray

    _check_answers(address)
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=None if address else False,
                 logging_level=logging.ERROR)  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        said = str(error).splitlines()[0]
        raise InputError(f"no Ray cluster at {address or 'this machine'}: {said}") from None


def _check_answers(address: str | None) -> None:
    """Raise where nothing answers at host:port, for which Ray would wait for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster at {address}: {error}") from None


def _make(content: bytes, shard: int) -> ShardRecord | InputError:
    """What a task does; an error of the person's making is a result, so that it is not tried again."""
    try:
        return unpacked(content).make(shard)
    except InputError as error:
        return error


def _result(task: Any, shard: int) -> ShardRecord:
    import ray

    try:
        made = ray.get(task)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError):
        raise InputError(
            f"{shard_name(shard)}: the process that makes it died {count(ATTEMPTS, 'time')}; the shards that are there"
            " stay"
        ) from None
    if isinstance(made, InputError):
        raise made
    record: ShardRecord = made
    return record
