// Paints previews: <img data-dinp="base64"> shows the preview until the picture itself is there; an img without src
// becomes the preview. Restoration is left out, and `data-dinp-unrestored` says so; what else a preview never has
// (free masks, and parts that stand beside planes) is refused.
import { base64ToBytes, DinpError } from "./common.js";
import { CHUNKS, readContainer, stepsFor } from "./container.js";
import { inpaint } from "./inpaint.js";
import { assemble, paint } from "./picture.js";
import { decodeSection, FREE } from "./sections.js";
import { unpackModels } from "./tables.js";

const MOST_PIXELS = 1 << 16, ACCURACY = 0.0025;
let models = null;

/** {width, height, rgba, unrestored} of a preview's bytes; `unrestored`: versions of restoration that are left out. */
function decodePreview(data) {
  models ??= unpackModels(base64ToBytes(TABLES), LAYOUT); // both are put in by dinp.page.painter
  const file = readContainer(data, MOST_PIXELS), sections = [];
  if (file.chunks.some(({ type }) => type & 128 && type !== CHUNKS.STEPS) || file.sections.some(([head]) => (head & 3) === FREE))
    throw new DinpError("the file is no preview");
  const planes = file.planes.map((plane, p) => {
    const section = decodeSection(file.sections[p], plane, models, stepsFor(file, p), sections[0]);
    sections.push(section);
    return inpaint(section.known, plane.height, plane.width, section.regions?.labels, ACCURACY);
  });
  const rgba = paint(file, assemble(file, planes, { residuals: [], holes: [], matte: null }), null);
  const unrestored = [...new Set(sections.map(({ restoration }) => restoration))].filter(Boolean).sort((a, b) => a - b);
  return { width: file.width, height: file.height, rgba, unrestored };
}

function paintPreview(img) {
  const text = img.dataset.dinp;
  img.removeAttribute("data-dinp");
  if (!text || (img.complete && img.naturalWidth)) return;
  let preview;
  try {
    preview = decodePreview(base64ToBytes(text));
  } catch (error) {
    console.info(`dinp preview: ${error.message}`);
    return;
  }
  if (preview.unrestored.length) img.dataset.dinpUnrestored = preview.unrestored.join(" ");
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: preview.width, height: preview.height });
  canvas.getContext("2d").putImageData(new ImageData(preview.rgba, preview.width, preview.height), 0, 0);
  const url = canvas.toDataURL();
  if (!img.hasAttribute("src") && !img.hasAttribute("srcset")) {
    img.src = url;
    return;
  }
  img.style.background = `url(${url}) 0 0 / 100% 100% no-repeat`;
  img.addEventListener("load", () => (img.style.background = ""), { once: true });
}

function paintAll() {
  document.querySelectorAll("img[data-dinp]").forEach(paintPreview);
}

if (typeof document !== "undefined") {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", paintAll);
  else paintAll();
}
globalThis.dinp = { decodePreview, paintAll };
