// The licence texts of what is in the bundle, as their packages carry them.
import fs from "node:fs";
import path from "node:path";
const inputs = Object.keys(JSON.parse(fs.readFileSync("meta.json", "utf8")).inputs);
const packages = new Set();
for (const input of inputs) {
  const found = [...input.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].pop();
  if (found) packages.add(input.slice(0, found.index + found[0].length));
}
console.log("Hepatica: MIT OR Apache-2.0. Its pages contain these packages:\n");
for (const folder of [...packages].sort()) {
  const p = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = fs.readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
  const author = typeof p.author === "object" ? p.author?.name : p.author;
  const home = p.repository?.url ?? p.repository ?? p.homepage ?? "";
  console.log(`${"=".repeat(78)}\n${p.name} ${p.version}\n${p.license}${author ? `, ${author}` : ""}\n${home}\n`);
  if (file) console.log(fs.readFileSync(path.join(folder, file), "utf8").trim() + "\n");
}
