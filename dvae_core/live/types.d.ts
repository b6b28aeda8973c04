// The data that the modules exchange. The JavaScript refers to these types by `@import` in its JSDoc; nothing here runs.

import type { Frame } from "./playground/frame.js";

/** Numbers as Python packs them: base64 of little-endian float32, or of bytes and what one of them is worth. */
export type Packed = { f32: string } | { u8: string; scale: number };
export type Vector = number[] | Float32Array | Float64Array;
export type Writable = Float32Array | Float64Array;
export type Kind = "picture" | "plane" | "bars";
export type Range = { x: [number, number]; y: [number, number] };
export type Box = { x: number; y: number; w: number; h: number };
/** Writes the colour of a value of dimension i as three numbers into out at p. */
export type Shade = (value: number, i: number, out: number[] | Uint8ClampedArray, p: number) => void;

// --- decoders

export interface Op {
  op: string;
  // biome-ignore lint/suspicious/noExplicitAny: the other fields depend on the op; buildModel checks them
  [field: string]: any;
}

/** A decoder as dvae_core/export/plan.py writes it. */
export interface Plan {
  id: string;
  members: number;
  d_z: number;
  d_x: number;
  x_shape: number[] | null;
  likelihood: string;
  ops: Op[];
}

export type Tensors = Map<string, { shape: number[]; data: Float32Array }>;

/** A plan whose shapes have been checked, and scratch memory to run it in. */
export interface Model {
  id: string;
  plan: Plan;
  steps: Op[];
  a: Float64Array;
  b: Float64Array;
  z0: Float64Array;
}

/** The offer of a store: a decoder, or the sentence that says why there is none. */
export type Offer = { model?: Model; error?: string };

// --- hosts

/** Tell the host that a value has changed: "z", "angle", "side", "picked" or "failed". */
export type OnChange = (name: string, value: unknown) => void;

export interface Mounted<Data> {
  update: (data: Data) => void;
  close: () => void;
}

/** The export of every component. A host calls it once for an element, then `update` with new data, then `close`. */
export type Mount<Data> = (host: { element: HTMLElement; data: Data; onChange: OnChange }) => Mounted<Data>;

/** A component in a single file; each variant replaces some of its data. dvae_core/live/handout/document.py writes it. */
export interface FilePart {
  id: string;
  component: string;
  label: string;
  data: Record<string, unknown>;
  variants: { label: string; data: Record<string, unknown> }[];
}

export interface FileContent {
  decoders: string[];
  styles: Record<string, string>;
  parts: FilePart[];
}

/** The facts that a view needs about its page. */
export interface Theme {
  rem: number;
  /** The unit of what is written on a canvas, and of the room for it. */
  em: number;
  font: string;
  text: string;
  muted: string;
  line: string;
  grid: string;
  background: number[];
  backgroundText: string;
  dark: boolean;
}

// --- what Python sends to each component

/** The part of the data that says which decoder it is about. */
export interface About {
  plan: string | null;
  d_z: number;
  d_x: number;
  x_shape: number[] | null;
  likelihood: string | null;
  member: number;
}

export interface Latent {
  index: number;
  label: string;
  kl: number | null;
  dead: boolean;
}

export interface Member {
  label: string;
  beta: number;
  recon: number | null;
  kl: number | null;
  kl_latent: number[];
  dead: boolean[];
  mu: number[] | null;
}

export type ModeName = "sliders" | "pad" | "between" | "members" | "twin" | "betas";

/** The values that are moved beside z: the way from A to B (0..1), the twin's angle, which beta. */
export type Side = { t: number; angle: number; beta: number };

/** dvae_core/live/explorer.py: ExplorerState.data. */
/** dvae_core/live/loss.py: Loss. */
export interface LossData {
  noise: Packed;
  std: Packed;
  betas: number[];
}

export interface ExplorerData extends About {
  plan: string;
  likelihood: string;
  latents: Latent[];
  lo: number[];
  hi: number[];
  z: number[];
  rev: number;
  z0: number[];
  reference: Packed | null;
  background: Packed | null;
  x_names: string[];
  loss: LossData | null;
  autoplay: boolean;
  filmstrip: boolean;
  mode: ModeName;
  cloud: Packed | null;
  paired: boolean;
  hues: number[] | null;
  hue_labels: string[];
  hues_ordered: boolean;
  ends: { z: number[]; x: Packed }[] | null;
  members: Member[];
  plane: [number, number] | null;
  side: Partial<Side>;
  code: string | null;
  name: string;
}

/** dvae_core/live/rotor.py: RotorState.data. */
export interface RotorData extends About {
  points: Packed;
  hues: number[] | null;
  hue_labels: string[];
  x_points: Packed | null;
  x_names: string[];
  angle: number;
  rev: number;
  limit: number;
  plane: [number, number];
  base: number[] | null;
  twin: boolean;
  strips: boolean;
  reach: number;
  autoplay: boolean;
}

/** dvae_core/live/steps.py: StepsState. */
interface StepsPanel {
  titles: string[];
  names: string[];
  role: Role;
  range: Range;
}
export interface StepsCloud extends StepsPanel {
  kind: "cloud";
  points: Packed;
  hues: number[] | null;
  labels: string[];
}
export interface StepsCurves extends StepsPanel {
  kind: "curves";
  x: Packed;
  lines: { y: Packed; role: Role; name: string; dashed: boolean }[];
  marked: boolean;
  moving: Packed | null;
  moving_name: string;
  pile: Packed | null;
  spans: [number, number][];
}
export interface StepsData {
  name: string;
  labels: string[];
  panels: (StepsCloud | StepsCurves)[];
  start: number;
  autoplay: boolean;
}

