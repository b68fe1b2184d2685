"""Adaptations: each does what its paper says where that can be worked out, and helps where the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simloop.config import with_options
from simloop.learn.domains.label_shift import balance
from simloop.learn.driving import Driver
from simloop.learn.normalisation import NORMALISATIONS
from tests.sloped import SIZE, filmed, painted

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


@pytest.mark.parametrize(("size", "side"), [((60, 80), 9), ((120, 160), 17)])
def test_local_normalisation_by_hand(size: tuple[int, int], side: int) -> None:
    """The neighbourhood is as large a part of a large image as of a small one."""
    from scipy.ndimage import uniform_filter

    x = torch.from_numpy(np.random.default_rng(3).random((2, 3, *size)))
    around = uniform_filter(x.numpy(), (0, 0, side, side), mode="constant") / uniform_filter(
        np.ones(x.shape), (0, 0, side, side), mode="constant"
    )
    rest = x.numpy() - around
    expected = rest / np.sqrt((rest**2).mean(axis=(1, 2, 3), keepdims=True))
    np.testing.assert_allclose(NORMALISATIONS["local"].of(x).numpy(), expected, atol=1e-9)


def test_pictures_are_changed_as_they_are_seen() -> None:
    """Shifted as images, then normalised, then disturbed; without a change they are as they are taken."""
    from simloop.learn.augmentations import AUGMENTATIONS, Augmentation
    from simloop.learn.pictures import Pictures

    rng = np.random.default_rng(5)
    pictures = Pictures(rng.integers(0, 256, (9, 30, 40, 3), dtype=np.uint8), "local-standard")
    chosen = np.array([4, 4, 7])
    torch.testing.assert_close(pictures.changed(chosen, AUGMENTATIONS["none"], rng), pictures.take(chosen))
    moved = Augmentation(across=0.1, down=0.1)
    shifted = Pictures(moved.shifted(pictures.images, chosen, np.random.default_rng(1)), "local-standard")
    torch.testing.assert_close(
        pictures.changed(chosen, moved, np.random.default_rng(1)), shifted.take(slice(None)), atol=0, rtol=0
    )
    many = np.zeros(400, dtype=np.int64)
    noise = pictures.changed(many, Augmentation(noise=0.3), rng) - pictures.take(many)
    assert float(noise.std()) == pytest.approx(0.3, rel=0.02)
    assert float((noise[0] - noise[1]).abs().max()) > 0.1  # not the same for all
    hidden = pictures.changed(many, Augmentation(hidden=0.5), rng)
    assert float((hidden == 0).any(dim=(1, 2, 3)).float().mean()) == pytest.approx(0.5, abs=0.1)


def test_real_images_are_weighed_to_the_labels_of_simulation() -> None:
    """A track of right turns comes half of the way to simulation; without label shift all weigh 1."""
    rng = np.random.default_rng(4)
    labels, said = rng.normal(0, 1, 4000), rng.normal(0.5, 1, 4000)
    weights = balance(said, labels)
    assert np.average(said, weights=weights) == pytest.approx(0.25, abs=0.06)
    np.testing.assert_allclose(balance(labels, labels), 1, atol=1e-9)
    np.testing.assert_allclose(balance(np.full(50, 3.0), labels), (1 / 7) ** 0.5, rtol=0.01)


def test_statistics_are_those_of_real_images() -> None:
    """After adabn each layer's batch normalisation has the mean and variance of what reality brings there."""
    from simloop.learn.domains.adabn import take_statistics
    from simloop.learn.domains.network import Network
    from simloop.learn.pictures import Pictures

    rng = np.random.default_rng(2)
    network = Network(1, (32, 16), 4)
    real = Pictures(rng.integers(0, 256, (300, 16, 32, 3), dtype=np.uint8), "grey")
    labels = rng.normal(0, 1, 500)
    with torch.no_grad():
        network.out.weight.zero_()  # so that it says the same of all, and all weigh alike
    take_statistics(network, labels, real)
    with torch.no_grad():
        x = real.take(slice(None))
        for layer in network.blocks:
            x = layer[0](x)
            torch.testing.assert_close(layer[1].running_mean, x.mean(dim=(0, 2, 3)), atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(layer[1].running_var, x.var(dim=(0, 2, 3), correction=0), atol=1e-3, rtol=1e-3)
            x = layer[2](layer[1].eval()(x))


def test_coral_loss_is_zero_where_features_are_distributed_alike() -> None:
    from simloop.learn.domains.coral import coral_loss

    features = torch.randn((64, 5), dtype=torch.float64)
    features = features - features.mean(dim=0)
    assert float(coral_loss(features, features.flip(0))) == pytest.approx(0, abs=1e-12)
    # covariances C and 4 C: 9 / 17 of their squares
    assert float(coral_loss(features, 2 * features)) == pytest.approx(9 / 17)


def test_the_gradient_of_the_domain_is_reversed() -> None:
    from simloop.learn.domains.dann import Reversed

    features = torch.tensor([2.0], requires_grad=True)
    (Reversed.apply(features, 0.5) ** 2).sum().backward()
    assert features.grad is not None
    assert float(features.grad) == -2.0


def test_only_gains_beyond_doubt_are_taken() -> None:
    """`auto` keeps `none` where reality is within simulation, and where no gain is beyond doubt."""
    from simloop.learn.selection import chosen

    def scores(gain: float) -> dict[str, dict[str, float]]:
        return {
            "none": {"reverse error": 0.2, "gain": 0.0, "doubt": 0.0, "moved": 0.0, "put back": False},
            "adabn": {"reverse error": 0.2 - gain, "gain": gain, "doubt": 0.02, "moved": 0.3, "put back": False},
            "dann": {"reverse error": 0.2 - gain / 2, "gain": gain / 2, "doubt": 0.01, "moved": 0.5, "put back": True},
        }

    assert chosen(scores(0.05), far=0.9)[0] == "adabn"
    assert chosen(scores(0.01), far=0.9)[0] == "none"
    assert chosen(scores(0.05), far=0.2)[0] == "none"
    worse = scores(0.05)["adabn"] | {"gain": 0.01}
    taken, why = chosen(scores(0.05) | {"adabn": worse}, far=0.9)
    assert taken == "dann"
    assert "put back" in why


@pytest.mark.parametrize(
    ("usual", "moved", "back"),
    [(0.6, -0.3, True), (-0.6, 0.3, True), (0.6, -0.2, False), (0.6, 0.5, False), (0.1, 1.1, True), (0.1, 0.0, False)],
)
def test_a_mean_that_a_match_moved_goes_back(usual: float, moved: float, back: bool) -> None:
    """Nearer to the simulated labels' mean, which is 0, by more than a quarter of their deviation, or far away."""
    from simloop.learn.selection import goes_back

    assert goes_back(usual, moved) == back


#: which adaptations are tried in a world whose answer is known, and how many steps they take
QUICK = {"size": SIZE, "normalisation": "none", "steps": 250, "batch": 32, "width": 8, "translation_steps": 300}


@pytest.fixture(scope="module")
def plain_error() -> float:
    return error("none")


def error(adaptation: str) -> float:
    """The mean absolute error on filmed images, of which only unlabelled ones were seen."""
    learner = with_options(Driver(), {**QUICK, "adaptation": adaptation}, "driver")
    unlabelled = None if adaptation == "none" else filmed(400, seed=2)[0]
    images, labels = filmed(400, seed=3)
    model = learner.train(*painted(800, seed=1), unlabelled=unlabelled, seed=0).model
    return float(np.abs(model(images) - labels).mean())


@pytest.mark.parametrize(
    ("adaptation", "left"), [("adabn", 0.5), ("dann", 0.5), pytest.param("coral", 0.75, marks=pytest.mark.slow)]
)
def test_an_adaptation_helps_where_the_answer_is_known(adaptation: str, left: float, plain_error: float) -> None:
    """In another look, and with other labels than in simulation, much of the error goes without a label."""
    assert error(adaptation) < left * plain_error


@pytest.mark.slow
def test_translation_helps_where_the_answer_is_known(plain_error: float) -> None:
    assert error("translation") < 0.6 * plain_error


@pytest.mark.slow
def test_the_choice_without_labels_is_right_where_the_answer_is_known(tmp_path: Path, plain_error: float) -> None:
    """`auto` adapts to another look, and does not where there is nothing to adapt to."""
    learner = with_options(Driver(), {**QUICK, "adaptation": "auto"}, "driver")
    images, labels = filmed(400, seed=3)
    trained = learner.train(*painted(800, seed=1), unlabelled=filmed(400, seed=2)[0], seed=0, folder=tmp_path)
    assert trained.selection["taken"] != "none", trained.selection
    assert np.abs(trained.model(images) - labels).mean() < 0.6 * plain_error
    alike = learner.train(*painted(800, seed=1), unlabelled=painted(400, seed=5)[0], seed=0)
    assert alike.selection["taken"] == "none", alike.selection
