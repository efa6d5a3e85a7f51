// A picture and its views on a canvas: plain and restored with a slider between them, known pixels, contours or cells.
import { make } from "./dom.js";

const ZOOMS = [["fit", "fit"], ["1", "100 %"], ["2", "200 %"], ["4", "400 %"]];

export class Stage {
  constructor({ report, planes, plain, restored }) {
    Object.assign(this, { report, planes, view: "picture", plane: 0, zoom: "fit" });
    this.plain = canvasOf(plain, report.width, report.height);
    this.restored = restored && canvasOf(restored, report.width, report.height);
    this.canvas = make("canvas", { width: report.width, height: report.height });
    this.canvas.setAttribute("aria-label", "decoded picture");
    this.frame = make("div", { className: "frame" }, this.canvas);
    this.slider = make("input", { type: "range", min: 0, max: 100, value: 0, ariaLabel: "how far from the left the plain picture is shown" });
    this.slider.addEventListener("input", () => this.draw());
    this.wipe = make("label", { className: "wipe" }, "restored ", this.slider, " plain");
    this.element = make("section", {}, this.controls(), this.frame);
    this.place();
  }

  controls() {
    const { report, planes } = this, views = [["picture", "picture"]];
    if (planes.length) views.push(["known", "known pixels"]);
    if (report.shape && report.shape !== "free mask") views.push(["lines", report.shape === "tree" ? "cells" : "contours"]);
    const row = make("div", { className: "controls" }, this.choice("view", views));
    if (planes.length > 1) row.append(this.planesChoice());
    row.append(this.choice("zoom", ZOOMS));
    if (this.restored) row.append(this.wipe);
    return row;
  }

  planesChoice() {
    this.which = this.choice("plane", this.report.planes.map(({ name }, p) => [p, name]));
    this.which.hidden = true;
    return this.which;
  }

  /** Buttons of which one is pressed. */
  choice(property, options) {
    const buttons = options.map(([value, text]) => {
      const button = make("button", { type: "button" }, text);
      button.addEventListener("click", () => {
        this[property] = value;
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        this.place();
        this.draw();
      });
      button.setAttribute("aria-pressed", String(this[property] === value));
      button.dataset[property] = value;
      return button;
    });
    return make("span", { className: "choice" }, ...buttons);
  }

  /** The size at which the canvas is shown. */
  place() {
    const { width, height } = this.report, fit = this.zoom === "fit", small = Math.max(1, Math.floor(480 / Math.max(width, height)));
    this.canvas.style.width = `${width * (fit ? small : this.zoom)}px`;
    this.canvas.classList.toggle("fit", fit);
    this.canvas.classList.toggle("crisp", small > 1 || !fit);
    if (this.which) this.which.hidden = this.view === "picture";
    this.wipe.hidden = this.view !== "picture";
  }

  draw() {
    const { canvas, report: { width, height } } = this, context = canvas.getContext("2d");
    if (this.view === "picture") {
      canvas.width = width;
      canvas.height = height;
      context.drawImage(this.restored ?? this.plain, 0, 0);
      if (this.restored) this.drawPlain(context, Math.round((width * this.slider.value) / 100));
    } else if (this.view === "known") this.drawKnown(context);
    else this.drawLines(context);
  }

  /** The plain picture on the left of the slider. */
  drawPlain(context, split) {
    const { height } = this.report;
    if (!split) return;
    context.clearRect(0, 0, split, height);
    context.drawImage(this.plain, 0, 0, split, height, 0, 0, split, height);
    if (split === this.report.width) return;
    context.fillStyle = "#ffffffb0";
    context.fillRect(split - 0.5, 0, 1, height);
  }

  drawKnown(context) {
    const { known, width, height } = this.planes[this.plane];
    Object.assign(this.canvas, { width, height });
    context.putImageData(new ImageData(known, width, height), 0, 0);
  }

  /** Lines between pixels, at twice the size: half of a line is there where it is shown smaller. */
  drawLines(context) {
    const { lines, width, height } = this.planes[this.plane], scale = width * height > 8e6 ? 1 : 2;
    Object.assign(this.canvas, { width: scale * width, height: scale * height });
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, scale * width, scale * height);
    context.globalAlpha = 0.55;
    context.drawImage(this.restored ?? this.plain, 0, 0, scale * width, scale * height);
    context.globalAlpha = 1;
    context.fillStyle = this.report.planes[this.plane].regions === null ? "#e0a03080" : "#ff4030";
    for (let i = 0; i < lines.length; i++) {
      if (!lines[i]) continue;
      const x = scale * (i % width), y = scale * Math.floor(i / width);
      if (lines[i] & 1) context.fillRect(x, y, scale, 1);
      if (lines[i] & 2) context.fillRect(x, y, 1, scale);
    }
  }
}

function canvasOf(rgba, width, height) {
  const canvas = make("canvas", { width, height }), context = canvas.getContext("2d");
  context.fillRect(0, 0, 1, 1);
  if (!context.getImageData(0, 0, 1, 1).data[3]) throw new Error(`a side of ${Math.max(width, height)} pixels is too much for a canvas of this browser`);
  context.putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas;
}
