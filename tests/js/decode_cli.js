// node tests/js/decode_cli.js DECODER.safetensors < {"member": 0, "z": [[...], ...]}   prints {"x": [[...], ...]}
// A list of such requests gives a list of answers. With --ms, each answer also has "ms": median time of one decode.
import { readFileSync } from "node:fs";
import { decodeMember, loadModel } from "../../dvae_core/live/decode.js";

const [path, flag] = process.argv.slice(2);
const model = loadModel(new Uint8Array(readFileSync(path)));
const asked = JSON.parse(readFileSync(0, "utf8"));

function answer({ member = 0, z }) {
  const times = [];
  const x = z.map((one) => {
    const began = performance.now();
    const out = Array.from(decodeMember(model, member, one));
    times.push(performance.now() - began);
    return out;
  });
  if (flag !== "--ms") return { x };
  return { x, ms: times.sort((a, b) => a - b)[Math.floor(times.length / 2)] };
}

process.stdout.write(JSON.stringify(Array.isArray(asked) ? asked.map(answer) : answer(asked)));
