/* SPDX-License-Identifier: Apache-2.0 */
/* Walking the stack and naming what was found. */
#define _GNU_SOURCE
#include "layers/place.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "hash.h"
#include "text.h"

/* Frames of the library's own that may lie above the program's. */
#define OWN_FRAMES 12

/* Where the library's code is; empty when it is part of the program itself, which cannot be told apart then. */
static uintptr_t own_start, own_end;

static int note_own(struct dl_phdr_info *info, size_t size, void *unused)
{
    const uintptr_t here = (uintptr_t)note_own;
    (void)size;
    (void)unused;
    if (info->dlpi_name == NULL || info->dlpi_name[0] == '\0')
        return 0;
    for (uint16_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || here < start || here >= start + header->p_memsz)
            continue;
        own_start = start;
        own_end = start + header->p_memsz;
        return 1;
    }
    return 0;
}

static void start(void)
{
    void *frames[2];
    dl_iterate_phdr(note_own, NULL);
    backtrace(frames, 2); /* loads what it needs now, not under somebody's lock */
}

void place_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}

struct place place_here(void)
{
    void *frames[OWN_FRAMES + PLACE_FRAMES];
    uint64_t words[OWN_FRAMES + PLACE_FRAMES] = {0};
    struct place place = {.key = 0};
    const int count = backtrace(frames, OWN_FRAMES + PLACE_FRAMES);
    int used = 0;
    for (int i = 1; i < count && used < PLACE_FRAMES; i++) {
        const uintptr_t frame = (uintptr_t)frames[i];
        if (used > 0 || frame < own_start || frame >= own_end)
            place.frames[used++] = frame;
    }
    for (int i = 1; i < count; i++)
        words[i - 1] = (uint64_t)(uintptr_t)frames[i];
    place.key = own_end != 0 ? hash_words(place.frames, PLACE_FRAMES) : hash_words(words, OWN_FRAMES + PLACE_FRAMES);
    return place;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Adds a frame; false when it is the C library, from where on nothing is of interest. */
static bool append_frame(char *text, uint64_t frame)
{
    Dl_info info;
    const char *comma = text[0] != '\0' ? ", " : "";
    if (dladdr((void *)(uintptr_t)(frame - 1), &info) == 0 || info.dli_fname == NULL)
        text_append(text, PLACE_TEXT, "%s0x%lx", comma, (unsigned long)frame);
    else if (text[0] != '\0' && strncmp(base_name(info.dli_fname), "libc.so", sizeof "libc.so" - 1) == 0)
        return false;
    else if (info.dli_sname != NULL)
        text_append(text, PLACE_TEXT, "%s%.48s+0x%lx (%.48s)", comma, info.dli_sname,
                    (unsigned long)(frame - (uint64_t)(uintptr_t)info.dli_saddr), base_name(info.dli_fname));
    else
        text_append(text, PLACE_TEXT, "%s%.48s+0x%lx", comma, base_name(info.dli_fname),
                    (unsigned long)(frame - (uint64_t)(uintptr_t)info.dli_fbase));
    return true;
}

const char *place_text(const struct place *place, char text[PLACE_TEXT])
{
    text[0] = '\0';
    for (int i = 0; i < PLACE_FRAMES && place->frames[i] != 0 && append_frame(text, place->frames[i]); i++)
        ;
    if (text[0] == '\0')
        text_set(text, PLACE_TEXT, "an unknown place");
    return text;
}
