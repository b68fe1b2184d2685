"""The fast renderer of world `drive`: rays to a flat road and to upright boxes, cylinders and cones, in compiled loops.

    colour, depth, instances = render(scene_arrays, look, camera, places, size)

Of each pixel's ray it is known in closed form where it meets the ground; where that is along the road and beside it is
read from a grid of nearest points of the centreline. Lines are as sharp as a pixel is on the ground, so that they do
not flicker. Light is that of the sun, the sky and lamps; a floor that shines shows the sky and the lamps again.

Everything is a function of its arguments: random choices are hashes of the look's number and of where things are.
"""

from __future__ import annotations

import numpy as np

from simloop.worlds.drive.compiled import compiled as _fast

#: instances of surfaces; things follow
GROUND, ROAD, LINE, KERB, FIRST_THING = 1, 2, 3, 4, 5
#: most lamps
LAMPS = 16
#: m, what is farther is not drawn
FAR = 400.0

#: places in the array of a look's numbers that the kernel reads; see `look.uniforms`
(
    SEED, ROAD_R, ROAD_G, ROAD_B, VERGE_R, VERGE_G, VERGE_B, NOISE, GRAIN, PATCHES, GLOSS, ROUGH, SHOULDER, WEAR,
    CENTRE_R, CENTRE_G, CENTRE_B, EDGE_R, EDGE_G, EDGE_B, SUN_X, SUN_Y, SUN_Z, SUN, AMBIENT, SHADE, SHADE_SIZE,
    ZENITH_R, ZENITH_G, ZENITH_B, HORIZON_R, HORIZON_G, HORIZON_B, CLOUDS, BACK_HEIGHT, BACK_CONTRAST, BACK_LIGHT,
    BACK_SIZE, LAMP_COUNT, LAMP_LIGHT, HEADLAMPS, FOG, RAIN, SNOW, WET, RECOLOUR, GLARE, NUMBERS,
) = range(48)  # fmt: skip


#: (4097,) how near to the zenith's colour the sky's is, by its height
_RISE = ((np.arange(4097) + 0.5) / 4097) ** 0.7


