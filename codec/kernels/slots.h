/* Slots of the contexts of a mixer, by block: as though there were 2^bits for each context, all zero at first; the memory
   is that of the blocks in use until they are many, so that a small stream for a large picture takes little. */

#ifndef DINP_SLOTS_H
#define DINP_SLOTS_H

#include "mixing.h"

enum {
    SLOTS_FIRST = 12,      /* log2 of the blocks there is room for at first */
    SLOTS_SMALL = 16,      /* bits up to which all slots are there from the beginning, */
    SLOTS_LONG = 1 << 16   /* as they are for streams of so many bytes, which will use them */
};

typedef struct {
    mix_slot *slots;
    uint32_t *keys; /* by place: number of the block there plus 1, 0 where there is none; NULL where all are in order */
    int contexts, bits, block; /* slots of a context and of a block, log2 */
    int size;                  /* places, log2 */
    size_t used;
} mix_slots;

static inline int slots_open(mix_slots *t, int contexts, int bits, int block, int all)
{
    t->contexts = contexts, t->bits = bits, t->block = block, t->size = SLOTS_FIRST;
    if (all || bits <= SLOTS_SMALL) {
        t->slots = calloc((size_t)contexts << bits, sizeof *t->slots);
        return t->slots != NULL;
    }
    t->slots = calloc((size_t)1 << (SLOTS_FIRST + block), sizeof *t->slots);
    t->keys = calloc((size_t)1 << SLOTS_FIRST, sizeof *t->keys);
    return t->slots && t->keys;
}

static inline void slots_close(mix_slots *t)
{
    free(t->slots), free(t->keys);
}

/* The place of a block, or where it may begin. */
static inline size_t slots_place(const mix_slots *t, uint32_t number)
{
    size_t last = ((size_t)1 << t->size) - 1, place = number * 0x9E3779B1u >> (32 - t->size);
    while (t->keys[place] && t->keys[place] != number + 1)
        place = (place + 1) & last;
    return place;
}

/* Move to a table of twice the size, or, where that is no longer much smaller, to all slots in order. */
static inline int slots_grow(mix_slots *t)
{
    mix_slots old = *t;
    size_t count = (size_t)1 << old.size, width = (size_t)1 << t->block, all = (size_t)t->contexts << t->bits;
    t->size++;
    if (2 * count * (sizeof *t->keys + width * sizeof *t->slots) > all * sizeof *t->slots / 2) {
        t->keys = NULL;
        t->slots = calloc(all, sizeof *t->slots);
    } else {
        t->keys = calloc(2 * count, sizeof *t->keys);
        t->slots = calloc(2 * count * width, sizeof *t->slots);
        if (!t->keys) {
            free(t->slots);
            t->slots = NULL;
        }
    }
    if (!t->slots) {
        free(t->keys);
        *t = old;
        return 0;
    }
    for (size_t k = 0; k < count; k++)
        if (old.keys[k]) {
            size_t place = old.keys[k] - 1;
            if (t->keys) {
                place = slots_place(t, old.keys[k] - 1);
                t->keys[place] = old.keys[k];
            }
            memcpy(t->slots + place * width, old.slots + k * width, width * sizeof *t->slots);
        }
    slots_close(&old);
    return 1;
}

/* Make room for so many more blocks; 0 without memory. What `slots_find` gave before no longer holds. */
static inline int slots_reserve(mix_slots *t, size_t blocks)
{
    return !t->keys || t->used + blocks <= (size_t)3 << (t->size - 2) || slots_grow(t);
}

/* The slot `index`, 0..2^bits - 1, of a context, and those behind it in its block; room has been reserved. */
static inline mix_slot *slots_find(mix_slots *t, int context, uint32_t index)
{
    size_t number = ((size_t)context << t->bits) + index;
    if (!t->keys)
        return t->slots + number;
    uint32_t block = (uint32_t)(number >> t->block);
    size_t place = slots_place(t, block);
    t->used += !t->keys[place];
    t->keys[place] = block + 1;
    return t->slots + (place << t->block) + (number & (((size_t)1 << t->block) - 1));
}

#endif
