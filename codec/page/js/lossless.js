// Samples without loss, or on a lattice: docs/format.md, section 11.4.
import { clip, reject } from "./common.js";
import { BitDecoder } from "./bits.js";
import { Reader } from "./container.js";
import { decodeContours, regionsOf } from "./contours.js";
import { FLOAT, SIGNED, readBound, roundFloat, sampleArray } from "./formats.js";
import { decodeColours } from "./region_colours.js";
import { decodeSamples } from "./samples.js";

const MOST_VALUES = 1 << 17, MOST_COLOURS = 1 << 16, HIGHEST = 2n ** 52n;
const SAMPLES = 0, COLOURS = 1, REGIONS = 2;

/** The channels' samples: arrays of H x W, for channels of `formats`. Adds what was found to `report`. */
export function decodeLossless(content, formats, height, width, report) {
  const reader = new Reader(content), head = reader.byte(), method = head & 3, n = formats.length;
  if (head & 124) reject("reserved bits of its samples are set");
  const channels = formats.map((format) => new Channel(format, head >> 7 ? readLattice(reader, format) : null, height * width));
  report.method = ["samples", "colours", "regions", "wide"][method];
  report.lattice = channels.some((channel) => channel.lattice);
  if (method === SAMPLES) {
    const lists = channels.map((channel) => channel.list(reader));
    const numbers = decodeSamples(reader.bytes(reader.left), lists.map((list) => list.length), height, width);
    lists.forEach((list, c) => mustOccur(every(numbers, c, n), list.length));
    return lists.map((list, c) => channels[c].samples(every(numbers, c, n), list));
  }
  if (method === COLOURS) return coloured(reader, channels, height, width, report);
  if (method === REGIONS) return regional(reader, channels, height, width, report);
  return channels.map((channel, c) => wide(reader, channel, height, width, c === n - 1));
}

const every = (numbers, c, n) => (n === 1 ? numbers : Int32Array.from({ length: numbers.length / n }, (_, i) => numbers[i * n + c]));

function mustOccur(numbers, count) {
  const seen = new Uint8Array(count);
  for (const number of numbers) seen[number] = 1;
  if (seen.includes(0)) reject("it tells of values that no pixel has");
}

function coloured(reader, channels, height, width, report) {
  if (channels.length < 2) reject("colours of one channel");
  const count = reader.varint() + 1, n = channels.length;
  if (count > Math.min(MOST_COLOURS, height * width)) reject("it has too many colours");
  const lists = channels.map((channel) => channel.list(reader)), table = reader.bytes(reader.varint());
  const colours = decodeSamples(table, lists.map((list) => list.length), 1, count);
  lists.forEach((list, c) => mustOccur(every(colours, c, n), list.length));
  const numbers = decodeSamples(reader.bytes(reader.left), [count], height, width);
  mustOccur(numbers, count);
  report.colours = count;
  return channels.map((channel, c) => channel.samples(numbers.map((number) => colours[number * n + c]), lists[c]));
}

function regional(reader, channels, height, width, report) {
  if (channels.length > 1) reject("regions of several channels");
  const list = channels[0].list(reader);
  if (list.length > MOST_COLOURS) reject("it has too many colours");
  const cells = decodeContours(reader.bytes(reader.varint()), height, width), regions = regionsOf(cells, height, width);
  const colours = decodeColours(reader.bytes(reader.left), regions, list.length, width);
  report.regions = regions.count;
  return [channels[0].samples(regions.labels.map((label) => colours[label]), list)];
}

function wide(reader, channel, height, width, last) {
  const b = reader.byte();
  if (b > 63) reject("its samples are too wide");
  const [base, ...more] = channel.list(reader, true);
  if (more.length) reject("its samples have several bases");
  const levels = reader.varint() + 1;
  if (levels > MOST_VALUES) reject("it has too many values");
  const upper = decodeSamples(reader.bytes(reader.varint()), [levels], height, width);
  const bits = reader.bytes(Math.ceil((b * height * width) / 8));
  if (last && reader.left) reject("something follows its samples");
  const out = sampleArray(channel.format, height * width);
  for (let i = 0, at = 0; i < out.length; i++) {
    let low = 0n;
    for (let k = 0; k < b; k++, at++) low = 2n * low + BigInt((bits[at >> 3] >> (7 - (at & 7))) & 1);
    out[i] = channel.sample(channel.fits(base + (BigInt(upper[i]) << BigInt(b)) + low));
  }
  return out;
}

