// A file's card: how far it is, its picture with its views, and what it holds.
import { make, number } from "./dom.js";
import { notes } from "./notes.js";
import { Stage } from "./stage.js";

export class Card {
  constructor(name, bytes) {
    this.bytes = bytes;
    this.bar = make("progress", { max: 1, value: 0 });
    this.status = make("p", { className: "status", role: "status" }, "waiting");
    this.facts = make("p", { className: "facts" }, `${number(bytes)} bytes`);
    this.body = make("div", {}, this.bar, this.status);
    this.element = make("article", {}, make("header", {}, make("h2", {}, name), this.facts), this.body);
    this.element.dataset.state = "waiting";
  }

  progress(share, what) {
    this.bar.value = share;
    this.status.textContent = what;
  }

  fail(why) {
    this.element.dataset.state = "failed";
    this.body.replaceChildren(make("p", { className: "failure", role: "alert" }, `${why[0].toUpperCase()}${why.slice(1)}.`));
  }

  /** `result` is what the worker sent; `versions`: of restoration, that the page has. */
  show(result, versions) {
    const { report, ms } = result, bpp = (8 * report.bytes) / (report.width * report.height);
    this.facts.textContent = `${number(report.width)} × ${number(report.height)} · ${report.kind} · ${number(report.bytes)} bytes · ${number(bpp, 3)} bits per pixel`;
    const stage = new Stage(result), said = notes(report, versions).map((line) => make("p", { className: "note" }, line));
    this.body.replaceChildren(stage.element, ...said, table(report), make("p", { className: "status" }, `decoded in ${number(ms / 1000, 2)} s`));
    this.element.dataset.state = "done";
    this.element.dataset.ms = ms;
    stage.draw();
  }
}

/** Bytes and bits per pixel of each section. */
function table({ planes, chunks, other, bytes, width, height }) {
  const bpp = (size) => number((8 * size) / (width * height), 4), cell = (text) => make("td", {}, text), head = ["", "structure", "values", "known", "step", "restoration", "bytes", "bits per pixel"];
  const row = (name, cells, size) => make("tr", {}, make("th", { scope: "row" }, name), ...cells.map(cell), cell(number(size)), cell(bpp(size)));
  const rows = planes.map((plane) => {
    const shape = plane.regions === null ? plane.structure : `${plane.structure}, ${number(plane.regions)} regions`;
    return row(plane.name, [shape, number(plane.points), `${number(100 * plane.density, 2)} %`, number(plane.step, 2), plane.restoration ? String(plane.restoration) : "–"], plane.bytes);
  });
  const empty = ["", "", "", "", ""];
  rows.push(...chunks.map(({ name, bytes: size }) => row(name, empty, size)), row("header, checksum", empty, other), row("file", empty, bytes));
  return make("div", { className: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows)));
}
