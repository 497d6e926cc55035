import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import vue from "@vitejs/plugin-vue";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Compressed once, here, instead of at every request; when the files are as they stay. */
function compressed(): Plugin {
  return {
    name: "viva:compressed",
    apply: "build",
    writeBundle(options, bundle) {
      for (const name of Object.keys(bundle)) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue;
        const path = join(options.dir ?? "dist", name);
        const source = readFileSync(path);
        if (source.length < 1024) continue;
        writeFileSync(`${path}.gz`, gzipSync(source, { level: 9 }));
        writeFileSync(`${path}.br`, brotliCompressSync(source));
      }
    },
  };
}

// The page that shows every state of the room goes elsewhere: nobody installs it.
const states = process.env.VIVA_WEB_STATES;

export default defineConfig({
  plugins: states ? [vue()] : [vue(), compressed()],
  resolve: {
    alias: {
      "@viva": here("./gen/viva"),
      "@rpc": here("./gen/google/rpc"),
      "@": here("./src"),
    },
  },
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_I18N_LEGACY_API__: "false",
    __VUE_I18N_FULL_INSTALL__: "false",
    __INTLIFY_PROD_DEVTOOLS__: "false",
    // Messages are compiled in the browser to trees, not to functions: the page's policy forbids eval.
    __INTLIFY_JIT_COMPILATION__: "true",
  },
  build: {
    target: "es2022",
    // A data: URL is neither a worklet nor allowed by the page's policy.
    assetsInlineLimit: 0,
    ...(states ? { outDir: states, emptyOutDir: true } : {}),
    rolldownOptions: {
      input: states ? { main: here("./index.html"), states: here("./states.html"), pages: here("./pages.html") } : { main: here("./index.html") },
    },
  },
  server: {
    // `npm run dev` beside a mesh: VIVA_EDGE names its edge listener.
    proxy: {
      "^/(viva\\.|v1/)": { target: process.env.VIVA_EDGE ?? "http://127.0.0.1:8080", ws: true },
    },
  },
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
  },
});
