// Makes one executable file of everything: Node runs it, and it needs nothing
// beside it.
import { chmod, readFile } from "node:fs/promises";
import { build } from "esbuild";

const { name, version } = JSON.parse(await readFile("package.json", "utf8"));
const stamped = process.env.VERSION || version;
const outfile = `dist/${name}`;

await build({
  entryPoints: ["src/main.ts"],
  outfile,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  loader: { ".proto": "text" },
  define: { VERSION: JSON.stringify(stamped) },
  // A file without extension is a module of whichever kind the next package.json
  // above it says, and where people install this one is theirs to choose.
  banner: {
    js: `#!/usr/bin/env node
var require = typeof require === "function" ? require : process.getBuiltinModule("node:module").createRequire(process.argv[1]);`,
  },
  logLevel: "warning",
});
await chmod(outfile, 0o755);
console.log(outfile);
