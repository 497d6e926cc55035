import { fileURLToPath } from "node:url";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [vue()],
  resolve: {
    alias: {
      "@viva": here("./gen/viva"),
      "@rpc": here("./gen/google/rpc"),
      "@": here("./src"),
    },
  },
  define: {
    __VUE_OPTIONS_API__: "true", // Element Plus is written with it in places.
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
    rollupOptions: {
      input: process.env.VIVA_WEB_DEV_PAGE ? { main: here("./index.html"), states: here("./states.html") } : here("./index.html"),
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
