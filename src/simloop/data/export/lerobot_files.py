"""The files of a LeRobot v3 dataset, written episode by episode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simloop.data.export.lerobot_stats import ImageStats, Stats, of_vectors, together
from simloop.parameters import Array
from simloop.runs import write_json

VERSION = "v3.0"
#: as LeRobot has them: files in a folder, and MB in a file
CHUNK, DATA_MB, VIDEO_MB = 1000, 100, 200
_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
#: columns that every dataset has
_OWN = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64",
        "task_index": "int64"}  # fmt: skip
#: episodes that wait to be written together
_WAITING = 100


@dataclass(frozen=True, eq=False)
class Film:
    """The images of one camera in an episode.

    Attributes:
        images: PNG files.
        size: (width, height), pixels.
        stats: how often each value occurs in them.
    """

    images: list[bytes]
    size: tuple[int, int]
    stats: ImageStats


@dataclass(frozen=True, eq=False)
class Episode:
    """What an episode holds: rows of numbers and films of the same length.

    Attributes:
        vectors: by column, (n, d).
        names: by column, what the d numbers are.
        films: by column.
    """

    vectors: Mapping[str, Array]
    names: Mapping[str, list[str]]
    films: Mapping[str, Film] = field(default_factory=dict)

    def __len__(self) -> int:
        return max([*map(len, self.vectors.values()), *(len(f.images) for f in self.films.values())])

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """What `info.json` says of the columns."""
        films = {k: {"dtype": "image", "shape": [*f.size[::-1], 3], "names": ["height", "width", "channels"]}
                 for k, f in self.films.items()}  # fmt: skip
        vectors = {k: {"dtype": "float32", "shape": [v.shape[1]], "names": list(self.names[k])}
                   for k, v in self.vectors.items()}  # fmt: skip
        return films | vectors | {k: {"dtype": t, "shape": [1], "names": None} for k, t in _OWN.items()}


class DatasetFiles:
    """A dataset that grows by episodes; `close` makes it whole."""

    def __init__(self, folder: Path, *, fps: float, task: str, robot: str) -> None:
        self.folder, self.task, self.robot = folder, task, robot
        self.fps = int(fps) if float(fps).is_integer() else float(fps)
        self.episodes = self.rows = self.files = 0
        self._features: dict[str, dict[str, Any]] = {}
        self._vectors: dict[str, Stats] = {}
        self._films: dict[str, ImageStats] = {}
        self._waiting: list[dict[str, Any]] = []
        self._data: Any = None
        self._index: Any = None
        self._bytes = 0

    def add(self, episode: Episode) -> None:
        """Write an episode."""
        self._features = self._features or episode.features
        n = len(episode)
        frame = np.arange(n)
        own = {"timestamp": frame / self.fps, "frame_index": frame, "episode_index": np.full(n, self.episodes),
               "index": self.rows + frame, "task_index": np.zeros(n, dtype=np.int64)}  # fmt: skip
        numbers = {k: np.asarray(v, dtype=np.float32).astype(float) for k, v in episode.vectors.items()}
        numbers |= {k: v.reshape(-1, 1).astype(float) for k, v in own.items()}
        stats = {k: of_vectors(v) for k, v in numbers.items()}
        self._vectors = {k: together(self._vectors[k], s) if k in self._vectors else s for k, s in stats.items()}
        for k, film in episode.films.items():
            self._films[k] = self._films[k] + film.stats if k in self._films else film.stats
            stats[k] = film.stats.summary()
        where = self._write_rows(episode, own)
        self._waiting.append(
            {"episode_index": self.episodes, "tasks": [self.task], "length": n, **where,
             "dataset_from_index": self.rows, "dataset_to_index": self.rows + n}
            | {f"stats/{k}/{name}": x.tolist() for k, s in stats.items() for name, x in s.items()}
            | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        )  # fmt: skip
        self.episodes += 1
        self.rows += n
        if len(self._waiting) >= _WAITING:
            self._write_waiting()

    def _write_rows(self, episode: Episode, own: dict[str, Array]) -> dict[str, int]:
        """Write the rows of an episode as one row group; say in which file they are."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        n = len(episode)
        columns: dict[str, Any] = {}
        for k, film in episode.films.items():
            paths = [f"frame-{i:06d}.png" for i in range(n)]
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
            columns[k] = pa.array([{"bytes": b, "path": p} for b, p in zip(film.images, paths, strict=True)], kind)
        for k, v in episode.vectors.items():
            flat = pa.array(np.asarray(v, dtype=np.float32).ravel())
            columns[k] = flat if v.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(flat, v.shape[1])
        columns |= {k: pa.array(v.astype(_OWN[k])) for k, v in own.items()}
        table = pa.table(columns)
        if self._data is not None and self._bytes + table.nbytes > DATA_MB * 1024**2:
            self._data.close()
            self._data = None
        if self._data is None:
            self._bytes, self.files = 0, self.files + 1
            path = self.folder / "data" / _FILE.format(**self._place())
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data = pq.ParquetWriter(path, table.schema, compression="snappy", use_dictionary=True)
        self._data.write_table(table)
        self._bytes += table.nbytes
        return {f"data/{k}": v for k, v in self._place().items()}

    def _place(self) -> dict[str, int]:
        chunk, file = divmod(self.files - 1, CHUNK)
        return {"chunk_index": chunk, "file_index": file}

    def _write_waiting(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pylist(self._waiting, schema=self._index.schema if self._index else None)
        if self._index is None:
            path = self.folder / "meta" / "episodes" / _FILE.format(chunk_index=0, file_index=0)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._index = pq.ParquetWriter(path, table.schema, compression="snappy", use_dictionary=True)
        self._index.write_table(table)
        self._waiting.clear()

    def close(self) -> None:
        """Write what describes the whole."""
        if self._waiting:
            self._write_waiting()
        for file in (self._data, self._index):
            if file is not None:
                file.close()
        stats = self._vectors | {k: s.summary() for k, s in self._films.items()}
        write_json(self.folder / "meta" / "stats.json",
                   {k: {name: x.tolist() for name, x in s.items()} for k, s in stats.items()})  # fmt: skip
        self._write_task()
        write_json(self.folder / "meta" / "info.json", {
            "codebase_version": VERSION, "robot_type": self.robot, "total_episodes": self.episodes,
            "total_frames": self.rows, "total_tasks": 1, "chunks_size": CHUNK, "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB, "fps": self.fps, "splits": {"train": f"0:{self.episodes}"},
            "data_path": f"data/{_FILE}", "video_path": None, "features": self._features,
        })  # fmt: skip

    def _write_task(self) -> None:
        """The table of tasks, whose rows pandas finds by the task's name."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
        columns = [{"name": k, "field_name": k, "pandas_type": p, "numpy_type": n, "metadata": None}
                   for k, (p, n) in kinds.items()]  # fmt: skip
        pandas = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
        table = pa.table({"task_index": pa.array([0], pa.int64()), "task": pa.array([self.task], pa.string())})
        pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}),
                       self.folder / "meta" / "tasks.parquet")  # fmt: skip
