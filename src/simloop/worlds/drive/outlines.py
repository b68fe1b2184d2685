"""Where things are in a fisheye's picture, in compiled loops: boxes of what is seen, and of what would be.

Of a thing's box points along its edges are taken, for the lens bends them.
"""

from __future__ import annotations

import numpy as np

from simloop.worlds.drive.compiled import compiled

#: m before the camera from which on something is seen; and things nearer than this part of their reach are looked at
#: more closely
_BEFORE, _CLOSE = 1e-3, 3.0


@compiled
def seen(instances, n):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of each number 1..n in a mask (H, W) how many pixels it has, (n,), and the box around them, (n, 4), else NaN."""
    pixels, boxes = np.zeros(n, np.int64), np.full((n, 4), np.nan)
    for i in range(instances.shape[0]):
        for j in range(instances.shape[1]):
            k = int(instances[i, j]) - 1
            if k < 0:
                continue
            if pixels[k] == 0:
                boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = j, i, j + 1, i + 1
            else:
                boxes[k, 0], boxes[k, 2] = min(boxes[k, 0], j), max(boxes[k, 2], j + 1)
                boxes[k, 3] = i + 1
            pixels[k] += 1
    return pixels, boxes


@compiled
def _grow_along(box, p, q, steps, focal, k1, k2, most):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Let a box (4,), in pixels from the picture's centre, hold the images of points before the camera, at even steps
    from one point to another, (3,): m to the right, down and forward."""
    for m in range(steps + 1):
        t = m / steps
        depth = p[2] + t * (q[2] - p[2])
        if depth < 0.999 * _BEFORE:
            continue
        x, y = (p[0] + t * (q[0] - p[0])) / depth, (p[1] + t * (q[1] - p[1])) / depth
        r = np.sqrt(x * x + y * y)
        angle = min(np.arctan(r), most)
        a2 = angle * angle
        part = focal * (1 + a2 * (k1 + k2 * a2)) * angle / max(r, 1e-12)
        u, v = x * part, y * part
        box[0], box[1], box[2], box[3] = min(box[0], u), min(box[1], v), max(box[2], u), max(box[3], v)


@compiled
def amodal(  # type: ignore[no-untyped-def]  # pragma: no cover
    places, middles, halves, position, rotation, focal, centre_u, centre_v, k1, k2, most, far
):
    """(n, 4) boxes around the images of things, whatever is before them; NaN of what is behind or farther than `far`.

    What it is given: places (n, 3): x, y, m, and heading, rad; of the things' boxes, in their own axes, middles and
    halves (n, 3), m; of the camera its position (3,), m, the rotation (3, 3) from its axes to the world's, focal length
    and centre, pixels, and the fisheye's distortion. What is farther from its axis than `most`, rad, is seen there, as
    `frames.widest` says.
    """
    out = np.full((len(places), 4), np.nan)
    corners, cuts, box = np.empty((8, 3)), np.empty((12, 3)), np.empty(4)
    for k in range(len(places)):
        x, y = places[k, 0] - position[0], places[k, 1] - position[1]
        z = middles[k, 2] - position[2]
        away = x * x + y * y + z * z
        if away >= far * far:
            continue
        reach = np.sqrt(halves[k, 0] ** 2 + halves[k, 1] ** 2 + halves[k, 2] ** 2)
        reach += np.sqrt(middles[k, 0] ** 2 + middles[k, 1] ** 2)
        if x * rotation[0, 2] + y * rotation[1, 2] + z * rotation[2, 2] <= -reach:
            continue
        c, s = np.cos(places[k, 2]), np.sin(places[k, 2])
        for m in range(8):  # each bit of its number says on which side it is
            ex = middles[k, 0] + (halves[k, 0] if m & 1 else -halves[k, 0])
            ey = middles[k, 1] + (halves[k, 1] if m & 2 else -halves[k, 1])
            wz = z + (halves[k, 2] if m & 4 else -halves[k, 2])
            wx, wy = x + c * ex - s * ey, y + s * ex + c * ey
            for i in range(3):
                corners[m, i] = rotation[0, i] * wx + rotation[1, i] * wy + rotation[2, i] * wz
        box[0], box[1], box[2], box[3] = np.inf, np.inf, -np.inf, -np.inf
        steps, count = 16 if away < (_CLOSE * reach) ** 2 else 4, 0
        for m in range(8):
            for side in (1, 2, 4):
                if m & side:
                    continue
                p, q = corners[m], corners[m + side]
                _grow_along(box, p, q, steps, focal, k1, k2, most)
                first, last = p[2] - _BEFORE, q[2] - _BEFORE
                if first * last < 0:  # where the edge passes the camera
                    for i in range(3):
                        cuts[count, i] = p[i] + first / (first - last) * (q[i] - p[i])
                    count += 1
        for i in range(count):  # along the faces that pass the camera
            for j in range(i):
                _grow_along(box, cuts[i], cuts[j], 8, focal, k1, k2, most)
        if box[2] >= box[0]:
            out[k, 0], out[k, 2] = box[0] + centre_u, box[2] + centre_u
            out[k, 1], out[k, 3] = box[1] + centre_v, box[3] + centre_v
    return out


@compiled
def annotated(places, middles, halves, amodal, pixels, surfaces, width, height):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Which surfaces and things are in a frame, and where things are; as `labels.in_view` and `labels.truncation` do.

    What it is given: places (n, 3): x, y, m, and heading, rad, of things; of their boxes, in their own axes, middles
    and halves (n, 3), m; amodal boxes (n, 4); pixels (surfaces + n,) that each instance has; and the picture's size.

    Returns:
        instances (k,) that have pixels or whose amodal boxes share area with the picture, amodal boxes (k, 4), how much
        of each is outside the picture (k,), poses (k, 7), and centres and sizes (k, 3) of oriented boxes, m.
    """
    keep = np.empty(len(pixels), np.int64)
    count = 0
    for k in range(len(pixels)):
        here = pixels[k] > 0
        if k >= surfaces and not here:
            u0, v0, u1, v1 = amodal[k - surfaces]
            here = u0 < width and u1 > 0 and v0 < height and v1 > 0
        if here:
            keep[count] = k
            count += 1
    keep = keep[:count]
    boxes, outside = np.full((count, 4), np.nan), np.full(count, np.nan)
    poses, centres, sizes = np.zeros((count, 7)), np.zeros((count, 3)), np.zeros((count, 3))
    for m in range(count):
        k = keep[m] - surfaces
        if k < 0:
            poses[m, 3] = 1
            continue
        u0, v0, u1, v1 = amodal[k]
        boxes[m] = amodal[k]
        whole = (u1 - u0) * (v1 - v0)
        if not np.isnan(whole):
            inside = (min(max(u1, 0), width) - min(max(u0, 0), width)) * (
                min(max(v1, 0), height) - min(max(v0, 0), height)
            )
            outside[m] = 1 - inside / whole if whole > 0 else 0.0
        poses[m, 0], poses[m, 1], half = places[k, 0], places[k, 1], places[k, 2] / 2
        poses[m, 3], poses[m, 6] = np.cos(half), np.sin(half)
        centres[m], sizes[m] = middles[k], 2 * halves[k]
    return keep, boxes, outside, poses, centres, sizes
