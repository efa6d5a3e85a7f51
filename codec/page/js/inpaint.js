// Inpainting: docs/format.md, section 12. Conjugate gradients whose preconditioner is multigrid: unknowns of one region
// in a block of 2 x 2 become one of the next level (unsmoothed aggregation), so that barriers stay barriers on all levels.

const SMALLEST = 8, MOST_STEPS = 400;
const OVER = 1.5; // constant blocks underestimate the correction

/**
 * The plane (doubles) that is `known` where that is no NaN, and elsewhere the mean of its neighbours within the plane;
 * `regions` (labels) are not crossed. `accuracy`: in levels of the axis.
 */
export function inpaint(known, height, width, regions, accuracy) {
  const u = startingPlane(known, regions), system = systemOf(known, u, height, width, regions), { n } = system.level;
  if (!n) return u;
  const levels = [system.level];
  while (levels.at(-1).n > SMALLEST) {
    const next = coarser(levels.at(-1));
    if (next.n === levels.at(-1).n) break; // what is left hangs together no more
    levels.push(next);
  }
  const v = solve(levels, system.residual, accuracy);
  for (let a = 0; a < n; a++) u[system.pixels[a]] += v[a];
  return u;
}

/** Conjugate gradients for the correction, from 0. */
function solve(levels, r, accuracy) {
  const { n } = levels[0], v = new Float64Array(n), p = new Float64Array(n), q = new Float64Array(n);
  let z = precondition(levels, r), rho = dot(r, z);
  p.set(z);
  // The correction that the preconditioner proposes is about the error that is left.
  for (let step = 0; step < MOST_STEPS && largest(z) >= accuracy / 8; step++) {
    multiply(levels[0], p, q);
    const alpha = rho / dot(p, q);
    for (let i = 0; i < n; i++) {
      v[i] += alpha * p[i];
      r[i] -= alpha * q[i];
    }
    z = precondition(levels, r);
    const next = dot(r, z), beta = next / rho;
    rho = next;
    for (let i = 0; i < n; i++) p[i] = z[i] + beta * p[i];
  }
  return v;
}

/** Known values, elsewhere the last one of the region in raster order: a start from which few steps are needed. */
function startingPlane(known, regions) {
  const u = Float64Array.from(known), last = new Map();
  const pass = (i) => {
    const key = regions ? regions[i] : 0;
    if (u[i] === u[i]) last.set(key, u[i]);
    else if (last.has(key)) u[i] = last.get(key);
  };
  if (regions) {
    for (let i = 0; i < u.length; i++) pass(i);
    for (let i = u.length - 1; i >= 0; i--) pass(i);
    return u;
  }
  let near = known.find((value) => value === value) ?? 0;
  for (let i = 0; i < u.length; i++) u[i] === u[i] ? (near = u[i]) : (u[i] = near);
  return u;
}

/**
 * The finest level: {level, pixels: where unknowns are, residual: what u lacks}. A level has `n` unknowns with places
 * `y`, `x` and `region`, a `diagonal`, and couplings to `columns` with `weights`, unknown a's from start[a] on.
 */
function systemOf(known, u, height, width, regions) {
  const numbers = new Int32Array(known.length).fill(-1);
  let n = 0;
  for (let i = 0; i < known.length; i++) if (known[i] !== known[i]) numbers[i] = n++;
  const level = newLevel(n, 4 * n), pixels = new Int32Array(n), residual = new Float64Array(n);
  let at = 0, a = 0;
  const meet = (i, j) => {
    if (regions && regions[i] !== regions[j]) return;
    level.diagonal[a]++;
    residual[a] += u[j] - u[i];
    if (numbers[j] < 0) return;
    level.columns[at] = numbers[j];
    level.weights[at++] = 1;
  };
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      if (numbers[i] < 0) continue;
      a = numbers[i];
      pixels[a] = i;
      level.y[a] = y;
      level.x[a] = x;
      if (regions) level.region[a] = regions[i];
      level.start[a] = at;
      if (y) meet(i, i - width);
      if (x) meet(i, i - 1);
      if (x + 1 < width) meet(i, i + 1);
      if (y + 1 < height) meet(i, i + width);
    }
  level.start[n] = at;
  return { level, pixels, residual };
}

