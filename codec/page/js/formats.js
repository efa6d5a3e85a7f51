// Sample formats: docs/format.md, section 3. What a picture's samples are, and how the codec's axis 0..255 becomes them.
import { reject } from "./common.js";

export const UNSIGNED = 0;
export const SIGNED = 1;
export const FLOAT = 2;

/** The format of 8 bits that files have without another, and alpha always. */
export const PLAIN = { kind: UNSIGNED, bits: 8, depth: 0, ranges: [[0, 255]] };

/** Read the sample format of `count` planes; `reader` is of container.js. */
export function readFormat(reader, count) {
  const first = reader.byte(), depth = reader.byte();
  const kind = first >> 6, bits = (first & 63) + 1;
  if (kind === 3 || (kind === FLOAT ? ![16, 32, 64].includes(bits) : bits > 32)) reject("there are no such samples");
  if (depth > 8) reject("values of that depth are not possible");
  const ranges = [];
  for (let k = 0; k < count; k++) {
    const low = readBound(reader, kind, bits), high = readBound(reader, kind, bits);
    if (!Number.isFinite(low) || !Number.isFinite(high) || !Number.isFinite(high - low) || low > high)
      reject("the range of its samples is none");
    ranges.push([low, high]);
  }
  return { kind, bits, depth, ranges };
}

/** One sample as it is packed: least significant byte first. Rejects integers that do not fit the bits. */
export function readBound(reader, kind, bits) {
  const size = Math.ceil(bits / 8), bytes = reader.bytes(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  if (kind === FLOAT) return bits === 64 ? view.getFloat64(0, true) : bits === 32 ? view.getFloat32(0, true) : halfToNumber(view.getUint16(0, true));
  let value = 0;
  for (let k = size - 1; k >= 0; k--) value = value * 256 + bytes[k];
  if (kind === SIGNED && value >= 2 ** (8 * size - 1)) value -= 2 ** (8 * size);
  const [least, most] = limits(kind, bits);
  if (value < least || value > most) reject("a sample does not fit its bits");
  return value;
}

/** The least and the largest integer of so many bits. */
export function limits(kind, bits) {
  return kind === SIGNED ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

export function halfToNumber(half) {
  const sign = half & 32768 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

/** Round to the floats of so many bits. */
export function roundFloat(value, bits) {
  if (bits === 64) return value;
  if (bits === 32) return Math.fround(value);
  const size = Math.abs(value);
  if (!(size < 65520)) return value < 0 ? -Infinity : value > 0 ? Infinity : value;
  const unit = 2 ** Math.max(Math.floor(Math.log2(size || 1)) - 10, -24);
  const steps = value / unit, low = Math.floor(steps), rest = steps - low;
  return (rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low) * unit;
}

/** An empty array of samples: of 8, 16 or 32 bits, or doubles for floats of any size. */
export function sampleArray({ kind, bits }, length) {
  if (kind === FLOAT) return bits === 32 ? new Float32Array(length) : new Float64Array(length);
  if (bits <= 8) return kind === SIGNED ? new Int8Array(length) : new Uint8Array(length);
  if (bits <= 16) return kind === SIGNED ? new Int16Array(length) : new Uint16Array(length);
  return kind === SIGNED ? new Int32Array(length) : new Uint32Array(length);
}

/** Samples of values (doubles on the axis) of one plane, with the format's range number `which`. */
export function samplesOf(values, format, which) {
  const [low, high] = format.ranges[which], out = sampleArray(format, values.length), span = high - low;
  for (let i = 0; i < values.length; i++) {
    let s = low + (span * values[i]) / 255;
    if (format.kind !== FLOAT) s = Math.floor(s + 0.5 + 1 / 32);
    s = s < low ? low : s > high ? high : s;
    out[i] = format.kind === FLOAT ? roundFloat(s, format.bits) : s;
  }
  return out;
}
