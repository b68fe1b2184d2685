"""The state of a training on disk: arrays as safetensors, the rest as JSON, no pickle.

    keep_state(folder, {"policy.weight": array, ...}, {"chunk": 3})
    arrays, record = kept_state(folder)

The arrays of each state have a file of their own; the record, which names it and holds its hash, is renamed into place
last, so that what is read back is whole and belongs together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simloop.errors import InputError
from simloop.runs import read_json, write_aside, write_json

_RECORD = "training.json"


def keep_state(folder: Path, arrays: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Keep arrays by name and a JSON-able record in a folder, in place of what was kept there before."""
    from safetensors.numpy import save

    content = save({name: np.asarray(a, order="C") for name, a in arrays.items()})
    digest = hashlib.sha256(content).hexdigest()[:16]
    file = folder / f"training-{digest}.safetensors"
    with write_aside(file) as out:
        out.write(content)
    write_json(folder / _RECORD, {**record, "arrays": file.name})
    for old in folder.glob("training-*.safetensors"):
        if old != file:
            old.unlink(missing_ok=True)


def kept_state(folder: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return what was kept in a folder, or None where nothing was."""
    from safetensors.numpy import load

    if not (folder / _RECORD).exists():
        return None
    record = read_json(folder / _RECORD)
    try:
        file = folder / record.pop("arrays")
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest()[:16] not in file.name:
            raise ValueError("its content is not what was written")
        return load(content), record
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{folder}: damaged training state ({error}); delete this folder and train again") from None


def optimizer_arrays(name: str, optimizer: Any) -> dict[str, Any]:
    """What a PyTorch optimizer has counted, by name, for `keep_state`."""
    states = optimizer.state_dict()["state"]
    return {f"{name}/{index}/{k}": v.numpy() for index, state in states.items() for k, v in state.items()}


def restore_optimizer(name: str, optimizer: Any, arrays: Mapping[str, Any]) -> None:
    """Put back what `optimizer_arrays` gave."""
    import torch

    states: dict[int, dict[str, Any]] = {}
    for key, value in arrays.items():
        if key.startswith(f"{name}/"):
            _, index, what = key.split("/")
            states.setdefault(int(index), {})[what] = torch.from_numpy(np.array(value))
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
