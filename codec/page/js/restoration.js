// Restoration by a small convolutional network: docs/format.md, section 13. Feature maps are Float32Arrays (channels x
// rows x columns) with a border of one pixel of zeros, so that convolutions need no case for the plane's edges.
import { STEP } from "./common.js";
import { convolution } from "./kernels.js";

const BLOCK = 16, TILE = 128, FLAT = 4; // log2 of the side of cells in flat tiles

export class Features {
  constructor(channels, height, width) {
    Object.assign(this, { channels, height, width, stride: width + 2, size: (height + 2) * (width + 2) });
    this.data = new Float32Array(channels * this.size);
  }

  /** Index of channel c's pixel (y, 0). */
  row(c, y) {
    return c * this.size + (y + 1) * this.stride + 1;
  }

  /** Channels 4 c .. 4 c + 3: the pixels of each 2x2 block of channel c, upper left, upper right, lower left, lower right. */
  blocks() {
    const out = new Features(4 * this.channels, this.height / 2, this.width / 2);
    for (let c = 0; c < this.channels; c++)
      for (let k = 0; k < 4; k++)
        for (let y = 0; y < out.height; y++)
          for (let x = 0, to = out.row(4 * c + k, y), from = this.row(c, 2 * y + (k >> 1)) + (k & 1); x < out.width; x++) out.data[to + x] = this.data[from + 2 * x];
    return out;
  }

  /** Add each sample of another map of half the size to a 2x2 block. */
  addDoubled(half) {
    for (let c = 0; c < this.channels; c++)
      for (let y = 0; y < this.height; y++)
        for (let x = 0, to = this.row(c, y), from = half.row(c, y >> 1); x < this.width; x++) this.data[to + x] += half.data[from + (x >> 1)];
    return this;
  }

  add(other) {
    for (let i = 0; i < this.data.length; i++) this.data[i] += other.data[i];
    return this;
  }

  relu() {
    const out = new Features(this.channels, this.height, this.width);
    for (let i = 0; i < this.data.length; i++) out.data[i] = this.data[i] > 0 ? this.data[i] : 0;
    return out;
  }
}

/** The network of a version: `weights` = {NAME: {weight, bias, shape}}. */
class Restorer {
  constructor(weights, progress) {
    Object.assign(this, { weights, progress });
  }

  convolve(name, x) {
    this.progress();
    return convolution(x, this.weights[name]);
  }

  block(name, x) {
    return x.add(this.convolve(`${name}.second`, this.convolve(`${name}.first`, x.relu()).relu()));
  }

  /** The correction (height x width), in units of 0.5 step^0.75, for a plane's inputs at half resolution. */
  run(inputs) {
    const y = [];
    for (let i = 0; i < 4; i++) y.push(this.block(`encode.${i}`, i ? this.convolve(`down.${i - 1}`, y[i - 1].blocks()) : this.convolve("stem", inputs)));
    let z = y[3];
    for (let i = 2; i >= 0; i--) z = this.block(`decode.${i}`, y[i].addDoubled(this.convolve(`up.${i}`, z)));
    return this.convolve("head", z.relu());
  }
}

/** Convolutions of a network, of which `progress` hears. */
export const CONVOLUTIONS = 1 + 3 + 3 + 14 + 1;

/**
 * The plane u (H x W, doubles) with the restoration of the section. `sides`: log2 of the side of each pixel's cell.
 */
export function restore(u, section, sides, height, width, weights, progress = () => {}) {
  const step = (STEP[section.q] * 2 ** -section.depth) / 16, strength = 0.5 * step ** 0.75;
  const restorer = new Restorer(weights, progress), plane = { u, mask: Uint8Array.from(section.known, (v) => (v === v ? 1 : 0)), sides, height, width };
  const out = correct(restorer, plane, step);
  if (section.restoration === 1) {
    const other = transposed(correct(restorer, { u: transposed(u, height, width), mask: transposed(plane.mask, height, width), sides: transposed(sides, height, width), height: width, width: height }, step), width, height);
    for (let i = 0; i < out.length; i++) out[i] = (out[i] + other[i]) / 2;
  }
  const stays = section.restoration > 1 ? flatTiles(sides, height, width) : null;
  return u.map((v, i) => (stays && stays(i) ? v : v + strength * out[i]));
}

function transposed(plane, height, width) {
  const out = new plane.constructor(plane.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = plane[y * width + x];
  return out;
}

function correct(restorer, { u, mask, sides, height, width }, step) {
  const rows = Math.ceil(height / BLOCK) * BLOCK, columns = Math.ceil(width / BLOCK) * BLOCK;
  const inputs = new Features(10, rows / 2, columns / 2), scale = (Math.log2(step) - 3) / 3;
  for (let y = 0; y < inputs.height; y++)
    for (let x = 0; x < inputs.width; x++) {
      for (let k = 0; k < 4; k++) {
        const at = Math.min(2 * y + (k >> 1), height - 1) * width + Math.min(2 * x + (k & 1), width - 1);
        inputs.data[inputs.row(k, y) + x] = (u[at] - 128) / 64;
        inputs.data[inputs.row(4 + k, y) + x] = mask[at];
        if (!k) inputs.data[inputs.row(8, y) + x] = (sides[at] - 2) / 2;
      }
      inputs.data[inputs.row(9, y) + x] = scale;
    }
  const result = restorer.run(inputs), out = new Float64Array(height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) out[y * width + x] = result.data[result.row(2 * (y & 1) + (x & 1), y >> 1) + (x >> 1)];
  return out;
}

/** Which pixels versions from 2 on leave as they are; null where they leave none. */
function flatTiles(sides, height, width) {
  const columns = Math.ceil(width / TILE), flat = new Uint8Array(Math.ceil(height / TILE) * columns).fill(1);
  const tileOf = (i) => Math.floor(Math.floor(i / width) / TILE) * columns + Math.floor((i % width) / TILE);
  for (let i = 0; i < sides.length; i++) if (sides[i] < FLAT) flat[tileOf(i)] = 0;
  return 4 * flat.reduce((sum, f) => sum + f, 0) > 3 * flat.length ? null : (i) => flat[tileOf(i)] === 1;
}
