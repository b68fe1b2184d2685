"""Catalogue entries: recordings of two real machines by Quanser, a Qube (Furuta pendulum) and a cart-pole.

Both were recorded at 250 Hz by the authors of SimuRLacra. Angle 0 hangs down. The motor got `actions_applied`, clipped
at the amplifier; `actions` is only what was asked for.
"""

from __future__ import annotations

from simloop.targets.catalogue import Entry, Split

_SOURCE = "https://github.com/MisterJBro/SimuRLacra"
_MADE = (
    "numpy.savez_compressed of the arrays time, states, observations, actions and actions_applied, in this order, of"
    f" each recorded rollout of {_SOURCE} (commit 045646d389), which are pickles and are not read here"
)
_CITATION = "Muratore, SimuRLacra: reinforcement learning from randomized simulations, github.com/famura/SimuRLacra"
_CART_UP = "qcp_chrip_3to0Hz_+3.5V_250Hz"
_CART_DOWN = "qcp_chrip_3to0Hz_-3.5V_250Hz"
_SWING_5 = "qq-su_ectrl_250Hz_5s"
_SWING_7 = "qq-su_ectrl_250Hz_7s"
_CHIRP_UP = "qq_chrip_10to0Hz_+1.5V_250Hz_10s"
_CHIRP_DOWN = "qq_chrip_10to0Hz_-1.5V_250Hz_10s"
#: the last chirp of each sign
_TEST, _TRAIN = (4, 9), (0, 1, 2, 3, 5, 6, 7, 8)


def _rollouts(folder: str, day: str, hashes: dict[str, str]) -> dict[str, str]:
    """Files of a folder and their SHA-256, by the time of the day at which they were recorded."""
    return {f"{folder}/rollout_real_{day}_{time}.npz": digest for time, digest in hashes.items()}


QUBE = Entry(
    name="qube",
    world="qube",
    machine="Quanser Qube (Furuta pendulum)",
    source=_SOURCE,
    url="",
    made=_MADE,
    keeps="quanser",
    licence="BSD-3-Clause",
    citation=_CITATION,
    megabytes=1.9,
    splits={
        "chirps": Split("qq_chrip_*"),
        "chirps-train": Split("qq_chrip_*", _TRAIN),
        "chirps-test": Split("qq_chrip_*", _TEST),
        "swing-up-5s": Split(_SWING_5),
        "swing-up-7s": Split(_SWING_7),
    },
    files={
        **_rollouts(
            _SWING_5,
            "2021-04-14",
            {
                "18-34-53": "7813983bcbd0e01c1bb511d8b5ce146d678147b50879ba357bc2a9990ef60bf9",
                "18-35-37": "a8d08b2d9bb81333f478152c89d46759aeb6a0ce83fe6c5c3f554476c6986175",
                "18-36-59": "fbaf7aaea1fd5960cdaeabc1a0c792113a6393f9267e077a2f1e142044b5a624",
                "18-37-37": "1d526f1c56e4e9c591a95139669d3cbd13bfcc94767e5c5e061021c20b0a45f1",
                "18-40-41": "8f679e739a93c8a7112ee9721d85d9b9fe59670527c7e9e2c66e92c1a8feff17",
            },
        ),
        **_rollouts(
            _SWING_7,
            "2021-05-31",
            {
                "10-37-38": "58596aa24cdff90d3f788ecffa9516ae2b63211cafaad0e65f18506077545147",
                "10-38-21": "89df0f0a2469b8f57868767b7be3ac78debfa5e1315a2f176534b83ba02c14c2",
                "10-39-03": "4bcffccbbc9f90934486a4a78c20e91300b99732a4bb3480786ca6b6142f58c5",
                "10-39-45": "6e8dde86379668736e82476655cc555e3f1ec7a0852071b104016d26d8adaf1a",
                "10-40-37": "f3fdaa289043015d3a9a087edc4db61bc84be882af9f3a7767627c3c73d4f463",
            },
        ),
        **_rollouts(
            _CHIRP_UP,
            "2021-04-14",
            {
                "18-52-33": "b4b90fb5b0a04a19bcab4a95e18a844e7879db365add37bacdacbfb69cc7c1e3",
                "18-53-40": "11e6163cfae2712693bd52212855b77122bfee6a528af86bf93acf5c3fdb3bec",
                "18-54-23": "8d2cf08132ada8ee4c2dde0f2e2464e09556ceb8ff99dd858ef3496ecf76b09a",
                "18-55-12": "610e548b385bfa23b9bb395532d4e828bef366a277a0cd23a895cc1792e225b4",
                "18-55-54": "28edfe3550fba3e19791c645bbfa148f4a3a867c72a45131139e1c3be2409b4d",
            },
        ),
        **_rollouts(
            _CHIRP_DOWN,
            "2021-04-14",
            {
                "18-56-57": "96280b2fb6329fe3836d2b36f0f24085ce340354df57e267369422a4a26a959d",
                "18-57-37": "34518aaaea6c8d11f6a9762f116acdf7aa61556a3ac914dc8adc17fc4263e51f",
                "18-58-26": "4a135994caa945fd8cf1bd6a5551a1c835b4328c3ea449d6359d77142fce0448",
                "18-59-04": "16ea13b53192e8eb21be8227b3f71bb646ecd9a0acf2afb2a672ad2096d7ec58",
                "19-00-05": "f9291ac53453f66875d1f254a97e61387bd9831c4372a68645b1f241f105e39a",
            },
        ),
    },
)

CART_POLE = Entry(
    name="cart-pole",
    world="cart-pole",
    machine="Quanser linear cart with a pole",
    source=_SOURCE,
    url="",
    made=_MADE,
    keeps="quanser",
    licence="BSD-3-Clause",
    citation=_CITATION,
    megabytes=0.7,
    splits={
        "chirps": Split("qcp_chrip_*"),
        "chirps-train": Split("qcp_chrip_*", _TRAIN),
        "chirps-test": Split("qcp_chrip_*", _TEST),
    },
    files={
        **_rollouts(
            _CART_UP,
            "2021-04-14",
            {
                "19-38-02": "71dace5f446953ff03dd9afbc592414a583df652bc6f2fad9a4d2b556ae6c85f",
                "19-38-16": "2fb8dcc630132fd72608350f0dcb93ed86bc01eb8e14334fab7e047d70860dd0",
                "19-38-49": "95cc6720aba3ce4854b9a872f463ffe96adfef835c6a644f080bdee2460c87d8",
                "19-39-00": "e095573fc6e9d5ee3869c3ddbe858822cab36ae46e3bcaca7351cc798653b5a9",
                "19-39-25": "e0556cf008ccb5a93ee9a2c4a3c03ecbaac3c7939b9046e8952cb2a09055311a",
            },
        ),
        **_rollouts(
            _CART_DOWN,
            "2021-04-14",
            {
                "19-41-00": "db764ea47609d2e89890756a66da1c734e8983311d760589955c4a17b6abedbd",
                "19-41-11": "f7536fb601078952afd242de79267c08bc3caff1d4de49c48d40ddaf87a71dc8",
                "19-41-29": "6b0c8542ef7d6366ac5512554c0466b0a3d57d733b0e1ff4c1fde5ff12300b82",
                "19-41-41": "ca96ddcbb05e67a1d84c43268549369a84f6077e7e0e05573dbcd64c2107303e",
                "19-41-48": "e430459521629857b2b0ad695b7e46db8c07d12e79f7971e871c176d7fb83f21",
            },
        ),
    },
)
