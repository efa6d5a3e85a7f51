// A section: where values stand, which cell each has, and what they are: docs/format.md, sections 5 and 10.3.
import { STEP, clip, log2Floor, reject } from "./common.js";
import { Reader } from "./container.js";
import { decodeContours, regionsOf } from "./contours.js";
import { decodePieces, numbered, standing } from "./divisions.js";
import { decodeFirstValues, scaleOf } from "./first_values.js";
import { decodeFlags, decodeMask, leavesOf } from "./flags.js";
import { RangeDecoder } from "./ranges.js";
import { decodeValues } from "./values.js";

const TREE = 0, BARRIERS = 2, SHARED = 3;
export const FREE = 1;

/** The step in units of a cell of side 2^k. */
export const stepOf = (q, k, own) => (own && own[k]) || STEP[clip(q + 8 * (3 - k), 0, 255)];

/**
 * Decode a section. `models` of tables.js; `own`: steps of a chunk; `shared`: regions of plane 0.
 *
 * Returns {structure, restoration, q, k, values: doubles on the axis, known: Float64Array (H x W), NaN where no value
 * stands, levels, sides (log2 of the side of each value's cell), places, regions or null, bytes: {structure, values}}.
 */
export function decodeSection(data, plane, models, own, shared) {
  const { height, width, format } = plane, reader = new Reader(data);
  if (data.length < 2) reject("a section is too short");
  const head = reader.byte(), structure = head & 3, k = (head >> 2) & 7, q = reader.byte();
  let restoration = (head >> 5) & 3;
  if (head >> 7) reject("a reserved bit of a section is set");
  if (q > 175) reject("its step index is none");
  if (restoration === 3) {
    restoration = reader.byte();
    if (restoration < 3) reject("its restoration is told in a way that none is");
  }
  if (structure === TREE && !k) reject("its cells have no side");
  const section = { structure, restoration, q, k, own, depth: format.depth, regions: null };
  const unit = 2 ** -format.depth / 16;
  if (structure >= BARRIERS) decodeBarriers(section, reader, plane, models, shared);
  else decodePlain(section, reader.bytes(reader.left), plane, models);
  section.known = new Float64Array(height * width).fill(NaN);
  section.stands.forEach((pixels, i) => pixels.forEach((at) => (section.known[at] = section.values[i] * unit)));
  return section;
}

/** Structures 0 and 1. */
function decodePlain(section, data, { height, width }, models) {
  const { structure, k, q, own } = section, decoder = new RangeDecoder(data), places = { y: [], x: [], log2Sides: [], regions: null, first: 0 };
  section.stands = [];
  if (structure === TREE) {
    const levels = decodeFlags(decoder, models.tree, height, width, k, 1, true), leaves = leavesOf(levels, height, width);
    section.cells = leaves;
    leaves.sides.forEach((side, i) => addLeaf(section.stands, places, leaves.y[i], leaves.x[i], side, height, width));
  } else {
    const mask = decodeMask(decoder, models.mask, height, width);
    mask.forEach((set, at) => {
      if (!set) return;
      places.y.push(Math.floor(at / width));
      places.x.push(at % width);
      places.log2Sides.push(k);
      section.stands.push([at]);
    });
    if (!section.stands.length) reject("its mask is empty");
  }
  section.structureBytes = 4 * decoder.moves;
  places.steps = places.log2Sides.map((side) => stepOf(q, side, own));
  section.places = places;
  Object.assign(section, decodeValues(decoder, models.values, places, height, width));
  decoder.finish();
}

/** Where the value of a leaf stands. */
function addLeaf(stands, places, y, x, side, height, width) {
  const h = Math.min(side, height - y), w = Math.min(side, width - x), r = Math.max(1, side >> 3), pixels = [];
  const row = y + (h >> 1), column = x + (w >> 1);
  places.y.push(row);
  places.x.push(column);
  places.log2Sides.push(log2Floor(side));
  if (h >= 4 * r && w >= 4 * r) {
    for (let dy = -r; dy < r; dy++) for (let dx = -r; dx < r; dx++) pixels.push((row + dy) * width + column + dx);
  } else pixels.push(row * width + column);
  stands.push(pixels);
}

/** Structures 2 and 3. */
function decodeBarriers(section, reader, plane, models, shared) {
  const { height, width, format } = plane, { structure, k, q, own } = section;
  if (k & 4) reject("a reserved bit of its barriers is set");
  if (section.restoration === 1 || section.restoration === 2) reject("its restoration does not go with barriers");
  if (own) reject("steps of their own do not go with barriers");
  let regions = shared?.regions;
  if (structure === BARRIERS) {
    const cells = decodeContours(reader.bytes(reader.varint()), height, width);
    regions = regionsOf(cells, height, width);
    regions.sizes = new Int32Array(regions.count);
    for (const label of regions.labels) regions.sizes[label]++;
  } else if (!shared || shared.structure !== BARRIERS || shared.height !== height || shared.width !== width) reject("it shares barriers that there are not");
  const decoder = new RangeDecoder(reader.bytes(reader.left)), fine = (k & 2) > 0;
  const pieces = numbered(decodePieces(decoder, regions, (k & 1) > 0, width), regions), where = pieces.map((piece) => standing(piece, width));
  const scale = scaleOf(q, format.depth, fine), sizes = pieces.slice(0, regions.count).map((piece) => piece.pixels.length);
  section.structureBytes = reader.data.length - decoder.data.length + 4 * decoder.moves;
  const first = decodeFirstValues(decoder, models.values.logistic, regions, sizes, scale, height, width);
  const log2Sides = where.map(({ side }) => log2Floor(side));
  section.places = {
    y: where.map(({ centre }) => Math.floor(centre / width)),
    x: where.map(({ centre }) => centre % width),
    log2Sides, steps: log2Sides.map((side) => stepOf(q, side)),
    regions: pieces.map((piece) => piece.region), first: regions.count, known: Float64Array.from(first, (v) => v * scale.base),
  };
  section.stands = where.map((place) => place.standing);
  Object.assign(section, { regions, height, width }, decodeValues(decoder, models.values, section.places, height, width));
  section.levels.set(first);
  decoder.finish();
}

