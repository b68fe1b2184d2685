"""A policy that was learned: what to do, of what is observed. It needs NumPy alone.

    policy = Policy.load("runs/wide")
    action = policy(observation)              # (n, O) -> (n, A), or (O,) -> (A,)

A folder `policy` holds the weights as safetensors and everything else as JSON: the network, how observations are
scaled, the limits of the actions, the world and the task that it was trained in. Rows are computed in chunks of one
fixed size, so that what a policy does does not depend on how many it is asked about at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.errors import InputError, MissingExtraError
from simloop.parameters import Array
from simloop.runs import POLICY, read_json, write_aside, write_json

#: rows computed at once, always: a product of other sizes may differ in its last bits
_CHUNK = 64
_WEIGHTS, _RECORD = "weights.safetensors", "policy.json"

Float32 = NDArray[np.float32]


class Actor(Protocol):
    """Whatever acts: observations (n, O) -> actions (n, A). One with a memory has `begin`."""

    def __call__(self, observation: Any, /) -> Array: ...


def begin(actor: Actor, places: NDArray[np.bool_]) -> None:
    """Tell an actor that new episodes begin in `places` (n,), if it has a memory."""
    if hasattr(actor, "begin"):
        actor.begin(places)


_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, np.float32(0)),
}


@dataclass
class Policy:
    """A network with what belongs to it.

    Attributes:
        weights: `layers.I.weight` (out, in) and `layers.I.bias` (out,) of a perceptron; before it, of a memory,
            `memory.weight_ih` (4 H, O), `memory.weight_hh` (4 H, H), `memory.bias` (4 H,) of an LSTM in PyTorch's
            order of gates.
        activation: between its layers.
        squash: how its output becomes a fraction of the limits: "clip" to [-1, 1], or "tanh".
        mean, scale: (O,) observations are centred and divided by these, then clipped to +-`clip`.
        low, high: (A,) limits of the actions, in their own units.
        history: how many observations and actions of the past it sees beside the present observation.
        record: the world, the task, the learner and what else made it, JSON-able.
    """

    weights: Mapping[str, Float32]
    activation: Literal["tanh", "relu"]
    squash: Literal["clip", "tanh"]
    mean: Array
    scale: Array
    low: Array
    high: Array
    clip: float = 10.0
    history: int = 0
    record: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = sum(name.startswith("layers.") and name.endswith(".weight") for name in self.weights)
        self._layers = [(self.weights[f"layers.{i}.weight"].T.copy(), self.weights[f"layers.{i}.bias"])
                        for i in range(count)]  # fmt: skip
        self._mean, self._scale = np.asarray(self.mean), np.asarray(self.scale)
        self._memory: tuple[Float32, Float32] | None = None
        self._past = History(self.history, len(np.asarray(self.low))) if self.history else None

    @property
    def recurrent(self) -> bool:
        """Whether it has a memory of its episode."""
        return "memory.weight_ih" in self.weights

    def begin(self, places: NDArray[np.bool_]) -> None:
        """Forget what was seen in `places` (n,): new episodes begin there."""
        if self._past is not None:
            self._past.begin(places)
        if self._memory is None or len(self._memory[0]) != len(places):
            self._memory = None
            return
        for part in self._memory:
            part[places] = 0.0

    def __call__(self, observation: ArrayLike) -> Array:
        """Return actions (n, A) for observations (n, O), or (A,) for (O,)."""
        x = np.asarray(observation, dtype=np.float64)
        rows = np.atleast_2d(x)
        if rows.shape[1] != len(self._mean):
            raise InputError(f"this policy sees {len(self._mean)} numbers, got {rows.shape[1]}")
        seen = self.scaled(rows)
        if self._past is not None:
            seen = self._past.stacked(seen)
        if self.recurrent:
            out = self._remember(seen)
        else:
            out = np.concatenate([self._chunk(c)[: len(c)] for c in _chunks(seen)])
        fraction = (np.tanh(out) if self.squash == "tanh" else np.clip(out, -1, 1)).astype(np.float64)
        if self._past is not None:
            self._past.note(fraction)
        action = self.low + (fraction + 1) / 2 * (self.high - self.low)
        return np.asarray(action if x.ndim == 2 else action[0])

    def scaled(self, observation: Array) -> Float32:
        """Observations (..., O) as the network sees them."""
        return scaled(observation, self._mean, self._scale, self.clip)

    def took(self, action: Array) -> None:
        """Say that (n, A) was done last, where that is not what the policy said; one with a history remembers it."""
        if self._past is not None:
            self._past.took(self.fraction(action))

    def fraction(self, action: Array) -> Float32:
        """Actions (..., A) as fractions of their limits, in [-1, 1]."""
        return fraction_of(action, np.asarray(self.low), np.asarray(self.high))

    def _chunk(self, x: Float32) -> Float32:
        """The perceptron's output of up to `_CHUNK` rows, padded to that many."""
        padded: Float32 = _padded(x)
        activation = _ACTIVATIONS[self.activation]
        for i, (weight, bias) in enumerate(self._layers):
            padded = padded @ weight + bias
            if i < len(self._layers) - 1:
                padded = activation(padded)
        return padded

    def _remember(self, seen: Float32) -> Float32:
        """The output for rows that each go on with their own memory."""
        hidden = self.weights["memory.weight_hh"].shape[1]
        if self._memory is None or len(self._memory[0]) != len(seen):
            self._memory = (np.zeros((len(seen), hidden), np.float32), np.zeros((len(seen), hidden), np.float32))
        h, c = self._memory
        out = []
        for a, x in zip(range(0, len(seen), _CHUNK), _chunks(seen), strict=True):
            at = slice(a, a + len(x))
            h[at], c[at] = self._gates(x, h[at], c[at])
            out.append(self._chunk(h[at])[: len(x)])
        return np.concatenate(out)

    def _gates(self, x: Float32, h: Float32, c: Float32) -> tuple[Float32, Float32]:
        """One step of the LSTM: input, forget, cell and output gates."""
        w, n = self.weights, len(x)
        z = _padded(x) @ w["memory.weight_ih"].T + _padded(h) @ w["memory.weight_hh"].T + w["memory.bias"]
        i, f, g, o = np.split(z[:n], 4, axis=1)
        new = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        return _sigmoid(o) * np.tanh(new), new

    def save(self, folder: str | Path) -> None:
        """Write the policy into `folder/policy`; the record last."""
        save = _safetensors().save
        target = Path(folder) / POLICY
        with write_aside(target / _WEIGHTS) as file:
            file.write(save({k: np.ascontiguousarray(v) for k, v in self.weights.items()}))
        write_json(
            target / _RECORD,
            {
                "format": 1,
                "activation": self.activation,
                "squash": self.squash,
                "mean": np.asarray(self.mean).tolist(),
                "scale": np.asarray(self.scale).tolist(),
                "clip": self.clip,
                "low": np.asarray(self.low).tolist(),
                "high": np.asarray(self.high).tolist(),
                "history": self.history,
                **self.record,
            },
        )

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read the policy of a run's folder, or of its folder `policy`."""
        folder = _folder(path)
        if not (folder / _RECORD).exists():
            raise InputError(f"{path}: no policy here (expected a run's folder that `simloop train` made)")
        record = read_json(folder / _RECORD)
        try:
            weights = _safetensors().load((folder / _WEIGHTS).read_bytes())
            known: dict[str, Any] = {k: record.pop(k) for k in ("activation", "squash", "clip")}
            arrays: dict[str, Any] = {k: np.array(record.pop(k), dtype=float) for k in ("mean", "scale", "low", "high")}
            record.pop("format")
            known["history"] = int(record.pop("history", 0))  # policies of before had none
            return cls(weights=weights, **arrays, **known, record=record)
        except (KeyError, TypeError, ValueError, OSError, AttributeError, _damage()) as error:
            raise InputError(f"{folder}: damaged policy ({error}); train it again") from None


