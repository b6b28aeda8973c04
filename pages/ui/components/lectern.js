// The invisible part of the talk: its keys, the size of the screen, and the presenter's second window.

/** @import { Mount } from "../../../dvae_core/live/types.d.ts" */

/** @typedef {{ stop: string, answer: string, size: number[] | null }} Lectern */

/** @type {Record<string, string>} */
const ACTIONS = {
  ArrowRight: "next",
  ArrowDown: "next",
  PageDown: "next",
  " ": "next",
  ArrowLeft: "back",
  ArrowUp: "back",
  PageUp: "back",
};
const WRITING = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]";
const MOVED_BY_ARROWS = "input[type=range], [role=slider], [role=radio], input[type=radio], [role=tab], [role=option]";
const PRESSED_BY_SPACE = "button, a, summary, input[type=checkbox], [role=button]";

/** The focused element, inside shadow roots too. */
function focused() {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at instanceof HTMLElement ? at : null;
}

/**
 * Whether what has the focus wants this key. A slider that was dragged does not: only one that was reached by keyboard.
 * @param {HTMLElement | null} at
 * @param {string} key
 * @param {boolean} isPointed whether the pointer was used last, and not Tab
 */
function isTaken(at, key, isPointed) {
  if (at === null) return false;
  if (at.matches(WRITING)) return true;
  if (isPointed) return false;
  if (key.startsWith("Arrow") || key.startsWith("Page")) return at.matches(MOVED_BY_ARROWS);
  return key === " " && at.matches(PRESSED_BY_SPACE);
}

/** @type {Mount<Lectern>} */
export const mount = ({ data, onChange }) => {
  let now = data;
  let count = 0;
  let resized = 0;
  let isPointed = false; // :focus-visible would not do: browsers set it for a dragged slider too
  // Later than what a slider reports on release: Streamlit would run the two as one, and only the slider's fragment.
  const act = (/** @type {string} */ action, more = {}) => {
    count += 1;
    const event = { action, count, ...more };
    setTimeout(() => onChange("act", event), 50);
  };

  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Tab") isPointed = false;
    const at = focused();
    if (event.key === "Escape") {
      at?.blur(); // gives the keys back to the talk; menus close as well
      return;
    }
    const answer = /^[1-9]$/.test(event.key) ? Number(event.key) : null;
    if ((answer === null && !(event.key in ACTIONS)) || isTaken(at, event.key, isPointed)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return; // a key that is held down does not run through the talk
    if (answer !== null) act("answer", { option: answer - 1 });
    else act(ACTIONS[event.key]);
  };

  const pointerdown = () => {
    isPointed = true;
  };

  const measure = () => {
    const size = [innerWidth, innerHeight];
    if (now.size === null || now.size.some((v, i) => v !== size[i])) onChange("size", size);
  };
  const resize = () => {
    clearTimeout(resized);
    resized = setTimeout(measure, 200);
  };

  const channel = new BroadcastChannel("dvae-talk");
  channel.onmessage = ({ data: { stop, answer } }) => {
    if (stop !== now.stop || answer !== now.answer) act("follow", { stop, answer });
  };

  addEventListener("keydown", keydown, { capture: true });
  addEventListener("pointerdown", pointerdown, { capture: true });
  addEventListener("resize", resize);
  measure();
  document.documentElement.dataset.lectern = "listening"; // a key that comes earlier is lost
  return {
    update: (next) => {
      const moved = next.stop !== now.stop || next.answer !== now.answer;
      now = next;
      if (moved) channel.postMessage({ stop: now.stop, answer: now.answer });
    },
    close: () => {
      delete document.documentElement.dataset.lectern;
      removeEventListener("keydown", keydown, { capture: true });
      removeEventListener("pointerdown", pointerdown, { capture: true });
      removeEventListener("resize", resize);
      clearTimeout(resized);
      channel.close();
    },
  };
};
