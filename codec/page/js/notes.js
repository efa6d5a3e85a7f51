// What a card says of its file in sentences.
import { number } from "./dom.js";

/** Sentences on a file by its report (report.js); `versions`: of restoration, that the page has. */
export function notes(report, versions) {
  return [...withoutLoss(report), ...unrestored(report, versions)];
}

function withoutLoss({ lossless }) {
  if (!lossless) return [];
  const { method, lattice, regions, colours } = lossless;
  const what = regions ? `${number(regions)} regions` : colours ? `${number(colours)} colours` : method;
  return [lattice ? `On a lattice within a largest error: ${what}.` : `Without loss: ${what}.`];
}

/** A sentence for each restoration that planes ask for and the page has not. */
function unrestored({ planes }, versions) {
  const asked = [...new Set(planes.map(({ restoration }) => restoration))].sort((a, b) => a - b);
  return asked.filter((version) => version && !versions.includes(version)).map((version) => {
    const names = planes.filter(({ restoration }) => restoration === version).map(({ name }) => name);
    const what = names.length < planes.length ? `${names.join(" and ")} shown` : "Shown";
    return `${what} without restoration ${version}, whose networks this page has not. dinp view --all makes one with all.`;
  });
}
