// Copyright 2026 The tfp_glow Authors.
// SPDX-License-Identifier: Apache-2.0
// The page: its state, its controls, and the calls of the server.
import { paint, Region, setSmooth } from "./picture.js";

const $ = (id) => document.getElementById(id);
const copy = (value) => JSON.parse(JSON.stringify(value));
const MOST_FACES = 20;
const SMALL = 16; // Pixels of pictures that are smoothed at first.

let facts; // What the server says about the model.
let state; // {latent, temperature, label, strengths}: all that is drawn.
let committed; // The state that "Undo" returns to after the next change.
let region;
const past = [];
const ends = { a: null, b: null }; // States between which "share" goes.
const controls = { temperature: [], frozen: [], strengths: {}, faces: [] };

// Requests. The newest of several of one kind replaces those that wait.

const waiting = new Map();
let isRunning = false;

async function run(kind, task) {
  waiting.delete(kind);
  waiting.set(kind, task);
  if (isRunning) return;
  isRunning = true;
  document.body.classList.add("busy");
  while (waiting.size) {
    const [[next, job]] = waiting;
    waiting.delete(next);
    try {
      await job();
    } catch (error) {
      complain(error);
    }
  }
  isRunning = false;
  document.body.classList.remove("busy");
}

async function fetched(name, request) {
  const options = request && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
  };
  let response;
  try {
    response = await fetch(`api/${name}`, options);
  } catch {
    throw new Error("The program does not answer. Start it again, then reload this page.");
  }
  if (!response.ok) throw new Error((await response.json()).error);
  return response;
}

const call = async (name, request) => (await fetched(name, request)).json();

function complain(error) {
  $("message").textContent = error.message;
  $("message").hidden = false;
}

// The picture and its likelihood.

async function display(view, isLast = true) {
  $("message").hidden = true;
  $("note").textContent = view.notes.join(" ");
  await paint($("picture"), view.picture);
  $("save-picture").href = view.picture;
  showLikelihood(view);
  if (facts.num_classes && isLast) run("faces", showFaces);
}

/** Shows a view whose state is new, and moves the controls there. */
async function accept(view) {
  state = view.state;
  commit();
  moveControls();
  await display(view);
}

/** Shows the state that the controls made. */
const show = () => run("show", async () => display(await call("show", { state })));

function commit() {
  if (JSON.stringify(state) === JSON.stringify(committed)) return;
  if (committed) past.push(committed);
  if (past.length > 100) past.shift();
  committed = copy(state);
  $("undo").disabled = !past.length;
}

function undo() {
  if (!past.length) return;
  state = past.pop();
  committed = copy(state);
  $("undo").disabled = !past.length;
  moveControls();
  show();
}

function showLikelihood({ bits_per_dim, share_below }) {
  const { low, high } = facts.data;
  const isKnown = bits_per_dim !== null;
  $("bits").textContent = isKnown ? bits_per_dim.toFixed(2) : "not finite";
  const percent = Math.round(100 * share_below);
  $("rank").textContent = isKnown
    ? `more likely than ${percent} % of the data`
    : "";
  const marker = $("histogram").querySelector(".marker");
  const place = Math.max(0, Math.min(1, (bits_per_dim - low) / (high - low)));
  marker.setAttribute("x", isKnown ? 2 + 312 * place : -10);
}

function makeHistogram() {
  const { counts, low, high } = facts.data;
  const most = Math.max(...counts);
  const bar = (x, y, width, height, name) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const values = { x, y, width, height, class: name };
    for (const [key, value] of Object.entries(values)) rect.setAttribute(key, value);
    $("histogram").append(rect);
  };
  const width = 312 / counts.length;
  counts.forEach((count, i) => {
    const height = (48 * count) / most;
    bar(4 + i * width, 54 - height, width - 1, height, "bar");
  });
  bar(-10, 0, 4, 56, "marker");
  $("axis").textContent = `bits/dim of ${facts.data.count} data pictures · left is more likely`;
  $("low").textContent = low.toFixed(1);
  $("high").textContent = high.toFixed(1);
}

// The controls.

