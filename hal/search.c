/* SPDX-License-Identifier: Apache-2.0 */
/* Finding backend files. Names of files are the only thing looked at here; what is in them is the loader's matter. */
#define _GNU_SOURCE
#include "search.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define FILE_PREFIX "libhalyard_backend_"
#define FILE_SUFFIX ".so"

/* libhalyard_backend_<name>.so; writes the name. */
static bool parse_file_name(const char *file, char *out_name)
{
    const size_t length = strlen(file), around = strlen(FILE_PREFIX FILE_SUFFIX);
    if (length <= around || strncmp(file, FILE_PREFIX, strlen(FILE_PREFIX)) != 0 ||
        strcmp(file + length - strlen(FILE_SUFFIX), FILE_SUFFIX) != 0 ||
        !text_is_backend_name(file + strlen(FILE_PREFIX), length - around))
        return false;
    memcpy(out_name, file + strlen(FILE_PREFIX), length - around);
    out_name[length - around] = '\0';
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Takes the next element of a colon-separated list; false at its end. */
static bool next_element(const char **list, char *out_element, size_t size, size_t *out_length)
{
    if (*list == NULL)
        return false;
    *out_length = strcspn(*list, ":");
    text_set(out_element, size, "%.*s", (int)(*out_length < size ? *out_length : size - 1), *list);
    *list = (*list)[*out_length] == ':' ? *list + *out_length + 1 : NULL;
    return true;
}

bool search_path_check(const char *path, char *why, size_t why_size)
{
    char element[PATH_MAX], name[BACKEND_NAME_BYTES];
    size_t length;
    unsigned index = 1;
    for (const char *rest = path[0] != '\0' ? path : NULL; next_element(&rest, element, sizeof element, &length);
         index++) {
        const char *base = base_name(element);
        if (length == 0)
            text_set(why, why_size, "element %u is empty", index);
        else if (element[0] != '/')
            text_set(why, why_size, "element %u, \"%s\", is relative", index, PRINTABLE(element));
        else if (length >= sizeof element)
            text_set(why, why_size, "element %u is longer than %d bytes", index, PATH_MAX - 1);
        else if (strncmp(base, FILE_PREFIX, strlen(FILE_PREFIX)) == 0 && !parse_file_name(base, name))
            text_set(why, why_size, "element %u, \"%s\", names no backend", index, PRINTABLE(base));
        else
            continue;
        return false;
    }
    return true;
}

static struct search_file *file_create(const char *name, const char *path)
{
    struct search_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    text_set(file->name, sizeof file->name, "%s", name);
    text_set(file->path, sizeof file->path, "%s", path);
    return file;
}

static const char *in_words(const struct search_file *file)
{
    return file->entry != NULL ? "the one that is built in" : file->path;
}

/* Takes the file, behind all that were found before it. */
static void append(struct search *search, struct search_file *file)
{
    for (const struct search_file *at = search->files; at != NULL; at = at->next) {
        if (strcmp(at->name, file->name) != 0)
            continue;
        if (strcmp(at->real, file->real) == 0) {
            free(file); /* the same file by another way */
            return;
        }
        if (file->shadowed_by == NULL)
            file->shadowed_by = at->shadowed_by != NULL ? at->shadowed_by : in_words(at);
    }
    *search->tail = file;
    search->tail = &file->next;
}

static haly_status add_file(struct search *search, const char *path, const char *name,
                            const struct trust_anchor *anchor)
{
    struct search_file *file = file_create(name, path);
    if (file == NULL)
        return fail_host_oom("a backend's path", sizeof *file);
    struct stat info = {0};
    file->trust = trust_check(path, anchor, file->real, &info, file->why, sizeof file->why);
    file->device = info.st_dev;
    file->inode = info.st_ino;
    append(search, file);
    return HALY_OK;
}

static haly_status add_builtins(struct search *search, const struct builtin_backend *builtins)
{
    for (const struct builtin_backend *at = builtins; at != NULL && at->name != NULL; at++) {
        struct search_file *file = file_create(at->name, BUILTIN_PATH);
        if (file == NULL)
            return fail_host_oom("a built-in backend", sizeof *file);
        file->entry = at->entry;
        append(search, file);
    }
    return HALY_OK;
}

/* Named like a backend's file, though perhaps for none that could be. */
static int is_backend_file(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name), around = strlen(FILE_PREFIX FILE_SUFFIX);
    return length > around && strncmp(entry->d_name, FILE_PREFIX, strlen(FILE_PREFIX)) == 0 &&
           strcmp(entry->d_name + length - strlen(FILE_SUFFIX), FILE_SUFFIX) == 0;
}

