// Everything that the live components need to know of Streamlit.

/** @import { Mount } from "../../../dvae_core/live/types.d.ts" */

/** @typedef {(name: string, value: unknown) => void} SetState */
/** @typedef {{ data: any, parentElement: HTMLElement, setStateValue: SetState }} Call */
/** @typedef {{ update: (call: Call) => void, close: () => void }} Instance */

/**
 * The interface that Streamlit expects of a component: a function that it calls again, on the same element, whenever the data or the theme
 * has changed. Of the clean-up functions it keeps only the one that the latest call returned, so that it is always the same.
 * @param {Mount<any>} mount
 */
export const adapted = (mount) => {
  /** @type {WeakMap<HTMLElement, Instance>} */
  const instances = new WeakMap();
  return (/** @type {Call} */ call) => {
    const { parentElement } = call;
    const instance = instances.get(parentElement);
    if (instance) {
      instance.update(call);
      return instance.close;
    }
    const created = mounted(mount, call);
    const close = () => {
      created.close();
      instances.delete(parentElement);
    };
    instances.set(parentElement, { update: created.update, close });
    return close;
  };
};

/** The store's data are bytes, as they come; those of the others are a list of one record. */
const contentOf = (/** @type {Call} */ { data }) => (Array.isArray(data) ? data[0] : data);

/**
 * @param {Mount<any>} mount
 * @param {Call} call
 * @returns {Instance}
 */
function mounted(mount, call) {
  let { setStateValue } = call; // a fresh closure on every call
  const element = call.parentElement.querySelector(".dv") ?? hidden(call.parentElement);
  const onChange = (/** @type {string} */ name, /** @type {unknown} */ value) => setStateValue(name, value);
  const { update, close } = mount({ element: /** @type {HTMLElement} */ (element), data: contentOf(call), onChange });
  return {
    update: (next) => {
      setStateValue = next.setStateValue;
      update(contentOf(next));
    },
    close,
  };
}

/**
 * A component with nothing to show takes no room: Streamlit leaves a gap around every element.
 * @param {HTMLElement} parent
 */
function hidden(parent) {
  const root = parent.getRootNode();
  const host = root instanceof ShadowRoot ? root.host : parent;
  /** @type {HTMLElement | null} */
  const container = host.closest('[data-testid="stElementContainer"]');
  container?.style.setProperty("display", "none");
  return parent;
}