/** Makes a row of a label, a slider and a number that follow each other. */
function makeSlider(name, { min, max, step, value, title = name, low = "", high = "" }, changed) {
  const row = document.createElement("div");
  row.className = "slider";
  const label = document.createElement("span");
  label.textContent = name;
  const range = document.createElement("input");
  Object.assign(range, { type: "range", min, max, step, value });
  const number = document.createElement("input");
  Object.assign(number, { type: "number", step, value });
  for (const input of [range, number]) input.setAttribute("aria-label", title);
  const hints = document.createElement("span");
  hints.className = "poles";
  for (const text of [low, high]) {
    const pole = document.createElement("small");
    pole.textContent = text;
    hints.append(pole);
  }
  // The bar goes from the value at rest to the slider.
  const bar = () => {
    const place = (x) => `${(100 * (x - min)) / (max - min)}%`;
    const rest = min < 0 ? 0 : min;
    const ends = [rest, Number(range.value)].sort((a, b) => a - b);
    range.style.setProperty("--from", place(ends[0]));
    range.style.setProperty("--to", place(ends[1]));
  };
  const isSet = (source, other) => () => {
    other.value = source.value;
    bar();
    // An empty field is not a number.
    changed(source.value === "" ? null : Number(source.value));
  };
  range.addEventListener("input", isSet(range, number));
  number.addEventListener("input", isSet(number, range));
  range.addEventListener("dblclick", () => {
    set(value);
    changed(value);
    commit();
  });
  for (const input of [range, number]) input.addEventListener("change", commit);
  row.append(label, range, number);
  if (low || high) row.append(hints);
  const set = (newValue) => {
    range.value = newValue;
    number.value = Number(newValue.toFixed(2));
    bar();
  };
  bar();
  return { row, set };
}

function makeLevels() {
  facts.levels.forEach((shape, i) => {
    const many = facts.levels.length > 1;
    const place = !many ? "" : i === 0 ? ", finest" : i === facts.levels.length - 1 ? ", coarsest" : "";
    const slider = makeSlider(
      `${i + 1}${place}`,
      { min: 0, max: 1.5, step: 0.01, value: 1, title: `Temperature of level ${i + 1}` },
      (value) => {
        state.temperature[i] = value;
        show();
      },
    );
    const label = document.createElement("label");
    label.className = "check freeze";
    const freeze = document.createElement("input");
    freeze.type = "checkbox";
    freeze.setAttribute("aria-label", `Freeze level ${i + 1}`);
    label.append(freeze, " freeze");
    label.title = `${shape.join(" × ")} numbers`;
    slider.row.append(label);
    $("levels").append(slider.row);
    controls.temperature.push(slider.set);
    controls.frozen.push(freeze);
  });
}

function makeAttributes() {
  const groups = {};
  for (const attribute of facts.attributes) {
    if (!groups[attribute.group]) {
      const group = document.createElement("details");
      group.open = attribute.group !== "Main directions";
      const title = document.createElement("summary");
      title.textContent = attribute.group;
      const rows = document.createElement("div");
      // Short names fit in two columns.
      if (attribute.group === "Classes") rows.className = "two";
      group.append(title, rows);
      $("attributes").append(group);
      groups[attribute.group] = rows;
    }
    const { max } = attribute;
    const slider = makeSlider(
      attribute.title,
      { min: -max, max, step: max / 50, value: 0, low: attribute.low, high: attribute.high },
      (value) => {
        state.strengths[attribute.name] = value;
        show();
      },
    );
    groups[attribute.group].append(slider.row);
    controls.strengths[attribute.name] = slider.set;
  }
  $("attribute-panel").hidden = !facts.attributes.length;
}

function makeFaces() {
  $("label-panel").hidden = !facts.num_classes;
  for (let i = 0; i < Math.min(facts.num_classes ?? 0, MOST_FACES); i++) {
    const face = document.createElement("button");
    Object.assign(face, { type: "button", className: "face" });
    face.setAttribute("role", "radio");
    const name = document.createElement("span");
    name.textContent = facts.class_names[i];
    face.append(document.createElement("canvas"), name);
    face.addEventListener("click", () => setLabel(i));
    face.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const count = controls.faces.length;
      const next = (i + step + count) % count;
      controls.faces[next].focus();
      setLabel(next);
    });
    $("faces").append(face);
    controls.faces.push(face);
  }
}

function setLabel(label) {
  state.label = label;
  commit();
  moveControls();
  show();
}

async function showFaces() {
  if (waiting.size) return; // The picture comes first.
  const { pictures } = await call("faces", { state, count: controls.faces.length });
  await Promise.all(
    pictures.map((picture, i) => paint(controls.faces[i].firstChild, picture)),
  );
}

function moveControls() {
  state.temperature.forEach((value, i) => controls.temperature[i](value));
  for (const [name, set] of Object.entries(controls.strengths))
    set(state.strengths[name] ?? 0);
  controls.faces.forEach((face, i) => {
    face.setAttribute("aria-checked", i === state.label);
    // Between classes, the first one is reached by the keyboard.
    const isReached = Number.isInteger(state.label) ? i === state.label : i === 0;
    face.tabIndex = isReached ? 0 : -1;
  });
}

// Between two pictures.

async function keep(end, view) {
  ends[end] = copy(view.state);
  await paint($(end).querySelector("canvas"), view.picture);
  $("share").disabled = !(ends.a && ends.b);
}

