/* What the page's kernels share: WebAssembly without a library. Memory is handed out by the page (js/wasm.js). */

#ifndef DINP_PAGE_H
#define DINP_PAGE_H

#include <stdint.h>
#include <wasm_simd128.h>

#define EXPORTED __attribute__((visibility("default")))

static inline int32_t limited(int32_t v, int32_t least, int32_t most)
{
    return v < least ? least : v > most ? most : v;
}

#endif