function readLattice(reader, { kind, bits }) {
  const marks = reader.byte();
  if (marks === 255) return null;
  if (marks > 4) reject("its lattice has too many marks");
  const size = storedBits(kind, bits), read = () => readBound(reader, kind, size);
  const lattice = { base: read(), unit: read(), marks: Array.from({ length: marks }, read) };
  if (!Number.isFinite(lattice.base) || !Number.isFinite(lattice.unit) || !(lattice.unit > 0)) reject("its lattice is none");
  return lattice;
}

/** Bits of the least type that holds samples. */
function storedBits(kind, bits) {
  return kind === FLOAT ? bits : bits <= 8 ? 8 : bits <= 16 ? 16 : 32;
}

/** A channel whose samples stand for integers (BigInt here: floats of 64 bits need all of them). */
class Channel {
  constructor(format, lattice, pixels) {
    Object.assign(this, { format, lattice, pixels, bits: storedBits(format.kind, format.bits) });
  }

  /** Check that an integer stands for a sample. */
  fits(integer) {
    const { lattice, format, bits } = this;
    if (lattice) {
      if (integer > HIGHEST || integer < -HIGHEST) reject("a value is too far away");
      return integer;
    }
    const signed = format.kind === SIGNED, most = 1n << BigInt(signed ? bits - 1 : bits);
    if (integer >= most || integer < (signed ? -most : 0n)) reject("a value does not fit its type");
    return integer;
  }

  sample(integer) {
    const { lattice, format, bits } = this;
    if (lattice) {
      const i = Number(integer), m = lattice.marks.length;
      if (i >= 0 && i < m) return lattice.marks[i];
      return this.onLattice(integer - BigInt(m));
    }
    if (format.kind !== FLOAT) return Number(integer);
    const half = 1n << BigInt(bits - 1), pattern = integer >= half ? integer - half : 2n * half - 1n - integer;
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, pattern, true);
    return readBound(new Reader(new Uint8Array(view.buffer)), FLOAT, bits);
  }

  onLattice(steps) {
    const { lattice, format, bits } = this;
    if (format.kind === FLOAT) {
      const value = roundFloat(lattice.base + lattice.unit * Number(steps), bits);
      if (!Number.isFinite(value)) reject("a value of its lattice is none");
      return value;
    }
    const value = BigInt(lattice.base) + BigInt(lattice.unit) * steps, signed = format.kind === SIGNED;
    const most = 1n << BigInt(signed ? bits - 1 : bits);
    if (value >= most || value < (signed ? -most : 0n)) reject("a value does not fit its type");
    return Number(value);
  }

  /** A list of rising values, as samples; as integers if `raw`. */
  list(reader, raw = false) {
    const count = reader.varint() + 1;
    if (count > Math.min(MOST_VALUES, this.pixels)) reject("it has too many values");
    const decoder = new BitDecoder(reader.bytes(reader.varint())), values = new ListDecoder(decoder), found = [];
    for (let i = 0, value = 0n; i < count; i++) {
      value = i ? value + values.next() + 1n : values.next();
      found.push(raw ? value : this.fits(value));
    }
    decoder.finish();
    return raw ? found : found.map((value) => this.sample(value));
  }

  samples(numbers, list) {
    const out = sampleArray(this.format, numbers.length);
    for (let i = 0; i < out.length; i++) out[i] = list[numbers[i]];
    return out;
  }
}

class ListDecoder {
  constructor(decoder) {
    Object.assign(this, { decoder, zero: [32768], negative: [32768], size: new Array(65).fill(32768) });
  }

  bit(of, k = 0) {
    const bit = this.decoder.bit(of[k]), p = of[k];
    of[k] = clip(bit ? p + ((65536 - p) >> 4) : p - (p >> 4), 32, 65504);
    return bit;
  }

  next() {
    if (!this.bit(this.zero)) return 0n;
    const negative = this.bit(this.negative);
    let z = 0, number = 1n;
    while (z < 65 && this.bit(this.size, z)) z++;
    for (let k = 0; k < z; k++) number = 2n * number + BigInt(this.decoder.bit(32768));
    return negative ? -number : number;
  }
}
