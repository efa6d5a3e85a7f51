// Inpainting: docs/format.md, section 12. Conjugate gradients whose preconditioner is multigrid on blocks of 2 x 2 pixels
// (unsmoothed aggregation). Each level has couplings to the right and below, and a diagonal; blocks that a barrier cuts
// stay one block, which costs some steps, not accuracy.

const SMALLEST = 8, MOST_STEPS = 400;

/**
 * The plane (doubles) that is `known` where that is no NaN, and elsewhere the mean of its neighbours within the plane;
 * `regions` (labels) are not crossed. `accuracy`: in levels of the axis.
 */
export function inpaint(known, height, width, regions, accuracy) {
  const fine = finestLevel(known, height, width, regions), u = startingPlane(known, height, width, regions);
  const unknown = fine.unknown;
  if (!unknown) return u;
  const levels = [fine];
  while (Math.min(levels.at(-1).height, levels.at(-1).width) > 1 && levels.at(-1).height * levels.at(-1).width > SMALLEST) levels.push(coarser(levels.at(-1)));
  const n = height * width, r = new Float64Array(n), p = new Float64Array(n), q = new Float64Array(n);
  residual(fine, u, r, known);
  let z = precondition(levels, r), rho = dot(r, z);
  p.set(z);
  for (let step = 0; step < MOST_STEPS && rho > 0; step++) {
    multiply(fine, p, q);
    const alpha = rho / dot(p, q);
    for (let i = 0; i < n; i++) {
      u[i] += alpha * p[i];
      r[i] -= alpha * q[i];
    }
    z = precondition(levels, r);
    // The correction that the preconditioner proposes is about the error that is left.
    if (largest(z) < accuracy / 8) break;
    const next = dot(r, z), beta = next / rho;
    rho = next;
    for (let i = 0; i < n; i++) p[i] = z[i] + beta * p[i];
  }
  return u;
}

/** Couplings among unknown pixels, and how many neighbours each has. */
function finestLevel(known, height, width, regions) {
  const n = height * width, level = newLevel(height, width);
  level.neighbours = { right: new Uint8Array(n), below: new Uint8Array(n) };
  level.unknown = 0;
  const isUnknown = (i) => known[i] !== known[i], joined = (a, b) => !regions || regions[a] === regions[b];
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      if (isUnknown(i)) level.unknown++;
      if (x + 1 < width && joined(i, i + 1)) couple(level, "right", i, i + 1);
      if (y + 1 < height && joined(i, i + width)) couple(level, "below", i, i + width);
    }
  function couple(of, way, a, b) {
    of.neighbours[way][a] = 1;
    if (isUnknown(a)) of.diagonal[a]++;
    if (isUnknown(b)) of.diagonal[b]++;
    if (isUnknown(a) && isUnknown(b)) of[way][a] = 1;
  }
  return level;
}

function newLevel(height, width) {
  const n = height * width;
  return { height, width, right: new Float64Array(n), below: new Float64Array(n), diagonal: new Float64Array(n), u: new Float64Array(n), f: new Float64Array(n) };
}

/** The Galerkin product with blocks of 2 x 2. */
function coarser(fine) {
  const { height, width } = fine, level = newLevel((height + 1) >> 1, (width + 1) >> 1);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const c = (y >> 1) * level.width + (x >> 1);
      level.diagonal[c] += fine.diagonal[i];
      if (x & 1) level.right[c] += fine.right[i];
      else level.diagonal[c] -= 2 * fine.right[i];
      if (y & 1) level.below[c] += fine.below[i];
      else level.diagonal[c] -= 2 * fine.below[i];
    }
  return level;
}

/** Known values, elsewhere the value of a pixel near by: a start from which few steps are needed. */
function startingPlane(known, height, width, regions) {
  const u = Float64Array.from(known), last = new Map();
  const pass = (i) => {
    const key = regions ? regions[i] : 0;
    if (u[i] === u[i]) last.set(key, u[i]);
    else if (last.has(key)) u[i] = last.get(key);
  };
  for (let i = 0; i < u.length; i++) pass(i);
  for (let i = u.length - 1; i >= 0; i--) pass(i);
  return u;
}