/* Not alphasort(): that follows the locale of the program, and a name's rank must not. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of names, so that every machine sees the same one. A folder that is not there is no error, nor is one of
 * Halyard's own that this process may not read. */
static haly_status add_folder(struct search *search, const char *folder, const struct trust_anchor *anchor,
                              bool is_required)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_backend_file, compare_names);
    const int error = count < 0 ? errno : 0;
    text_append(search->folders, sizeof search->folders, "%s%s", search->folders[0] != '\0' ? ", " : "", folder);
    const haly_status looked = count < 0 ? error_of_errno(error) : HALY_OK;
    const bool is_nothing_there = looked == HALY_ERR_NOT_FOUND || (looked == HALY_ERR_PERMISSION && !is_required);
    if (is_nothing_there) {
        if (looked == HALY_ERR_PERMISSION)
            text_append(search->folders, sizeof search->folders, " (%s)", strerror(error));
        LOG(is_required ? HALY_LOG_WARN : HALY_LOG_DEBUG, "no backends in %s: %s", folder, strerror(error));
        return HALY_OK;
    }
    if (looked != HALY_OK)
        return FAIL_ERRNO(error, "%scannot read %s: %s", is_required ? "HALYARD_BACKEND_PATH: " : "", folder,
                          strerror(error));
    haly_status status = HALY_OK;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX], name[BACKEND_NAME_BYTES];
        const int length =
            snprintf(path, sizeof path, "%s/%s", strcmp(folder, "/") != 0 ? folder : "", entries[i]->d_name);
        if (!parse_file_name(entries[i]->d_name, name))
            LOG(HALY_LOG_WARN, "%s is left out: a backend's name is [a-z0-9_]{1,32}", path);
        else if (status == HALY_OK && length < (int)sizeof path)
            status = add_file(search, path, name, anchor);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static haly_status add_element(struct search *search, char *element)
{
    char name[BACKEND_NAME_BYTES];
    struct stat info;
    for (size_t length = strlen(element); length > 1 && element[length - 1] == '/'; length--)
        element[length - 1] = '\0';
    const bool is_there = stat(element, &info) == 0;
    if (!parse_file_name(base_name(element), name) || (is_there && S_ISDIR(info.st_mode))) {
        if (is_there && !S_ISDIR(info.st_mode))
            return FAIL(HALY_ERR_INVALID,
                        "HALYARD_BACKEND_PATH: %s is not a folder and not named " FILE_PREFIX "<name>" FILE_SUFFIX,
                        element);
        return add_folder(search, element, NULL, true);
    }
    if (!is_there && (errno == ENOENT || errno == ENOTDIR))
        return FAIL(HALY_ERR_NOT_FOUND, "HALYARD_BACKEND_PATH: there is no file %s", element);
    text_append(search->folders, sizeof search->folders, "%s%s", search->folders[0] != '\0' ? ", " : "", element);
    return add_file(search, element, name, NULL);
}

static haly_status search_all(const char *backend_path, const struct builtin_backend *builtins,
                              const struct trust_anchor *anchor, const char *own_folder, struct search *search)
{
    char element[PATH_MAX];
    size_t length;
    for (const char *rest = backend_path[0] != '\0' ? backend_path : NULL;
         next_element(&rest, element, sizeof element, &length);)
        TRY(add_element(search, element));
    TRY(add_builtins(search, builtins));
    if (anchor != NULL) {
        const int written = snprintf(element, sizeof element, "%s/halyard", anchor->folder);
        if (written < (int)sizeof element)
            TRY(add_folder(search, element, anchor, false));
    }
    if (own_folder != NULL && (anchor == NULL || strcmp(element, own_folder) != 0))
        TRY(add_folder(search, own_folder, NULL, false));
    return HALY_OK;
}

haly_status search_backends(const char *backend_path, const struct builtin_backend *builtins,
                            const struct trust_anchor *anchor, const char *own_folder, struct search *out_search)
{
    *out_search = (struct search){.files = NULL};
    out_search->tail = &out_search->files;
    const haly_status status = search_all(backend_path, builtins, anchor, own_folder, out_search);
    if (status != HALY_OK)
        search_free(out_search);
    return status;
}

void search_free(struct search *search)
{
    while (search->files != NULL) {
        struct search_file *file = search->files;
        search->files = file->next;
        free(file);
    }
    search->tail = &search->files;
}
