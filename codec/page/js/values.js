// Values in an order from coarse to fine, foretold from their neighbours: docs/format.md, sections 9 and 10.5.
import { clip, floorDiv, log2Fixed, mulDiv, reject, signedLog } from "./common.js";

const DIRECTIONS = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];
const SYMBOLS = 43, INPUTS = 48, HIGHEST = 1 << 18;
const BATCH = 4096; // values whose inputs are held at a time

/**
 * Decode values. `places` = {y, x, steps, log2Sides, regions or null, first: count of values known beforehand, known:
 * these values in units}; the first `first` values are known, value r being of region r. Returns {levels, values} in units.
 */
export function decodeValues(decoder, model, places, height, width) {
  return new ValueDecoder(decoder, model, places, height, width).run();
}

class ValueDecoder {
  constructor(decoder, model, places, height, width) {
    Object.assign(this, { decoder, model, places, height, width });
    const count = places.y.length;
    this.values = new Float64Array(count);
    this.levels = new Int32Array(count);
    this.surprises = new Float64Array(count);
    this.passes = new Int32Array(count).fill(1 << 30); // in which each is coded
    for (let i = 0; i < places.first; i++) {
      this.values[i] = places.known[i];
      this.surprises[i] = 256;
      this.passes[i] = -1;
    }
    this.top = places.regions ? 12 : 8;
    this.blocks = this.representatives();
  }

  key(k, i, by, bx) {
    const columns = Math.ceil(this.width / 2 ** k), rows = Math.ceil(this.height / 2 ** k);
    if (by < 0 || bx < 0 || by >= rows || bx >= columns) return -1;
    return ((this.places.regions ? this.places.regions[i] : 0) * rows + by) * columns + bx;
  }

  /** For each k a map from blocks of side 2^k to the values that represent them. */
  representatives() {
    const { y, x, first } = this.places, blocks = [];
    for (let k = 0; k <= this.top; k++) {
      const map = new Map(), side = 2 ** k;
      for (let i = 0; i < first; i++) map.set(this.key(k, i, y[i] >> k, x[i] >> k), i);
      const distance = (i) => (2 * (y[i] % side) + 1 - side) ** 2 + (2 * (x[i] % side) + 1 - side) ** 2;
      const enter = (i) => {
        if (i < first) return;
        const key = this.key(k, i, y[i] >> k, x[i] >> k), held = map.get(key);
        if (held === undefined) map.set(key, i);
        else if (held >= first) {
          const a = distance(i), b = distance(held);
          if (a < b || (a === b && i < held)) map.set(key, i);
        }
      };
      if (k) for (const i of blocks[k - 1].values()) enter(i);
      else for (let i = 0; i < y.length; i++) enter(i);
      blocks.push(map);
    }
    return blocks;
  }

  run() {
    const { y, x, first } = this.places, passes = [];
    for (let k = this.top; k >= 0; k--) {
      const halves = [[], []];
      for (const i of this.blocks[k].values())
        if (i >= first && this.passes[i] === 1 << 30) halves[((y[i] >> k) + (x[i] >> k)) & 1].push(i);
      halves.forEach((half, h) => {
        for (const i of half) this.passes[i] = passes.length;
        passes.push({ k, half: h, members: half.sort((a, b) => a - b) });
      });
    }
    passes.forEach((pass, number) => pass.members.length && this.decodePass(pass, number));
    return { levels: this.levels, values: this.values };
  }

  /** The neighbour of value i in a direction, or -1. */
  neighbour(i, k, [dy, dx], pass) {
    const { y, x } = this.places;
    for (let s = k; s <= Math.min(k + 2, this.top); s++) {
      const found = this.blocks[s].get(this.key(s, i, (y[i] >> s) + dy, (x[i] >> s) + dx));
      if (found !== undefined && this.passes[found] < pass) return found;
    }
    return -1;
  }

  decodePass({ k, half, members }, pass) {
    const contexts = [], escapes = [];
    for (let from = 0; from < members.length; from += BATCH) {
      const some = members.slice(from, from + BATCH), inputs = new Int32Array(some.length * INPUTS);
      some.forEach((i, row) => contexts.push(this.describe(inputs.subarray(row * INPUTS, (row + 1) * INPUTS), i, k, half, pass)));
      const outputs = this.model.network.run(inputs, some.length);
      some.forEach((i, row) => {
        const context = contexts[from + row], symbol = this.symbol(outputs.subarray(row * 9, row * 9 + 9), context, this.places.steps[i]);
        this.levels[i] = context.centre + symbol - 21;
        if (symbol === 0 || symbol === SYMBOLS - 1) escapes.push([i, symbol ? 1 : -1]);
      });
    }
    this.decoder.excesses(escapes.length).forEach((excess, e) => {
      const [i, sign] = escapes[e], level = this.levels[i] + sign * excess;
      this.levels[i] = clip(level, -HIGHEST - 1, HIGHEST + 1);
    });
    members.forEach((i, row) => {
      if (Math.abs(this.levels[i]) > HIGHEST) reject("a value is too far away");
      this.values[i] = this.levels[i] * this.places.steps[i];
      this.surprises[i] = contexts[row].neighbours ? Math.abs(this.values[i] - contexts[row].base) : 256;
    });
  }

