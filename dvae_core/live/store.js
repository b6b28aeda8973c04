// The invisible component that brings a decoder to the page.

import { buildModel, parseSafetensors } from "./decode.js";
import { offerDecoder, withdrawDecoder } from "./view.js";

/** @import { Mount, Offer } from "./types.d.ts" */

/** @type {Mount<Uint8Array>} */
export const mount = ({ data: first }) => {
  /** @type {string | null} */
  let held = null;
  const close = () => {
    if (held !== null) withdrawDecoder(held);
    held = null;
  };
  /** @param {Uint8Array} data */
  const update = (data) => {
    const { metadata, tensors } = parseSafetensors(data);
    const plan = JSON.parse(metadata.plan);
    if (held === plan.id) return;
    close();
    held = plan.id;
    /** @type {Offer} */
    let offer;
    try {
      offer = { model: buildModel(plan, tensors) };
    } catch (error) {
      offer = { error: error instanceof Error ? error.message : String(error) }; // the views show it in place of the picture
    }
    offerDecoder(plan.id, offer);
  };
  update(first);
  return { update, close };
};
