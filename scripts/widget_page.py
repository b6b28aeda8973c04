"""A notebook's widgets without a notebook: what anywidget asks of a page, on a bare page. It needs no test packages."""

import base64
import json
from pathlib import Path

WIDGETS = """<!DOCTYPE html><meta charset="utf-8"><body><script type="module">
const bytesOf = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const { default: widget } = await import(URL.createObjectURL(new Blob([__ESM__], { type: "text/javascript" })));
window.models = __STATES__.map((state) => {
  if (state._decoder) state._decoder = bytesOf(state._decoder);
  const heard = new Map();
  const model = {
    saved: 0,
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      for (const call of heard.get(`change:${name}`) ?? []) call();
    },
    save_changes: () => (model.saved += 1),
    on: (event, call) => heard.set(event, [...(heard.get(event) ?? []), call]),
    off: (event, call) => heard.set(event, (heard.get(event) ?? []).filter((other) => other !== call)),
  };
  const el = document.body.appendChild(document.createElement("div"));
  widget.render({ model, el });
  return model;
});
</script>"""


def widgets_page(path: Path, *widgets) -> str:
    """Write a page that shows notebook widgets through anywidget's interface; return its address."""
    states = []
    for widget in widgets:
        state = {name: getattr(widget, name) for name in widget.trait_names(sync=True) if name not in ("_esm", "_css")}
        if isinstance(state.get("_decoder"), bytes):
            state["_decoder"] = base64.b64encode(state["_decoder"]).decode()
        states.append({name: value for name, value in state.items() if _is_json(value)})
    text = WIDGETS.replace("__ESM__", json.dumps(str(widgets[0]._esm)).replace("</", "<\\/"))
    path.write_text(text.replace("__STATES__", json.dumps(states).replace("</", "<\\/")), encoding="utf-8")
    return path.as_uri()


def _is_json(value) -> bool:
    try:
        json.dumps(value)
    except TypeError:  # such as a layout, which is itself a widget
        return False
    return True
