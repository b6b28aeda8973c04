// A component in a shadow root, with its own styles: for hosts that do not isolate components themselves.

import { element } from "./elements.js";

/**
 * Return the element to mount a component in. The page sets the --dv-... properties on `host` or above it.
 * @param {HTMLElement} host
 * @param {string} css
 */
export function isolated(host, css) {
  const root = element("div", { class: "dv" });
  host.attachShadow({ mode: "open" }).append(element("style", { textContent: css }), root);
  return root;
}
