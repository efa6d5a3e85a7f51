// The first value of each region, mixed from seven experts and four memories: docs/format.md, section 10.4.
import { STEP, clip, floorDiv, log2Floor, reject } from "./common.js";

const { imul, trunc } = Math;
const WEIGHTS = [
  [26214, 26214, 256, 6554, 6554, 256, 256],
  [3277, 19661, 19661, 6554, 6554, 9830, 256],
  [3277, 19661, 13107, 9830, 6554, 9830, 3277],
  [3277, 16384, 13107, 3277, 19661, 3277, 6554],
];
const bits = (n) => (n ? log2Floor(n) + 1 : 0);

/** How fine values are in regions whose first value's piece has so many pixels: {base in units, T, s}. */
export function scaleOf(q, depth, fine) {
  const B = fine ? Math.min(Math.max(q - 30, 16 * depth), 32 + 16 * depth) : Math.max(q - 30, 16 * depth);
  const base = STEP[B], T = Math.ceil((4080 * 2 ** depth) / base);
  return {
    base, T,
    shift(pixels) {
      const most = fine && pixels >= 256 ? floorDiv(32 + 16 * depth - B, 16) : 8;
      return clip(floorDiv(q + 2 + 8 * (6 - log2Floor(pixels)) - B + 8, 16), 0, most);
    },
  };
}

/** First values in bases, by region. `pixels`: of the piece with each region's first value. */
export function decodeFirstValues(decoder, logistic, regions, pixels, scale, height, width) {
  const shapes = new Shapes(regions, height, width), order = [...regions.sizes.keys()].sort((a, b) => regions.sizes[b] - regions.sizes[a] || a - b);
  const { data, moves } = decoder;
  if (regions.count > 8192 * (((data.length + 16) >> 2) + 1 - moves)) reject("it tells of more regions than its bytes can hold");
  const model = new FirstValues(decoder, logistic, scale.T), values = new Int32Array(regions.count), came = new Int32Array(regions.count).fill(-1);
  order.forEach((region, number) => {
    const [a, b] = shapes.neighbours(region, came).map((n) => values[n]);
    values[region] = model.decode(scale.shift(pixels[region]), a ?? -1, b ?? a ?? -1, a === undefined ? 0 : b === undefined ? 1 : 2, shapes.patterns(region));
    came[region] = number;
  });
  return values;
}

/** How regions lie beside each other. */
class Shapes {
  constructor(regions, height, width) {
    Object.assign(this, { regions, height, width });
    this.common = Array.from({ length: regions.count }, () => new Map()); // cracks that a region shares with others
    const { labels } = regions, meet = (a, b) => {
      if (a === b) return;
      this.common[a].set(b, (this.common[a].get(b) ?? 0) + 1);
      this.common[b].set(a, (this.common[b].get(a) ?? 0) + 1);
    };
    for (let at = 0; at < labels.length; at++) {
      if ((at + 1) % width) meet(labels[at], labels[at + 1]);
      if (at + width < labels.length) meet(labels[at], labels[at + width]);
    }
  }

  /** The two neighbours with the longest boundaries of those that came before. */
  neighbours(region, came) {
    const before = [...this.common[region]].filter(([other]) => came[other] >= 0);
    before.sort((a, b) => b[1] - a[1] || came[a[0]] - came[b[0]]);
    return before.slice(0, 2).map(([other]) => other);
  }

  differ(r, c, y, x) {
    const { width, height, regions } = this;
    if (r < 0 || c < 0 || y >= height || x >= width || r >= height || c >= width) return 0;
    return regions.labels[r * width + c] === regions.labels[y * width + x] ? 0 : 1;
  }

  hash(y, x, z, fy, fx) {
    const f = (i, t) => (t === 1 ? i : -1 - i);
    let hash = 0;
    for (let i = -z - 1; i <= z; i++)
      for (let j = -z; j <= z; j++) {
        const ay = y + fy * j, ax = x + f(i, fx), by = y + f(i, fy), bx = x + fx * j;
        hash = imul(hash + this.differ(ay, ax, ay, ax + 1) + 2 * this.differ(by, bx, by + 1, bx) + 1, 0x9e3779b1);
        hash ^= hash >>> 15;
      }
    return hash >>> 0;
  }

  patterns(region) {
    const at = this.regions.first[region], y = Math.floor(at / this.width), x = at % this.width;
    return [1, 1, 3, 3].map((z, k) => {
      if (k & 1) return this.hash(y, x, z, 1, 1);
      return Math.min(this.hash(y, x, z, 1, 1), this.hash(y, x, z, 1, -1), this.hash(y, x, z, -1, 1), this.hash(y, x, z, -1, -1));
    });
  }
}

class FirstValues {
  constructor(decoder, logistic, T) {
    Object.assign(this, { decoder, logistic, T });
    this.S = new Int32Array(36).fill(128);
    for (let c = 0; c < 12; c++) this.S[c] = this.S[12 + c] = Math.max(16, 2 ** (c + 1));
    this.weights = new Map(); // by 9 G + s
    this.counts = new Int32Array(T + 1);
    this.seen = 0;
    this.after = new Map(); // by a: a map from values to how often they came
    this.memories = [0, 1, 2, 3].map(() => ({ slots: new Map(), p: Array.from({ length: 8 }, (_, r) => (r ? 4096 * (8 + r) : 16384)) }));
  }

