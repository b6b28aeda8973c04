// The dial of the rotor, and turning anything around its centre with mouse, finger or pen.

import { element, svg } from "./elements.js";
import { number, short, tiny } from "./numbers.js";
import { determinant, orthogonalityError, snapAngle } from "./rotation.js";

/** @import { Rotor } from "./rotor.js" */
/** @import { Turning, Vector } from "./types.d.ts" */

/** A dial from 0 to the rotor's limit, counter-clockwise: drag, click, arrows (with Shift 15 degrees), Home and End. */
export class Dial {
  /** @param {Rotor} rotor */
  constructor(rotor) {
    const { limit } = rotor.data;
    this.wedge = svg("path", { class: "wedge" });
    const line = svg("line", { x1: 0, y1: 0, x2: 0.86, y2: 0 });
    this.arm = svg("g", { class: "arm" }, line, svg("circle", { cx: 0.86, cy: 0, r: 0.13 }));
    const isQuarter = limit <= 90;
    const marks = svg("g", { class: "marks" });
    for (let a = 0; a <= Math.min(345, limit); a += 15) {
      const [c, s] = [Math.cos((a * Math.PI) / 180), Math.sin((a * Math.PI) / 180)];
      const isLong = a % 45 === 0;
      const inner = isLong ? 0.94 * 0.97 : 0.97;
      marks.append(svg("line", { x1: inner * c, y1: -inner * s, x2: 1.04 * c, y2: -1.04 * s }));
      if (isQuarter || isLong) {
        const label = svg("text", { x: 1.21 * c, y: -1.21 * s });
        label.textContent = String(a);
        marks.append(label);
      }
    }
    const face = limit >= 360 ? svg("circle", { class: "face", r: 0.86 }) : svg("path", { class: "face", d: arcPath(limit, 0.86) });
    const [x, y, w, h] = isQuarter ? [-0.2, -1.4, 1.65, 1.65] : [-1.5, -1.5, 3, 3];
    this.node = element(
      "div",
      {
        class: isQuarter ? "dial quarter" : "dial",
        role: "slider",
        tabIndex: 0,
        "aria-label": "Angle of rotation",
        "aria-valuemin": 0,
        "aria-valuemax": limit,
      },
      svg("svg", { viewBox: `${x} ${y} ${w} ${h}`, "aria-hidden": "true" }, face, this.wedge, marks, this.arm),
    );
    const centre = () => {
      const box = this.node.getBoundingClientRect();
      return [box.left + (-x / w) * box.width, box.top + (-y / h) * box.height];
    };
    turnable(rotor, this.node, centre, (degrees) => {
      this.node.focus({ preventScroll: true });
      const to = nearestAngle(degrees, limit);
      rotor.turnTo(snapAngle(to));
      return to;
    });
    this.node.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 15 : 1;
      /** @type {Record<string, number>} */
      const places = {
        ArrowRight: rotor.angle + step,
        ArrowUp: rotor.angle + step,
        ArrowLeft: rotor.angle - step,
        ArrowDown: rotor.angle - step,
        PageUp: rotor.angle + 15,
        PageDown: rotor.angle - 15,
        Home: 0,
        End: limit,
      };
      const to = places[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      rotor.turnTo(Math.round(to));
      rotor.sendLater();
    });
    const { d_z: d, base } = rotor.data;
    this.which = base && d <= 4 ? Array.from({ length: d }, (_, k) => k) : rotor.data.plane; // all of a small M, or its plane
    this.readout = element("output", { class: "readout" });
    this.entries = this.which.map(() => this.which.map(() => element("td")));
    this.facts = { det: element("dd"), error: element("dd") };
    const rows = this.entries.map((cells) => element("tr", {}, ...cells));
    const table = element("table", { "aria-label": "The matrix M" }, element("tbody", {}, ...rows));
    const className = rows.length > 2 ? "matrix large" : "matrix";
    const matrix = element("div", { class: className }, element("b", { textContent: "M =" }), table);
    const term = (/** @type {string} */ textContent) => element("dt", { textContent });
    const error = term("\u2016M\u1D40M \u2212 I\u2016");
    const facts = element("dl", {}, term("det M"), this.facts.det, error, this.facts.error);
    this.panel = element("div", { class: "turner" }, this.node, this.readout, matrix, facts);
  }

  /** @param {number} angle @param {Vector} M */
  show(angle, M) {
    const d = Math.sqrt(M.length);
    this.readout.textContent = `${short(angle)}\u00B0`;
    for (const [r, cells] of this.entries.entries()) {
      for (const [c, cell] of cells.entries()) cell.textContent = number(M[this.which[r] * d + this.which[c]], 3);
    }
    this.facts.det.textContent = number(determinant(M, d), 3);
    this.facts.error.textContent = tiny(orthogonalityError(M, d));
    this.node.setAttribute("aria-valuenow", String(Number(angle.toFixed(1))));
    this.node.setAttribute("aria-valuetext", `${Number(angle.toFixed(1))} degrees`);
    this.arm.setAttribute("transform", `rotate(${-angle})`);
    this.wedge.setAttribute("d", arcPath(Math.min(angle, 359.9), 0.86));
  }
}

/**
 * Let a drag of `node` round its centre (client coordinates) turn something; `pressed` may jump to an angle first and
 * return it.
 * @param {Turning} turning
 * @param {HTMLElement} node
 * @param {() => number[]} centre
 * @param {(degrees: number) => number} pressed
 */
export function turnable(turning, node, centre, pressed = () => turning.angle) {
  const at = (/** @type {PointerEvent} */ event) => {
    const [x, y] = centre();
    return (Math.atan2(y - event.clientY, event.clientX - x) * 180) / Math.PI;
  };
  /** @type {number | null} */
  let last = null; // angle under the pointer
  let free = 0; // the angle before snapping
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    node.setPointerCapture(event.pointerId);
    last = at(event);
    free = pressed(last);
  });
  node.addEventListener("pointermove", (event) => {
    if (last === null) return;
    const now = at(event);
    free += ((now - last + 540) % 360) - 180;
    last = now;
    if (turning.data.limit >= 360) free = ((free % 360) + 360) % 360;
    turning.turnTo(snapAngle(free));
    turning.sendLater();
  });
  const release = () => {
    if (last === null) return;
    last = null;
    turning.send();
  };
  node.addEventListener("pointerup", release);
  node.addEventListener("pointercancel", release);
}

/**
 * The allowed angle for a place on the dial: beyond a limit, the nearer end.
 * @param {number} degrees
 * @param {number} limit
 */
function nearestAngle(degrees, limit) {
  const a = ((degrees % 360) + 360) % 360;
  if (a <= limit) return a;
  return a - limit < 360 - a ? limit : 0;
}

/**
 * A wedge from 0 to an angle (counter-clockwise on the screen), radius r about the origin.
 * @param {number} degrees
 * @param {number} r
 */
function arcPath(degrees, r) {
  const a = (degrees * Math.PI) / 180;
  return `M0,0L${r},0A${r},${r},0,${degrees > 180 ? 1 : 0},0,${r * Math.cos(a)},${-r * Math.sin(a)}Z`;
}