def policy_hash(path: str | Path) -> str:
    """What names the policy of a run's folder, or of its folder `policy`: the hash of its files; "" where none is."""
    files = sorted(_folder(path).glob("*"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16] if files else ""


def _folder(path: str | Path) -> Path:
    folder = Path(path)
    return folder / POLICY if (folder / POLICY).is_dir() else folder


class History:
    """The last observations and actions of n episodes, as a network sees them beside the present observation."""

    def __init__(self, length: int, actions: int) -> None:
        self.length, self._actions = length, actions
        self._seen: Float32 | None = None  # (n, length + 1, O), the latest first
        self._done: Float32 = np.zeros((0, 0, 0), np.float32)  # (n, length, A)
        self._new = np.zeros(0, dtype=bool)

    def begin(self, places: NDArray[np.bool_]) -> None:
        """Forget what was in `places` (n,)."""
        if self._seen is None or len(self._new) != len(places):
            self._seen = None
        else:
            self._new |= places

    def stacked(self, seen: Float32) -> Float32:
        """Take the present observations (n, O); return them with the past, (n, O (length + 1) + A length).

        What was before an episode began is its first observation, and no action.
        """
        if self._seen is None or len(self._seen) != len(seen):
            self._seen = np.repeat(seen[:, None], self.length + 1, axis=1)
            self._done = np.zeros((len(seen), self.length, self._actions), np.float32)
            self._new = np.zeros(len(seen), dtype=bool)
        self._seen = np.concatenate([seen[:, None], self._seen[:, :-1]], axis=1)
        self._seen[self._new] = seen[self._new, None]
        self._done[self._new] = 0.0
        self._new[:] = False
        return np.concatenate([self._seen.reshape(len(seen), -1), self._done.reshape(len(seen), -1)], axis=1)

    def note(self, fraction: Array) -> None:
        """Remember actions (n, A), as fractions of their limits."""
        self._done = np.concatenate([fraction.astype(np.float32)[:, None], self._done[:, :-1]], axis=1)

    def took(self, fraction: Float32) -> None:
        """Put other actions (n, A) in the place of those that were noted last."""
        self._done[:, 0] = fraction


def scaled(observation: Array, mean: Array, scale: Array, clip: float) -> Float32:
    """Observations (..., O), centred, divided and clipped, as a network sees them."""
    out: Float32 = np.clip((observation - mean) / scale, -clip, clip).astype(np.float32)
    return out


def fraction_of(action: Array, low: Array, high: Array) -> Float32:
    """Actions (..., A) as fractions of limits (A,), in [-1, 1]."""
    return np.clip((action - low) / (high - low) * 2 - 1, -1.0, 1.0).astype(np.float32)


def stacked_history(seen: Float32, done: Float32, length: int) -> Float32:
    """What `History` returns throughout episodes: observations (E, T, O), actions (E, T, A) -> (E, T, ...)."""
    if not length:
        return seen
    before = np.concatenate([np.repeat(seen[:, :1], length, axis=1), seen], axis=1)
    none = np.concatenate([np.zeros_like(done[:, :1]).repeat(length, axis=1), done], axis=1)
    steps = seen.shape[1]
    parts = [before[:, length - k : length - k + steps] for k in range(length + 1)]
    parts += [none[:, length - k : length - k + steps] for k in range(1, length + 1)]
    return np.concatenate(parts, axis=2)


def _padded(x: Float32) -> Any:
    """Rows (n, D) and zeros up to the size of a chunk."""
    return np.concatenate([x, np.zeros((_CHUNK - len(x), x.shape[1]), np.float32)])


def _chunks(x: Float32) -> list[Float32]:
    return [x[a : a + _CHUNK] for a in range(0, len(x), _CHUNK)]


def _sigmoid(x: Float32) -> Float32:
    return (1 / (1 + np.exp(-x))).astype(np.float32)


def _damage() -> type[Exception]:
    """What safetensors raises of a file that is not one."""
    import safetensors

    found: type[Exception] = safetensors.SafetensorError
    return found


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise MissingExtraError("a policy's weights", "learn") from None
    return safetensors.numpy
