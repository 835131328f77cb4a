// Makes a filter smaller: node shrink.mjs FROM TO
//
// Removes the exports that no proxy has to call, and what only they reach, and optimises for size (Binaryen's -Oz). A proxy enters the module once for every
// callback of a stream that it exports, whether the filter has use for it or not: the SDK exports them all.
import { readFile, rename, writeFile } from 'node:fs/promises';
import binaryen from 'binaryen';

// The callbacks that src/filter implements, and what a proxy needs to load a module.
const EXPORTS = new Set([
  'memory',
  '_initialize',
  'proxy_abi_version_0_2_1',
  'proxy_on_memory_allocate',
  'proxy_on_vm_start',
  'proxy_on_configure',
  'proxy_on_tick',
  'proxy_on_context_create',
  'proxy_on_request_headers',
  'proxy_on_request_body',
  'proxy_on_request_trailers',
  'proxy_on_response_headers',
  'proxy_on_http_call_response',
  'proxy_on_delete',
]);

// What rustc's wasm32 targets use by themselves (its "generic" CPU), and every proxy runs. Nothing newer may come in.
const { MutableGlobals, SignExt, NontrappingFPToInt, BulkMemory, BulkMemoryOpt, Multivalue, ReferenceTypes, CallIndirectOverlong } = binaryen.Features;
const FEATURES = MutableGlobals | SignExt | NontrappingFPToInt | BulkMemory | BulkMemoryOpt | Multivalue | ReferenceTypes | CallIndirectOverlong;

const [from, to, ...rest] = process.argv.slice(2);
if (!to || rest.length > 0) {
  console.error('usage: node shrink.mjs FROM TO');
  process.exit(2);
}

const module = binaryen.readBinary(await readFile(from));
module.setFeatures(FEATURES);

const found = [];
for (let index = 0; index < module.getNumExports(); index += 1) {
  found.push(binaryen.getExportInfo(module.getExportByIndex(index)).name);
}
const missing = [...EXPORTS].filter((name) => !found.includes(name));
if (missing.length > 0) {
  console.error(`shrink: ${from} does not export ${missing.join(', ')}`);
  process.exit(1);
}
for (const name of found) {
  if (!EXPORTS.has(name)) module.removeExport(name);
}

binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(2);
// What one place calls is put there, unless it is large: proxies compile a function in more than proportion to its size, and at every start.
binaryen.setOneCallerInlineMaxSize(1000);
module.runPasses(['strip-debug', 'strip-producers']);
module.optimize();
if (!module.validate()) process.exit(1);

// Whole or not at all: a build that was interrupted leaves nothing that looks finished.
await writeFile(`${to}.part`, module.emitBinary());
await rename(`${to}.part`, to);
