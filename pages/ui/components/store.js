// The invisible mount that brings a decoder to the page. Needs the shared files in front of it.

const STORES = new WeakMap(); // parentElement -> id held

export default function ({ data, parentElement }) {
  const close = () => {
    const id = STORES.get(parentElement);
    STORES.delete(parentElement);
    if (id !== undefined) withdrawDecoder(id);
  };
  // Streamlit leaves a gap around every element, also around this one with nothing in it.
  const host = parentElement.getRootNode().host ?? parentElement;
  host.closest('[data-testid="stElementContainer"]')?.style.setProperty("display", "none");
  if (!(data instanceof Uint8Array)) return close;

  const { metadata, tensors } = parseSafetensors(data);
  const plan = JSON.parse(metadata.plan);
  if (STORES.get(parentElement) === plan.id) return close;
  close();
  STORES.set(parentElement, plan.id);
  let offer;
  try {
    offer = { model: buildModel(plan, tensors) };
  } catch (error) {
    offer = { error: error.message }; // a sentence made in buildModel; the views show it in place of the picture
  }
  offerDecoder(plan.id, offer);
  return close;
}
