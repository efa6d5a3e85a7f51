// Context mixing: many contexts foretell a bit, two layers of weights mix them: docs/format.md, section 10.1.
import { clip } from "./common.js";
import { NEXT_HISTORY, STRETCH, ratio, squash } from "./bits.js";

export const BIT = 4; // units of work
const LIMIT = 255, RATIO = Array.from({ length: 256 }, (_, n) => ratio(n));
export const SEEN = Uint8Array.from({ length: 256 }, (_, h) => (h >> 1) % 11 + Math.floor((h >> 1) / 11)); // n0 + n1

/** The constants of the three mixers; `slots` is log2 of the places of a context. */
export const MIXERS = {
  contours: { contexts: 9, kinds: 8, sets: [128, 768, 2048], stages: [768, 2048], a: 3, b: 1, c: 6, w: 600 },
  place: { contexts: 17, kinds: 4, sets: [1024, 64, 1024], stages: [1024, 1024], a: 3, b: 2, c: 5, w: 350 },
  residue: { contexts: 20, kinds: 12, sets: [256, 192, 384], stages: [256, 384], a: 3, b: 2, c: 5, w: 300 },
};

export class Mixer {
  constructor(decoder, model, places) {
    this.decoder = decoder;
    this.model = model;
    this.places = places;
    const { contexts, kinds, sets, stages, w } = model, size = contexts * places;
    this.probability = new Uint16Array(size);
    this.history = new Uint8Array(size);
    this.check = new Uint8Array(size);
    this.maps = new Int32Array(contexts * kinds * 256);
    this.counts = new Uint8Array(this.maps.length);
    for (let i = 0; i < this.maps.length; i++) {
      const ones = ((i & 255) >> 1) % 11, seen = SEEN[i & 255];
      this.maps[i] = Math.floor(((5 * ones + 2) * 4194303) / (5 * seen + 4));
    }
    this.width = 2 * contexts + 1;
    this.weights = sets.map((rows) => new Int32Array(rows * this.width).fill(w));
    this.final = new Float64Array(3 * kinds).fill(21845);
    this.stages = stages.map((rows) => Int32Array.from({ length: 91 * rows }, (_, k) => squash(64 * ((k % 91) - 45))));
    this.at = new Int32Array(contexts); // arguments of decode(): places, checks, rows
    this.marks = new Uint8Array(contexts);
    this.rows = new Int32Array(3);
    this.stageRows = new Int32Array(2);
    this.x = new Int32Array(this.width);
  }

  /** A bit of a kind, for the places `at`, checks `marks`, `rows` of sets and `stageRows`. */
  decode(kind) {
    this.decoder.spend(BIT);
    const { contexts, kinds, a, b, c } = this.model, { x, at, width, maps, probability, history } = this;
    for (let i = 0; i < contexts; i++) {
      const slot = i * this.places + at[i];
      if (this.check[slot] !== this.marks[i]) {
        this.check[slot] = this.marks[i];
        probability[slot] = 32768;
        history[slot] = 0;
      }
      x[2 * i] = STRETCH[maps[(i * kinds + kind) * 256 + history[slot]] >> 10];
      x[2 * i + 1] = STRETCH[probability[slot] >> 4];
    }
    x[width - 1] = 256;
    const d = [0, 0, 0];
    let mixed = 0;
    for (let s = 0; s < 3; s++) {
      const weights = this.weights[s], row = this.rows[s] * width;
      let sum = 0;
      for (let i = 0; i < width; i++) sum = (sum + weights[row + i] * x[i]) | 0;
      d[s] = clip(sum >> 13, -2815, 2815);
      mixed += this.final[3 * kind + s] * d[s];
    }
    const m = clip(Math.floor(mixed / 65536), -2815, 2815), p0 = squash(m), k = (m + 2880) >> 6, t = (m + 2880) & 63;
    const [g, h] = this.stages, ag = this.stageRows[0] * 91 + k, ah = this.stageRows[1] * 91 + k;
    const sum = 2 * p0 + ((g[ag] * (64 - t) + g[ag + 1] * t) >> 6) + ((h[ah] * (64 - t) + h[ah + 1] * t) >> 6);
    const bit = this.decoder.bit(clip(sum >> 2, 1, 65535)), target = bit ? 65536 : 0, full = bit ? 65535 : 0;

    for (let s = 0; s < 3; s++) {
      const weights = this.weights[s], row = this.rows[s] * width, e = ((target - squash(d[s])) * a) >> 5;
      for (let i = 0; i < width; i++) weights[row + i] = clip(weights[row + i] + ((x[i] * e + 32768) >> 16), -32768, 32767);
      this.final[3 * kind + s] += (d[s] * (target - p0) * b + 131072) >> 18;
    }
    const near = t >> 5;
    g[ag + near] += (full - g[ag + near]) >> c;
    h[ah + near] += (full - h[ah + near]) >> c;
    for (let i = 0; i < contexts; i++) {
      const slot = i * this.places + at[i], past = history[slot], map = (i * kinds + kind) * 256 + past;
      maps[map] += Math.floor(((bit ? 4194303 : 0) - maps[map]) * RATIO[this.counts[map]] / 65536);
      if (this.counts[map] < LIMIT) this.counts[map]++;
      probability[slot] += Math.floor((full - probability[slot]) * RATIO[SEEN[past]] / 65536);
      history[slot] = NEXT_HISTORY[bit][past];
    }
    return bit;
  }
}
