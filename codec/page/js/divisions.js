// Regions divided into pieces, and where their values stand: docs/format.md, section 10.3.
import { clip, log2Floor } from "./common.js";

const LEAST = [0, 2, 8, 24, 24, 24, 24, 24]; // pixels of a large part, by k
const TOP = 8;

/** Batches of 16 flags whose contexts learn. */
class DivisionFlags {
  constructor(decoder) {
    this.decoder = decoder;
    this.ones = new Map();
    this.all = new Map();
  }

  /** Flags of nodes of one level, by their pixels. */
  decode(k, pixels) {
    const flags = [];
    for (let from = 0; from < pixels.length; from += 16) {
      const contexts = pixels.slice(from, from + 16).map((n) => 64 * k + log2Floor(n));
      const batch = contexts.map((c) => this.decoder.bit(clip(Math.floor((65536 * (this.ones.get(c) ?? 2)) / (this.all.get(c) ?? 8)), 64, 65472)));
      contexts.forEach((c, i) => {
        this.ones.set(c, (this.ones.get(c) ?? 2) + batch[i]);
        this.all.set(c, (this.all.get(c) ?? 8) + 1);
      });
      for (const c of new Set(contexts)) {
        if (this.all.get(c) < 256) continue;
        this.ones.set(c, (this.ones.get(c) + 1) >> 1);
        this.all.set(c, this.all.get(c) >> 1);
      }
      flags.push(...batch);
    }
    return flags;
  }
}

/** Pieces of all regions, by number: {pixels: indices of the plane, region, level: 0 for a region that is not divided}. */
export function decodePieces(decoder, regions, divided, width) {
  const nodes = Array.from({ length: regions.count }, (_, region) => ({ pixels: [], region, level: 0, wanted: false, divided: false }));
  regions.labels.forEach((region, at) => nodes[region].pixels.push(at));
  if (!divided) return nodes;
  const flags = new DivisionFlags(decoder);
  let fresh = nodes.slice(), waiting = [];
  for (let k = TOP; k >= 1; k--) {
    if (k < TOP) {
      if (!waiting.length) break;
      fresh = [];
      waiting = waiting.filter((node) => {
        const parts = cut(node, k, width).filter((part) => part.length >= LEAST[k]);
        if (parts.length < 2) return true;
        node.divided = true;
        for (const pixels of parts) fresh.push({ pixels, region: node.region, level: k, divided: false });
        return false;
      });
      for (const node of fresh) nodes.push(node); // more than may be arguments of one call
    }
    if (k > 1) {
      const asked = fresh.filter((node) => node.pixels.length >= 2 * LEAST[k - 1]);
      const wanted = flags.decode(k, asked.map((node) => node.pixels.length));
      asked.forEach((node, i) => wanted[i] && waiting.push(node));
    }
  }
  return nodes.filter((node) => !node.divided);
}

/** A node's parts in cells of side 2^k, by row and column of the cell. */
function cut({ pixels }, k, width) {
  const parts = new Map(), columns = (width >> k) + 1;
  for (const at of pixels) {
    const cell = (Math.floor(at / width) >> k) * columns + ((at % width) >> k);
    if (!parts.has(cell)) parts.set(cell, []);
    parts.get(cell).push(at);
  }
  return [...parts.entries()].sort((a, b) => a[0] - b[0]).map((entry) => entry[1]);
}

/** Pieces in the order of their values: first each region's largest one, then the others. */
export function numbered(pieces, regions) {
  const largest = new Array(regions.count).fill(null);
  for (const piece of pieces) if (!largest[piece.region] || piece.pixels.length > largest[piece.region].pixels.length) largest[piece.region] = piece;
  const first = new Set(largest);
  return [...largest, ...pieces.filter((piece) => !first.has(piece))];
}

/** {centre: index of the value's position, standing: indices where the value stands, side}. */
export function standing({ pixels, level }, width) {
  let rows = 0, columns = 0;
  for (const at of pixels) {
    rows += Math.floor(at / width);
    columns += at % width;
  }
  const y = Math.floor(rows / pixels.length), x = Math.floor(columns / pixels.length);
  let centre = -1, least = Infinity;
  for (const at of pixels) {
    const d = (Math.floor(at / width) - y) ** 2 + ((at % width) - x) ** 2;
    if (d < least || (d === least && at < centre)) [centre, least] = [at, d];
  }
  const side = 2 ** Math.min(log2Floor(pixels.length) >> 1, 7);
  if (!level) return { centre, standing: pixels, side };
  const r = Math.max(1, 2 ** level >> 3), c = Math.floor(centre / width), d = centre % width;
  const within = (at) => {
    const row = Math.floor(at / width) - c, column = (at % width) - d;
    return row >= -r && row < r && column >= -r && column < r;
  };
  return { centre, standing: pixels.filter(within), side };
}
