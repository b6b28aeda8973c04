// A single HTML file as host: decoders and data are in the file itself, and no server is needed.

import { element } from "./elements.js";
import { isolated } from "./isolated.js";
import { bytesOf } from "./numbers.js";
import { mount as store } from "./store.js";

/** @import { FileContent, FilePart, Mount, Mounted } from "./types.d.ts" */

const onChange = () => {}; // nobody listens
const keepLink = (/** @type {string} */ _name, /** @type {any} */ report) => history.replaceState(null, "", `#${report.value}`);
const NEAR = "600px"; // a part is mounted when it comes this near to the screen

/**
 * Mount the components of the page.
 * @param {Record<string, Mount<any>>} mounts - of the components that are on it
 */
export function start(mounts) {
  /** @type {FileContent} */
  const content = JSON.parse(document.getElementById("content")?.textContent ?? "");
  for (const decoder of content.decoders) store({ element: document.body, data: bytesOf(decoder), onChange });

  /** @type {(() => void)[]} */
  const refreshes = [];

  /**
   * Mount a component, with one radio button for each of its variants.
   * @param {HTMLElement} place
   * @param {FilePart} part
   */
  function mounted(place, part) {
    let data = { ...part.data, ...part.variants[0]?.data };
    const isLinked = "link" in data; // settings are kept in the address, as on the app's page
    if (isLinked && location.hash) data.link = location.hash.slice(1);
    if (part.variants.length > 1) place.append(chooser(place.id, part, choose));
    const host = element("div");
    place.append(host);
    /** @type {Mounted<any>} */
    const view = mounts[part.component]({
      element: isolated(host, content.styles[part.component]),
      data,
      onChange: isLinked ? keepLink : onChange,
    });
    refreshes.push(() => view.update(data));

    /** @param {number} index */
    function choose(index) {
      data = { ...part.data, ...part.variants[index].data };
      view.update(data);
    }
  }

  /**
   * @param {string} name
   * @param {FilePart} part
   * @param {(index: number) => void} choose
   */
  function chooser(name, { label, variants }, choose) {
    const buttons = variants.map((variant, i) => {
      const input = element("input", { type: "radio", name, checked: i === 0, onchange: () => choose(i) });
      return element("label", {}, input, element("span", { textContent: variant.label }));
    });
    return element("fieldset", { class: "variants" }, element("legend", { textContent: label }), ...buttons);
  }

  /** @type {Map<Element, FilePart>} */
  const waiting = new Map(content.parts.map((part) => [/** @type {Element} */ (document.getElementById(part.id)), part]));

  /** @param {Element} place */
  function mountNow(place) {
    const part = waiting.get(place);
    if (!part) return;
    waiting.delete(place);
    mounted(/** @type {HTMLElement} */ (place), part);
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) mountNow(target);
    },
    { rootMargin: NEAR },
  );
  for (const place of waiting.keys()) watcher.observe(place);

  // --- questions: an answer reveals what follows

  for (const section of document.querySelectorAll("section[data-question]")) {
    const buttons = [...section.querySelectorAll(".options button")];
    for (const button of buttons) {
      button.addEventListener("click", () => {
        section.toggleAttribute("data-answered", true);
        for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
      });
    }
  }

  // --- theme and paper

  const refresh = () => {
    for (const each of refreshes) each();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper"); // light, all answers revealed
    for (const place of waiting.keys()) mountNow(place);
    refresh();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    refresh();
  });
}
