"""Adaptation to a domain of which there are images without labels: one file for each, with its paper.

- `none` (`course.py`): simulation alone;
- `adabn`: statistics of batch normalisation from reality;
- `coral`: correlations of features alike;
- `dann`: features that a classifier cannot tell apart;
- `translation`: images translated both ways, and one latent space that drives.

`label_shift.py` says what all of them do about other distributions of labels; `network.py` is the network.
"""

from __future__ import annotations

from typing import Literal, get_args

Adaptation = Literal["none", "adabn", "coral", "dann", "translation", "auto"]
ADAPTATIONS: tuple[str, ...] = get_args(Adaptation)
