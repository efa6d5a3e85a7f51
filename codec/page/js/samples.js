// Samples without loss, by context mixing: docs/format.md, section 11.2.
import { clip, reject } from "./common.js";
import { AdaptiveBits, BitDecoder, scramble } from "./bits.js";
import { Cracks, MASKS, classOf } from "./cracks.js";
import { newMixer } from "./kernels.js";
import { MIXERS } from "./mixer.js";

const { imul, abs } = Math;
const WINDOWS = [5, 8, 12, 17, 23, 32], CHAINS = [4, 8, 12], EDGE = 3;
const join = (a, b = 0, c = 0, d = 0) => (imul(0x9e3779b1, a) + imul(0x85ebca77, b) + imul(0xc2b2ae3d, c) + imul(0x27d4eb2f, d)) >>> 0;
const coarse = (d) => 2 * classOf(abs(d)) + (d < 0 ? 1 : 0);
const zigzag = (d, limit) => {
  const v = clip(d, -limit, limit);
  return v >= 0 ? 2 * v : -2 * v - 1;
};
const median = (t, a, b) => Math.max(Math.min(a, b), Math.min(Math.max(a, b), t));

/** Samples (H x W x channels) of numbers below each channel's levels. */
export function decodeSamples(data, levels, height, width) {
  const coder = new SampleDecoder(data, levels, height, width), n = levels.length, out = new Int32Array(height * width * n);
  for (let y = 0; y < height; y++) {
    coder.row(y);
    out.set(coder.samples.subarray(coder.start, coder.start + width * n), y * width * n);
  }
  coder.decoder.finish();
  return out;
}

class SampleDecoder {
  constructor(data, levels, height, width) {
    Object.assign(this, { levels, width, n: levels.length, decoder: new BitDecoder(data), cracks: new Cracks(height, width) });
    this.shift = 14;
    while (this.shift < 22 && 2 ** (this.shift - 2) < height * width) this.shift++;
    this.place = newMixer(this.decoder, MIXERS.place, 1 << this.shift);
    this.residue = newMixer(this.decoder, MIXERS.residue, 1 << this.shift);
    this.quiet = new AdaptiveBits(256, Math.floor(67108864 / 300), 0);
    this.stride = (width + 2 * EDGE) * this.n; // three rows: the one at hand is the last
    this.samples = new Int32Array(3 * this.stride);
    this.errors = new Int32Array(3 * this.stride);
    this.start = 2 * this.stride + EDGE * this.n;
    this.placeHashes = new Uint32Array(17);
    this.hashes = new Uint32Array(20);
  }

  row(y) {
    const { samples, errors, stride, start, n, width, cracks } = this;
    samples.copyWithin(0, stride);
    errors.copyWithin(0, stride);
    errors.fill(0, 2 * stride);
    samples.fill(0, 2 * stride);
    for (let k = 0; k < EDGE * n; k++) {
      samples[start - 1 - k] = samples[start - stride + n - 1 - (k % n)]; // the first pixel above
      samples[start - stride + width * n + k] = samples[start - stride + (width - 1) * n + (k % n)];
    }
    cracks.startRow(y);
    for (let x = 0; x < width; x++) {
      cracks.enter(x);
      const at = start + x * n;
      this.pixel(at);
      const cell = (y && !this.same(at, at - stride) ? 1 : 0) + (x && !this.same(at, at - n) ? 2 : 0);
      cracks.leave(x, cell);
    }
  }

  same(a, b) {
    for (let k = 0; k < this.n; k++) if (this.samples[a + k] !== this.samples[b + k]) return false;
    return true;
  }

