// Flags of trees and free masks, level by level: docs/format.md, section 8.
import { clip } from "./common.js";

const WIDE = [], RING = []; // offsets of the 24 and the 8 neighbours, row by row
for (let dy = -2; dy <= 2; dy++)
  for (let dx = -2; dx <= 2; dx++) if (dy || dx) (WIDE.push([dy, dx]), Math.max(Math.abs(dy), Math.abs(dx)) < 2 && RING.push([dy, dx]));
const PASSES = [[0, 0], [1, 1], [0, 1], [1, 0]];
const NONE = 0, UNKNOWN = 1, ZERO = 2, ONE = 3;
const INPUTS = 95, PAD = 2;
const BATCH = 4096; // cells whose inputs are held at a time

/** Cells of one side: states with a margin of PAD. */
class Level {
  constructor(height, width, side) {
    this.side = side;
    this.rows = Math.ceil(height / side);
    this.columns = Math.ceil(width / side);
    this.stride = this.columns + 2 * PAD;
    this.states = new Uint8Array((this.rows + 2 * PAD) * this.stride);
    this.flags = this.ones = 0;
  }
  index(row, column) {
    return (row + PAD) * this.stride + column + PAD;
  }
}

/** Levels of flags, from side 2^from down to 2^to; `model` = {network, logistic}; `tree`: no flags of single pixels. */
export function decodeFlags(decoder, model, height, width, from, to, tree) {
  const levels = [];
  for (let k = from; k >= to; k--) {
    const level = new Level(height, width, 2 ** k), above = levels[levels.length - 1];
    for (let y = 0; y < level.rows; y++)
      for (let x = 0; x < level.columns; x++) {
        if (above && above.states[above.index(y >> 1, x >> 1)] !== ONE) continue;
        if (tree && Math.min(level.side, height - y * level.side) * Math.min(level.side, width - x * level.side) === 1) continue;
        level.states[level.index(y, x)] = UNKNOWN;
        level.flags++;
      }
    levels.push(level);
    if (level.flags) PASSES.forEach((_, pass) => decodePass(decoder, model, levels, pass, height, width));
  }
  return levels;
}

function decodePass(decoder, { network, logistic }, levels, pass, height, width) {
  const level = levels[levels.length - 1], cells = cellsOf(level, pass), flags = new Uint8Array(cells.length);
  for (let from = 0; from < cells.length; from += BATCH) {
    const some = cells.subarray(from, from + BATCH), inputs = new Int16Array(some.length * INPUTS);
    some.forEach((cell, i) => {
      const y = Math.floor(cell / level.columns), x = cell % level.columns;
      describe(inputs.subarray(i * INPUTS, (i + 1) * INPUTS), levels, y, x, pass, height, width);
    });
    const outputs = network.run(inputs, some.length);
    some.forEach((_, i) => {
      const ones = logistic[clip((outputs[i] + 1) >> 1, -4096, 4095) + 4096];
      flags[from + i] = decoder.bit(clip(ones, 16, 65520));
    });
  }
  cells.forEach((cell, i) => { // only now: all inputs of a pass are of the state before it
    level.states[level.index(Math.floor(cell / level.columns), cell % level.columns)] = ZERO + flags[i];
    level.ones += flags[i];
  });
}

/** Cells of a pass that have a flag, as row x columns + column. */
function cellsOf(level, pass) {
  const cells = new Int32Array(level.flags);
  let count = 0;
  for (let y = PASSES[pass][0]; y < level.rows; y += 2)
    for (let x = PASSES[pass][1]; x < level.columns; x += 2) if (level.states[level.index(y, x)] === UNKNOWN) cells[count++] = y * level.columns + x;
  return cells.slice(0, count);
}

/** The 95 inputs for a cell. */
function describe(out, levels, y, x, pass, height, width) {
  const last = levels.length - 1, level = levels[last], parent = levels[last - 1], grandparent = levels[last - 2];
  const here = level.index(y, x);
  WIDE.forEach(([dy, dx], i) => {
    const state = level.states[here + dy * level.stride + dx];
    out[i] = state === NONE ? 0 : 1024;
    out[24 + i] = state === ZERO ? -1024 : state === ONE ? 1024 : 0;
  });
  const known = (state) => (state === ONE ? 1024 : state === ZERO ? 0 : -1024);
  if (parent) {
    const at = parent.index(y >> 1, x >> 1);
    WIDE.forEach(([dy, dx], i) => (out[48 + i] = known(parent.states[at + dy * parent.stride + dx])));
  }
  if (grandparent) {
    const at = grandparent.index(y >> 2, x >> 2);
    RING.forEach(([dy, dx], i) => (out[72 + i] = known(grandparent.states[at + dy * grandparent.stride + dx])));
  }
  out[80 + Math.log2(level.side)] = 1024;
  out[88 + pass] = 1024;
  const share = (other) => (other ? Math.floor((1024 * other.ones) / Math.max(other.flags, 1)) : 512);
  out[92] = share(parent);
  out[93] = share(grandparent);
  const clipped = (y === level.rows - 1 && height % level.side) || (x === level.columns - 1 && width % level.side);
  out[94] = clipped ? 1024 : 0;
}

/** Leaves of a tree, by falling side: {y, x: corners, sides}. */
export function leavesOf(levels, height, width) {
  const leaves = { y: [], x: [], sides: [] }, finest = levels[levels.length - 1];
  const add = (y, x, side) => (leaves.y.push(y), leaves.x.push(x), leaves.sides.push(side));
  levels.forEach((level, l) => {
    const above = levels[l - 1];
    for (let y = 0; y < level.rows; y++)
      for (let x = 0; x < level.columns; x++) {
        const exists = !above || above.states[above.index(y >> 1, x >> 1)] === ONE;
        if (exists && level.states[level.index(y, x)] !== ONE) add(y * level.side, x * level.side, level.side);
      }
  });
  if (finest.side === 2)
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) if (finest.states[finest.index(y >> 1, x >> 1)] === ONE) add(y, x, 1);
  return leaves;
}

/** The set pixels (H x W of 0 and 1) of a free mask's flags. */
export function decodeMask(decoder, model, height, width) {
  const levels = decodeFlags(decoder, model, height, width, 5, 0, false), finest = levels[5], mask = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) mask[y * width + x] = finest.states[finest.index(y, x)] === ONE ? 1 : 0;
  return mask;
}
