"""The fast renderer of world `drive`: rays to a flat road and to upright boxes, cylinders and cones, in compiled loops.

    colour, depth, instances = render(scene_arrays, look, camera, places, size)

Of each pixel's ray it is known in closed form where it meets the ground; where that is along the road and beside it is
read from a grid of nearest points of the centreline. Lines are as sharp as a pixel is on the ground, so that they do
not flicker. Light is that of the sun, the sky and lamps; a floor that shines shows the sky and the lamps again.

Each step is a loop over all its pixels: arrays that are handed on for each pixel are counted each time, which is slow.
Everything is a function of its arguments: random choices are hashes of the look's number and of where things are.
"""

from __future__ import annotations

import numpy as np

from simloop.worlds.drive.compiled import compiled as _fast
from simloop.worlds.drive.pixels import angle, covered, dashed, fade, hashed, mix, noise

#: instances of surfaces; things follow
GROUND, ROAD, LINE, KERB, FIRST_THING = 1, 2, 3, 4, 5
#: m, what is farther is not drawn
FAR = 400.0
#: pixels beside each other of which it is asked together whether a thing may throw its shadow there
_BLOCK = 32

#: places in the array of a look's numbers that the kernel reads; see `uniforms.py`
(
    SEED, ROAD_R, ROAD_G, ROAD_B, VERGE_R, VERGE_G, VERGE_B, NOISE, GRAIN, PATCHES, GLOSS, ROUGH, SHOULDER, WEAR,
    CENTRE_R, CENTRE_G, CENTRE_B, EDGE_R, EDGE_G, EDGE_B, SUN_X, SUN_Y, SUN_Z, SUN, AMBIENT, SHADE, SHADE_SIZE,
    ZENITH_R, ZENITH_G, ZENITH_B, HORIZON_R, HORIZON_G, HORIZON_B, CLOUDS, BACK_HEIGHT, BACK_CONTRAST, BACK_LIGHT,
    BACK_SIZE, LAMP_COUNT, LAMP_LIGHT, HEADLAMPS, FOG, RAIN, SNOW, WET, RECOLOUR, GLARE, NUMBERS,
) = range(48)  # fmt: skip


#: (4097,) how near to the zenith's colour the sky's is, by its height
_RISE = ((np.arange(4097) + 0.5) / 4097) ** 0.7


@_fast
def _sky(dx, dy, dz, v, lamps, stretch, lamps_only):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(3, n) the light from directions dx, dy, dz (n,): sky, clouds, what stands at the horizon, lamps, the sun."""
    n, seed, light = len(dx), int(v[SEED]), np.empty((3, len(dx)))
    for m in range(n):
        part = _RISE[int(min(1.0, max(0.0, dz[m]) * 1.6) * 4096)]
        for c in range(3):
            light[c, m] = mix(v[HORIZON_R + c], v[ZENITH_R + c], part)
    if v[CLOUDS] > 0 and not lamps_only:
        clouds, white = v[CLOUDS], 0.9 * (v[AMBIENT] + v[SUN])
        for m in range(n):
            up = 0.15 + max(0.0, dz[m])
            x, y = dx[m] / up, dy[m] / up
            cloud = noise(6 * x, 6 * y, seed + 11) + 0.5 * noise(13 * x, 13 * y, seed + 12)
            cover = min(1.0, max(0.0, cloud)) * clouds
            for c in range(3):
                light[c, m] = mix(light[c, m], white, cover)
    if v[BACK_HEIGHT] > 0 or v[LAMP_COUNT] > 0:
        azimuth, elevation = np.empty(n), np.empty(n)
        for m in range(n):
            azimuth[m] = angle(dy[m], dx[m])
            elevation[m] = angle(dz[m], np.sqrt(max(0.0, 1 - dz[m] * dz[m])))
        if v[BACK_HEIGHT] > 0:
            _stand_at_horizon(azimuth, elevation, v, lamps_only, light)
        for k in range(int(v[LAMP_COUNT])):
            _shine(azimuth, elevation, lamps[k], v[LAMP_LIGHT], stretch, light)
    if v[GLARE] > 0:
        glare, x, y, z, more = v[GLARE], v[SUN_X], v[SUN_Y], v[SUN_Z], np.empty(n)
        for m in range(n):
            q = max(0.0, 1 - (dx[m] * x + dy[m] * y + dz[m] * z)) / stretch
            more[m] = glare * (3 * fade(q / 0.002) + 0.5 * fade(q / 0.06))
        for c in range(3):
            for m in range(n):
                light[c, m] += more[m]
    return light


@_fast
def _stand_at_horizon(azimuth, elevation, v, lamps_only, light):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write into light (3, n) what stands at the horizon, in pieces; for what only mirrors lamps it is a grey strip."""
    seed, size, most, contrast, bright = int(v[SEED]), v[BACK_SIZE], v[BACK_HEIGHT], v[BACK_CONTRAST], v[BACK_LIGHT]
    for m in range(len(azimuth)):
        if elevation[m] >= most:
            continue
        column = int(np.floor(azimuth[m] / size))
        if elevation[m] >= most * (0.3 + 0.7 * hashed(column, 1, seed + 21)):
            continue
        if lamps_only:
            for c in range(3):
                light[c, m] = bright * 0.35
            continue
        row = int(np.floor(elevation[m] / size * (1 + 2 * hashed(column, 2, seed + 22))))
        fine = int(np.floor(azimuth[m] / size * (1 + 4 * hashed(column, 3, seed + 23))))
        for c in range(3):
            tone = hashed(column * 3 + c, 4, seed + 24) * 0.5 + hashed(fine, row * 3 + c, seed + 25) * 0.5
            tone = 0.5 + (tone - 0.5) * contrast
            light[c, m] = bright * tone * tone * 1.6


