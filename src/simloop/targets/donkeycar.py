"""Catalogue entry: 800 frames from the camera of a real small car on an indoor track, with the human's steering.

The track has a dashed yellow centre line and white edges. The frames are one drive of about one and a half laps, so
that later ones show places of the first. They are in a Donkeycar tub; its `_timestamp_ms` are times of writing and
give no frame rate. The public tub has 1,000 frames: the last 200 are no part of the entry.
"""

from __future__ import annotations

from simloop.targets.catalogue import Entry, Split

_SOURCE = "https://github.com/autorope/donkeycar"

DONKEYCAR_TUB = Entry(
    name="donkeycar-tub",
    world="drive",
    machine="a small car's camera on an indoor track, 160x120, with the human's steering",
    source=_SOURCE,
    url=(
        "https://raw.githubusercontent.com/autorope/donkeycar/178565d16f1f4cfb5b924b77e51d11f3bc24c7cd/"
        "donkeycar/tests/tub/tub.tar.gz"
    ),
    archive=True,
    made=(
        f"donkeycar/tests/tub/tub.tar.gz of {_SOURCE} holds manifest.json, catalog_0.catalog and images/, of which the"
        " frames from 800 on are not used"
    ),
    licence="MIT",
    citation="the Donkeycar project, test data, github.com/autorope/donkeycar",
    megabytes=3.6,
    splits={
        "all": Split("*", episodes=range(800)),
        "train": Split("*", episodes=range(600)),
        "test": Split("*", episodes=range(600, 800)),
    },
    files={
        "manifest.json": "d1c4e6e9b77cedb0736113edda05b10c0479ce5839b0ecbf75eab3006346d98b",
        "catalog_0.catalog": "da9b3f8ad77a8ef58233d8f2eda1b0d47a82fa873674ab6babe23fc57c84bb0a",
        "images/{0..99}_cam_image_array_.jpg": "1ab60b9ad5fdbf74e52bb95a0564f969272eba5224cb94764a2582a632d4254e",
        "images/{100..199}_cam_image_array_.jpg": "82255c6f4b45916b2714c8f4ed8f575f9e9be1f255ae98c97e9db5700b07ee92",
        "images/{200..299}_cam_image_array_.jpg": "1bb5b8b79f8e6a770436d056aa7e703149f26b7961347df5160d2a34ffec33ef",
        "images/{300..399}_cam_image_array_.jpg": "2a5b679d5c667fd6532d89c295e7a0c37333a33d82621b15960a830e8ae582b9",
        "images/{400..499}_cam_image_array_.jpg": "4049a5332818b71df1a2b136b6f704204b2dee15212475ada879aa031ae8a0dc",
        "images/{500..599}_cam_image_array_.jpg": "2b2b2aaeeb01d4b20a46cfcb9a8a6f4f433b0be36dd2836403fdeb8f090f0ca2",
        "images/{600..699}_cam_image_array_.jpg": "9a43edda77d623a363f4a3b59f538f235b5a7f60c406ff2e68039ece3c22b7dd",
        "images/{700..799}_cam_image_array_.jpg": "fabdfd3b4822adb3e34152d4ffebf880e5490a50fa5920a3db10e09283b26ccf",
    },
    images=True,
    lines={"catalog_0.catalog": 800},
)
