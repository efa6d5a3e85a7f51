// For the tests, in Node: decodes files that it is told of on stdin and writes their samples.
import { base64ToBytes, DinpError } from "./common.js";
import { decode } from "./decoder.js";
import { paint } from "./picture.js";
import { unpackModels } from "./tables.js";
import { useKernels } from "./kernels.js";
import { wasmKernels } from "./wasm.js";
import { unpackWeights } from "./weights.js";

/**
 * Lines of JSON on stdin: first {models: [base64, layout], weights: {version: [base64, shapes]}, kernels:
 * base64 of kernels.wasm or null}, then {path, out}, one a
 * file; for each a line {path, error} or {path, width, height, channels, ms} on stdout, and its channels as doubles in `out`: of the
 * picture, then of the plain one.
 */
function main() {
  const fs = require("node:fs"), lines = fs.readFileSync(0, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const { models: [data, layout], weights: given, kernels } = lines[0];
  if (kernels) useKernels(wasmKernels(new WebAssembly.Module(base64ToBytes(kernels))));
  const models = unpackModels(base64ToBytes(data), layout), weights = {};
  for (const [version, [text, shapes]] of Object.entries(given)) weights[version] = unpackWeights(base64ToBytes(text), shapes);
  for (const { path, out } of lines.slice(1)) console.log(JSON.stringify({ path, ...run(fs, path, out, models, weights) }));
}

/** Channels and alpha; of a palette its colours. */
function samplesOf({ file, palette }, { channels, alpha }) {
  if (!palette) return alpha ? [...channels, alpha] : channels;
  const painted = paint(file, { channels, alpha }, palette);
  return Array.from({ length: palette.channels }, (_, k) => Uint8Array.from(channels[0], (_, i) => painted[4 * i + k]));
}

function run(fs, path, out, models, weights) {
  try {
    const start = performance.now(), result = decode(new Uint8Array(fs.readFileSync(path)), models, weights);
    const ms = performance.now() - start, pictures = [result.restored ?? result.plain, result.plain].map((picture) => samplesOf(result, picture));
    const [channels] = pictures, { width, height } = result.file, all = new Float64Array(2 * channels.length * width * height);
    pictures.flat().forEach((channel, k) => all.set(channel, k * width * height));
    fs.writeFileSync(out, new Uint8Array(all.buffer));
    return { width, height, channels: channels.length, ms };
  } catch (error) {
    if (!(error instanceof DinpError)) throw error;
    return { error: error.message };
  }
}

main();
