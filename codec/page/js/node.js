// For the tests, in Node: decodes files that it is told of on stdin and writes their samples.
import { base64ToBytes, DinpError } from "./common.js";
import { decode } from "./decoder.js";
import { unpackModels } from "./tables.js";
import { unpackWeights } from "./weights.js";

/**
 * Lines of JSON on stdin: first {models: [base64, layout], weights: {version: [base64, shapes]}}, then {path, out}, one a
 * file; for each a line {path, error} or {path, width, height, kinds, ms} on stdout, and its channels as doubles in `out`.
 */
function main() {
  const fs = require("node:fs"), lines = fs.readFileSync(0, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const { models: [data, layout], weights: given } = lines[0], models = unpackModels(base64ToBytes(data), layout), weights = {};
  for (const [version, [text, shapes]] of Object.entries(given)) weights[version] = unpackWeights(base64ToBytes(text), shapes);
  for (const { path, out } of lines.slice(1)) console.log(JSON.stringify({ path, ...run(fs, path, out, models, weights) }));
}

function run(fs, path, out, models, weights) {
  try {
    const start = performance.now(), result = decode(new Uint8Array(fs.readFileSync(path)), models, weights);
    const ms = performance.now() - start, { channels, alpha } = result.restored ?? result.plain;
    const all = Float64Array.from([...channels, ...(alpha ? [alpha] : [])].flatMap((channel) => [...channel]));
    if (out) fs.writeFileSync(out, new Uint8Array(all.buffer));
    return { width: result.file.width, height: result.file.height, channels: channels.length + (alpha ? 1 : 0), ms };
  } catch (error) {
    if (!(error instanceof DinpError)) throw error;
    return { error: error.message };
  }
}

main();