  /** A value from 0..T; a, b: the neighbours' values or -1; `near`: how many neighbours there are, 2 at most. */
  decode(s, a, b, near, patterns) {
    const { T, decoder } = this, step = 2 ** s, J = Math.ceil(T / step) + 1, g = Math.abs(a - b), c = Math.min(bits(g), 11);
    const symbolOf = (v) => (v + (step >> 1)) >> s;
    const G = near < 2 ? near : g <= 2 * step ? 2 : 3, key = 9 * G + s;
    if (!this.weights.has(key)) this.weights.set(key, WEIGHTS[G].slice());
    const w = this.weights.get(key), e = this.experts(s, J, near ? a : T >> 1, near ? b : T >> 1, c, symbolOf, near ? this.after.get(a) : undefined);
    let norm = 0;
    e.forEach((expert, k) => (norm += w[k] * expert.reduce((sum, f) => sum + f, 0)));
    norm = Math.floor(norm / 65536);
    const mass = new Float64Array(J);
    for (let j = 0; j < J; j++) {
      let sum = 0;
      for (let k = 0; k < 7; k++) sum += w[k] * e[k][j];
      mass[j] = Math.floor((256 * sum) / norm);
    }
    const matches = this.match(mass, a, b, patterns, symbolOf);
    const before = new Float64Array(J + 1);
    for (let j = 0, M = 0; j < J; j++) {
      before[j] = Math.min(Math.floor((M * (65536 - J)) / 16777216), 65536 - J) + j;
      M += mass[j];
    }
    before[J] = 65536;
    const j = decoder.symbol(J, (at) => before[at]), v = Math.min(step * j, T);
    this.learn(j, v, s, a, b, near, c, w, e, matches, symbolOf);
    return v;
  }

  experts(s, J, a, b, c, symbolOf, after) {
    const e = Array.from({ length: 7 }, () => new Float64Array(J)), step = 2 ** s;
    for (let j = 0; j < J; j++) e[0][j] = Math.floor((65536 * (j + 1)) / J) - Math.floor((65536 * j) / J);
    if (this.seen) {
      const n = new Int32Array(J);
      this.counts.forEach((count, v) => (n[symbolOf(v)] += count));
      n.forEach((count, j) => (e[1][j] = Math.floor((65536 * count) / this.seen)));
    }
    if (after) {
      const n = new Int32Array(J);
      let all = 0;
      for (const [v, count] of after) {
        n[symbolOf(v)] += count;
        all += count;
      }
      n.forEach((count, j) => (e[2][j] = Math.floor((65536 * count) / all)));
    }
    [[16 * a, c], [8 * (a + b), 12 + c], [16 * a, 24 + s], [16 * b, c]].forEach(([m, i], k) => {
      const t = Math.max(this.S[i], 2 * step);
      for (let j = 0, before = 0; j < J; j++) {
        const L = j === J - 1 ? 65536 : this.logistic[clip(floorDiv(128 * (8 * (2 * j + 1) * step - m), t), -2048, 2047) + 2048];
        e[3 + k][j] = L - before;
        before = L;
      }
    });
    return e;
  }

  /** What the memories hold changes the masses. */
  match(mass, a, b, patterns, symbolOf) {
    return this.memories.map(({ slots, p }, k) => {
      const h = (patterns[k] + imul(0x9e3779b1, a + 1) + imul(0x85ebca6b, b + 1)) >>> 0, slot = imul(h, 0xc2b2ae35) >>> 16;
      const held = slots.get(slot);
      if (held) {
        const share = p[held.run];
        for (let j = 0; j < mass.length; j++) mass[j] = Math.floor((mass[j] * (65536 - share)) / 65536);
        mass[symbolOf(held.v)] += 256 * share;
      }
      return { slot, held };
    });
  }

  learn(j, v, s, a, b, near, c, w, e, matches, symbolOf) {
    const u = w.map((weight, k) => weight * (e[k][j] + 1)), sum = u.reduce((all, x) => all + x, 0);
    u.forEach((x, k) => (w[k] = Math.max(w[k] + trunc((Math.floor((65536 * x) / sum) - w[k]) / 24), 256)));
    matches.forEach(({ slot, held }, k) => {
      const { slots, p } = this.memories[k], right = held && symbolOf(held.v) === j;
      if (held) p[held.run] += trunc(((right ? 64512 : 1024) - p[held.run]) / 16);
      slots.set(slot, { v, run: right ? Math.min(held.run + 1, 7) : 0 });
    });
    this.counts[v]++;
    this.seen++;
    if (!near) return;
    if (!this.after.has(a)) this.after.set(a, new Map());
    this.after.get(a).set(v, (this.after.get(a).get(v) ?? 0) + 1);
    const far = [16 * Math.min(Math.abs(v - a), Math.abs(v - b)), Math.abs(16 * v - 8 * (a + b)), 16 * Math.abs(v - a)];
    [c, 12 + c, 24 + s].forEach((i, k) => (this.S[i] += trunc(((far[k] >> 1) - this.S[i]) / 16)));
  }
}