  pixel(at) {
    const { n, stride, cracks, samples, decoder } = this, candidates = [at - n, at - stride, at - stride + n, at - stride - n];
    let from = 0;
    if (cracks.quiet() && this.same(candidates[0], candidates[1])) {
      const bit = this.quiet.decode(decoder, 16 * classOf(cracks.since) + classOf(cracks.rows));
      if (!bit) return this.take(at, candidates[0]);
      from = 1;
    }
    const chain = this.preparePlace(at);
    for (let i = from; i < 4; i++) {
      if (candidates.slice(0, i).some((other) => this.same(other, candidates[i]))) continue;
      if (this.isCandidate(i, chain)) return this.take(at, candidates[i]);
    }
    for (let c = 0; c < n; c++) this.channel(at, c);
    return samples;
  }

  take(at, candidate) {
    for (let k = 0; k < this.n; k++) this.samples[at + k] = this.samples[candidate + k];
  }

  /** The contexts of a pixel's candidates; returns the way. */
  preparePlace(at) {
    const { n, stride, cracks, samples, placeHashes: h } = this, { w0, w1, w2, w3, up, left } = cracks;
    const chain = up ? cracks.wayUp() : left ? cracks.wayLeft() : 0, arms = up + 2 * left;
    const v = (pixel) => {
      let value = 0;
      for (let k = 0; k < n; k++) value = (imul(0x2c1b3c6d, value) + samples[pixel + k] + 1) | 0;
      return value;
    };
    const above = at - stride, W = v(at - n), N = v(above), NE = v(above + n), NW = v(above - n), WW = v(at - 2 * n);
    const NN = v(above - stride), NEE = v(above + 2 * n), NNE = v(above - stride + n), NNW = v(above - stride - n);
    const WWW = v(at - 3 * n), NEEE = v(above + 3 * n), since = classOf(cracks.since);
    WINDOWS.forEach((c, i) => (h[i] = join(w0 & MASKS[c][0], w1 & MASKS[c][1], w2 & MASKS[c][2], w3 & MASKS[c][3])));
    CHAINS.forEach((c, i) => (h[6 + i] = join(chain >>> (32 - 2 * c), arms, 1, this.same(at - n, above) ? 1 : 0)));
    h[9] = join(W, N, NE, NW);
    h[10] = join(W, N, imul(31, NE) + NW, imul(31, WW) + NN);
    h[11] = join(W, N, 2);
    h[12] = join(W, since, classOf(cracks.rows), 3);
    h[13] = join(W, N, NE, imul(31, NEE) + NEEE);
    h[14] = join(W, WW, WWW, 5);
    h[15] = join(N, NN, imul(31, NNE) + NNW, W);
    const w = samples[at - n], no = samples[above];
    h[16] = join(coarse(w - no), coarse(no - samples[above + n]), coarse(w - samples[above - n]), w0 >>> 28);
    for (let i = 0; i < 17; i++) h[i] = scramble(h[i] + imul(0x3c6ef372, i));
    return chain;
  }

  isCandidate(i, chain) {
    const { place: mixer, placeHashes, cracks } = this;
    for (let c = 0; c < 17; c++) {
      mixer.at[c] = 4 * (placeHashes[c] >>> (34 - this.shift)) + i;
      mixer.marks[c] = (placeHashes[c] & 255) | 1;
    }
    mixer.rows[0] = mixer.stageRows[0] = 256 * i + cracks.near();
    mixer.rows[1] = 16 * i + classOf(cracks.since);
    mixer.rows[2] = mixer.stageRows[1] = 256 * i + (chain >>> 24);
    return mixer.decode(i);
  }

