// The worker of the page: decodes files that it is sent, and sends back what there is to see.
import { base64ToBytes, DinpError } from "./common.js";
import { decode } from "./decoder.js";
import { useKernels } from "./kernels.js";
import { describe } from "./report.js";
import { paint } from "./picture.js";
import { unpackModels } from "./tables.js";
import { cellLines, knownPixels } from "./views.js";
import { wasmKernels } from "./wasm.js";
import { unpackWeights } from "./weights.js";

let models = null;
const weights = {};

/** `assets` as dinp.page.document writes them: base64 and layouts. */
function prepare({ kernels, models: [data, layout] }) {
  try {
    useKernels(wasmKernels(new WebAssembly.Module(base64ToBytes(kernels))));
  } catch {
    // A browser without vectors in WebAssembly: the kernels in JavaScript do the same, slower.
  }
  models = unpackModels(base64ToBytes(data), layout);
}

function weightsOf(assets) {
  for (const [version, [text, shapes]] of Object.entries(assets.weights)) weights[version] ??= unpackWeights(base64ToBytes(text), shapes);
  return weights;
}

function run({ id, bytes, assets }) {
  const start = performance.now();
  if (!models) prepare(assets);
  let last = 0;
  const result = decode(bytes, models, weightsOf(assets), (share, what) => {
    const now = performance.now();
    if (now - last > 50) postMessage({ id, share, what });
    last = now - last > 50 ? now : last;
  });
  const ms = performance.now() - start, { file, sections, plain, restored, palette } = result;
  const planes = sections.map((section, p) => ({ known: knownPixels(section), lines: cellLines(section, file.planes[p]), width: file.planes[p].width, height: file.planes[p].height }));
  const pictures = { plain: paint(file, plain, palette), restored: restored ? paint(file, restored, palette) : null };
  postMessage({ id, ms, report: describe(result), planes, ...pictures });
}

onmessage = ({ data }) => {
  try {
    run(data);
  } catch (error) {
    const known = error instanceof DinpError, why = error instanceof RangeError ? "there is not enough memory for this picture" : `the decoder failed: ${error.message}`;
    postMessage({ id: data.id, error: known ? error.message : why });
  }
};