const interpolate = () =>
  run("interpolate", async () => {
    const share = Number($("share").value);
    const path = document.querySelector("[name=path]:checked").value;
    const view = await call("interpolate", { ...ends, share, path });
    state = view.state;
    moveControls();
    await display(view);
  });

async function showGallery() {
  const { items } = await call("gallery", {});
  $("gallery").replaceChildren(
    ...items.map(({ index, picture, title }) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "thumb" });
      button.setAttribute("aria-label", `Open ${title}`);
      const canvas = document.createElement("canvas");
      button.append(canvas);
      paint(canvas, picture);
      button.addEventListener("click", () =>
        run("open", async () => accept(await call("open", { index }))),
      );
      return button;
    }),
  );
  return items;
}

async function upload(file) {
  if (!file) return;
  if (file.size > facts.max_upload)
    throw new Error(
      `Expected a picture of at most ${facts.max_upload >> 20} MiB. Received: ` +
        `${file.name} of ${(file.size / 2 ** 20).toFixed(1)} MiB. Make it smaller first.`,
    );
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`The browser cannot read ${file.name}.`));
    reader.readAsDataURL(file);
  });
  const data = address.slice(address.indexOf(",") + 1);
  await accept(await call("upload", { data, label: state.label }));
}

// The region.

function regionChanged() {
  const { count } = region;
  const all = facts.shape[0] * facts.shape[1];
  for (const id of ["fill", "clear", "invert"]) $(id).disabled = !count;
  $("marked").textContent = count ? `${count} of ${all} pixels` : "";
}

/** Fills the region, step by step until it is done or something else happens. */
function fill() {
  run("fill", async () => {
    $("busy").hidden = false;
    const request = { state: copy(state), mask: region.rows() };
    try {
      let view;
      do {
        view = await call("fill", request);
        if (waiting.size) break; // Something else was changed.
        request.progress = view.progress;
        state = view.state;
        moveControls();
        await display(view, view.progress.share === 1);
      } while (view.progress.share < 1);
      commit();
    } finally {
      $("busy").hidden = true;
    }
  });
}

function draw() {
  run("draw", async () => {
    const frozen = controls.frozen.map((box) => box.checked);
    await accept(await call("draw", { state, frozen }));
  });
}

async function saveLatent() {
  const response = await fetched("latent", { state });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = "latent.npy";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function connect() {
  const on = (id, event, handler) => $(id).addEventListener(event, handler);
  on("draw", "click", draw);
  on("undo", "click", undo);
  on("smooth", "change", () => setSmooth($("smooth").checked));
  on("save-latent", "click", () => saveLatent().catch(complain));
  on("rest", "click", () => {
    state.strengths = {};
    commit();
    moveControls();
    show();
  });
  on("cool", "click", () => {
    state.temperature = state.temperature.map(() => facts.temperature);
    commit();
    moveControls();
    show();
  });
  for (const end of ["a", "b"])
    on(end, "click", () => run(end, async () => keep(end, await call("show", { state }))));
  on("share", "input", interpolate);
  on("share", "change", () => run("commit", commit));
  for (const radio of document.querySelectorAll("[name=path]"))
    radio.addEventListener("change", () => $("share").disabled || interpolate());
  on("shuffle", "click", () => run("gallery", showGallery));
  on("drop", "keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    $("file").click();
  });
  on("file", "change", () => {
    const [file] = $("file").files;
    run("upload", () => upload(file));
    $("file").value = ""; // So that the same file can be chosen again.
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    run("upload", () => upload(event.dataTransfer.files[0]));
  });
  on("fill", "click", fill);
  on("clear", "click", () => region.set(0));
  on("invert", "click", () => region.set("invert"));
  on("theme", "click", () => {
    const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
    setTheme(isDark ? "light" : "dark");
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && event.target.type !== "number") undo();
  });
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // Private windows may forbid it.
  }
}

async function start() {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // Private windows may forbid it.
  }
  document.documentElement.dataset.theme = theme ?? (isDark ? "dark" : "light");
  facts = await call("facts");
  const [height, width] = facts.shape;
  document.title = `${facts.title} · latent space`;
  $("title").textContent = `of ${facts.title}`;
  $("facts").textContent = facts.description;
  // A few large squares are hard to see as a picture.
  $("smooth").checked = Math.max(height, width) <= SMALL;
  setSmooth($("smooth").checked);
  document.querySelector(".frame").style.aspectRatio = `${width} / ${height}`;
  region = new Region($("picture"), $("overlay"), height, width, regionChanged);
  makeHistogram();
  makeFaces();
  makeAttributes();
  makeLevels();
  connect();
  await run("start", async () => {
    await accept(await call("start", {}));
    const items = await showGallery();
    for (const [end, { index }] of [["a", items[0]], ["b", items[1]]])
      await keep(end, await call("open", { index }));
  });
  document.body.dataset.ready = "yes";
}

start().catch(complain);
