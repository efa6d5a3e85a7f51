// Which colour each region has, without loss: docs/format.md, section 11.3.
import { clip, log2Fixed, reject } from "./common.js";
import { BitDecoder } from "./bits.js";

const { imul } = Math, FACTORS = [0, 4, 32];

/** Numbers of colours, one a region. */
export function decodeColours(data, regions, colours, width) {
  const coder = new ColourDecoder(new BitDecoder(data), colours), { labels, first, count } = regions, found = new Int32Array(count).fill(-1);
  const near = neighbours(regions, width);
  found[0] = 0;
  coder.seen = 1;
  coder.count(0, coder.tableIndex(0, 0));
  for (let region = 1; region < count; region++) {
    const at = first[region], above = at >= width ? labels[at - width] : labels[at - 1];
    const barred = new Set(near[region].filter((other) => other < region).map((other) => found[other]));
    found[region] = coder.region(found[above], barred);
  }
  if (coder.seen < colours) reject("it tells of colours that no region has");
  coder.decoder.finish();
  return found;
}

function neighbours({ labels, count }, width) {
  const near = Array.from({ length: count }, () => new Set());
  const meet = (a, b) => a !== b && (near[a].add(b), near[b].add(a));
  for (let at = 0; at < labels.length; at++) {
    if ((at + 1) % width) meet(labels[at], labels[at + 1]);
    if (at + width < labels.length) meet(labels[at], labels[at + width]);
  }
  return near.map((set) => [...set]);
}

class ColourDecoder {
  constructor(decoder, colours) {
    Object.assign(this, { decoder, colours, seen: 0, fresh: [32768, 32768], lastWasNew: 1, scores: [0, 0, 0] });
    this.times = new Float64Array(colours); // n of each colour
    this.table = new Uint16Array(65536); // m
  }

  tableIndex(t, k) {
    return (imul(0x9e3779b1, t) + imul(0x85ebca77, k)) >>> 16;
  }

  region(t, barred) {
    const { seen } = this, open = seen - barred.size;
    let isNew = 0;
    if (!open) isNew = 1;
    else if (seen < this.colours) isNew = this.newBit();
    if (isNew && seen === this.colours) reject("a region has no colour left");
    const colour = isNew ? this.seen++ : this.old(t, barred);
    this.lastWasNew = isNew;
    this.count(colour, this.tableIndex(t, colour));
    return colour;
  }

  newBit() {
    const which = this.lastWasNew, bit = this.decoder.bit(this.fresh[which]), p = this.fresh[which];
    this.fresh[which] = clip(bit ? p + ((65536 - p) >> 5) : p - (p >> 5), 32, 65504);
    return bit;
  }

  count(colour, place) {
    this.times[colour]++;
    if (this.table[place] < 65535) this.table[place]++;
  }

  /** A colour that was seen. */
  old(t, barred) {
    this.decoder.spend(this.seen);
    const { seen, scores } = this, sums = [0, 0, 0], best = scores.indexOf(Math.min(...scores)), weights = [[], [], []];
    for (let k = 0; k < seen; k++) {
      const m = this.table[this.tableIndex(t, k)], n = this.times[k], shut = barred.has(k);
      FACTORS.forEach((f, i) => {
        const weight = shut ? 0 : 1 + 2 * n + f * m;
        weights[i].push(weight);
        sums[i] += weight;
      });
    }
    const w = weights[best];
    let low = 0, high = seen, total = sums[best];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      let part = 0;
      for (let k = middle; k < high; k++) part += w[k];
      const upper = !part ? 0 : part === total ? 1 : this.decoder.bit(clip(Math.floor((65536 * part) / total), 1, 65535));
      if (upper) [low, total] = [middle, part];
      else [high, total] = [middle, total - part];
    }
    scores.forEach((score, i) => (scores[i] += log2Fixed(sums[i]) - log2Fixed(weights[i][low]) - (score >> 5)));
    return low;
  }
}
