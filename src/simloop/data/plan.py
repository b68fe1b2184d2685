"""What a dataset holds and where: its configuration, its manifest, and which frames are in which shard.

A dataset is a folder:

    dataset.json                     the manifest: configuration, number of frames, counts
    shard-00000/shard.json           what the shard holds, and the check sums of its tables
    shard-00000/frames.parquet       a row for each photograph: a frame and a camera
    shard-00000/objects.parquet      a row for each photograph and object
    shard-00000/000012-front.rgb.png     its images

Which frames a shard holds depends on the request alone, so that a dataset grows without change to what it holds: a
shard has the whole sequences, and where they are not too many the whole scenes, that come to about a hundred frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.frames import Category, Request
from simloop.runs import content_hash

MANIFEST = "dataset.json"
#: of the folder's layout and of its tables; raised when an older simloop could not read what is written
SCHEMA = 1
#: frames in a shard, about
_SHARD = 100


@dataclass(frozen=True)
class Plan:
    """Which frames are where.

    Attributes:
        frames: how many there are: whole sequences.
        request: with the names of its cameras.
    """

    frames: int
    request: Request

    @property
    def photographs(self) -> int:
        """How many there are: one of each frame with each camera."""
        return self.frames * len(self.request.cameras)

    @property
    def sequences_in_shard(self) -> int:
        """How many sequences a full shard holds."""
        most = max(1, _SHARD // self.request.length)
        return most // self.request.views * self.request.views or most

    @property
    def frames_in_shard(self) -> int:
        """How many frames a full shard holds."""
        return self.sequences_in_shard * self.request.length

    @property
    def shards(self) -> range:
        """The numbers of the shards."""
        return range(-(-self.frames // self.frames_in_shard))

    def sequences_of(self, shard: int) -> range:
        """The sequences of a shard."""
        frames = self.frames_of(shard)
        return range(frames.start // self.request.length, frames.stop // self.request.length)

    def frames_of(self, shard: int) -> range:
        """The frames of a shard."""
        size = self.frames_in_shard
        return range(shard * size, min((shard + 1) * size, self.frames))

    def contents(self, shard: int) -> Iterator[tuple[int, str]]:
        """The photographs of a shard, in order: frame and camera."""
        return ((i, c) for i in self.frames_of(shard) for c in self.request.cameras)

    @classmethod
    def of(cls, frames: int, request: Request) -> Plan:
        """The plan for at least that many frames."""
        return cls(-(-frames // request.length) * request.length, request)


def shard_name(shard: int) -> str:
    """The name of a shard's folder."""
    return f"shard-{shard:05d}"


@dataclass(frozen=True)
class Manifest:
    """What stands in `dataset.json`, whatever the dataset is of.

    Attributes:
        configuration: everything that decides the frames but their number, JSON-able. Its hash names the dataset. Of
            images that surfaces wear it has what they show, not where they are.
        frames: how many are asked for.
        asked: the world as it was asked for: a name or a YAML file.
        textures: the folder of the images that surfaces wear, where it was last found; "" for none.
        counts: what all shards hold, by name; None until they are all there.
    """

    configuration: Mapping[str, Any]
    frames: int
    asked: str
    textures: str = ""
    counts: Mapping[str, Any] | None = None
    #: what the dataset is of, as its configuration says under "holds"
    holds: ClassVar[str] = "images"

    @property
    def hash(self) -> str:
        """Sixteen hex digits that name the configuration."""
        return content_hash(self.configuration)

    def distribution(self, which: str = "distribution") -> Distribution:
        """What scenes were drawn from, or, for "look", their appearance."""
        return Distribution.from_dict(self.configuration[which], source=which)

    @property
    def request(self) -> Request:
        """What was photographed."""
        record = self.configuration["request"]
        listed = {name: tuple(record[name]) for name in ("size", "passes", "cameras")}
        return Request(**{**record, **listed, "textures": self.textures})

    @property
    def categories(self) -> tuple[Category, ...]:
        """What the objects' categories mean."""
        return tuple(
            Category(c["name"], c["thing"], tuple(c["keypoints"]), tuple((a, b) for a, b in c["skeleton"]))
            for c in self.configuration["categories"]
        )

    @property
    def plan(self) -> Plan:
        """Which frames are where."""
        return Plan(self.frames, self.request)

    def replace(self, **changes: Any) -> Self:
        """The manifest with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "configuration": dict(self.configuration),
            "hash": self.hash,
            "frames": self.frames,
            "asked": {"world": self.asked} | ({"textures": self.textures} if self.textures else {}),
            "counts": self.counts,
        }

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a dataset's folder.

        Raises:
            InputError: where there is none, where it is damaged or of something else, and where a newer simloop wrote
                it.
        """
        file = folder / MANIFEST
        if not file.is_file():
            what = "no such folder" if not folder.exists() else f"not a dataset of simloop (it has no {MANIFEST})"
            raise InputError(f"{folder}: {what}")
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            schema = record["schema"]
            if isinstance(schema, int) and schema > SCHEMA:
                raise InputError(
                    f"{file}: written by a newer simloop (its schema is {schema}, this one reads {SCHEMA}); upgrade"
                    " simloop"
                )
            asked = record["asked"]
            found = cls(
                configuration=record["configuration"],
                frames=int(record["frames"]),
                asked=asked["world"],
                textures=asked.get("textures", ""),
                counts=record["counts"],
            )
            holds = found.configuration.get("holds", Manifest.holds)
            if holds != cls.holds:
                raise InputError(f"{folder}: a dataset of {holds}, where one of {cls.holds} is needed")
            if schema != SCHEMA or record["hash"] != found.hash:
                raise ValueError("its hash is not that of its content")
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{file}: damaged ({error}); give the command that made it again with --resume always"
            ) from None
        return found


def holds_tracks(folder: str | Path) -> bool:
    """Whether a folder has a dataset of tracks in it, whole or not."""
    try:
        record = json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))
        return bool(record["configuration"]["holds"] == "tracks")
    except (OSError, ValueError, KeyError, TypeError):
        return False
