// What a file holds, in words and numbers: the table below each picture.
import { ALPHA_MATTE, ALPHA_OPAQUE, CHUNKS, COLOUR_420, COLOUR_444, PLANES } from "./container.js";
import { FLOAT, SIGNED } from "./formats.js";
import { stepOf } from "./sections.js";

const STRUCTURES = ["tree", "free mask", "contours", "contours of the first plane"];
const METHODS = { samples: "samples", colours: "colours", regions: "regions", wide: "wide samples" };

/** {width, height, bytes, kind, version, planes: rows, chunks: rows, other: bytes of the rest, shape, lossless}. */
export function describe({ file, sections, lossless }) {
  const chunks = file.chunks.map(({ type, content }) => ({ name: nameOf(type), bytes: content.length }));
  const planes = sections.map((section, p) => rowOf(section, file.planes[p], file.sections[p].length));
  const told = [...chunks, ...planes].reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    width: file.width, height: file.height, bytes: file.bytes, version: file.version, kind: kindOf(file), planes, chunks, other: file.bytes - told,
    shape: STRUCTURES[sections[0]?.structure] ?? null,
    lossless: lossless && { ...lossless, method: METHODS[lossless.method] },
  };
}

function nameOf(type) {
  const found = Object.entries(CHUNKS).find(([, value]) => value === type);
  return found ? found[0].toLowerCase() : `chunk ${type.toString(16)}`;
}

function kindOf({ layout, alpha, count, format, chunks }) {
  const colours = layout === COLOUR_420 ? "colour 4:2:0" : layout === COLOUR_444 ? "colour 4:4:4" : layout === PLANES ? `${count} plane${count > 1 ? "s" : ""}` : "grey";
  const kind = format.kind === FLOAT ? "float" : format.kind === SIGNED ? "signed" : "unsigned";
  const samples = format.kind || format.bits !== 8 ? `, ${format.bits} bits ${kind}` : "";
  const more = alpha === ALPHA_OPAQUE ? ", opaque" : alpha === ALPHA_MATTE ? ", matte" : alpha ? ", alpha" : "";
  return (chunks.some(({ type }) => type === CHUNKS.PALETTE) ? "palette" : colours) + samples + more;
}

function rowOf(section, { name, width, height }, bytes) {
  const { structure, q, depth, own, restoration, regions, stands } = section;
  return {
    name, bytes, structure: STRUCTURES[structure], points: stands.length, regions: regions ? regions.count : null, restoration,
    density: stands.reduce((sum, pixels) => sum + pixels.length, 0) / (width * height), step: (stepOf(q, 3, own) / 16) * 2 ** -depth,
    structureBytes: Math.min(section.structureBytes, bytes), width, height,
  };
}
