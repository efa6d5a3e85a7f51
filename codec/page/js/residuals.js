// Residuals: one integer a pixel: docs/format.md, section 11.1.
import { clip, reject } from "./common.js";
import { RangeDecoder } from "./ranges.js";

const BOUNDS = [1, 2, 3, 5, 7, 10, 15, 25, 51];
const FIRST = [10, 28, 34, 38, 42, 46, 50, 54, 58, 62], SECOND = [14, 24, 30, 34, 38, 42, 46, 50, 54, 58];

function ones(i) {
  const M = (4 + (i & 3)) * 2 ** (i >> 2);
  return Math.max(64, Math.floor((65536 * M) / (M + 16384)));
}

/** Residuals (H x W). */
export function decodeResiduals(data, height, width) {
  const decoder = new RangeDecoder(data), residuals = new Int32Array(height * width);
  let parameters = null, before = -1;
  for (const { pixels, near, group } of passes(height, width)) {
    if (group !== before) parameters = readParameters(decoder);
    before = group;
    decodePass(decoder, residuals, pixels, near, parameters, height, width);
  }
  decoder.finish();
  return residuals;
}

function readParameters(decoder) {
  const given = FIRST.map(() => decoder.raw());
  return FIRST.map((first, c) => {
    if (!given[c]) return [first, SECOND[c]].map(ones);
    return [0, 1].map(() => {
      let value = 0;
      for (let k = 0; k < 6; k++) value = 2 * value + decoder.raw();
      return ones(value);
    });
  });
}

/** Passes: pixels [y, x], offsets of their four neighbours, and their group. */
function* passes(height, width) {
  const grid = (y0, x0, step) => {
    const pixels = [];
    for (let y = y0; y < height; y += step) for (let x = x0; x < width; x += step) pixels.push([y, x]);
    return pixels;
  };
  yield { pixels: grid(0, 0, 16), near: [], group: 0 };
  for (let s = 8; s; s >>= 1) {
    const group = s > 2 ? 0 : s === 2 ? 1 : 2;
    yield { pixels: grid(s, s, 2 * s), near: [[-s, -s], [-s, s], [s, -s], [s, s]], group };
    yield { pixels: [...grid(0, s, 2 * s), ...grid(s, 0, 2 * s)], near: [[-s, 0], [s, 0], [0, -s], [0, s]], group: s === 1 ? 3 : group };
  }
}

function decodePass(decoder, residuals, pixels, near, parameters, height, width) {
  const alive = [], size = new Int32Array(pixels.length), negative = new Uint8Array(pixels.length);
  const predictions = new Int32Array(pixels.length), contexts = new Uint8Array(pixels.length);
  pixels.forEach(([y, x], i) => {
    let a = 0, m = 0;
    for (const [dy, dx] of near) {
      if (y + dy < 0 || x + dx < 0 || y + dy >= height || x + dx >= width) continue;
      const r = residuals[(y + dy) * width + x + dx];
      a += r;
      m += Math.abs(r);
    }
    predictions[i] = m >= 8 ? Math.sign(a) * Math.floor((Math.abs(a) + 2) / 4) : 0;
    contexts[i] = BOUNDS.filter((bound) => bound <= m).length;
  });
  for (let i = 0; i < pixels.length; i++) if (decoder.bit(parameters[contexts[i]][0])) alive.push(i);
  for (const i of alive) negative[i] = decoder.raw();
  let living = alive;
  for (const i of alive) size[i] = 1;
  for (let round = 0; round < 24; round++) {
    living = living.filter((i) => decoder.bit(parameters[contexts[i]][1]));
    for (const i of living) size[i]++;
  }
  decoder.excesses(living.length).forEach((excess, e) => (size[living[e]] += excess));
  pixels.forEach(([y, x], i) => {
    const residual = predictions[i] + (negative[i] ? -size[i] : size[i]);
    if (Math.abs(residual) >= 1 << 20) reject("a residual is too large");
    residuals[y * width + x] = clip(residual, -(1 << 20), 1 << 20);
  });
}
