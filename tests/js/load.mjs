// The components' scripts are ES modules in plain .js files without a package.json, which older Node reads as CommonJS:
// import the text itself.
import { readFileSync } from "node:fs";

const folder = new URL("../../pages/ui/components/", import.meta.url);

/** Import one or several component files, in this order, as one module. */
export function load(...names) {
  const text = names.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
  return import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
}