@_fast
def _shine(azimuth, elevation, lamp, bright, stretch, light):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add what a lamp (4,) sends from directions, rad, to light (3, n)."""
    at, high, bright = lamp[0], lamp[1], bright * lamp[3]
    across, up = 1 / lamp[2], 1 / (lamp[2] * stretch)
    for m in range(len(azimuth)):
        da = abs(azimuth[m] - at)
        da, de = min(da, 2 * np.pi - da) * across, (elevation[m] - high) * up
        more = bright * fade(da * da + de * de)
        light[0, m] += more
        light[1, m] += more * 0.98
        light[2, m] += more * 0.93


@_fast
def shades(places, middles, halves, position, forward, sun_x, sun_y, sun_z):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(n, 10) what may throw a shadow on the ground that is seen, of things at places (n, 3): x, y, m, and heading.

    Their boxes have middles and halves (n, 3), m, in their own axes; who looks is at a position (3,), m, and looks
    forward (3,). Of each is said: middle x, y, cosine, sine, half length, half width, m; how far towards the sun a ray
    from the ground is below its top, m; and the circle around its shadow: x, y and radius, m.
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
        away_x, away_y = u - position[0], v - position[1]
        if np.hypot(away_x, away_y) > 35 + radius:
            continue
        if forward[0] * away_x + forward[1] * away_y - forward[2] * position[2] < -radius:
            continue
        out[count] = x, y, c, s, halves[k, 0], halves[k, 1], end, u, v, radius
        count += 1
    return out[:count]


@_fast
def _lit_by_sun(x, y, v, boxes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(n,) 0 where a thing's box stands between a place on the ground, x, y (n,), m, and the sun, else 1."""
    n, lit = len(x), np.ones(len(x))
    for first in range(0, n, _BLOCK):
        last, mid, around = min(n, first + _BLOCK), min(n - 1, first + _BLOCK // 2), 0.0
        for m in range(first, last):
            around = max(around, (x[m] - x[mid]) ** 2 + (y[m] - y[mid]) ** 2)
        around = np.sqrt(around)
        for k in range(len(boxes)):
            round_x, round_y, radius = boxes[k, 7], boxes[k, 8], boxes[k, 9]
            if np.sqrt((x[mid] - round_x) ** 2 + (y[mid] - round_y) ** 2) > around + radius:
                continue
            c, s, half_x, half_y = boxes[k, 2], boxes[k, 3], boxes[k, 4], boxes[k, 5]
            dx, dy = c * v[SUN_X] + s * v[SUN_Y], -s * v[SUN_X] + c * v[SUN_Y]
            for m in range(first, last):
                if (x[m] - round_x) ** 2 + (y[m] - round_y) ** 2 > radius * radius:
                    continue
                px, py, near, end = x[m] - boxes[k, 0], y[m] - boxes[k, 1], 0.0, boxes[k, 6]
                for o, d, half in ((c * px + s * py, dx, half_x), (c * py - s * px, dy, half_y)):
                    if abs(d) < 1e-9:
                        if abs(o) > half:
                            near = np.inf
                    else:
                        a, b = (-half - o) / d, (half - o) / d
                        near, end = max(near, min(a, b)), min(end, max(a, b))
                if near < end:
                    lit[m] = 0.0
    return lit


@_fast
def _grain(x, y, along, v):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(n,) how much brighter the ground is made by its grain and patches at places x, y (n,), m, seen by pixels whose
    length on the ground is `along` (n,), m."""
    out, seed = np.zeros(len(x)), int(v[SEED])
    if v[NOISE] > 0:
        size, strength = v[GRAIN], v[NOISE]
        for octave in range(3):
            fine, fading, own = 1 / size, 0.5 / size, seed + octave
            for m in range(len(x)):
                out[m] += strength * noise(x[m] * fine, y[m] * fine, own) * max(0.0, 1 - along[m] * fading)
            size *= 0.4
            strength *= 0.6
    if v[PATCHES] > 0:
        strength = 0.5 * v[PATCHES]
        for m in range(len(x)):
            patch = noise(x[m] * 0.35, y[m] * 0.35, seed + 5) + 0.4 * noise(x[m] * 1.1, y[m] * 1.1, seed + 6)
            out[m] += strength * max(-1.0, min(1.0, 2 * patch))
    return out


@_fast
def _surface(  # type: ignore[no-untyped-def]  # pragma: no cover
    x, y, along, across, way_x, way_y, v, form, points, ways, grid, low, cell, at, instances, paint
):
    """What the ground is at places x, y (n,), m: write instances of pixels `at` (n,), and into paint (6, n) how much of
    each pixel is road, line in the middle, line at a side and kerb, and the kerb's green and the lines' wear."""
    seed, wear, shoulder = int(v[SEED]), v[WEAR], v[SHOULDER]
    step, half, centre, edge, wide, dash, gap, kerb = form
    inset, per_step, per_cell = half - wide / 2, 1 / step, 1 / cell
    low_x, low_y, (rows, columns) = low[0], low[1], grid.shape
    for m in range(len(x)):
        for c in range(5):
            paint[c, m] = 0.0
        if x[m] < low_x or y[m] < low_y:
            continue
        i, j = int((y[m] - low_y) * per_cell), int((x[m] - low_x) * per_cell)
        if i >= rows or j >= columns:
            continue
        k = grid[i, j]
        if k < 0:
            continue
        hx, hy = ways[k, 0], ways[k, 1]
        px, py = x[m] - points[k, 0], y[m] - points[k, 1]
        t = px * hx + py * hy
        # a parallel curve of the arc through the point: the line bends between points as the headings say
        turn = 0.5 * min(1.0, abs(t) * per_step) * (ways[k, 2] if t > 0 else ways[k, 3])
        sine_t, cosine_t = turn - turn**3 / 6, 1 - turn * turn / 2 + turn**4 / 24  # it is small
        hx, hy = hx * cosine_t - hy * sine_t, hx * sine_t + hy * cosine_t
        s, d = k * step + t, -px * hy + py * hx
        seen = abs(way_x[m] * hx + way_y[m] * hy)
        blur_s = max(seen * along[m] + (1 - seen) * across[m], 1e-4)
        blur_d = max((1 - seen) * along[m] + seen * across[m], 1e-4)
        on_road = max(0.0, min(1.0, (half + shoulder - abs(d)) / blur_d + 0.5))
        line_c = 0.0
        if centre == 1:
            line_c = covered(d, wide, blur_d)
            if line_c > 0:
                line_c *= dashed(s, dash, dash + gap, blur_s)
        elif centre == 2 or centre == 4:
            line_c = covered(d, wide * (1.6 if centre == 4 else 1.0), blur_d)
        elif centre == 3:
            line_c = covered(d - wide, wide, blur_d) + covered(d + wide, wide, blur_d)
        line_e = 0.0
        if edge == 3:
            line_e = covered(abs(d) - half, 1.8 * wide, blur_d)
        elif edge > 0:
            line_e = covered(d - inset, wide, blur_d) + covered(d + inset, wide, blur_d)
            if edge == 2 and line_e > 0:
                line_e *= dashed(s, dash, dash + gap, blur_s)
        worn = 1.0
        if wear > 0 and line_c + line_e > 0:
            spots = noise(x[m] * 5, y[m] * 5, seed + 8) + noise(x[m] * 1.3, y[m] * 1.3, seed + 9)
            worn = 1 - wear * max(0.0, min(1.0, 0.5 + spots))
        line_c, line_e = min(1.0, line_c) * worn, min(1.0, line_e) * worn
        beside = covered(abs(d) - half - 0.25, 0.5, blur_d) if kerb > 0 else 0.0
        paint[0, m], paint[1, m], paint[2, m], paint[3, m] = on_road, line_c, line_e, beside
        paint[4, m] = 0.45 if blur_s > 2.4 else (0.8 if int(np.floor(s / 1.2)) % 2 else 0.25)
        if beside > 0.5:
            instances[at[m]] = KERB
        elif max(line_c, line_e) > 0.4:
            instances[at[m]] = LINE
        elif on_road > 0.5:
            instances[at[m]] = ROAD


@_fast
def _snow(x, y, v, paint, own):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Lay snow over the colours (3, n) of places x, y (n,), m, with paint (5, n) as `_surface` writes it."""
    seed, much = int(v[SEED]), v[SNOW]
    for m in range(len(x)):
        white = 1.5 * (much - 0.5 + 0.5 * noise(x[m] * 0.8, y[m] * 0.8, seed + 31))
        white = max(0.0, min(1.0, white + 0.3 * noise(x[m] * 4, y[m] * 4, seed + 32)))
        white *= 0.6 if paint[0, m] > 0.5 else 1.0
        for c in range(3):
            own[c, m] = mix(own[c, m], 0.9, white)


@_fast
def _light(x, y, far, v, boxes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(n,) the light on the ground at places x, y (n,), m, that are `far` (n,) m away."""
    n, seed = len(x), int(v[SEED])
    sun = v[SUN] * max(0.0, v[SUN_Z])
    light = sun * _lit_by_sun(x, y, v, boxes) if sun > 0 else np.zeros(n)
    if v[SHADE] > 0:
        fine, shade = 1 / v[SHADE_SIZE], v[SHADE]
        for m in range(n):
            dark = noise(x[m] * fine, y[m] * fine, seed + 41)
            dark += 0.5 * noise(2.3 * x[m] * fine, 2.3 * y[m] * fine, seed + 42)
            light[m] *= 1 - shade * max(0.0, min(1.0, 3 * dark))
    light += v[AMBIENT]
    if v[HEADLAMPS] > 0:
        for m in range(n):
            light[m] += v[HEADLAMPS] * fade(far[m] / 12) * 1.2
    return light


@_fast
def _ground(  # type: ignore[no-untyped-def]  # pragma: no cover
    at, rays, depth, position, focal, v, form, points, ways, grid, low, cell, lamps, boxes, colour, instances
):
    """Write colour (3, H W), instances (H W) of pixels `at` (n,), whose rays (3, H W) meet the ground at depth, m."""
    n = len(at)
    dx, dy, dz, far, x, y = rays[0][at], rays[1][at], rays[2][at], depth[at], np.empty(n), np.empty(n)
    along, across, way_x, way_y = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    position_x, position_y = position[0], position[1]
    for m in range(n):
        x[m], y[m] = position_x + far[m] * dx[m], position_y + far[m] * dy[m]
        across[m] = far[m] / focal
        along[m] = across[m] / max(-dz[m], 0.02)
        flat = max(np.sqrt(dx[m] * dx[m] + dy[m] * dy[m]), 1e-9)
        way_x[m], way_y[m] = dx[m] / flat, dy[m] / flat
    paint = np.empty((5, n))
    _surface(x, y, along, across, way_x, way_y, v, form, points, ways, grid, low, cell, at, instances, paint)
    grainy, light, own = _grain(x, y, along, v), _light(x, y, far, v, boxes), np.empty((3, n))
    on_road, line_c, line_e, beside, shade = paint[0], paint[1], paint[2], paint[3], paint[4]
    for c in range(3):
        out, road, verge, middle, edge = own[c], v[ROAD_R + c], v[VERGE_R + c], v[CENTRE_R + c], v[EDGE_R + c]
        for m in range(n):
            tone = mix(verge, road, on_road[m]) * (1 + grainy[m])
            tone = mix(tone, middle * (1 + 0.4 * grainy[m]), line_c[m])
            tone = mix(tone, edge * (1 + 0.4 * grainy[m]), line_e[m])
            out[m] = mix(tone, shade[m] if c else 0.75, beside[m])
    if v[SNOW] > 0:
        _snow(x, y, v, paint, own)
    own *= light * (1 - 0.45 * v[WET])
    gloss = min(1.0, v[GLOSS] + 0.5 * v[WET])
    if gloss > 0.01:
        rough, seed, up = v[ROUGH], int(v[SEED]), np.empty(n)
        for m in range(n):
            up[m] = -dz[m] * (1 + rough * 0.15 * noise(x[m] * 3, y[m] * 3, seed + 51))
        mirrored = _sky(dx, dy, up, v, lamps, 2.5 + 4 * rough, True)
        for c in range(3):
            out, sky = own[c], mirrored[c]
            for m in range(n):
                part = gloss * (0.12 + 0.6 * (1 + dz[m]) ** 4) * (1 - 0.7 * max(line_c[m], line_e[m]))
                out[m] += part * sky[m]
    colour[:, at] = own


@_fast
def _draw_parts(  # type: ignore[no-untyped-def]  # pragma: no cover
    colour, depth, instances, rays, height, width, position, focal, right, down, forward, v, things, shapes, middles,
    halves, turns, colours, recolour,
):  # fmt: skip
    """Draw upright parts (P, ...) in the world's axes over colour (3, H W), depth along rays (H W), and instances."""
    centre_u, centre_v = width / 2, height / 2
    sun_x, sun_y, sun_z, bright, ambient, headlamps = v[SUN_X], v[SUN_Y], v[SUN_Z], v[SUN], v[AMBIENT], v[HEADLAMPS]
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
        least = np.sqrt(far * far - reach * reach) - 1e-6 if far > reach else -np.inf  # of a ray that meets its ball
        c, s = np.cos(turns[p]), np.sin(turns[p])
        ox, oy, oz = -(c * mx + s * my), s * mx - c * my, -mz
        hx, hy, hz = halves[p, 0], halves[p, 1], halves[p, 2]
        shape, number = shapes[p], FIRST_THING + things[p]
        for row in range(v0, v1):
            for column in range(u0, u1):
                k = row * width + column
                rx, ry, rz = rays[0, k], rays[1, k], rays[2, k]
                if rx * mx + ry * my + rz * mz < least:
                    continue
                dx, dy = c * rx + s * ry, -s * rx + c * ry
                t, nx, ny, nz = _hit(shape, ox, oy, oz, dx, dy, rz, hx, hy, hz)
                if t <= 0 or t >= depth[k]:
                    continue
                depth[k], instances[k] = t, number
                wx, wy = c * nx - s * ny, s * nx + c * ny
                light = ambient * (0.75 + 0.25 * nz) + bright * max(0.0, wx * sun_x + wy * sun_y + nz * sun_z)
                if headlamps > 0:
                    light += headlamps * fade(t / 12)
                for m in range(3):
                    colour[m, k] = light * mix(colours[p, m], recolour[p, m], v[RECOLOUR])


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
def _falling(colour, height, width, v, amount, seed, snow):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Draw rain or snow before everything."""
    count = int(amount * width * height / (60 if snow else 45))
    slant, sky = 0.4 * (hashed(1, 2, seed) - 0.5), v[AMBIENT] + 0.3 * v[SUN]
    for k in range(count):
        x, y = hashed(k, 3, seed) * width, hashed(k, 4, seed) * height
        near = hashed(k, 5, seed)
        long = max(1, int((0.02 if snow else 0.12) * near * height))
        bright, part = (0.25 + 0.75 * near) * sky, (0.8 if snow else 0.25) * (0.3 + 0.7 * near)
        for step in range(long):
            i, j = int(y + step), int(x + slant * step)
            if 0 <= i < height and 0 <= j < width:
                for c in range(3):
                    colour[c, i * width + j] = mix(colour[c, i * width + j], bright, part)


@_fast
def _fog(colour, depth, up, v):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put fog over colour (3, H W) by depth along rays (H W), and over the sky by how far `up` (H W) they go."""
    thick, haze = v[FOG], 0.5 * v[HORIZON_R : HORIZON_B + 1] + 0.35 * (v[AMBIENT] + 0.5 * v[SUN])
    clear = np.empty(len(depth))
    for k in range(len(depth)):
        beyond = min(1.0, max(0.0, 4 * up[k] - 0.2)) if depth[k] == np.inf else 0.0
        clear[k] = max(fade(thick * min(depth[k], FAR)), beyond)
    for c in range(3):
        for k in range(len(depth)):
            colour[c, k] = mix(haze[c], colour[c, k], clear[k])


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
    world's; the look's numbers v (NUMBERS,) and lamps (L, 4): azimuth, elevation, size, rad, and strength;
    form (8): step, half width, centre, edge, line width, dash, gap and kerb of the road; its points (n, 2) and ways (n,
    4): cosine and sine of the heading and the turns to the next point and to the one before, rad; grid, low and
    cell of `nearest.nearest_grid`; parts (P, ...) in the world's axes, and their other colours; and boxes (n, 10) of
    `shades`.
    """
    width, height = size
    parts, cosines = _lens(height, width, focal, k1, k2)
    n, high = height * width, position[2]
    colour, rays, depth, instances = np.empty((3, n)), np.empty((3, n)), np.empty(n), np.empty(n, np.uint16)
    for row in range(height):
        i, y = min(row, height - 1 - row), (row + 0.5 - height / 2) / focal
        for column in range(width):
            j, x = min(column, width - 1 - column), (column + 0.5 - width / 2) / focal
            part, k = parts[i, j], row * width + column
            a, b, c = x * part, y * part, cosines[i, j]
            for m in range(3):
                rays[m, k] = rotation[m, 0] * a + rotation[m, 1] * b + rotation[m, 2] * c
            below = rays[2, k] < -1e-4 and -high / rays[2, k] < FAR
            depth[k], instances[k] = (-high / rays[2, k], GROUND) if below else (np.inf, 0)
    _draw_parts(colour, depth, instances, rays, height, width, position, focal, rotation[:, 0], rotation[:, 1],
                rotation[:, 2], v, things, shapes, middles, halves, turns, colours, recolour)  # fmt: skip
    _ground(np.flatnonzero(instances == GROUND), rays, depth, position, focal, v, form, points, ways, grid, low, cell,
            lamps, boxes, colour, instances)  # fmt: skip
    free = np.flatnonzero(instances == 0)
    colour[:, free] = _sky(rays[0][free], rays[1][free], rays[2][free], v, lamps, 1.0, False)
    if v[FOG] > 0:
        _fog(colour, depth, rays[2], v)
    if v[RAIN] > 0:
        _falling(colour, height, width, v, v[RAIN], int(v[SEED]) + 61, False)
    if v[SNOW] > 0:
        _falling(colour, height, width, v, v[SNOW], int(v[SEED]) + 62, True)
    if v[GLARE] > 0:  # light that the lens spreads over all of the picture
        colour += 0.12 * v[GLARE] * max(0.0, (rotation[:, 2] * v[SUN_X : SUN_Z + 1]).sum())
    light, axial = np.empty((height, width, 3), np.float32), np.empty((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            k, i, j = row * width + column, min(row, height - 1 - row), min(column, width - 1 - column)
            axial[row, column] = depth[k] * cosines[i, j] if instances[k] > 0 else 0.0
            for c in range(3):
                light[row, column, c] = colour[c, k]
    return light, axial, instances.reshape(height, width)
