/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping a GGUF file and looking things up in it; gguf_parse.c has checked all that is reached from here. */
#define _GNU_SOURCE
#include "gguf.h"

#include "gguf_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path may hold a newline; a message is one line. */
static void set_label(struct gguf *file, const char *path)
{
    snprintf(file->label, sizeof file->label, "%s", path);
    for (char *at = file->label; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

static bool map_descriptor(struct gguf *file, int descriptor, struct chat_error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return CHAT_FAIL(error, "%s: cannot be examined: %s", file->label, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return CHAT_FAIL(error, "%s: expected a regular file, found another kind", file->label);
    if (status.st_size == 0)
        return CHAT_FAIL(error, "%s: magic: expected \"GGUF\", found an empty file", file->label);
    if ((uintmax_t)status.st_size > SIZE_MAX)
        return CHAT_FAIL(error, "%s: expected a file that fits the address space, found %jd bytes", file->label,
                         (intmax_t)status.st_size);

    size_t size = (size_t)status.st_size;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (map == MAP_FAILED)
        return CHAT_FAIL(error, "%s: cannot be mapped: %s", file->label, strerror(errno));
    file->map = map;
    file->size = size;
    return true;
}

/* O_NONBLOCK: opening a pipe that nobody writes must not hang. It changes nothing for a regular file. */
static bool map_file(struct gguf *file, const char *path, struct chat_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return CHAT_FAIL(error, "%s: cannot be opened: %s", file->label, strerror(errno));
    bool mapped = map_descriptor(file, descriptor, error);
    close(descriptor);
    return mapped;
}

bool gguf_open(const char *path, struct gguf **out_file, struct chat_error *error)
{
    struct gguf *file = calloc(1, sizeof *file);
    if (file == NULL)
        return CHAT_FAIL(error, "out of memory");
    set_label(file, path);
    if (!map_file(file, path, error) || !gguf_parse(file, error)) {
        gguf_close(file);
        return false;
    }
    *out_file = file;
    return true;
}

void gguf_close(struct gguf *file)
{
    if (file == NULL)
        return;
    if (file->map != NULL)
        munmap(file->map, file->size);
    free(file->entries);
    free(file->tensors);
    free(file);
}

const char *gguf_label(const struct gguf *file)
{
    return file->label;
}

static const struct gguf_entry *find_entry(const struct gguf *file, const char *key)
{
    struct gguf_string wanted = {key, strlen(key)};
    uint64_t low = 0;
    uint64_t high = file->entry_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = gguf_string_compare(&wanted, &file->entries[middle].key);
        if (order == 0)
            return &file->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The entry, if its type is the one asked for. An array is asked for by its element type. */
static const struct gguf_entry *get_entry(const struct gguf *file, const char *key, uint32_t type,
                                          uint32_t element_type, struct chat_error *error)
{
    const struct gguf_entry *entry = find_entry(file, key);
    const char *of = type == GGUF_VALUE_ARRAY ? "array of " : "";
    const char *expected = gguf_value_type_name(element_type);
    if (entry == NULL) {
        chat_error_set(error, "%s: key \"%s\": expected %s%s, found no such key", file->label, key, of, expected);
        return NULL;
    }
    if (entry->type == type && entry->element_type == element_type)
        return entry;
    chat_error_set(error, "%s: key \"%s\": expected %s%s, found %s%s", file->label, key, of, expected,
                   entry->type == GGUF_VALUE_ARRAY ? "array of " : "", gguf_value_type_name(entry->element_type));
    return NULL;
}

bool gguf_has_key(const struct gguf *file, const char *key)
{
    return find_entry(file, key) != NULL;
}

bool gguf_get_u32(const struct gguf *file, const char *key, uint32_t *out_value, struct chat_error *error)
{
    const struct gguf_entry *entry = get_entry(file, key, GGUF_VALUE_U32, GGUF_VALUE_U32, error);
    if (entry == NULL)
        return false;
    *out_value = gguf_load_u32(entry->value);
    return true;
}

bool gguf_get_f32(const struct gguf *file, const char *key, float *out_value, struct chat_error *error)
{
    const struct gguf_entry *entry = get_entry(file, key, GGUF_VALUE_F32, GGUF_VALUE_F32, error);
    if (entry == NULL)
        return false;
    uint32_t bits = gguf_load_u32(entry->value);
    memcpy(out_value, &bits, sizeof *out_value);
    return true;
}

bool gguf_get_bool(const struct gguf *file, const char *key, bool *out_value, struct chat_error *error)
{
    const struct gguf_entry *entry = get_entry(file, key, GGUF_VALUE_BOOL, GGUF_VALUE_BOOL, error);
    if (entry == NULL)
        return false;
    *out_value = entry->value[0] != 0;
    return true;
}

bool gguf_get_string(const struct gguf *file, const char *key, struct gguf_string *out_value, struct chat_error *error)
{
    const struct gguf_entry *entry = get_entry(file, key, GGUF_VALUE_STRING, GGUF_VALUE_STRING, error);
    if (entry == NULL)
        return false;
    *out_value = (struct gguf_string){(const char *)entry->value, (size_t)entry->count};
    return true;
}

bool gguf_get_string_array(const struct gguf *file, const char *key, struct gguf_string_array *out_value,
                           struct chat_error *error)
{
    const struct gguf_entry *entry = get_entry(file, key, GGUF_VALUE_ARRAY, GGUF_VALUE_STRING, error);
    if (entry == NULL)
        return false;
    *out_value = (struct gguf_string_array){.count = entry->count, .next = entry->value};
    return true;
}

bool gguf_get_i32_array(const struct gguf *file, const char *key, struct gguf_i32_array *out_value,
                        struct chat_error *error)
{
    const struct gguf_entry *entry = get_entry(file, key, GGUF_VALUE_ARRAY, GGUF_VALUE_I32, error);
    if (entry == NULL)
        return false;
    *out_value = (struct gguf_i32_array){.count = entry->count, .bytes = entry->value};
    return true;
}

bool gguf_string_array_next(struct gguf_string_array *array, struct gguf_string *out_string)
{
    if (array->count == 0)
        return false;
    size_t size = (size_t)gguf_load_u64(array->next);
    *out_string = (struct gguf_string){(const char *)array->next + 8, size};
    array->next += 8 + size;
    array->count--;
    return true;
}

int32_t gguf_i32_array_at(const struct gguf_i32_array *array, uint64_t index)
{
    return (int32_t)gguf_load_u32(array->bytes + 4 * index);
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name)
{
    struct gguf_string wanted = {name, strlen(name)};
    uint64_t low = 0;
    uint64_t high = file->tensor_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = gguf_string_compare(&wanted, &file->tensors[middle].name);
        if (order == 0)
            return &file->tensors[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool gguf_get_tensor(const struct gguf *file, const char *name, struct gguf_tensor *out_tensor,
                     struct chat_error *error)
{
    const struct gguf_tensor *tensor = gguf_find_tensor(file, name);
    if (tensor == NULL)
        return CHAT_FAIL(error, "%s: tensor \"%s\": expected in the file, found %" PRIu64 " others", file->label, name,
                         file->tensor_count);
    *out_tensor = *tensor;
    return true;
}

uint64_t gguf_tensor_count(const struct gguf *file)
{
    return file->tensor_count;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, uint64_t index)
{
    return &file->tensors[index];
}
