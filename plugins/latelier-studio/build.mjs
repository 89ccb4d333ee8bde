// Bundles src/ into latelier_studio/static, which the wheel ships: `npm ci --ignore-scripts && npm run build`.
import { build } from "esbuild";
import { copyFile } from "node:fs/promises";

const out = "latelier_studio/static";

await build({
  entryPoints: { studio: "src/main.ts", style: "src/styles/index.css" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome120", "firefox121", "safari17"],
  loader: { ".woff2": "file" },
  assetNames: "[name]",
  legalComments: "none",
  logLevel: "info",
});
for (const name of ["index.html", "icon.svg"]) await copyFile(`src/${name}`, `${out}/${name}`);
