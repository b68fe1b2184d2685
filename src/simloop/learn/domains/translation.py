"""`translation`: images translated both ways through one latent space, from which the number is read.

Bewley et al., "Learning to drive from simulation without real world labels" (arXiv 1812.03823), section III: an encoder
and a decoder for each domain share a latent space (after Liu, Breuel and Kautz, "Unsupervised image-to-image
translation networks", arXiv 1703.00848), and a controller reads the number from it. What is minimised together:

- reconstruction: each image from its own latent, L1;
- cycle: an image that was translated there and back, L1;
- latent reconstruction: the latent of what was translated, L1;
- adversarial: translated images look like the other domain to its discriminator (least squares, LSGAN);
- control: the number from the latent of simulated images, and from that of their translations into reality, which is
  what ties the number to content that survives translation.

In use an image of reality goes through the encoder of reality and the controller. Departures, so that it takes minutes
on one core: images are normalised, of 80 x 60 pixels, and seen by three convolutions; there is no perceptual loss; the
two encoders share their last layers and the two decoders their first ones; the latent has unit variance by a group
normalisation, in place of a Kullback-Leibler term.

Label shift: a discriminator notices that reality turns right more often, and the translation would then bend roads to
please it while their labels stay. So it is shown real images that are drawn with the weights of `label_shift.balance`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from simloop.learn.domains.course import Batch, Options, Plain, control_loss
from simloop.learn.domains.network import FEATURES

#: channels of the latent space over those of the first convolution, and the slope of a rectifier below 0
_LATENT, _SLOPE = 4, 0.1


class Translation(Plain):
    """Encoders, decoders, discriminators of "simulated" and "real", and one controller."""

    name: ClassVar[str] = "translation"
    trains: ClassVar[str] = "translation"
    adapts: ClassVar[bool] = True

    def __init__(self, options: Options) -> None:
        self.options = options
        width, latent = options.width, _LATENT * options.width
        shared_in, shared_out = Residual(latent), Residual(latent)
        self.encoders = nn.ModuleList(Encoder(options.channels, width, shared_in) for _ in range(2))
        self.decoders = nn.ModuleList(Decoder(options.channels, width, options.size, shared_out) for _ in range(2))
        self.discriminators = nn.ModuleList(discriminator(options.channels, width) for _ in range(2))
        self.controller = Controller(latent, options.size)
        acting = nn.ModuleList([self.encoders, self.decoders, self.controller])
        momenta = (0.5, 0.999)
        self.optimizers = {
            "adam": torch.optim.Adam(acting.parameters(), options.learning_rate, momenta),
            "judges": torch.optim.Adam(self.discriminators.parameters(), options.learning_rate, momenta),
        }
        for module in self.modules().values():
            module.to(memory_format=torch.channels_last)

    def driver(self) -> Reader:
        return Reader.of(self.encoders[1], self.controller)

    def modules(self) -> dict[str, Any]:
        return {
            "encoders": self.encoders,
            "decoders": self.decoders,
            "discriminators": self.discriminators,
            "controller": self.controller,
        }

    def step(self, batch: Batch) -> dict[str, float]:
        for module in self.modules().values():
            module.train()
        images = (batch.images, batch.real)
        latent = [encode(x) for encode, x in zip(self.encoders, images, strict=True)]
        translated = [self.decoders[k](latent[1 - k]) for k in range(2)]  # into domain k
        judged = sum(self.judgement(k, images[k], translated[k].detach()) for k in range(2))
        self.optimizers["judges"].zero_grad()
        judged.backward()
        self.optimizers["judges"].step()

        again = [self.encoders[k](translated[k]) for k in range(2)]  # the latent of what was translated into k
        control, parts = self.control(self.controller(latent[0])[1], batch)
        losses = {
            "reconstruction": sum(functional.l1_loss(self.decoders[k](latent[k]), images[k]) for k in range(2)),
            "cycle": sum(functional.l1_loss(self.decoders[k](again[1 - k]), images[k]) for k in range(2)),
            "latent": sum(functional.l1_loss(again[1 - k], latent[k].detach()) for k in range(2)),
            "adversarial": sum(((self.discriminators[k](translated[k]) - 1) ** 2).mean() for k in range(2)),
            "control": control,
            "control of cycle": control_loss(self.controller(again[1])[1], batch.labels),
        }
        self.optimizers["adam"].zero_grad()
        sum(self.options.weights[name] * loss for name, loss in losses.items()).backward()
        self.optimizers["adam"].step()
        told = {name: float(loss.detach()) for name, loss in losses.items()}
        return {**told, **parts, "judges": float(judged.detach())}

    def judgement(self, domain: int, images: Any, translated: Any) -> Any:
        """The loss of a discriminator: 1 for images of its domain, 0 for what was translated into it."""
        judge = self.discriminators[domain]
        return ((judge(images) - 1) ** 2).mean() + (judge(translated) ** 2).mean()


class Reader(nn.Module):  # type: ignore[misc]
    """The encoder of reality and the controller: normalised images -> features and a number in deviations."""

    def __init__(self, channels: int, size: tuple[int, int], width: int) -> None:
        super().__init__()
        latent = _LATENT * width
        self.encoder, self.controller = Encoder(channels, width, Residual(latent)), Controller(latent, size)

    @classmethod
    def of(cls, encoder: Any, controller: Any) -> Reader:
        """One of parts that are there."""
        reader = cls.__new__(cls)
        nn.Module.__init__(reader)
        reader.encoder, reader.controller = encoder, controller
        return reader

    def forward(self, images: Any) -> tuple[Any, Any]:
        read: tuple[Any, Any] = self.controller(self.encoder(images))
        return read


class Encoder(nn.Module):  # type: ignore[misc]
    """Images (B, C, H, W) -> latent (B, 4 width, H / 8, W / 8) of unit variance."""

    def __init__(self, channels: int, width: int, shared: nn.Module) -> None:
        super().__init__()
        latent = _LATENT * width
        self.own = nn.Sequential(
            layer(channels, width, 5, 2), layer(width, 2 * width, 3, 2), layer(2 * width, latent, 3, 2)
        )
        self.shared, self.unit = shared, nn.GroupNorm(1, latent, affine=False)

    def forward(self, images: Any) -> Any:
        return self.unit(self.shared(self.own(images)))


class Decoder(nn.Module):  # type: ignore[misc]
    """Latent -> images."""

    def __init__(self, channels: int, width: int, size: tuple[int, int], shared: nn.Module) -> None:
        super().__init__()
        latent = _LATENT * width
        self.shared = shared
        self.sizes = [tuple(-(-side // 2**k) for side in size[::-1]) for k in (2, 1, 0)]
        self.own = nn.ModuleList(
            [layer(latent, 2 * width, 3, 1), layer(2 * width, width, 3, 1), nn.Conv2d(width, channels, 3, 1, 1)]
        )

    def forward(self, latent: Any) -> Any:
        x = self.shared(latent)
        for each, size in zip(self.own, self.sizes, strict=True):
            x = each(functional.interpolate(x, size, mode="nearest"))
        return x


class Controller(nn.Module):  # type: ignore[misc]
    """Latent -> features (B, `FEATURES`) and a number (B,)."""

    def __init__(self, latent: int, size: tuple[int, int]) -> None:
        super().__init__()
        across, down = (-(-side // 16) for side in size)
        self.features = nn.Sequential(
            layer(latent, latent, 3, 2), nn.Flatten(), nn.Linear(latent * across * down, FEATURES), nn.ReLU()
        )
        self.out = nn.Linear(FEATURES, 1)

    def forward(self, latent: Any) -> tuple[Any, Any]:
        features = self.features(latent)
        return features, self.out(features)[:, 0]


class Residual(nn.Module):  # type: ignore[misc]
    """Two convolutions beside a straight way."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.way = nn.Sequential(layer(channels, channels, 3, 1), nn.Conv2d(channels, channels, 3, 1, 1))

    def forward(self, x: Any) -> Any:
        return x + self.way(x)


def discriminator(channels: int, width: int) -> nn.Sequential:
    """Images -> a judgement of each patch."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 5, 2, 2), nn.LeakyReLU(_SLOPE), layer(width, 2 * width, 3, 2),
        layer(2 * width, 2 * width, 3, 2), nn.Conv2d(2 * width, 1, 3, 1, 1),
    )  # fmt: skip


def layer(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    """A convolution with group normalisation, which looks at one image alone."""
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
        nn.GroupNorm(8 if out % 8 == 0 else 1, out),
        nn.LeakyReLU(_SLOPE),
    )
