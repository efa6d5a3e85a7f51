// Contours, and the regions that they divide a picture into: docs/format.md, section 10.2.
import { AdaptiveBits, BitDecoder, scramble } from "./bits.js";
import { Cracks, MASKS, classOf } from "./cracks.js";
import { MIXERS } from "./mixer.js";
import { newMixer } from "./kernels.js";

const A = 0x9e3779b1, B = 0x85ebca77, C = 0xc2b2ae3d, D = 0x27d4eb2f, E = 0x3c6ef372;
const { imul } = Math;

/** Cells of all pixels (H x W): 1 a crack above, 2 one on the left. */
export function decodeContours(data, height, width) {
  const coder = new ContourDecoder(data, height, width), { cracks } = coder, cells = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    cracks.startRow(y);
    for (let x = 0; x < width; x++) {
      cracks.enter(x);
      const cell = y || x ? coder.cell(y, x) : 0;
      cracks.leave(x, cell);
      cells[y * width + x] = cell;
    }
  }
  coder.decoder.finish();
  return cells;
}

class ContourDecoder {
  constructor(data, height, width) {
    this.decoder = new BitDecoder(data);
    this.cracks = new Cracks(height, width);
    this.shift = 10;
    while (this.shift < 18 && 2 ** (this.shift + 4) < height * width) this.shift++;
    this.mixer = newMixer(this.decoder, MIXERS.contours, 4 << this.shift);
    this.quiet = new AdaptiveBits(256, Math.floor(67108864 / 300), 0);
    this.patterns = new AdaptiveBits(16384, Math.floor(67108864 / 40), 2);
    this.hashes = new Uint32Array(9);
  }

  cell(y, x) {
    const { cracks, decoder } = this;
    if (cracks.quiet()) {
      const entry = y === 0 ? 1 : x === 0 ? 0 : 16 * classOf(cracks.since) + classOf(cracks.rows);
      return this.quiet.decode(decoder, entry) ? (y === 0 ? 2 : x === 0 ? 1 : 3) : 0;
    }
    const { up, left, w0, w1, w2 } = cracks, arms = up + left;
    const pattern = (w0 >>> 28) + 16 * ((w1 >>> 14) & 255) + 4096 * ((w2 >>> 16) & 3);
    if (!arms && y && x && this.patterns.p[pattern] < Math.floor(67108864 / 100)) return this.patterns.decode(decoder, pattern) ? 3 : 0;
    this.prepare();
    const above = y ? this.mixed(0, up + 2 * left) : 0;
    if (!arms) this.patterns.move(pattern, above);
    let beside = 0;
    if (x) {
      if (y && !arms) beside = above;
      else if (y && arms === 1 && !above) beside = 1;
      else beside = this.mixed(1 + above, arms === 2 ? 6 + above : 4 + left);
    }
    return above + 2 * beside;
  }

  /** The contexts of a pixel's bits. */
  prepare() {
    const { cracks, hashes } = this, { w0, w1, w2, w3, up, left } = cracks, arm = up + 2 * left;
    const wayUp = cracks.wayUp(), wayLeft = cracks.wayLeft(), chain = up ? wayUp : wayLeft;
    [5, 14, 23, 36].forEach((n, i) => {
      const m = MASKS[n];
      hashes[i] = imul(A, w0 & m[0]) + imul(B, w1 & m[1]) + imul(C, w2 & m[2]) + imul(D, w3 & m[3]);
    });
    [8, 12].forEach((n, i) => {
      const way = up && left ? 2 ** n * (wayUp >>> (32 - n)) + (wayLeft >>> (32 - n)) : chain >>> (32 - 2 * n);
      hashes[4 + i] = imul(A, way) + imul(B, arm);
    });
    let ahead = 0;
    while (ahead < 7 && (19 + 2 * ahead > 31 || !((w1 >>> (19 + 2 * ahead)) & 1))) ahead++;
    hashes[6] = arm + 4 * classOf(cracks.since) + 64 * classOf(cracks.rows) + imul(A, ahead) + imul(B, chain >>> 28);
    const m = MASKS[14];
    hashes[7] = imul(A, chain >>> 20) + imul(C, w0 & m[0]) + imul(B, w1 & m[1]) + arm;
    hashes[8] = imul(A, w1 >>> 6) + imul(B, w0 >>> 28);
    for (let i = 0; i < 9; i++) hashes[i] = scramble(hashes[i] + imul(E, i));
    this.chain = chain;
  }

  mixed(node, kind) {
    const { mixer, hashes, cracks } = this, near = 256 * node + cracks.near(), way = 256 * kind + (this.chain >>> 24);
    for (let i = 0; i < 9; i++) {
      mixer.at[i] = 4 * (hashes[i] >>> (32 - this.shift)) + node;
      mixer.marks[i] = (hashes[i] & 255) | 1;
    }
    mixer.rows[0] = 16 * kind + classOf(cracks.since);
    mixer.rows[1] = mixer.stageRows[0] = near;
    mixer.rows[2] = mixer.stageRows[1] = way;
    return mixer.decode(kind);
  }
}

/** Regions of cells: {labels (H x W), count, first: first pixel of each}, numbered as they begin in raster order. */
export function regionsOf(cells, height, width) {
  const labels = new Int32Array(height * width).fill(-1), first = [], stack = new Int32Array(height * width);
  for (let start = 0; start < labels.length; start++) {
    if (labels[start] >= 0) continue;
    let top = 0;
    const reach = (at) => {
      if (labels[at] < 0) {
        labels[at] = first.length;
        stack[top++] = at;
      }
    };
    reach(start);
    while (top) {
      const at = stack[--top], x = at % width;
      if (at >= width && !(cells[at] & 1)) reach(at - width);
      if (at + width < labels.length && !(cells[at + width] & 1)) reach(at + width);
      if (x && !(cells[at] & 2)) reach(at - 1);
      if (x + 1 < width && !(cells[at + 1] & 2)) reach(at + 1);
    }
    first.push(start);
  }
  return { labels, count: first.length, first };
}
