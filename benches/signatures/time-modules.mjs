// Times modules in V8, compiled as Envoy compiles them: optimised, at load. Prints JSON, microseconds of one verification, a figure a round.
// Usage: node --no-liftoff time-modules.mjs ROUNDS MODULE...
import { readFileSync } from "node:fs";

const ROUND = 50;
const [rounds, ...modules] = process.argv.slice(2);

function start(path) {
  const module = new WebAssembly.Module(readFileSync(path));
  // Of WASI, nothing is needed to verify; zeros for what the standard library asks at its start.
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
  const { exports } = new WebAssembly.Instance(module, imports);
  exports._initialize?.();
  if (exports.prepare() !== 0) throw new Error(`${path}: no variant was built in`);
  return { path, verify: exports.verify, micros: [] };
}

function round({ path, verify }) {
  const begin = performance.now();
  let times = 0;
  while (performance.now() - begin < ROUND) {
    if (verify(1) !== 1) throw new Error(`${path}: a good signature is refused`);
    times += 1;
  }
  return ((performance.now() - begin) * 1000) / times;
}

const subjects = modules.map(start);
for (let number = 0; number <= Number(rounds); number += 1) {
  for (const subject of subjects) {
    const micros = round(subject);
    // The first round warms up.
    if (number > 0) subject.micros.push(micros);
  }
  subjects.reverse();
}
console.log(JSON.stringify(Object.fromEntries(subjects.map(({ path, micros }) => [path, micros]))));