@_fast
def nearest_grid(points, low, cell, shape, reach, closed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(rows, columns) int32: of each cell's middle the nearest point of a line within `reach` m; -1 for none."""
    rows, columns = shape
    out = np.full((rows, columns), -1, np.int32)
    best = np.full((rows, columns), reach * reach, np.float64)
    around = int(np.ceil(reach / cell))
    for k in range(len(points)):
        x, y = (points[k, 0] - low[0]) / cell, (points[k, 1] - low[1]) / cell
        for i in range(max(0, int(y) - around), min(rows, int(y) + around + 1)):
            for j in range(max(0, int(x) - around), min(columns, int(x) + around + 1)):
                dx, dy = (j + 0.5 - x) * cell, (i + 0.5 - y) * cell
                far = dx * dx + dy * dy
                if far < best[i, j]:
                    best[i, j] = far
                    out[i, j] = k
    return out


@_fast
def _hash(i, j, seed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """0 to 1 of two whole numbers."""
    h = np.uint64(i & 0xFFFFFFFF) * np.uint64(0x9E3779B97F4A7C15) ^ (np.uint64(j & 0xFFFFFFFF) + np.uint64(seed))
    h = (h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    return np.int64(h >> np.uint64(40)) * (1.0 / 16777216.0)


@_fast
def _noise(x, y, seed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Smooth noise of the plane, -1 to 1, with cells of side 1."""
    i, j = int(np.floor(x)), int(np.floor(y))
    u, v = x - i, y - j
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    a = _hash(i, j, seed) * (1 - u) + _hash(i + 1, j, seed) * u
    b = _hash(i, j + 1, seed) * (1 - u) + _hash(i + 1, j + 1, seed) * u
    return 2 * (a * (1 - v) + b * v) - 1


@_fast
def _angle(y, x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As arctan2, to 1e-5 rad: by a polynomial (Hastings, 1955), which is several times as fast."""
    a, b = abs(x), abs(y)
    t = min(a, b) / max(a, b, 1e-30)
    q = t * t
    r = 0.99997726 + q * (-0.33262347 + q * (0.19354346 + q * (-0.11643287 + q * (0.05265332 - q * 0.0117212))))
    r *= t
    if b > a:
        r = np.pi / 2 - r
    if x < 0:
        r = np.pi - r
    return -r if y < 0 else r


@_fast
def _covered(off, width, blur):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Part of a pixel of width `blur` that a line of a width covers whose middle is `off` away."""
    inside = min(off + blur / 2, width / 2) - max(off - blur / 2, -width / 2)
    return max(0.0, min(1.0, inside / blur))


@_fast
def _dashed(s, dash, period, blur):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Part of a pixel of length `blur` at `s` that dashes cover."""
    if blur >= period:
        return dash / period
    u = s % period
    inside = 0.0
    for k in (-1, 0, 1):
        a, b = k * period, k * period + dash
        inside += max(0.0, min(u + blur / 2, b) - max(u - blur / 2, a))
    return min(1.0, inside / blur)


@_fast
def _mix(a, b, part):  # type: ignore[no-untyped-def]  # pragma: no cover
    return a + (b - a) * part


@_fast
def _sky(dx, dy, dz, v, lamps, stretch, lamps_only, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the light from a direction into out (3,): sky, clouds, what stands at the horizon, lamps, the sun."""
    seed = int(v[SEED])
    up = max(0.0, dz)
    azimuth = elevation = 0.0
    if v[BACK_HEIGHT] > 0 or v[LAMP_COUNT] > 0:
        azimuth, elevation = _angle(dy, dx), _angle(dz, np.sqrt(max(0.0, 1 - dz * dz)))
    part = _RISE[int(min(1.0, up * 1.6) * 4096)]
    for c in range(3):
        out[c] = _mix(v[HORIZON_R + c], v[ZENITH_R + c], part)
    if v[CLOUDS] > 0 and not lamps_only:
        cloud = _noise(6 * dx / (0.15 + up), 6 * dy / (0.15 + up), seed + 11)
        cloud += 0.5 * _noise(13 * dx / (0.15 + up), 13 * dy / (0.15 + up), seed + 12)
        cover = min(1.0, max(0.0, cloud)) * v[CLOUDS]
        for c in range(3):
            out[c] = _mix(out[c], 0.9 * (v[AMBIENT] + v[SUN]), cover)
    if v[BACK_HEIGHT] > 0:
        size = v[BACK_SIZE]
        column = int(np.floor(azimuth / size))
        high = v[BACK_HEIGHT] * (0.3 + 0.7 * _hash(column, 1, seed + 21))
        if elevation < high and not lamps_only:
            row = int(np.floor(elevation / size * (1 + 2 * _hash(column, 2, seed + 22))))
            fine = int(np.floor(azimuth / size * (1 + 4 * _hash(column, 3, seed + 23))))
            for c in range(3):
                tone = _hash(column * 3 + c, 4, seed + 24) * 0.5 + _hash(fine, row * 3 + c, seed + 25) * 0.5
                tone = 0.5 + (tone - 0.5) * v[BACK_CONTRAST]
                out[c] = v[BACK_LIGHT] * tone * tone * 1.6
        elif elevation < high:
            for c in range(3):
                out[c] = v[BACK_LIGHT] * 0.35
    for k in range(int(v[LAMP_COUNT])):
        da = abs(azimuth - lamps[k, 0])
        da = min(da, 2 * np.pi - da)
        if da > 3.5 * lamps[k, 2]:
            continue
        de = (elevation - lamps[k, 1]) / stretch
        q = (da * da + de * de) / (lamps[k, 2] * lamps[k, 2])
        if q < 12:
            light = v[LAMP_LIGHT] * lamps[k, 3] * np.exp(-q)
            out[0] += light
            out[1] += light * 0.98
            out[2] += light * 0.93
    if v[GLARE] > 0:
        q = 1 - (dx * v[SUN_X] + dy * v[SUN_Y] + dz * v[SUN_Z])
        light = v[GLARE] * (3 * np.exp(-q / (0.002 * stretch)) + 0.5 * np.exp(-q / (0.06 * stretch)))
        for c in range(3):
            out[c] += light


@_fast
def shades(places, middles, halves, position, sun_x, sun_y, sun_z):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(n, 10) what may throw a shadow on the ground that is seen, of things at places (n, 3): x, y, m, and heading.

    Their boxes have middles and halves (n, 3), m, in their own axes. Of each is said: middle x, y, cosine, sine, half
    length, half width, m; how far towards the sun a ray from the ground is below its top, m; and the circle around its
    shadow: x, y, m, and radius squared.
    """
    out = np.empty((len(places), 10))
    count, up = 0, max(sun_z, 1e-3)
    for k in range(len(places)):
        c, s = np.cos(places[k, 2]), np.sin(places[k, 2])
        x, y = places[k, 0] + c * middles[k, 0], places[k, 1] + s * middles[k, 0]
        end = 2 * halves[k, 2] / up
        long = min(end, 30.0 / max(np.hypot(sun_x, sun_y), 1e-9))
        half = np.hypot(halves[k, 0], halves[k, 1])
        u, v = x - 0.5 * long * sun_x, y - 0.5 * long * sun_y
        radius = half + 0.5 * long * np.hypot(sun_x, sun_y)
        if np.hypot(u - position[0], v - position[1]) > 35 + radius:
            continue
        out[count] = x, y, c, s, halves[k, 0], halves[k, 1], end, u, v, radius * radius
        count += 1
    return out[:count]


@_fast
def _lit_by_sun(x, y, v, boxes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """0 where a thing's box stands between a place on the ground and the sun, else 1."""
    for k in range(len(boxes)):
        u, w = x - boxes[k, 7], y - boxes[k, 8]
        if u * u + w * w > boxes[k, 9]:
            continue
        px, py = x - boxes[k, 0], y - boxes[k, 1]
        c, s = boxes[k, 2], boxes[k, 3]
        ox, oy = c * px + s * py, -s * px + c * py
        dx, dy = c * v[SUN_X] + s * v[SUN_Y], -s * v[SUN_X] + c * v[SUN_Y]
        near, end = 0.0, boxes[k, 6]
        for o, d, half in ((ox, dx, boxes[k, 4]), (oy, dy, boxes[k, 5])):
            if abs(d) < 1e-9:
                if abs(o) > half:
                    near = np.inf
            else:
                a, b = (-half - o) / d, (half - o) / d
                near, end = max(near, min(a, b)), min(end, max(a, b))
        if near < end:
            return 0.0
    return 1.0


@_fast
def _ground(  # type: ignore[no-untyped-def]  # pragma: no cover
    x,
    y,
    far,
    sine,
    focal,
    way_x,
    way_y,
    v,
    form,
    points,
    ways,
    grid,
    low,
    cell,
    lamps,
    dx,
    dy,
    dz,
    boxes,
    mirrored,
    out,
):
    """Write the colour of the ground into out (3,) and return its instance."""
    seed = int(v[SEED])
    step, half, centre, edge, wide, dash, gap, kerb = (
        form[0], form[1], int(form[2]), int(form[3]), form[4], form[5], form[6], form[7],
    )  # fmt: skip
    instance = GROUND
    i, j = int((y - low[1]) / cell), int((x - low[0]) / cell)
    k = -1
    if 0 <= i < grid.shape[0] and 0 <= j < grid.shape[1] and y >= low[1] and x >= low[0]:
        k = grid[i, j]
    across = far / focal
    along = across / max(sine, 0.02)
    s = d = 0.0
    if k >= 0:
        hx, hy = ways[k, 0], ways[k, 1]
        px, py = x - points[k, 0], y - points[k, 1]
        t = px * hx + py * hy
        # a parallel curve of the arc through the point: the line bends between points as the headings say
        turn = 0.5 * min(1.0, abs(t) / step) * (ways[k, 2] if t > 0 else ways[k, 3])
        sine_t, cosine_t = turn - turn**3 / 6, 1 - turn * turn / 2 + turn**4 / 24  # it is small
        hx, hy = hx * cosine_t - hy * sine_t, hx * sine_t + hy * cosine_t
        s = k * step + t
        d = -px * hy + py * hx
    seen = abs(way_x * hx + way_y * hy) if k >= 0 else 1.0
    blur_s = max(seen * along + (1 - seen) * across, 1e-4)
    blur_d = max((1 - seen) * along + seen * across, 1e-4)
    on_road = 0.0
    if k >= 0:
        on_road = max(0.0, min(1.0, (half + v[SHOULDER] - abs(d)) / blur_d + 0.5))
    grainy = 0.0
    if v[NOISE] > 0:
        size, strength = v[GRAIN], v[NOISE]
        for octave in range(3):
            if along < 2 * size:
                grainy += strength * _noise(x / size, y / size, seed + octave) * max(0.0, 1 - along / (2 * size))
            size *= 0.4
            strength *= 0.6
    if v[PATCHES] > 0:
        patch = _noise(x * 0.35, y * 0.35, seed + 5) + 0.4 * _noise(x * 1.1, y * 1.1, seed + 6)
        grainy += v[PATCHES] * max(-1.0, min(1.0, 2 * patch)) * 0.5
    for c in range(3):
        out[c] = _mix(v[VERGE_R + c], v[ROAD_R + c], on_road) * (1 + grainy)
    if on_road > 0.5:
        instance = ROAD
    paint = 0.0
    if k >= 0:
        line_c = 0.0
        if centre == 1:
            line_c = _covered(d, wide, blur_d) * _dashed(s, dash, dash + gap, blur_s)
        elif centre == 2 or centre == 4:
            line_c = _covered(d, wide * (1.6 if centre == 4 else 1.0), blur_d)
        elif centre == 3:
            line_c = _covered(d - wide, wide, blur_d) + _covered(d + wide, wide, blur_d)
        line_e = 0.0
        if edge > 0:
            inset = half - wide / 2
            line_e = _covered(d - inset, wide, blur_d) + _covered(d + inset, wide, blur_d)
            if edge == 2:
                line_e *= _dashed(s, dash, dash + gap, blur_s)
            elif edge == 3:
                line_e = _covered(abs(d) - half, 1.8 * wide, blur_d)
        worn = 1.0
        if v[WEAR] > 0 and line_c + line_e > 0:
            worn = 1 - v[WEAR] * max(0.0, min(1.0, 0.5 + _noise(x * 5, y * 5, seed + 8)
                                              + _noise(x * 1.3, y * 1.3, seed + 9)))  # fmt: skip
        line_c = min(1.0, line_c) * worn
        line_e = min(1.0, line_e) * worn
        for c in range(3):
            out[c] = _mix(out[c], v[CENTRE_R + c] * (1 + 0.4 * grainy), line_c)
            out[c] = _mix(out[c], v[EDGE_R + c] * (1 + 0.4 * grainy), line_e)
        paint = max(line_c, line_e)
        if paint > 0.4:
            instance = LINE
        if kerb > 0:
            beside = _covered(abs(d) - half - 0.25, 0.5, blur_d)
            if beside > 0:
                odd = int(np.floor(s / 1.2)) % 2
                shade = 0.45 if blur_s > 2.4 else (0.8 if odd else 0.25)
                out[0] = _mix(out[0], 0.75, beside)
                out[1] = _mix(out[1], shade, beside)
                out[2] = _mix(out[2], shade, beside)
                if beside > 0.5:
                    instance = KERB
    if v[SNOW] > 0:
        white = max(0.0, min(1.0, 1.5 * (v[SNOW] - 0.5 + 0.5 * _noise(x * 0.8, y * 0.8, seed + 31))
                             + 0.3 * _noise(x * 4, y * 4, seed + 32)))  # fmt: skip
        if on_road > 0.5:
            white *= 0.6
        for c in range(3):
            out[c] = _mix(out[c], 0.9, white)
    sun = v[SUN] * max(0.0, v[SUN_Z])
    if sun > 0:
        sun *= _lit_by_sun(x, y, v, boxes)
    shade = 1.0
    if v[SHADE] > 0:
        size = v[SHADE_SIZE]
        dark = _noise(x / size, y / size, seed + 41) + 0.5 * _noise(2.3 * x / size, 2.3 * y / size, seed + 42)
        shade = 1 - v[SHADE] * max(0.0, min(1.0, 3 * dark))
    light = v[AMBIENT] + sun * shade
    if v[HEADLAMPS] > 0:
        light += v[HEADLAMPS] * np.exp(-far / 12) * 1.2
    dark_wet = 1 - 0.45 * v[WET]
    for c in range(3):
        out[c] *= light * dark_wet
    gloss = min(1.0, v[GLOSS] + 0.5 * v[WET])
    if gloss > 0.01:
        grazing = (1 - sine) ** 4
        rough = v[ROUGH]
        bend = 1 + rough * 0.15 * _noise(x * 3, y * 3, seed + 51)
        _sky(dx, dy, -dz * bend, v, lamps, 2.5 + 4 * rough, True, mirrored)
        part = gloss * (0.12 + 0.6 * grazing) * (1 - 0.7 * paint)
        for c in range(3):
            out[c] += part * mirrored[c]
    return instance


@_fast
def _draw_parts(  # type: ignore[no-untyped-def]  # pragma: no cover
    colour, depth, instances, rays, position, focal, centre_u, centre_v, right, down, forward, v, things, shapes,
    middles, halves, turns, colours, recolour,
):  # fmt: skip
    """Draw upright parts (P, ...) in the world's axes over colour, depth along rays, and instances."""
    height, width = depth.shape
    for p in range(len(things)):
        mx, my, mz = middles[p, 0] - position[0], middles[p, 1] - position[1], middles[p, 2] - position[2]
        reach = np.sqrt(halves[p, 0] ** 2 + halves[p, 1] ** 2 + halves[p, 2] ** 2)
        far = np.sqrt(mx * mx + my * my + mz * mz)
        if far - reach > FAR:
            continue
        z = forward[0] * mx + forward[1] * my + forward[2] * mz
        if z < -reach:
            continue
        u0, u1, v0, v1 = 0, width, 0, height
        if far > 1.2 * reach:
            a = right[0] * mx + right[1] * my + right[2] * mz
            b = down[0] * mx + down[1] * my + down[2] * mz
            off = np.hypot(a, b)
            angle, size = np.arctan2(off, z), np.arcsin(min(1.0, reach / far))
            if angle - size > 1.75:
                continue
            grow = 1.6 if angle + size > 0.9 else 1.25  # a lens spreads what is far from the middle
            ru, rv = centre_u + focal * angle * a / max(off, 1e-9), centre_v + focal * angle * b / max(off, 1e-9)
            spread = focal * size * grow / max(0.35, np.sinc(angle / np.pi)) + 2 + 0.15 * focal * angle
            u0, u1 = max(0, int(ru - spread)), min(width, int(ru + spread) + 1)
            v0, v1 = max(0, int(rv - spread)), min(height, int(rv + spread) + 1)
        c, s = np.cos(turns[p]), np.sin(turns[p])
        ox, oy, oz = -(c * mx + s * my), s * mx - c * my, -mz
        hx, hy, hz = halves[p, 0], halves[p, 1], halves[p, 2]
        shape, number = shapes[p], FIRST_THING + things[p]
        for row in range(v0, v1):
            for column in range(u0, u1):
                rx, ry, rz = rays[row, column, 0], rays[row, column, 1], rays[row, column, 2]
                dx, dy = c * rx + s * ry, -s * rx + c * ry
                t, nx, ny, nz = _hit(shape, ox, oy, oz, dx, dy, rz, hx, hy, hz)
                if t <= 0 or t >= depth[row, column]:
                    continue
                depth[row, column] = t
                instances[row, column] = number
                wx, wy = c * nx - s * ny, s * nx + c * ny
                sun = max(0.0, wx * v[SUN_X] + wy * v[SUN_Y] + nz * v[SUN_Z])
                light = v[AMBIENT] * (0.75 + 0.25 * nz) + v[SUN] * sun
                if v[HEADLAMPS] > 0:
                    light += v[HEADLAMPS] * np.exp(-t / 12)
                for k in range(3):
                    colour[row, column, k] = light * _mix(colours[p, k], recolour[p, k], v[RECOLOUR])


@_fast
def _hit(shape, ox, oy, oz, dx, dy, dz, hx, hy, hz):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Distance along a ray to a part around the origin, and the normal there; 0 where it misses."""
    if shape == 0:
        near, end, axis = 0.0, np.inf, -1
        for k, (o, d, h) in enumerate(((ox, dx, hx), (oy, dy, hy), (oz, dz, hz))):
            if abs(d) < 1e-12:
                if abs(o) > h:
                    return 0.0, 0.0, 0.0, 0.0
                continue
            a, b = (-h - o) / d, (h - o) / d
            if a > b:
                a, b = b, a
            if a > near:
                near, axis = a, k
            end = min(end, b)
        if near >= end or axis < 0:
            return 0.0, 0.0, 0.0, 0.0
        if axis == 0:
            return near, -np.sign(dx), 0.0, 0.0
        if axis == 1:
            return near, 0.0, -np.sign(dy), 0.0
        return near, 0.0, 0.0, -np.sign(dz)
    # in units of the radii, a cylinder of radius 1, or a cone whose radius falls from 1 to 1/4 from bottom to top
    fall = 0.0 if shape == 1 else 0.375 / hz  # of the radius for each m upwards, from 0.625 in the middle
    mid = 1.0 if shape == 1 else 0.625
    px, py, qx, qy = ox / hx, oy / hy, dx / hx, dy / hy
    r0, r1 = mid - fall * oz, -fall * dz
    a, b, c = qx * qx + qy * qy - r1 * r1, px * qx + py * qy - r0 * r1, px * px + py * py - r0 * r0
    best, nx, ny, nz = np.inf, 0.0, 0.0, 0.0
    root = b * b - a * c
    if root > 0 and abs(a) > 1e-12:
        t = (-b - np.sqrt(root)) / a
        z = oz + t * dz
        if t > 0 and abs(z) <= hz and r0 + t * r1 > 0:
            best = t
            nx, ny, nz = (px + t * qx) / hx, (py + t * qy) / hy, fall * (r0 + t * r1)
            size = np.sqrt(nx * nx + ny * ny + nz * nz)
            nx, ny, nz = nx / size, ny / size, nz / size
    if dz < 0 and oz > hz:
        t = (hz - oz) / dz
        x, y, r = px + t * qx, py + t * qy, mid - fall * hz
        if t < best and x * x + y * y <= r * r:
            best, nx, ny, nz = t, 0.0, 0.0, 1.0
    if best == np.inf:
        return 0.0, 0.0, 0.0, 0.0
    return best, nx, ny, nz


@_fast
def _falling(colour, v, amount, seed, snow):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Draw rain or snow before everything."""
    height, width = colour.shape[:2]
    count = int(amount * width * height / (60 if snow else 45))
    slant = 0.4 * (_hash(1, 2, seed) - 0.5)
    for k in range(count):
        x, y = _hash(k, 3, seed) * width, _hash(k, 4, seed) * height
        near = _hash(k, 5, seed)
        long = max(1, int((0.02 if snow else 0.12) * near * height))
        bright = (0.25 + 0.75 * near) * (v[AMBIENT] + 0.3 * v[SUN])
        for step in range(long):
            i, j = int(y + step), int(x + slant * step)
            if 0 <= i < height and 0 <= j < width:
                part = (0.8 if snow else 0.25) * (0.3 + 0.7 * near)
                for c in range(3):
                    colour[i, j, c] = _mix(colour[i, j, c], bright, part)


@_fast
def _lens(height, width, focal, k1, k2):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of the pixels of the upper left quarter of a picture the sine of the angle to the axis, as a part of how far from
    the middle they are, and its cosine; the other quarters are its mirror images."""
    rows, columns = (height + 1) // 2, (width + 1) // 2
    parts, cosines = np.empty((rows, columns)), np.empty((rows, columns))
    bent = k1 != 0 or k2 != 0
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5 - width / 2) / focal, (row + 0.5 - height / 2) / focal
            seen = np.sqrt(x * x + y * y)
            angle = seen
            for _ in range(3 if bent else 0):
                a2 = angle * angle
                slope = max(1 + a2 * (3 * k1 + 5 * k2 * a2), 0.1)
                angle -= (angle * (1 + a2 * (k1 + k2 * a2)) - seen) / slope
            angle = min(angle, 1.5358897417550099)
            parts[row, column] = np.sin(angle) / seen if seen > 1e-9 else 1.0
            cosines[row, column] = np.cos(angle)
    return parts, cosines


@_fast
def render(  # type: ignore[no-untyped-def]  # pragma: no cover
    size, focal, k1, k2, position, rotation, v, lamps, form, points, ways, grid, low, cell,
    things, shapes, middles, halves, turns, colours, recolour, boxes,
):  # fmt: skip
    """A picture of a scene from one place: its colour (height, width, 3), linear light with white at 1; depth
    (height, width), m along the camera's axis, 0 where there is nothing; and instances (height, width).

    What it is given: (width, height); of the fisheye lens, as `frames.Camera` has it, focal length and distortion,
    its centre being the picture's; the camera's position (3,), m, and the rotation (3, 3) from its axes to the
    world's; the look's numbers v (NUMBERS,) and lamps (LAMPS, 4): azimuth, elevation, size, rad, and strength;
    form: step, half width, centre, edge, line width, dash, gap and kerb of the road; its points (n, 2) and ways (n,
    4): cosine and sine of the heading and the turns to the next point and to the one before, rad; grid, low and
    cell of `nearest_grid`; parts (P, ...) in the world's axes, and their other colours; and boxes (n, 10) of
    `shades`.
    """
    width, height = size
    colour = np.zeros((height, width, 3))
    depth = np.full((height, width), np.inf)
    instances = np.zeros((height, width), np.uint16)
    rays = np.empty((height, width, 3))
    parts, cosines = _lens(height, width, focal, k1, k2)
    mirrored = np.empty(3)
    for row in range(height):
        for column in range(width):
            x, y = (column + 0.5 - width / 2) / focal, (row + 0.5 - height / 2) / focal
            i, j = min(row, height - 1 - row), min(column, width - 1 - column)
            part = parts[i, j]
            a, b, c = x * part, y * part, cosines[i, j]
            dx = rotation[0, 0] * a + rotation[0, 1] * b + rotation[0, 2] * c
            dy = rotation[1, 0] * a + rotation[1, 1] * b + rotation[1, 2] * c
            dz = rotation[2, 0] * a + rotation[2, 1] * b + rotation[2, 2] * c
            rays[row, column, 0], rays[row, column, 1], rays[row, column, 2] = dx, dy, dz
            out = colour[row, column]
            if dz < -1e-4 and -position[2] / dz < FAR:
                t = -position[2] / dz
                flat = np.sqrt(dx * dx + dy * dy)
                gx, gy = position[0] + t * dx, position[1] + t * dy
                wx, wy = dx / max(flat, 1e-9), dy / max(flat, 1e-9)
                instances[row, column] = _ground(
                    gx, gy, t, -dz, focal, wx, wy, v, form, points, ways, grid, low, cell, lamps, dx, dy, dz, boxes,
                    mirrored, out,
                )  # fmt: skip
                depth[row, column] = t
            else:
                _sky(dx, dy, dz, v, lamps, 1.0, False, out)
    _draw_parts(colour, depth, instances, rays, position, focal, width / 2, height / 2, rotation[:, 0], rotation[:, 1],
                rotation[:, 2], v, things, shapes, middles, halves, turns, colours, recolour)  # fmt: skip
    for row in range(height):
        for column in range(width):
            far = depth[row, column]
            if v[FOG] > 0:
                clear = np.exp(-v[FOG] * min(far, FAR))
                if far == np.inf:
                    clear = max(clear, min(1.0, max(0.0, 4 * rays[row, column, 2] - 0.2)))
                for c in range(3):
                    fog = v[HORIZON_R + c] * 0.5 + 0.35 * (v[AMBIENT] + 0.5 * v[SUN])
                    colour[row, column, c] = _mix(fog, colour[row, column, c], clear)
            depth[row, column] = (
                far * cosines[min(row, height - 1 - row), min(column, width - 1 - column)] if far < np.inf else 0.0
            )
    if v[RAIN] > 0:
        _falling(colour, v, v[RAIN], int(v[SEED]) + 61, False)
    if v[SNOW] > 0:
        _falling(colour, v, v[SNOW], int(v[SEED]) + 62, True)
    if v[GLARE] > 0:  # light that the lens spreads over all of the picture
        veil = 0.12 * v[GLARE] * max(0.0, rotation[0, 2] * v[SUN_X] + rotation[1, 2] * v[SUN_Y]
                                     + rotation[2, 2] * v[SUN_Z])  # fmt: skip
        colour += veil
    return colour.astype(np.float32), depth.astype(np.float32), instances
