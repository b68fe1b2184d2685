"""The tables of a shard: photographs and their objects as Parquet, always with the same bytes, and read back.

Vectors and matrices are lists of fixed length. A number that is not known is NaN. The column of a parameter is
`parameter.NAME`, that of another number about the whole image `value.NAME`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simloop.data.images import IMAGES
from simloop.frames import Camera, Frame, Objects

#: columns by name, (n, ...) each; texts are lists
Columns = dict[str, Any]

_PARAMETER, _VALUE = "parameter.", "value."
#: columns of texts, None where there is none
_TEXTS = ("camera", "names", *IMAGES)
#: fields of `Objects`, beside names, with their shapes
_OBJECTS = ("ids", "categories", "boxes", "amodal", "truncation", "pixels", "visible", "poses", "centres", "sizes")


class ImageFile(NamedTuple):
    """One image of a photograph in its shard."""

    name: str
    #: CRC-32 of its bytes
    crc: int
    #: pixels that could not be kept
    lost: int


def photographs_table(frames: Sequence[Frame], files: Sequence[Mapping[str, ImageFile]]) -> pa.Table:
    """A row for each photograph, without its objects; the frames' images are not looked at."""
    cameras = [f.camera for f in frames]
    columns: Columns = {
        "index": [f.index for f in frames],
        "sequence": [f.sequence for f in frames],
        "step": [f.step for f in frames],
        "time": np.array([f.time for f in frames]),
        "camera": [c.name for c in cameras],
        "size": np.array([c.size for c in cameras]),
        "intrinsics": np.array([c.intrinsics for c in cameras]),
        "extrinsics": np.array([c.extrinsics for c in cameras]),
        "position": np.array([c.position for c in cameras]),
        "rotation": np.array([c.rotation for c in cameras]),
        "distortion": np.array([c.distortion for c in cameras]),
        "depth_unit": np.array([c.depth_unit for c in cameras]),
        "objects": [len(f.objects) for f in frames],
        "keypoints": [f.objects.keypoints.shape[1] for f in frames],
    }
    if any(c.fisheye for c in cameras):
        columns["fisheye"] = [c.fisheye for c in cameras]
    for prefix, numbers in ((_PARAMETER, [f.parameters for f in frames]), (_VALUE, [f.values for f in frames])):
        for name in dict.fromkeys(n for x in numbers for n in x):
            columns[prefix + name] = np.array([x.get(name, np.nan) for x in numbers], dtype=float)
    for kind in IMAGES:
        if any(kind in x for x in files):
            each = [x.get(kind) for x in files]
            columns[kind] = [x.name if x else None for x in each]
            columns[f"{kind}.crc"] = [x.crc if x else 0 for x in each]
            columns[f"{kind}.lost"] = [x.lost if x else 0 for x in each]
    return columns_table(columns, texts=_TEXTS)


def objects_table(frames: Sequence[Frame]) -> pa.Table:
    """A row for each object of each photograph, in their order."""
    each = [f.objects for f in frames]
    columns: Columns = {
        "index": np.repeat([f.index for f in frames], [len(o) for o in each]),
        "camera": [f.camera.name for f in frames for _ in range(len(f.objects))],
        "names": [n for o in each for n in o.names],
        **{name: np.concatenate([getattr(o, name) for o in each]) for name in _OBJECTS},
    }
    table = columns_table(columns, texts=_TEXTS)
    points = [row.reshape(-1).tolist() for o in each for row in o.keypoints]
    return table.append_column("keypoints", pa.array(points, type=pa.list_(pa.float64())))


def columns_table(columns: Columns, *, texts: Sequence[str] = ()) -> pa.Table:
    """Columns as an Arrow table: arrays of more than one axis are lists of fixed length, lists of `texts` strings."""
    arrays = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray) and column.ndim > 1:
            flat = pa.array(np.ascontiguousarray(column).reshape(-1))
            arrays[name] = pa.FixedSizeListArray.from_arrays(flat, int(np.prod(column.shape[1:])))
        elif isinstance(column, list) and name in texts:
            arrays[name] = pa.array(column, type=pa.string())
        else:
            arrays[name] = pa.array(np.asarray(column))
    return pa.table(arrays)


def to_parquet(table: pa.Table) -> bytes:
    """The bytes of a table's file: the same for the same table and version of PyArrow."""
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", compression_level=1, version="2.6", row_group_size=1 << 20)
    return out.getvalue()


def from_parquet(content: bytes) -> Columns:
    """The columns of a table by name: lists of fixed length as arrays (n, length), texts and other lists as lists."""
    table = pq.ParquetFile(io.BytesIO(content)).read(use_threads=False)
    columns: Columns = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_fixed_size_list(column.type):
            columns[name] = column.flatten().to_numpy().reshape(len(column), column.type.list_size)
        elif pa.types.is_string(column.type) or pa.types.is_list(column.type):
            columns[name] = column.to_pylist()
        else:
            columns[name] = column.to_numpy(zero_copy_only=False)
    return columns


def camera_of(photographs: Columns, row: int) -> Camera:
    """The camera of a photograph."""
    width, height = photographs["size"][row].tolist()
    k1, k2 = photographs["distortion"][row].tolist()
    return Camera(
        name=photographs["camera"][row],
        size=(width, height),
        intrinsics=photographs["intrinsics"][row].reshape(3, 3),
        position=photographs["position"][row],
        rotation=photographs["rotation"][row].reshape(3, 3),
        distortion=(k1, k2),
        fisheye=bool("fisheye" in photographs and photographs["fisheye"][row]),
        depth_unit=float(photographs["depth_unit"][row]),
    )


def objects_of(photographs: Columns, objects: Columns, row: int) -> Objects:
    """The objects of a photograph."""
    end = int(photographs["objects"][: row + 1].sum())
    rows = slice(end - int(photographs["objects"][row]), end)
    points = np.array(objects["keypoints"][rows], dtype=float)
    return Objects(
        names=tuple(objects["names"][rows]),
        keypoints=points.reshape(rows.stop - rows.start, int(photographs["keypoints"][row]), 3),
        **{name: objects[name][rows] for name in _OBJECTS},
    )


def numbers_of(photographs: Columns, row: int) -> tuple[dict[str, float], dict[str, float]]:
    """The parameters and the values of a photograph, by name."""
    found = []
    for prefix in (_PARAMETER, _VALUE):
        named = {n.removeprefix(prefix): float(c[row]) for n, c in photographs.items() if n.startswith(prefix)}
        found.append({name: x for name, x in named.items() if not np.isnan(x)})
    return found[0], found[1]


def parameters_of(photographs: Columns) -> dict[str, Any]:
    """The parameters of all photographs: name -> (n,)."""
    return {n.removeprefix(_PARAMETER): c for n, c in photographs.items() if n.startswith(_PARAMETER)}
