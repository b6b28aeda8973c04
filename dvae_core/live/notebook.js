// A notebook's widget as host (anywidget): the values that are moved are traits of the Python object.

import { mount as explorer } from "./explorer.js";
import { isolated } from "./isolated.js";
import { mount as linked } from "./linked.js";
import { mount as playground } from "./playground.js";
import { mount as rotor } from "./rotor.js";
import { mount as store } from "./store.js";

/** @import { Mount } from "./types.d.ts" */

/** @typedef {{ get: (name: string) => any, set: (name: string, value: unknown) => void, save_changes: () => void,
 *   on: (event: string, call: () => void) => void, off: (event: string, call: () => void) => void }} Model */

/** @type {Record<string, Mount<any>>} */
const MOUNTS = { explorer, linked, playground, rotor };
const MOVED = ["z", "angle", "link"]; // values that both sides may move

/** @param {{ model: Model, el: HTMLElement }} host */
function render({ model, el }) {
  const root = isolated(el, model.get("_style"));
  const bytes = model.get("_decoder");
  const decoder = bytes && store({ element: el, data: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), onChange() {} });
  let data = model.get("_data");
  /** @type {Record<string, string>} */
  const reported = {};

  /** @param {string} name @param {any} report */
  function onChange(name, report) {
    const value = MOVED.includes(name) ? report.value : report;
    reported[name] = JSON.stringify(value);
    model.set(name, value);
    model.save_changes();
  }

  themed(el);
  const view = MOUNTS[model.get("_component")]({ element: root, data, onChange });
  const refresh = () => {
    themed(el);
    view.update(data);
  };
  const pushes = MOVED.map((name) => {
    const push = () => {
      const value = model.get(name);
      if (value === null || JSON.stringify(value) === reported[name]) return; // what this view has just reported
      reported[name] = "";
      data = { ...data, [name]: value, rev: data.rev + 1 };
      view.update(data);
    };
    model.on(`change:${name}`, push);
    return { name, push };
  });
  const watcher = new MutationObserver(refresh); // a notebook changes its theme by attributes of <html> or <body>
  for (const node of [document.documentElement, document.body]) watcher.observe(node, { attributes: true });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", refresh);
  return () => {
    for (const { name, push } of pushes) model.off(`change:${name}`, push);
    watcher.disconnect();
    scheme.removeEventListener("change", refresh);
    view.close();
    decoder?.close();
  };
}

/**
 * Take text and background from the page around the widget, whatever the notebook calls them.
 * @param {HTMLElement} el
 */
function themed(el) {
  /** @type {Element | null} */
  let node = el;
  let background = "";
  while (node && !background) {
    const colour = getComputedStyle(node).backgroundColor;
    if (colour && colour !== "transparent" && !/[,/] 0\)$/.test(colour)) background = colour;
    const above = /** @type {ParentNode | null} */ (node.parentNode);
    node = above instanceof ShadowRoot ? above.host : above instanceof Element ? above : null;
  }
  const { color, fontFamily } = getComputedStyle(el);
  const values = { "text-color": color, "background-color": background || "white", font: fontFamily, "base-radius": "0.4rem" };
  for (const [name, value] of Object.entries(values)) el.style.setProperty(`--dv-${name}`, value);
  const soft = "color-mix(in srgb, var(--dv-text-color) 8%, var(--dv-background-color))";
  el.style.setProperty("--dv-secondary-background-color", soft);
}

export default { render };