function newLevel(n, couplings) {
  return {
    n, y: new Int32Array(n), x: new Int32Array(n), region: new Int32Array(n), start: new Int32Array(n + 1), diagonal: new Float64Array(n),
    columns: new Int32Array(couplings), weights: new Float64Array(couplings), u: new Float64Array(n), f: new Float64Array(n), parents: null,
  };
}

/** The Galerkin product with aggregates. */
function coarser(fine) {
  const count = aggregate(fine), { n, parents, start, columns, weights } = fine, level = newLevel(count, start[n]);
  const first = new Int32Array(count + 1), members = new Int32Array(n), places = new Int32Array(count).fill(-1);
  for (let a = 0; a < n; a++) first[parents[a]]++;
  for (let c = 0; c < count; c++) first[c + 1] += first[c];
  for (let a = n - 1; a >= 0; a--) members[--first[parents[a]]] = a;
  let at = 0;
  for (let c = 0; c < count; c++) {
    const begin = (level.start[c] = at), from = first[c], to = c + 1 < count ? first[c + 1] : n;
    level.y[c] = fine.y[members[from]] >> 1;
    level.x[c] = fine.x[members[from]] >> 1;
    level.region[c] = fine.region[members[from]];
    for (let m = from; m < to; m++) {
      const a = members[m];
      level.diagonal[c] += fine.diagonal[a];
      for (let k = start[a]; k < start[a + 1]; k++) {
        const other = parents[columns[k]];
        if (other === c) level.diagonal[c] -= weights[k];
        else if (places[other] >= begin) level.weights[places[other]] += weights[k];
        else {
          places[other] = at;
          level.columns[at] = other;
          level.weights[at++] = weights[k];
        }
      }
    }
  }
  level.start[count] = at;
  return level;
}

/** Number the aggregates, as `parents` of a level's unknowns; returns how many there are. */
function aggregate(level) {
  const { n, y, x, region } = level, numbers = new Map(), rows = (largest(y) >> 1) + 1, columns = (largest(x) >> 1) + 1;
  level.parents = new Int32Array(n);
  for (let a = 0; a < n; a++) {
    const key = (region[a] * rows + (y[a] >> 1)) * columns + (x[a] >> 1);
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size));
    level.parents[a] = number;
  }
  return numbers.size;
}

function multiply({ n, start, columns, weights, diagonal }, p, q) {
  for (let a = 0; a < n; a++) {
    let sum = diagonal[a] * p[a];
    for (let k = start[a]; k < start[a + 1]; k++) sum -= weights[k] * p[columns[k]];
    q[a] = sum;
  }
}

/** One W-cycle for the right side r, symmetric, so that conjugate gradients may use it. */
function precondition(levels, r) {
  levels[0].f.set(r);
  cycle(levels, 0);
  return levels[0].u;
}

function cycle(levels, l) {
  const level = levels[l], { n, u, f, parents } = level, last = l === levels.length - 1;
  u.fill(0);
  if (last) {
    for (let k = 0; k < 20; k++) relax(level);
    return;
  }
  forward(level);
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
  for (let a = 0; a < n; a++) u[a] += OVER * next.u[parents[a]];
  backward(level);
}

/** f of the next level: the residual, summed over aggregates. */
function restrict({ n, start, columns, weights, diagonal, u, f, parents }, next) {
  next.f.fill(0);
  for (let a = 0; a < n; a++) {
    let sum = f[a] - diagonal[a] * u[a];
    for (let k = start[a]; k < start[a + 1]; k++) sum += weights[k] * u[columns[k]];
    next.f[parents[a]] += sum;
  }
}

/** Gauss-Seidel, from the first unknown on or from the last. */
function forward({ n, start, columns, weights, diagonal, u, f }) {
  for (let a = 0; a < n; a++) {
    let sum = f[a];
    for (let k = start[a]; k < start[a + 1]; k++) sum += weights[k] * u[columns[k]];
    u[a] = sum / diagonal[a];
  }
}

function backward({ n, start, columns, weights, diagonal, u, f }) {
  for (let a = n - 1; a >= 0; a--) {
    let sum = f[a];
    for (let k = start[a]; k < start[a + 1]; k++) sum += weights[k] * u[columns[k]];
    u[a] = sum / diagonal[a];
  }
}

function relax(level) {
  forward(level);
  backward(level);
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