  /** The 48 inputs for value i, and what its distribution needs. */
  describe(out, i, k, half, pass) {
    const { y, x, steps, log2Sides } = this.places, s = steps[i], found = [];
    let total = 0, nearest = Infinity;
    DIRECTIONS.forEach((direction, j) => {
      const n = this.neighbour(i, k, direction, pass);
      if (n < 0) return;
      const d2 = (y[n] - y[i]) ** 2 + (x[n] - x[i]) ** 2, w = Math.max(Math.floor(1048576 / d2), 1);
      found.push([j, n, d2, w]);
      total += w;
      nearest = Math.min(nearest, d2);
    });
    total = Math.max(total, 1);
    const mean = (of) => weighted(found, of, total);
    const base = found.length ? mean((n) => this.values[n]) : 2048;
    const spread = mean((n) => Math.abs(this.values[n] - base)), surprise = mean((n) => this.surprises[n]);
    const scale = found.length ? Math.max(floorDiv(spread + surprise, 2) + (s >> 2), 1) : 768;
    for (const [j, n, d2, w] of found) {
      out[j] = signedLog(floorDiv(1024 * (this.values[n] - base), s));
      out[8 + j] = floorDiv(1024 * w, total);
      out[16 + j] = signedLog(floorDiv(1024 * this.surprises[n], s));
      out[24 + j] = 1024 * (log2Sides[n] - log2Sides[i]);
      out[32 + j] = log2Fixed(Math.max(d2, 1)) - 2048 * k;
    }
    out[40] = signedLog(floorDiv(1024 * spread, s));
    out[41] = signedLog(floorDiv(1024 * surprise, s));
    out[42] = log2Fixed(found.length ? nearest : 262144) - 2048 * k;
    out[43] = 1024 * log2Sides[i];
    out[44] = 1024 * k;
    out[45] = 1024 * half;
    out[46] = log2Fixed(s) - 4096;
    out[47] = 256 * found.length;
    return { base, scale, neighbours: found.length, centre: 0 };
  }

  /** Read a symbol from three logistic distributions; sets the context's centre. */
  symbol(o, context, s) {
    const { logistic } = this.model, { base, scale } = context;
    const best = Math.max(o[0], o[1], o[2]), W = [0, 1, 2].map((i) => this.exp2(Math.max(o[i] - best, -10240)));
    const sum = W[0] + W[1] + W[2];
    for (let i = 0; i < 3; i++) W[i] = Math.floor((16384 * W[i]) / sum);
    W[0] += 16384 - W[0] - W[1] - W[2];
    const m = [0, 1, 2].map((i) => 16 * base + mulDiv(clip(o[3 + i], -8192, 8192), scale, 64));
    const r = [0, 1, 2].map((i) => Math.max(mulDiv(this.exp2(clip(o[6 + i], -6144, 4096)), scale, 4096), 4));
    context.centre = clip(floorDiv(mixture(W, m) + 8 * s, 16 * s), -HIGHEST, HIGHEST);
    const before = (j) => {
      if (!j) return 0;
      const t = j - 1, edge = (2 * (context.centre - 20 + t) - 1) * 8 * s;
      let F = 0;
      for (let i = 0; i < 3; i++) F += W[i] * logistic[clip(floorDiv(128 * (edge - m[i]), r[i]), -2048, 2047) + 2048];
      return Math.floor((Math.floor(F / 16384) * (65536 - SYMBOLS)) / 65536) + t + 1;
    };
    return this.decoder.symbol(SYMBOLS, before);
  }

  exp2(x) {
    return Math.floor(this.model.exp2[x & 1023] * 2 ** (x >> 10));
  }
}

/** floor of the weighted mean of integers, exact beyond 2^53 too. */
function weighted(found, of, total) {
  let sum = 0, most = 0;
  for (const [, n, , w] of found) {
    const v = of(n);
    sum += w * v;
    most += Math.abs(w * v);
  }
  if (most < 9007199254740992) return floorDiv(sum, total);
  return Number(floorBig(found.reduce((all, [, n, , w]) => all + BigInt(w) * BigInt(of(n)), 0n), BigInt(total)));
}

function mixture(W, m) {
  const terms = W.map((w, i) => w * m[i]);
  if (terms.reduce((all, term) => all + Math.abs(term), 0) < 9007199254740992) return floorDiv(terms[0] + terms[1] + terms[2], 16384);
  return Number(floorBig(W.reduce((all, w, i) => all + BigInt(w) * BigInt(m[i]), 0n), 16384n));
}

function floorBig(a, b) {
  const quotient = a / b;
  return a < 0n && quotient * b !== a ? quotient - 1n : quotient;
}

