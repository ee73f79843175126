/* SPDX-License-Identifier: Apache-2.0 */
/* A place in the program: the addresses on the stack at some moment, turned into text only when somebody reads it. */
#ifndef HAL_LAYERS_PLACE_H
#define HAL_LAYERS_PLACE_H

#include <stddef.h>
#include <stdint.h>

#define PLACE_FRAMES 3
#define PLACE_TEXT 256

struct place {
    uint64_t frames[PLACE_FRAMES]; /* return addresses, innermost first; 0 behind the last */
    uint64_t key;                  /* tells it from other places, even where the frames are the library's own */
};

/* Prepares taking places; a second time does nothing. Any thread. */
void place_start(void);

/* The nearest callers outside this library. */
struct place place_here(void);

/* "main+0x3c (chat), run+0x10 (chat)", as far as the dynamic linker knows names; "an unknown place" for an empty one.
 */
const char *place_text(const struct place *place, char text[PLACE_TEXT]);

#endif
