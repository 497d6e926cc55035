// Prints how to start Chromium: the one that is installed, else the package's. {path, variables, arguments}
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

function installed() {
  const named = process.env.VIVA_CHROMIUM;
  const candidates = named ? [named] : (process.env.PATH ?? "").split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

let found = { path: installed(), variables: {} };
if (!found.path) {
  // Only there does the package unpack the libraries that it brings.
  process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs20.x";
  const { default: chromium } = await import("@sparticuz/chromium");
  const path = await chromium.executablePath();
  const { LD_LIBRARY_PATH = "", FONTCONFIG_PATH = "" } = process.env;
  found = { path, variables: { LD_LIBRARY_PATH, FONTCONFIG_PATH } };
}
console.log(JSON.stringify(found));
