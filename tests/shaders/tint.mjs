// Chromium's compiler of WGSL on every text of a folder: node tint.mjs PACKAGE FOLDER
//
// PACKAGE is the folder of the npm package `webgpu`; a text's file is named NAME.ENTRY_POINT. Each is
// compiled to a pipeline of a device that only checks, with the limits that every browser grants.
// Prints each refusal on a line, then the number of texts.

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [location, folder] = process.argv.slice(2);
const { create, globals } = await import(pathToFileURL(path.resolve(location, 'index.js')));
Object.assign(globalThis, globals);
const gpu = create(['backend=null']);
const adapter = await gpu.requestAdapter();
const device = await adapter.requestDevice();

const names = fs.readdirSync(folder).sort();
for (const name of names) {
  const code = fs.readFileSync(path.join(folder, name), 'utf8');
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: name.split('.')[1] } });
  const { messages } = await module.getCompilationInfo();
  const error = await device.popErrorScope();
  const lines = code.split('\n');
  const refused = messages
    .filter(({ type }) => type !== 'info')
    .map(({ message, lineNum }) => `${message.split('\n')[0]}: ${lines[lineNum - 1]?.trim()}`);
  if (error && !refused.length) refused.push(error.message.split('\n')[0]);
  for (const text of refused) console.log(`${name}: ${text}`);
}
console.log(`${names.length} texts`);
process.exit(0);
