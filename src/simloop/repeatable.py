"""Training that gives the same bytes: PyTorch seeded and on one thread."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Torch seeded and on one thread inside, as it was outside; what it deprecates in itself is not ours to say.

    Products as small as ours are slower on several threads, and differ in their last bits with the number of them.
    """
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
