// A module as text, with everything that it imports: dvae_core/live/modules.py puts it there.
declare module "*?text" {
  const source: string;
  export default source;
}