  /** A channel of a pixel that equals no candidate. */
  channel(at, c) {
    const { samples, errors, n, stride, levels, hashes: h, cracks } = this, here = at + c, above = here - stride;
    const W = samples[here - n], N = samples[above], NE = samples[above + n], NW = samples[above - n], WW = samples[here - 2 * n];
    const NN = samples[above - stride], NEE = samples[above + 2 * n], NNE = samples[above - stride + n];
    const eW = errors[here - n], eN = errors[above], eNE = errors[above + n], eNW = errors[above - n];
    const m = median(W + N - NW, W, N);
    let p = m, first = 0, second = 0;
    if (c) {
      const dW = W - samples[here - n - 1], dN = N - samples[above - 1], dNW = NW - samples[above - n - 1];
      p = clip(samples[here - 1] + median(dW + dN - dNW, dW, dN), 0, levels[c] - 1);
      first = errors[here - 1];
      second = p - m;
    }
    const activity = classOf(abs(W - NW) + abs(N - NW) + abs(N - NE)), trouble = classOf(abs(eW) + abs(eN) + abs(eNE) + abs(eNW));
    const slopes = coarse(W - p) + 32 * coarse(N - p) + 1024 * coarse(NW - p) + 32768 * coarse(NE - p);
    h[0] = join(activity, 1, trouble);
    h[1] = join(zigzag(W - p, 255), zigzag(N - p, 255), 2);
    h[2] = join(zigzag(W - p, 255), zigzag(NE - p, 255), 3);
    h[3] = join(zigzag(N - p, 255), zigzag(NW - p, 255), zigzag(NE - p, 255), 4);
    h[4] = join(slopes, 5);
    h[5] = join(slopes, coarse(WW - p) + 32 * coarse(NN - p) + 1024 * coarse(NEE - p), 6);
    h[6] = join(W, p, 7);
    h[7] = join(W, N, 8);
    h[8] = join(W, N, NW, NE + 9);
    h[9] = join(p, 10);
    h[10] = join(zigzag(eW, 63), zigzag(eN, 63), 11);
    h[11] = join(coarse(eW) + 32 * coarse(eN) + 1024 * coarse(eNW) + 32768 * coarse(eNE), 12);
    h[12] = join(zigzag(first, 255), zigzag(second, 31), coarse(W - p), 13);
    h[13] = join(zigzag(2 * W - WW - p, 127), zigzag(2 * N - NN - p, 127), 14);
    h[14] = join(zigzag(W + NE - N - p, 127), zigzag(N + NE - NNE - p, 127), 15);
    h[15] = join((cracks.w0 >>> 28) | (cracks.w1 & 0x003ff000), coarse(W - N), coarse(N - NE), 16);
    h[16] = join(activity, coarse(eW), coarse(W - N), 17);
    h[17] = join(W, WW, p, 18);
    h[18] = join(N, NN, NE, 19);
    h[19] = join(coarse(first), trouble, activity, 20);
    for (let i = 0; i < 20; i++) h[i] = (h[i] + imul(0x632be5ab, c)) >>> 0;
    const r = this.residueOf(c, activity, 2 * trouble + (activity > 4 ? 1 : 0)), sample = p + r;
    if (sample < 0 || sample >= levels[c]) reject("a sample is out of its range");
    samples[here] = sample;
    errors[here] = r;
  }

  residueOf(c, activity, troubled) {
    const code = (node, kind) => this.residueBit(c, node, kind, activity, troubled);
    if (!code(0, 0)) return 0;
    const negative = code(1, 1);
    let z = 0;
    while (z < 17 && code(2 + z + 20 * negative, 2 + Math.min(z, 4))) z++;
    let number = 1;
    for (let t = 0; t < z; t++) {
      const node = t < 3 ? 64 + 8 * z + (number & (2 ** t - 1)) + 2 ** t - 1 : 220 + z - 1 - t;
      number = 2 * number + code(node, t < 3 ? 7 + t : 10);
    }
    return negative ? -number : number;
  }

  residueBit(c, node, kind, activity, troubled) {
    const { residue: mixer, hashes } = this;
    for (let i = 0; i < 20; i++) {
      const h = scramble(hashes[i] + imul(0x3c6ef372, 256 * i + node));
      mixer.at[i] = h >>> (32 - this.shift);
      mixer.marks[i] = (h & 255) | 1;
    }
    mixer.rows[0] = mixer.stageRows[0] = 64 * c + Math.min(node, 63);
    mixer.rows[1] = 16 * kind + activity;
    mixer.rows[2] = mixer.stageRows[1] = 32 * kind + troubled;
    return mixer.decode(kind);
  }
}
