// Elements of a page, made in one call each. Text always becomes textContent, never HTML.

import { SYMBOLS } from "./theme.js";

/**
 * An element with properties, attributes (names with a dash, or role) and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} properties
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name === "role" || name.includes("-")) node.setAttribute(name, value);
    else Object.assign(node, { [name]: value });
  }
  node.append(...children);
  return node;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} attributes
 * @param {Node[]} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** @param {string} label */
export const pictureCanvas = (label, className = "") => element("canvas", { class: className, role: "img", "aria-label": label });

/**
 * A picture with a text under it.
 * @param {HTMLElement} picture
 * @param {string} text
 */
export const captioned = (picture, text) => element("div", { class: "shown" }, picture, element("span", { textContent: text }));

/** @type {Record<string, string>} */
const LINES = { line: "M-1.2,0H1.2", cross: "M-.8,-.8L.8,.8M-.8,.8L.8,-.8", tick: "M0,-1.1V1.1" };

/**
 * A legend entry: a symbol (by its index) or a "line", "cross" or "tick", in its colour, and a text.
 * @param {number | string} mark
 * @param {string} colour
 * @param {string} text
 */
export function legendEntry(mark, colour, text) {
  const shape =
    typeof mark === "string"
      ? svg("path", { d: LINES[mark], stroke: colour, "stroke-width": 0.5, fill: "none" })
      : svg("path", { d: SYMBOLS[mark % SYMBOLS.length], fill: colour });
  const picture = svg("svg", { viewBox: "-1.3 -1.3 2.6 2.6", "aria-hidden": "true" }, shape);
  return element("span", { class: "entry" }, picture, element("span", { textContent: text }));
}

/** @param {Uint8Array<ArrayBuffer>} bytes @param {string} type @param {string} name */
export function download(bytes, type, name) {
  const link = element("a", { href: URL.createObjectURL(new Blob([bytes], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
