// Paints previews: <img data-dinp="base64"> shows the preview until the picture itself is there; an img without src
// becomes the preview. Files that are no previews (with restoration, without loss) are left alone.
import { base64ToBytes } from "./common.js";
import { readContainer } from "./container.js";
import { inpaint } from "./inpaint.js";
import { assemble, paint } from "./picture.js";
import { decodeSection } from "./sections.js";
import { unpackModels } from "./tables.js";

const MOST_PIXELS = 1 << 16, ACCURACY = 0.0025;
let models = null;

/** {width, height, rgba} of a preview's bytes. */
function decodePreview(data) {
  models ??= unpackModels(base64ToBytes(TABLES), LAYOUT); // both are put in by dinp.page.painter
  const file = readContainer(data, MOST_PIXELS), sections = [];
  const planes = file.planes.map((plane, p) => {
    const section = decodeSection(file.sections[p], plane, models, null, sections[0]);
    sections.push(section);
    return inpaint(section.known, plane.height, plane.width, section.regions?.labels, ACCURACY);
  });
  const rgba = paint(file, assemble(file, planes, { residuals: [], holes: [], matte: null }), null);
  return { width: file.width, height: file.height, rgba };
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
