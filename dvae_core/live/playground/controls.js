// Dials, switches and buttons of the playground. Each has one value of the state, and calls back with a new one.

import { element } from "../elements.js";
import { minus } from "../numbers.js";
import { fill } from "../sliders.js";

/** @typedef {import("./settings.js").Choice} Choice */
/** @typedef {import("./settings.js").Dial} Dial */

let groups = 0; // radio buttons of one name exclude each other on the whole page

/**
 * A row of radio buttons.
 * @param {string} name
 * @param {Choice} choice
 * @param {(value: string) => void} changed
 */
export function choiceOf(name, { label, options, help = "" }, changed) {
  const group = `playground-${name}-${groups++}`;
  /** @type {Map<string, HTMLInputElement>} */
  const inputs = new Map();
  const buttons = Object.entries(options).map(([value, text]) => {
    const input = element("input", { type: "radio", name: group, value, onchange: () => changed(value) });
    inputs.set(value, input);
    return element("label", {}, input, element("span", { textContent: text }));
  });
  const legend = element("legend", { textContent: label });
  const node = element("fieldset", { class: `choice ${name}`, title: help }, legend, element("div", { class: "options" }, ...buttons));
  const show = (/** @type {string} */ value) => {
    const input = inputs.get(value);
    if (input) input.checked = true;
  };
  return { node, show };
}

/**
 * A slider with its name and its value.
 * @param {Dial} dial
 * @param {(value: number) => void} changed
 */
export function dialOf({ label, min, max, step, help = "" }, changed) {
  const input = element("input", { type: "range", min, max, step, "aria-label": label });
  const output = element("output");
  const node = element("label", { class: "dial", title: help }, element("span", { textContent: label }), input, output);
  const show = (/** @type {number} */ value) => {
    input.value = String(value);
    const text = minus(value);
    if (output.textContent !== text) output.textContent = text;
    input.setAttribute("aria-valuetext", text);
    fill(input, min, max, value);
  };
  input.addEventListener("input", () => {
    const value = Number(Number(input.value).toFixed(2)); // 0.1 * 3 is not 0.3
    show(value);
    changed(value);
  });
  return { node, show };
}

/**
 * @param {string} text
 * @param {() => void} pressed
 */
export const buttonOf = (text, pressed, className = "") =>
  element("button", { type: "button", class: className, textContent: text, onclick: pressed });
