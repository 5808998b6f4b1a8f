// Builds the browser's side of the console into ../static: hashed names, a manifest, and each file compressed once, so that serving costs nothing.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

// Built beside and then moved: an engine that starts meanwhile finds the old files or the new ones.
const final = new URL("../static", import.meta.url).pathname;
const target = `${final}-${process.pid}/`;
await mkdir(target, { recursive: true });

const shared = { bundle: true, minify: true, legalComments: "eof", metafile: true, write: false, outdir: target };
const scripts = await build({
  ...shared,
  entryPoints: ["src/app.js"],
  format: "esm",
  splitting: true,
  target: "es2022",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
});
const styles = await build({ ...shared, entryPoints: ["src/console.css"], entryNames: "[name]-[hash]" });
const icon = await readFile("src/icon.svg");
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8).toUpperCase()}.svg`;

const files = [...scripts.outputFiles, ...styles.outputFiles].map((file) => [basename(file.path), file.contents]);
files.push([iconName, icon]);
for (const [name, contents] of files) {
  const brotli = brotliCompressSync(contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  await writeFile(join(target, name), contents);
  await writeFile(join(target, `${name}.br`), brotli);
  await writeFile(join(target, `${name}.gz`), gzipSync(contents, { level: 9 }));
}

const entry = (outputs, source) => basename(Object.entries(outputs).find(([, one]) => one.entryPoint === source)[0]);
const manifest = {
  script: entry(scripts.metafile.outputs, "src/app.js"),
  style: entry(styles.metafile.outputs, "src/console.css"),
  icon: iconName,
};
await writeFile(join(target, "manifest.json"), JSON.stringify(manifest, null, 2));
await rename(final, `${target}old`).catch(() => {});
await rm(`${target}old`, { recursive: true, force: true });
await rename(target, final);
