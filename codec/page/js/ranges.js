// The range decoder: docs/format.md, section 6. Its state has 64 bits; here `point - lower` and `range`, which are all
// that matters, each in two halves of 32 bits, so that everything stays exact in doubles.
import { reject } from "./common.js";

const HALF = 4294967296, TOTAL = 1 << 24;

export class RangeDecoder {
  constructor(data) {
    this.data = data;
    this.moves = 0;
    this.overHigh = this.word(0); // point - lower
    this.overLow = this.word(1);
    this.rangeHigh = HALF - 1;
    this.rangeLow = HALF - 1;
    this.scale = 0;
  }

  word(k) {
    const { data } = this, at = 4 * k;
    return (((data[at] ?? 0) << 24) | ((data[at + 1] ?? 0) << 16) | ((data[at + 2] ?? 0) << 8) | (data[at + 3] ?? 0)) >>> 0;
  }

  /** x of section 6: which of 2^24 parts of the range the point is in. */
  peek() {
    const scale = (this.scale = this.rangeHigh * 256 + Math.floor(this.rangeLow / 16777216));
    let x = Math.floor((this.overHigh * HALF + this.overLow) / scale);
    while (this.rest(x) < 0) x--; // the quotient of rounded doubles can be one off
    while (this.rest(x + 1) >= 0) x++;
    if (x >= TOTAL) reject("it holds a symbol that cannot be");
    return x;
  }

  /** point - lower - x scale: exact in sign, and where it is small. */
  rest(x) {
    const high = Math.floor(this.scale / 1048576), low = this.scale - high * 1048576;
    const upper = x * high, lower = x * low, upperHigh = Math.floor(upper / 4096);
    const middle = (upper - upperHigh * 4096) * 1048576 + lower, carry = Math.floor(middle / HALF);
    return (this.overHigh - upperHigh - carry) * HALF + (this.overLow - (middle - carry * HALF));
  }

  /** Leave the symbol behind whose interval is from..to of 2^24. */
  skip(from, to) {
    this.multiply(from);
    this.overHigh -= this.high;
    this.overLow -= this.low;
    if (this.overLow < 0) {
      this.overLow += HALF;
      this.overHigh--;
    }
    this.multiply(to - from);
    if (this.high) {
      this.rangeHigh = this.high;
      this.rangeLow = this.low;
      return;
    }
    this.rangeHigh = this.low;
    this.rangeLow = 0;
    this.overHigh = this.overLow;
    this.overLow = this.word(this.moves + 2);
    this.moves++;
    if (4 * this.moves > this.data.length + 16) reject("it holds more than its bytes can");
  }

  /** high, low = factor x scale, factor up to 2^24. */
  multiply(factor) {
    const high = Math.floor(this.scale / 1048576), low = this.scale - high * 1048576;
    const upper = factor * high, upperHigh = Math.floor(upper / 4096);
    const middle = (upper - upperHigh * 4096) * 1048576 + factor * low, carry = Math.floor(middle / HALF);
    this.high = upperHigh + carry;
    this.low = middle - carry * HALF;
  }

  /** A bit that is 1 with the frequency `ones` of 2^16. */
  bit(ones) {
    const bound = Math.floor(((65536 - ones) * (TOTAL - 2)) / 65536) + 1;
    const one = this.peek() >= bound;
    if (one) this.skip(bound, TOTAL);
    else this.skip(0, bound);
    return one ? 1 : 0;
  }

  raw() {
    return this.bit(32768);
  }

  /** A symbol of `count`; before(j) is the sum of the frequencies of those before j, 0 <= j <= count. */
  symbol(count, before) {
    const x = this.peek(), bound = (j) => (j === count ? TOTAL : Math.floor((before(j) * (TOTAL - count)) / 65536) + j);
    let low = 0, high = count, from = 0, to = TOTAL;
    while (high - low > 1) {
      const middle = (low + high) >> 1, at = bound(middle);
      if (at <= x) [low, from] = [middle, at];
      else [high, to] = [middle, at];
    }
    this.skip(from, to);
    return low;
  }

  /** How far `count` escapes go beyond the symbols. */
  excesses(count) {
    const classes = new Uint8Array(count), excess = new Float64Array(count).fill(1);
    for (let round = 0; round < 20; round++)
      for (let i = 0; i < count; i++) if (classes[i] === round && this.raw()) classes[i]++;
    for (let i = 0; i < count; i++) excess[i] = 2 ** classes[i];
    for (let k = 0; k < 20; k++) for (let i = 0; i < count; i++) if (classes[i] > k && this.raw()) excess[i] += 2 ** k;
    return excess.map((x) => x - 1);
  }

  /** Nothing may be left. */
  finish() {
    if (this.data.length > 4 * this.moves + 8) reject("something follows its values");
  }
}
