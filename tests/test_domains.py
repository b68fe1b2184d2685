"""Adaptations: each does what its paper says where that can be worked out, and helps where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simloop.learn.domains.label_shift import balance
from simloop.learn.normalisation import NORMALISATIONS

torch = pytest.importorskip("torch")


def images(seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((4, 3, 30, 40), dtype=np.float32))


def test_normalisations_take_light_away() -> None:
    """Half as bright and a little lighter is the same image; for `local` even where light falls off along the image."""
    x = images()
    for name in ("standard", "local", "grey-standard", "grey-local"):
        of = NORMALISATIONS[name].of
        torch.testing.assert_close(of(0.5 * x + 0.2), of(x), atol=1e-4, rtol=1e-4)
    slope = torch.linspace(-0.5, 0.5, 40)
    inside = np.s_[:, :, 4:-4, 4:-4]
    plain, lit = NORMALISATIONS["local"].of(x), NORMALISATIONS["local"].of(x + slope)
    assert np.corrcoef(plain[inside].flatten(), lit[inside].flatten())[0, 1] > 0.999
    for each in NORMALISATIONS.values():
        assert each.of(x).shape == (4, each.channels, 30, 40)


def test_local_normalisation_by_hand() -> None:
    from scipy.ndimage import uniform_filter

    x = images().double()
    around = uniform_filter(x.numpy(), (0, 0, 9, 9), mode="constant") / uniform_filter(
        np.ones(x.shape), (0, 0, 9, 9), mode="constant"
    )
    rest = x.numpy() - around
    expected = rest / np.sqrt((rest**2).mean(axis=(1, 2, 3), keepdims=True))
    np.testing.assert_allclose(NORMALISATIONS["local"].of(x).numpy(), expected, atol=1e-9)


def test_real_images_are_weighed_to_the_labels_of_simulation() -> None:
    """Of a track of right turns, weights make what simulation has; without label shift they are all 1."""
    rng = np.random.default_rng(4)
    labels, said = rng.normal(0, 1, 4000), rng.normal(0.5, 1, 4000)
    weights = balance(said, labels)
    assert weights.mean() == pytest.approx(1, abs=0.05)
    assert np.average(said, weights=weights) == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(balance(labels, labels), 1, atol=1e-9)
    assert 0.25 <= balance(np.full(50, 3.0), labels).min() <= 4
