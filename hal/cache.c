/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/*
 * A file of the cache: "HALYKEPT", the version, the content's size, the key's hash, the content's hash, the content;
 * numbers are little-endian. No failure here is the program's: what cannot be had is compiled again.
 */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "param.h"
#include "sha256.h"
#include "text.h"

#define VERSION 1U

static const char magic[8] = {'H', 'A', 'L', 'Y', 'K', 'E', 'P', 'T'};

struct header {
    char magic[sizeof magic];
    unsigned char version[4], reserved[4], size[8];
    unsigned char key[SHA256_BYTES], content[SHA256_BYTES];
};

/* A key's hash and the file's name that it gives. */
struct place {
    unsigned char key[SHA256_BYTES];
    char name[2 * SHA256_BYTES + 1];
};

static void write_little_endian(unsigned char *out, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

bool cache_dir_check(const char *value, char *why, size_t why_size)
{
    if (value[0] == '\0' || value[0] == '/' || strcmp(value, "off") == 0)
        return true;
    text_set(why, why_size, "a relative path");
    return false;
}

/* The folder in force; false when there is none. A set-uid program has none: its environment is another user's. */
static bool find_folder(char folder[PATH_MAX])
{
    const char *value = param_of_scope("cache_dir");
    const char *cache = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
    if (value == NULL || strcmp(value, "off") == 0)
        return false;
    if (value[0] != '\0')
        text_set(folder, PATH_MAX, "%s", value);
    else if (cache != NULL && cache[0] == '/')
        text_set(folder, PATH_MAX, "%s/halyard", cache);
    else if (home != NULL && home[0] == '/')
        text_set(folder, PATH_MAX, "%s/.cache/halyard", home);
    else
        return false;
    return strlen(folder) < PATH_MAX - 1;
}

static void make_folders(char *folder)
{
    for (char *at = folder + 1; *at != '\0'; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(folder, 0700); /* what is missing in the end shows when it is opened */
            *at = '/';
        }
    mkdir(folder, 0700);
}

static bool is_ours_alone(const struct stat *about)
{
    return about->st_uid == geteuid() && (about->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* -1 when there is no folder that can be believed. */
static int open_folder(bool may_make)
{
    char folder[PATH_MAX];
    struct stat about;
    if (!find_folder(folder))
        return -1;
    if (may_make)
        make_folders(folder);
    const int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        const int error = errno;
        if (may_make)
            LOG(HALY_LOG_WARN, "results of compiling cannot be kept in %s: %s", PRINTABLE(folder), strerror(error));
        return -1;
    }
    if (fstat(directory, &about) == 0 && is_ours_alone(&about))
        return directory;
    LOG(HALY_LOG_WARN, "the cache folder %s is not used: others can write to it, or own it", PRINTABLE(folder));
    close(directory);
    return -1;
}

static void add_part(struct sha256 *hash, const void *data, uint64_t size)
{
    unsigned char length[8];
    write_little_endian(length, sizeof length, size); /* so that parts cannot run into each other */
    sha256_add(hash, length, sizeof length);
    sha256_add(hash, data, (size_t)size);
}

static void find_place(const char *backend, const haly_cache_part *parts, uint32_t count, struct place *out_place)
{
    static const char digits[] = "0123456789abcdef";
    struct sha256 hash;
    sha256_start(&hash);
    add_part(&hash, backend, strlen(backend));
    for (uint32_t i = 0; i < count; i++)
        add_part(&hash, parts[i].data, parts[i].size);
    sha256_end(&hash, out_place->key);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out_place->name[2 * i] = digits[out_place->key[i] >> 4];
        out_place->name[2 * i + 1] = digits[out_place->key[i] & 15];
    }
    out_place->name[sizeof out_place->name - 1] = '\0';
}

static void make_header(struct header *header, const struct place *place, const void *data, uint64_t size)
{
    memset(header, 0, sizeof *header);
    memcpy(header->magic, magic, sizeof magic);
    write_little_endian(header->version, sizeof header->version, VERSION);
    write_little_endian(header->size, sizeof header->size, size);
    memcpy(header->key, place->key, sizeof header->key);
    sha256_of(data, (size_t)size, header->content);
}

static bool read_all(int file, void *out, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes;) {
        const ssize_t count = read(file, (char *)out + at, (size_t)(bytes - at));
        if (count <= 0 && !(count < 0 && errno == EINTR))
            return false;
        at += count > 0 ? (uint64_t)count : 0;
    }
    return true;
}

static bool write_all(int file, const void *data, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes;) {
        const ssize_t count = write(file, (const char *)data + at, (size_t)(bytes - at));
        if (count <= 0 && !(count < 0 && errno == EINTR))
            return false;
        at += count > 0 ? (uint64_t)count : 0;
    }
    return true;
}

/* The content, when all about the file is as it was written. */
static void *read_content(int file, const struct place *place, uint64_t *out_size)
{
    struct stat about;
    struct header header, expected;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode) || !is_ours_alone(&about) ||
        about.st_size < (off_t)sizeof header || (uint64_t)about.st_size > CACHE_BYTES_MAX ||
        !read_all(file, &header, sizeof header))
        return NULL;
    const uint64_t size = (uint64_t)about.st_size - sizeof header;
    char *data = malloc(size + 1);
    if (data == NULL || !read_all(file, data, size)) {
        free(data);
        return NULL;
    }
    data[size] = '\0';
    make_header(&expected, place, data, size);
    if (memcmp(&header, &expected, sizeof header) != 0) {
        LOG(HALY_LOG_WARN, "%s in the cache was changed or cut short, and is made again", place->name);
        free(data);
        return NULL;
    }
    *out_size = size;
    return data;
}

haly_status cache_get(const char *backend, const haly_cache_part *parts, uint32_t count, void **out_data,
                      uint64_t *out_size)
{
    struct place place;
    const int directory = open_folder(false);
    if (directory < 0)
        return HALY_ERR_NOT_FOUND;
    find_place(backend, parts, count, &place);
    const int file = openat(directory, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(directory);
    if (file < 0)
        return HALY_ERR_NOT_FOUND;
    void *data = read_content(file, &place, out_size);
    close(file);
    if (data == NULL)
        return HALY_ERR_NOT_FOUND;
    *out_data = data;
    return HALY_OK;
}

/* Writes the file beside its place; its name is nobody else's. */
static bool write_beside(int directory, const char *beside, const struct header *header, const void *data,
                         uint64_t size)
{
    const int file = openat(directory, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    const bool is_written = write_all(file, header, sizeof *header) && write_all(file, data, size);
    return (close(file) == 0) & is_written;
}

void cache_put(const char *backend, const haly_cache_part *parts, uint32_t count, const void *data, uint64_t size)
{
    static _Atomic uint32_t counter;
    struct place place;
    struct header header;
    char beside[sizeof place.name + 32];
    if (size > CACHE_BYTES_MAX - sizeof header)
        return;
    const int directory = open_folder(true);
    if (directory < 0)
        return;
    find_place(backend, parts, count, &place);
    make_header(&header, &place, data, size);
    text_set(beside, sizeof beside, "%s.%ld.%u", place.name, (long)getpid(), (unsigned)atomic_fetch_add(&counter, 1));
    if (!write_beside(directory, beside, &header, data, size) ||
        renameat(directory, beside, directory, place.name) != 0) {
        const int error = errno;
        LOG(HALY_LOG_WARN, "a result of compiling cannot be kept: %s", strerror(error));
        unlinkat(directory, beside, 0);
    }
    close(directory);
}

void cache_free(void *data)
{
    free(data);
}
