"""Catalogue entry: the pedestrian tracks of ETH and UCY, in the leave-one-out split that the field evaluates on.

    track_set("eth-ucy/hotel")             # the recordings that a model is tested on
    track_set("eth-ucy/hotel/train")       # first parts of those of the other sets; eth-ucy/hotel/val: their last parts

Five sets of eight recordings, rows each 0.4 s. What set `eth` and `hotel` are tested on was annotated on video of ETH
Zurich (Pellegrini, Ess, Schindler and van Gool, ICCV 2009), the rest on video of the University of Cyprus (Lerner,
Chrysanthou and Lischinski, Computer Graphics Forum 26, 2007). Three traps: people of `eth` are about twice as fast as
others, because its frames lie farther apart than the files say; places on the ground are known to some cm at best; and
tracks of UCY are splines through few marked points, so that they are smoother than people walk.
"""

from __future__ import annotations

from simloop.targets.catalogue import Entry, Split
from simloop.targets.tracks import read_catalogued

_SOURCE = "https://github.com/abduallahmohamed/Social-STGCNN"
_COMMIT = "333d3a57b4"
#: the recordings that each set is tested on
TESTED = {
    "eth": ("biwi_eth",),
    "hotel": ("biwi_hotel",),
    "univ": ("students001", "students003"),
    "zara1": ("crowds_zara01",),
    "zara2": ("crowds_zara02",),
}
#: SHA-256 of each recording's first part and of its last part
_PARTS = {
    "biwi_eth": (
        "7905d1337f8466c3ebcd80e8264158209370e939774a371d215491256128407e",
        "ed19f8ee52e024788658d70060c1452b991aa506b78ea649c74f79e075ad20b9",
    ),
    "biwi_hotel": (
        "f3f485043273e3d972efd73770df0021ec7d3d5135f60d2e2ca5809f68d6f104",
        "5c6026c5c6feb81295187e2e063d86197344428811ac2ae98a45bdfb5dfa79ed",
    ),
    "crowds_zara01": (
        "5b2ff1a334f4b3e8595e0ee898874b1795561db7bde97e90cbc4a1382c8c3d56",
        "d5212e4e3289aa44365e5ce34a476ef2a4208c89bd6a29204ece097c7f33c157",
    ),
    "crowds_zara02": (
        "9fd606341135d7d211c3af259c9eb2c25e4c7035efc43d3007ceeef6f954b247",
        "361949e5655814680e1185bdd23344932f7b6ccc0d7120c34b523495d0fc69f8",
    ),
    "crowds_zara03": (
        "d38a0a6cd1e24adadbb3b15cac97b747e5c6ace2c59d457d805f38a4d91d5a03",
        "60d464e21fd3851fab146ec3b35d0db4155b3c057f4b46050336eac59314f0f5",
    ),
    "students001": (
        "f41a0a63301e1c15104205c4a1540db477ddc3330ee2801a976d7b9fc238a63e",
        "dc8f3147820e80642903041b017292eb03ea5df81ffd2974b47a725d8ffeb394",
    ),
    "students003": (
        "85fe6324e9a0b94acb21617eb0331f543fe5ebf0caee1e253794bca554f35daf",
        "b7aa6dcedba0e9036272dc363e2a25e6bb80d7485d75dcb3fff918ce01b10e24",
    ),
    "uni_examples": (
        "06866bea5c2f589094473371e9fb6b653c7af95e5f748434bc1024544c5e1c7a",
        "436dfa865ffab37957e928e227a1b6cc836ab0e6b7652abbf5d06cdf5638dee4",
    ),
}
#: SHA-256 of the whole recordings
_WHOLE = {
    "biwi_eth": "cf8d3fd342a15f409ebc2a1fc76b91a0f06390bd21f1e11410f3859331ab082b",
    "biwi_hotel": "9caa771bb9153d6b809dd0916b6f86761b641e6bbb15e766c1de3133fbbb7fcf",
    "crowds_zara01": "1147a1962a09abfb86f28c6cddcac862e095a0cf129b3016385b69eacdd09d85",
    "crowds_zara02": "8a649d0f8c9ae75c87c4d23a85f892786b0aa30266e996c7be03e69dafff22ff",
    "students001": "a6d87f278d94136fe39b8be91555487a29ac77259ae403b9dba2d5c18caf7b5b",
    "students003": "e25798b660634330aa89f8bb259425de720e84d0873902726c1d1f4ccff21d6c",
}


def _files() -> dict[str, str]:
    """All files of the five sets with their hashes: each set is trained on what it is not tested on."""
    files: dict[str, str] = {}
    for tested, own in TESTED.items():
        files |= {f"{tested}/test/{name}.txt": _WHOLE[name] for name in own}
        for k, part in enumerate(("train", "val")):
            files |= {f"{tested}/{part}/{n}_{part}.txt": both[k] for n, both in _PARTS.items() if n not in own}
    return files


ETH_UCY = Entry(
    name="eth-ucy",
    world="crowd",
    machine="pedestrians on five places in Zurich and Cyprus, seen from above, annotated each 0.4 s",
    source=_SOURCE,
    url=f"https://raw.githubusercontent.com/abduallahmohamed/Social-STGCNN/{_COMMIT}/datasets/",
    licence="UCY: free use with credit; ETH: none stated; the files' repository: MIT",
    citation=(
        "Pellegrini, Ess, Schindler and van Gool, You'll Never Walk Alone, ICCV 2009; Lerner, Chrysanthou and"
        " Lischinski, Crowds by Example, Computer Graphics Forum 26 (2007)"
    ),
    megabytes=14.0,
    splits={
        **{name: Split(f"{name}/test/*") for name in TESTED},
        **{f"{name}/{part}": Split(f"{name}/{part}/*") for name in TESTED for part in ("train", "val")},
    },
    files=_files(),
    read=read_catalogued,
)