/** r = what is missing for each unknown pixel to be the mean of its neighbours, times their number. */
function residual({ height, width, neighbours }, u, r, known) {
  r.fill(0);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      if (neighbours.right[i]) {
        const d = u[i + 1] - u[i];
        r[i] += d;
        r[i + 1] -= d;
      }
      if (neighbours.below[i]) {
        const d = u[i + width] - u[i];
        r[i] += d;
        r[i + width] -= d;
      }
    }
  for (let i = 0; i < r.length; i++) if (known[i] === known[i]) r[i] = 0;
}

function multiply({ width, right, below, diagonal }, p, q) {
  const n = p.length;
  for (let i = 0; i < n; i++) {
    let sum = diagonal[i] * p[i];
    if (right[i]) sum -= right[i] * p[i + 1];
    if (below[i]) sum -= below[i] * p[i + width];
    if (i && right[i - 1]) sum -= right[i - 1] * p[i - 1];
    if (i >= width && below[i - width]) sum -= below[i - width] * p[i - width];
    q[i] = sum;
  }
}

/** One W-cycle for the right side r, symmetric, so that conjugate gradients may use it. */
function precondition(levels, r) {
  levels[0].f.set(r);
  cycle(levels, 0);
  return levels[0].u;
}

function cycle(levels, l) {
  const level = levels[l], { u, f } = level;
  u.fill(0);
  if (l === levels.length - 1) {
    for (let k = 0; k < 20; k++) {
      sweep(level, 0), sweep(level, 1), sweep(level, 1), sweep(level, 0);
    }
    return;
  }
  sweep(level, 0);
  sweep(level, 1);
  const next = levels[l + 1];
  restrict(level, next);
  const wanted = l > 0 && l + 1 < levels.length - 1 ? next.f.slice() : null;
  cycle(levels, l + 1);
  if (wanted) { // a second cycle for what the first one left
    const first = next.u.slice(), left = new Float64Array(first.length);
    multiply(next, first, left);
    for (let i = 0; i < left.length; i++) next.f[i] = wanted[i] - left[i];
    cycle(levels, l + 1);
    for (let i = 0; i < left.length; i++) next.u[i] += first[i];
  }
  for (let y = 0, i = 0; y < level.height; y++)
    for (let x = 0; x < level.width; x++, i++) if (level.diagonal[i]) u[i] += OVER * next.u[(y >> 1) * next.width + (x >> 1)];
  sweep(level, 1);
  sweep(level, 0);
}

const OVER = 1.5; // constant blocks underestimate the correction

/** f of the next level: the residual, summed over blocks. */
function restrict(level, next) {
  const { height, width, right, below, diagonal, u, f } = level;
  next.f.fill(0);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      if (!diagonal[i]) continue;
      let sum = f[i] - diagonal[i] * u[i];
      if (right[i]) sum += right[i] * u[i + 1];
      if (below[i]) sum += below[i] * u[i + width];
      if (x && right[i - 1]) sum += right[i - 1] * u[i - 1];
      if (y && below[i - width]) sum += below[i - width] * u[i - width];
      next.f[(y >> 1) * next.width + (x >> 1)] += sum;
    }
}

/** Gauss-Seidel on the pixels of one colour of the chessboard. */
function sweep({ height, width, right, below, diagonal, u, f }, colour) {
  for (let y = 0; y < height; y++)
    for (let x = (y + colour) & 1, i = y * width + x; x < width; x += 2, i += 2) {
      if (!diagonal[i]) continue;
      let sum = f[i];
      if (right[i]) sum += right[i] * u[i + 1];
      if (below[i]) sum += below[i] * u[i + width];
      if (x && right[i - 1]) sum += right[i - 1] * u[i - 1];
      if (y && below[i - width]) sum += below[i - width] * u[i - width];
      u[i] = sum / diagonal[i];
    }
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function largest(a) {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]));
  return most;
}
