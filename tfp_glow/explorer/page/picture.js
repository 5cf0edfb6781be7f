// Copyright 2026 The tfp_glow Authors.
// SPDX-License-Identifier: Apache-2.0
// The large picture, and the region of pixels that is marked on it.

const painted = new Map(); // The image on each canvas, to draw it again.
const SMOOTH_SIZE = 640; // Pixels of the longer side of a smoothed picture.
let isSmooth = false;

/** Draws a picture, an address of an image, on a canvas. */
export async function paint(canvas, address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  for (const other of painted.keys()) if (!other.isConnected) painted.delete(other);
  painted.set(canvas, image);
  redraw(canvas, image);
}

/** Shows all pictures smoothed, or as squares. */
export function setSmooth(value) {
  isSmooth = value;
  painted.forEach((image, canvas) => redraw(canvas, image));
}

function redraw(canvas, image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const longer = Math.max(width, height);
  const scale = isSmooth ? Math.max(1, Math.round(SMOOTH_SIZE / longer)) : 1;
  canvas.width = scale * width;
  canvas.height = scale * height;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  if (scale === 1) return;
  // Straight lines between the centers of pixels show as a grid unless blurred.
  context.filter = `blur(${0.3 * scale}px)`;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
}

/** A region of pixels, marked by dragging, clicking or with the keyboard. */
export class Region {
  constructor(picture, overlay, height, width, changed) {
    Object.assign(this, { picture, overlay, height, width, changed });
    this.cells = new Uint8Array(height * width);
    this.cursor = null; // [row, column] for the keyboard.
    this.drag = null; // The first and the last cell, and the value to set.
    picture.addEventListener("pointerdown", (event) => this.begin(event));
    picture.addEventListener("pointermove", (event) => this.move(event));
    picture.addEventListener("pointerup", () => this.end());
    picture.addEventListener("pointercancel", () => {
      this.drag = null;
      this.draw();
    });
    picture.addEventListener("keydown", (event) => this.key(event));
    picture.addEventListener("blur", () => {
      this.cursor = null;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(picture);
  }

  get count() {
    return this.cells.reduce((sum, cell) => sum + cell, 0);
  }

  /** The rows of the region, as lists of 0 and 1. */
  rows() {
    return Array.from({ length: this.height }, (_, i) =>
      Array.from(this.cells.slice(i * this.width, (i + 1) * this.width)),
    );
  }

  set(value) {
    this.cells = this.cells.map((cell) => (value === "invert" ? 1 - cell : value));
    this.draw();
    this.changed();
  }

  cellAt(event) {
    const box = this.picture.getBoundingClientRect();
    const clip = (x, size) => Math.max(0, Math.min(size - 1, Math.floor(x * size)));
    return [
      clip((event.clientY - box.top) / box.height, this.height),
      clip((event.clientX - box.left) / box.width, this.width),
    ];
  }

  begin(event) {
    if (event.button !== 0) return;
    this.picture.setPointerCapture(event.pointerId);
    const first = this.cellAt(event);
    const value = 1 - this.cells[first[0] * this.width + first[1]];
    this.drag = { first, last: first, value };
    this.draw();
  }

  move(event) {
    if (!this.drag) return;
    this.drag.last = this.cellAt(event);
    this.draw();
  }

  end() {
    if (!this.drag) return;
    this.each(this.drag, (i) => (this.cells[i] = this.drag.value));
    this.drag = null;
    this.draw();
    this.changed();
  }

  each({ first, last }, visit) {
    const [top, bottom] = [first[0], last[0]].sort((a, b) => a - b);
    const [left, right] = [first[1], last[1]].sort((a, b) => a - b);
    for (let row = top; row <= bottom; row++)
      for (let column = left; column <= right; column++)
        visit(row * this.width + column);
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const isMark = event.key === " " || event.key === "Enter";
    if (event.key === "Escape") this.set(0);
    if (!step && !isMark) return;
    event.preventDefault();
    if (!this.cursor) this.cursor = [this.height >> 1, this.width >> 1];
    else if (step) {
      const clip = (x, size) => Math.max(0, Math.min(size - 1, x));
      this.cursor = [clip(this.cursor[0] + step[0], this.height), clip(this.cursor[1] + step[1], this.width)];
    }
    const cell = this.cursor[0] * this.width + this.cursor[1];
    if (isMark) this.cells[cell] = 1 - this.cells[cell];
    else if (event.shiftKey) this.cells[cell] = 1;
    this.draw();
    this.changed();
  }

  draw() {
    const { overlay, width, height } = this;
    const box = this.picture.getBoundingClientRect();
    overlay.width = Math.round(box.width * devicePixelRatio);
    overlay.height = Math.round(box.height * devicePixelRatio);
    const context = overlay.getContext("2d");
    const cells = this.cells.slice();
    if (this.drag) this.each(this.drag, (i) => (cells[i] = this.drag.value));
    context.scale(overlay.width / width, overlay.height / height);
    const at = (row, column) =>
      row >= 0 && column >= 0 && row < height && column < width && cells[row * width + column];
    // A filled region should be seen once it is marked.
    context.fillStyle = `rgb(230 159 0 / ${this.drag ? 35 : 10}%)`;
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        if (at(row, column)) context.fillRect(column, row, 1, 1);
    // The border, twice, so that it shows on light and on dark pixels.
    const path = new Path2D();
    const line = (...points) => {
      path.moveTo(points[0], points[1]);
      path.lineTo(points[2], points[3]);
    };
    for (let row = 0; row <= height; row++)
      for (let column = 0; column <= width; column++) {
        if (!!at(row, column) !== !!at(row - 1, column)) line(column, row, column + 1, row);
        if (!!at(row, column) !== !!at(row, column - 1)) line(column, row, column, row + 1);
      }
    const pixel = width / overlay.width;
    for (const [color, size] of [["#000", 5], ["#ffb000", 2.5]]) {
      context.strokeStyle = color;
      context.lineWidth = size * devicePixelRatio * pixel;
      context.lineCap = "round";
      context.stroke(path);
      if (this.cursor) context.strokeRect(this.cursor[1] + 0.1, this.cursor[0] + 0.1, 0.8, 0.8);
    }
  }
}