/** dvae_core/live/posterior.py: PosteriorState. */
export interface PosteriorData {
  mean: Packed;
  cov: Packed;
  q_mean: Packed;
  q_cov: Packed;
  var_diagonal: Packed;
  loss_q: Packed;
  loss_diagonal: Packed;
  x: Packed | null;
  x_mean: Packed | null;
  /** Sigma_x: its entries 11, 12 and 22. */
  x_cov: number[] | null;
  x_names: string[];
  q_name: string;
  given: string;
  reach: number;
  path: number[];
  autoplay: boolean;
}

/** dvae_core/live/bend.py: BendState. */
export interface BendSlider {
  name: string;
  min: number;
  max: number;
  step: number;
  value: number;
  /** The values that it can have; empty for all between min and max. */
  stops: number[];
  labels: string[];
}
interface BendBase {
  name: string;
  role: Role;
  dash: number[];
  says: string;
  sliders: BendSlider[];
}
/** A curve is worked out from the sliders (two coefficients; a strength), or known at every stop of theirs. */
export type BendIdea =
  | (BendBase & { kind: "pairs" })
  | (BendBase & { kind: "segments"; mean: number[][]; std: number[][] })
  | (BendBase & { kind: "grid"; angles: number[]; nats: number[][]; error: number[][] | null });
export interface BendData {
  ideas: BendIdea[];
  /** The angle, then the values of all sliders. */
  dials: number[];
  rev: number;
  autoplay: boolean;
}

/** An object that a drag can turn. */
export interface Turning {
  angle: number;
  data: { limit: number };
  turnTo: (degrees: number) => void;
  send: () => void;
  sendLater: () => void;
}

export type Role = "data" | "latent" | "factor" | "reconstruction" | "bad" | "prior" | "reference";

export interface CellsData {
  label: string;
  colour: Role;
  count: number;
  x: Packed | null;
  z: Packed | null;
  at: Packed | null;
}

/** dvae_core/live/sheet.py: sheet_data. */
export interface SheetData extends About {
  plan: string;
  rows: CellsData[];
  columns: number;
  paired: boolean;
  x_names: string[];
  pickable: boolean;
}

export interface PanelData {
  title: string;
  points: Packed | null;
  names: string[];
  missing?: string;
  square?: boolean;
}

/** dvae_core/live/linked.py: linked_data. */
export interface LinkedData {
  panels: PanelData[];
  rows: number;
  all: number;
  hues: number[] | null;
  labels: string[];
  colours: string[] | null;
  name: string;
}

// --- the explorer's parts

/** A walk of the last moved control through its range. */
export interface Walk {
  /** The latent, or "t" for the way from A to B. */
  own: number | "t";
  name: string;
  unit: string;
  lo: number;
  hi: number;
  /** Its present share, 0 to 1. */
  share: number;
}

/** Axes and colours of an explorer, which stay while z moves: of a plane, of a raster's rates, of bars, of heat strips. */
export interface Scale {
  range: Range;
  rates: number[];
  limits: number[];
  heatOf: (theme: Theme) => Shade;
}

/** Something that shows x decoded from z. */
export interface Display {
  x: Float32Array;
  node: HTMLElement;
  describe: (where: string) => void;
  decode: (z: Vector) => void;
  lay: () => void;
  draw: () => void;
}

/** One row of the filmstrip: x at nine places of a walk through the latents. */
export interface FilmRow {
  label: string;
  dead?: boolean;
  note?: string;
  /** The control that the row moves: a latent, or the way from A to B. Moving that itself leaves the row as it is. */
  own: () => number | "t";
  at: (share: number) => Vector;
  /** The present share of the walk, 0 to 1, or null. */
  mark: () => number | null;
  /** The action of a click on a step; null where steps cannot be clicked. */
  go: ((share: number) => void) | null;
  /** The member that decodes, where it is not the one that is shown. */
  member?: () => number;
  /** A map of the latents in front of the decoder: the rotated twin's. */
  through?: (z: Vector) => Vector;
}

export interface FilmContent {
  rows: FilmRow[];
  ends: string[];
  title: () => string;
}

// --- the playground

/** The settings that determine the playground's data. Clouds are places of a grid: x0, y0, x1, y1 ... for each value of u. */
export interface PlaygroundWorld {
  kind: "segments" | "time" | "drawn";
  segments: number;
  moves: "both" | "mean" | "variance" | "alike" | "nothing";
  strength: number;
  layers: number;
  dx: number;
  folds: number;
  noise: number;
  seed: number;
  clouds: number[][];
}

/** All that the playground's dials and switches set; the link holds it. */
export interface PlaygroundState extends PlaygroundWorld {
  prior: "normal" | "u" | "time" | "shuffled";
  posterior: "diagonal" | "full" | "gauss-newton";
  beta: number;
}

/** The data of a world: x [n, dx], the true factors z [n, dz] and u [n]. */
export interface Drawn {
  x: Float32Array;
  z: Float32Array;
  u: Int32Array | null;
  n: number;
  dx: number;
  dz: number;
  segments: number;
}

export interface PlaygroundData {
  link: string;
  rev: number;
}

/** The results of the pool for data with known factors: latents [p, rows, dz], axes [p, dz, dz]. */
export type PlaygroundFrame = Frame & { mcc: Float32Array; axes: Float32Array };
