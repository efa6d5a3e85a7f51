// The bit coder of contours and lossless samples, and its fixed tables: docs/format.md, section 10.1.
import { reject } from "./common.js";

export const LOGISTIC = [
  32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030, 64357,
  64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508, 65514, 65519,
  65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534, 65534, 65535, 65535, 65535,
];

export function squash(x) {
  const a = Math.min(Math.abs(x), 2815), k = a >> 6, t = a & 63;
  const p = (LOGISTIC[k] * (64 - t) + LOGISTIC[k + 1] * t) >> 6;
  return x >= 0 ? p : 65536 - p;
}

/** stretch(p), p in 0..4095. */
export const STRETCH = (() => {
  const table = new Int16Array(4096);
  for (let p = 0, x = -2815; p < 4096; p++) {
    while (x < 2815 && squash(x) < 16 * p + 8) x++;
    table[p] = x;
  }
  return table;
})();

export const ratio = (n) => Math.floor(131072 / (2 * n + 3));

export function scramble(x) {
  x ^= x >>> 15;
  x = Math.imul(x, 0x2c1b3c6d);
  x ^= x >>> 12;
  x = Math.imul(x, 0x297a2d39);
  return (x ^ (x >>> 15)) >>> 0;
}

/** A history after one more bit: (11 n0 + n1) 2 + the last bit. */
export const NEXT_HISTORY = (() => {
  const table = [new Uint8Array(256), new Uint8Array(256)], less = (n) => (n > 2 ? (n + 2) >> 1 : n), more = (n) => Math.min(n + 1, 10);
  for (let zeros = 0; zeros <= 10; zeros++)
    for (let ones = 0; ones <= 10; ones++)
      for (let last = 0; last < 2; last++) {
        const at = (11 * zeros + ones) * 2 + last;
        table[0][at] = (11 * more(zeros) + less(ones)) * 2;
        table[1][at] = (11 * less(zeros) + more(ones)) * 2 + 1;
      }
  return table;
})();

const WORK = 2 ** 21, WORK_PER_BYTE = 2 ** 15;

export class BitDecoder {
  constructor(data) {
    this.data = data;
    this.low = 0;
    this.high = 4294967295;
    this.point = 0;
    this.taken = 0;
    this.work = 0;
    for (let k = 0; k < 4; k++) this.take();
  }

  take() {
    this.point = ((this.point << 8) | (this.data[this.taken] ?? 0)) >>> 0;
    if (++this.taken > this.data.length + 8) reject("it holds more than its bytes can");
  }

  /** A bit that is 1 with the probability p / 2^16. */
  bit(p) {
    const middle = this.low + Math.floor(((this.high - this.low) * p) / 65536), one = this.point <= middle;
    if (one) this.high = middle;
    else this.low = middle + 1;
    while (((this.low ^ this.high) & 0xff000000) === 0) {
      this.low = (this.low << 8) >>> 0;
      this.high = ((this.high << 8) | 255) >>> 0;
      this.take();
    }
    return one ? 1 : 0;
  }

  /** Count units of work: a stream may ask for so many by its bytes. */
  spend(units) {
    this.work += units;
    if (this.work > WORK + WORK_PER_BYTE * this.data.length) reject("it asks for more work than its bytes allow");
  }

  /** Nothing may be left, but bytes without which the work would not be allowed. */
  finish() {
    const needed = this.work > WORK + WORK_PER_BYTE * (this.data.length - 1);
    if (this.taken < this.data.length + 3 && !needed) reject("something follows its contours or samples");
  }
}

/** Entries of adaptive bits: probabilities of 2^26 and counts. */
export class AdaptiveBits {
  constructor(size, probability, count) {
    this.p = new Float64Array(size).fill(probability);
    this.n = new Uint8Array(size).fill(count);
  }

  decode(decoder, entry) {
    const bit = decoder.bit(Math.max(Math.floor(this.p[entry] / 1024), 1));
    this.move(entry, bit);
    return bit;
  }

  move(entry, bit) {
    this.p[entry] += Math.floor(((bit ? 67108863 : 0) - this.p[entry]) * ratio(8 * this.n[entry] + 6) / 65536);
    if (this.n[entry] < 31) this.n[entry]++;
  }
}
