// What the page shows beside the picture: known pixels, and contours or cells. RGBA bytes of a plane's size.
import { log2Floor } from "./common.js";

const EMPTY = [18, 24, 38, 255];

/** Known pixels in their grey, others dark. */
export function knownPixels({ known }) {
  const out = new Uint8ClampedArray(4 * known.length);
  for (let i = 0; i < known.length; i++) {
    const there = known[i] === known[i];
    for (let k = 0; k < 3; k++) out[4 * i + k] = there ? 60 + known[i] * 0.76 : EMPTY[k];
    out[4 * i + 3] = 255;
  }
  return out;
}

/** 1 where a contour or a cell begins above a pixel, 2 on its left, added. */
export function cellLines({ regions, cells }, { height, width }) {
  const lines = new Uint8Array(height * width);
  if (regions)
    for (let i = 0; i < lines.length; i++) {
      const { labels } = regions;
      lines[i] = (i >= width && labels[i] !== labels[i - width] ? 1 : 0) + (i % width && labels[i] !== labels[i - 1] ? 2 : 0);
    }
  else if (cells)
    cells.sides.forEach((side, i) => {
      if (log2Floor(side) < 1) return;
      const { y, x } = { y: cells.y[i], x: cells.x[i] };
      for (let k = 0; k < side; k++) {
        if (x + k < width) lines[y * width + x + k] |= y ? 1 : 0;
        if (y + k < height) lines[(y + k) * width + x] |= x ? 2 : 0;
      }
    });
  return lines;
}
