// The neighbourhood of a pixel among cracks, which contours and lossless samples share: docs/format.md, section 10.2.

export const MARGIN = 17;

/** 0..15 for a number from 0 on, ever coarser. */
export function classOf(d) {
  if (d < 4) return d;
  const e = 31 - Math.clz32(d);
  return Math.min(2 * e + ((d >> (e - 1)) & 1), 15);
}

/** Which bits of the windows the n cracks nearest to the vertex are. */
export const MASKS = {
  5: [0xc0000000, 0x000b0000, 0, 0],
  8: [0xd0000000, 0x000bc000, 0, 0],
  12: [0xd0000000, 0x002fc000, 0x000a0000, 0],
  14: [0xd0000000, 0x002fd000, 0x000a8000, 0],
  17: [0xf0000000, 0x002ff000, 0x000b8000, 0],
  23: [0xf4000000, 0x003ff000, 0x002fc000, 0x00020000],
  32: [0xfc000000, 0x00bff400, 0x00bff000, 0x000a8000],
  36: [0xfc000000, 0x00bffc00, 0x00bff000, 0x002bc000],
};

/** Cells of cracks (1 above the pixel, 2 on its left), and what is around the pixel at hand. */
export class Cracks {
  constructor(height, width) {
    this.stride = width + 2 * MARGIN;
    this.cells = new Uint8Array((height + 5) * this.stride);
    this.rowsSince = new Uint8Array(width);
    this.w0 = this.w1 = this.w2 = this.w3 = 0;
  }

  /** To the beginning of row y. */
  startRow(y) {
    this.place = (y + 4) * this.stride + MARGIN;
    this.since = 255;
    const { cells, stride, place } = this;
    const window = (k) => {
      let w = 0;
      for (let x = -8; x < 7; x++) w = (w >>> 2) | (cells[place + x - k * stride] << 30);
      return w >>> 0;
    };
    this.w0 = 0;
    this.w1 = window(1);
    this.w2 = window(2);
    this.w3 = window(3);
  }

  /** To pixel x of the row, the next one: sets windows, since, rows, up and left. */
  enter(x) {
    const { cells, stride } = this, ahead = this.place + 7;
    this.w1 = ((this.w1 >>> 2) | (cells[ahead - stride] << 30)) >>> 0;
    this.w2 = ((this.w2 >>> 2) | (cells[ahead - 2 * stride] << 30)) >>> 0;
    this.w3 = ((this.w3 >>> 2) | (cells[ahead - 3 * stride] << 30)) >>> 0;
    if (this.since < 255) this.since++;
    if (this.rowsSince[x] < 255) this.rowsSince[x]++;
    this.rows = this.rowsSince[x];
    this.up = (this.w1 >>> 17) & 1;
    this.left = (this.w0 >>> 30) & 1;
  }

  quiet() {
    return this.w0 >>> 26 === 0 && (this.w1 & 0x00fffc00) === 0 && (this.w2 & 0x003ff000) === 0;
  }

  /** Store the pixel's cell and leave it. */
  leave(x, cell) {
    this.cells[this.place++] = cell;
    this.w0 = ((this.w0 >>> 2) | (cell << 30)) >>> 0;
    if (cell) this.since = this.rowsSince[x] = 0;
  }

  near() {
    return (this.w0 >>> 29) + 8 * ((this.w1 >>> 14) & 15) + 128 * ((this.w1 >>> 19) & 1);
  }

  wayUp() {
    return this.up ? this.way(0) : 0;
  }

  wayLeft() {
    return this.left ? this.way(3) : 0;
  }

  /** The contour from the vertex on in a direction: 0 up, 1 right, 2 down, 3 left; 16 steps of 2 bits. */
  way(direction) {
    const { cells, stride } = this;
    let at = this.place, way = 0;
    for (let step = 0; step < 16; step++) {
      at += direction === 0 ? -stride : direction === 1 ? 1 : direction === 2 ? stride : -1;
      const here = cells[at], there = [(cells[at - stride] >> 1) & 1, here & 1, (here >> 1) & 1, cells[at - 1] & 1];
      const left = (direction + 3) & 3, right = (direction + 1) & 3, many = there[direction] + there[left] + there[right];
      const kind = many !== 1 ? 3 : there[direction] ? 0 : there[left] ? 1 : 2;
      way = (way << 2) | kind;
      if (!many) {
        for (step++; step < 16; step++) way = (way << 2) | 3;
        break;
      }
      if (!there[direction]) direction = there[left] ? left : right;
    }
    return way >>> 0;
  }
}
