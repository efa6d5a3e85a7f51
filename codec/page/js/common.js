// What all parts of the decoder share: the one error, and integer arithmetic of docs/format.md, section 1.

/** A file that is damaged, or that needs a newer decoder: one sentence for people. */
export class DinpError extends Error {}

export function reject(why) {
  throw new DinpError(`the file is damaged: ${why}`);
}

export const clip = (v, least, most) => (v < least ? least : v > most ? most : v);

/** floor(a / b) of integers whose magnitudes are below 2^53. */
export const floorDiv = (a, b) => Math.floor(a / b);

/** floor(a * b / c), exact also where the product exceeds 2^53 (only damaged or extreme files come so far). */
export function mulDiv(a, b, c) {
  const product = a * b;
  if (Math.abs(product) < 9007199254740992) return Math.floor(product / c);
  const big = BigInt(a) * BigInt(b), divisor = BigInt(c), quotient = big / divisor;
  return Number(big < 0n && quotient * divisor !== big ? quotient - 1n : quotient);
}

/** floor(log2 x), x an integer in 1..2^53. */
export function log2Floor(x) {
  return x < 4294967296 ? 31 - Math.clz32(x) : 63 - Math.clz32(Math.floor(x / 4294967296));
}

/** 1024 log2 x, rounded down piece by piece: section 7. */
export function log2Fixed(x) {
  const e = log2Floor(x);
  return 1024 * e + Math.floor(x * 2 ** (10 - e)) - 1024;
}

export function signedLog(x) {
  const size = log2Fixed(Math.abs(x) + 1024) - 10240;
  return x < 0 ? -size : size;
}

// Steps of values in units, section 5: round(16 x 2^((i - 16) / 16)).
export const STEP = Int32Array.from({ length: 256 }, (_, i) => Math.round(16 * 2 ** ((i - 16) / 16)));

export function base64ToBytes(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
