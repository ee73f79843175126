/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership and permission checks. The real path has no symbolic links; once every folder on it has been seen to be
 * closed to others, nobody else can exchange what it leads to between the check and the dlopen.
 */
#define _GNU_SOURCE
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "error.h"
#include "log.h"
#include "text.h"

static haly_status fail_errno(const char *path, const char *what, char *why, size_t why_size)
{
    const int error = errno;
    text_set(why, why_size, "%s %s: %s", what, path, strerror(error));
    return error == ELOOP ? HALY_ERR_PERMISSION
                          : error_of_errno(error); /* links that lead nowhere are no place to trust */
}

/* Whether the effective user may be believed besides root. Not in a program that runs with elevated privileges while
 * the effective user is the one who started it (set-group-id, file capabilities): that one must not bring code in. */
static bool believes_effective_user(void)
{
    return getauxval(AT_SECURE) == 0 || geteuid() != getuid();
}

/* Owner and writers of one file or folder. */
static haly_status check_owner(const struct stat *info, const struct trust_anchor *anchor, const char *path, char *why,
                               size_t why_size)
{
    const bool is_sticky_root = S_ISDIR(info->st_mode) && (info->st_mode & S_ISVTX) != 0 && info->st_uid == 0;
    const bool owner_fits = info->st_uid == 0 || (info->st_uid == geteuid() && believes_effective_user()) ||
                            (anchor != NULL && info->st_uid == anchor->owner);
    const bool group_fits = anchor != NULL && anchor->group_may_write && info->st_gid == anchor->group;
    if (!owner_fits)
        text_set(why, why_size, "%s belongs to user %u, %s", path, (unsigned)info->st_uid,
                 believes_effective_user() ? "neither root nor the effective user"
                                           : "not to root, and the program runs with elevated privileges");
    else if ((info->st_mode & S_IWOTH) != 0 && !is_sticky_root)
        text_set(why, why_size, "%s can be written by everybody", path);
    else if ((info->st_mode & S_IWGRP) != 0 && !is_sticky_root && !group_fits)
        text_set(why, why_size, "%s can be written by its group", path);
    else
        return HALY_OK;
    return HALY_ERR_PERMISSION;
}

static haly_status check_file(const struct stat *info, const struct trust_anchor *anchor, const char *path, char *why,
                              size_t why_size)
{
    if (S_ISREG(info->st_mode))
        return check_owner(info, anchor, path, why, why_size);
    text_set(why, why_size, "%s is not a regular file", path);
    return HALY_ERR_PERMISSION;
}

haly_status trust_check_open(int file, const char *path, struct stat *out_stat, char *why, size_t why_size)
{
    if (fstat(file, out_stat) != 0)
        return fail_errno(path, "cannot look at", why, why_size);
    return check_file(out_stat, NULL, path, why, why_size);
}

/* Whether the path is the anchor's folder or stands above it: then it carries libhalyard itself. */
static bool is_at_or_above(const char *path, const struct trust_anchor *anchor)
{
    const size_t length = strlen(path);
    if (anchor == NULL || strncmp(anchor->folder, path, length) != 0)
        return false;
    return length == 1 || anchor->folder[length] == '/' || anchor->folder[length] == '\0';
}

/* From the folder of the real path up to the root. */
static haly_status check_folders(const char *real, const struct trust_anchor *anchor, char *why, size_t why_size)
{
    char folder[PATH_MAX];
    text_set(folder, sizeof folder, "%s", real);
    while (strcmp(folder, "/") != 0) {
        char *slash = strrchr(folder, '/');
        slash[slash == folder ? 1 : 0] = '\0';
        if (is_at_or_above(folder, anchor))
            return HALY_OK;
        struct stat info;
        if (lstat(folder, &info) != 0)
            return fail_errno(folder, "cannot look at", why, why_size);
        const haly_status status = check_owner(&info, anchor, folder, why, why_size);
        if (status != HALY_OK)
            return status;
    }
    return HALY_OK;
}

static bool is_below(const char *real, const struct trust_anchor *anchor)
{
    const size_t length = strlen(anchor->folder);
    return strncmp(real, anchor->folder, length) == 0 && (length == 1 || real[length] == '/');
}

haly_status trust_check(const char *path, const struct trust_anchor *anchor, char *out_real, struct stat *out_stat,
                        char *why, size_t why_size)
{
    text_set(out_real, PATH_MAX, "%s", path);
    if (path[0] != '/') {
        text_set(why, why_size, "%s is not an absolute path", path);
        return HALY_ERR_PERMISSION;
    }
    char real[PATH_MAX];
    if (realpath(path, real) == NULL)
        return fail_errno(path, "cannot resolve", why, why_size);
    text_set(out_real, PATH_MAX, "%s", real);
    if (anchor != NULL && !is_below(real, anchor))
        anchor = NULL; /* a link led elsewhere */
    /* Nothing is opened here: some devices are set going by that, pipes make wait, and it shows in audits. */
    if (lstat(real, out_stat) != 0)
        return fail_errno(real, "cannot look at", why, why_size);
    TRY(check_file(out_stat, anchor, real, why, why_size));
    TRY(check_folders(real, anchor, why, why_size));
    if (faccessat(AT_FDCWD, real, R_OK, AT_EACCESS) != 0)
        return fail_errno(real, "cannot open", why, why_size);
    return HALY_OK;
}

/* Path of the file that is mapped where `address` lies, as the kernel has it: unlike dladdr() it does not depend on the
 * name a program used to load the library. "" when the kernel does not tell. */
static haly_status mapped_file(const void *address, char *out_path)
{
    char line[PATH_MAX + 128];
    out_path[0] = '\0';
    FILE *maps = fopen("/proc/self/maps", "re");
    const int error = errno;
    if (maps == NULL)
        return FAIL_ERRNO(error, "/proc/self/maps cannot be opened: %s", strerror(error));
    while (out_path[0] == '\0' && fgets(line, sizeof line, maps) != NULL) {
        /* start-end permissions offset device inode path: the first slash begins the path */
        char *rest = line;
        const uintptr_t start = strtoul(line, &rest, 16);
        const uintptr_t end = *rest == '-' ? strtoul(rest + 1, NULL, 16) : 0;
        const char *path = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
        if ((uintptr_t)address >= start && (uintptr_t)address < end && path != NULL)
            text_set(out_path, PATH_MAX, "%s", path);
    }
    const bool is_bad = ferror(maps) != 0;
    fclose(maps);
    return is_bad ? FAIL(HALY_ERR_IO, "/proc/self/maps cannot be read") : HALY_OK;
}

static haly_status find_anchor(struct trust_anchor *anchor)
{
    static const char here = 0; /* any address of this library's own */
    char path[PATH_MAX], folder[PATH_MAX];
    struct stat info;
    TRY(mapped_file(&here, path));
    if (path[0] == '\0')
        return HALY_OK;
    const int error = stat(path, &info) != 0 ? errno : 0;
    if (error != 0)
        return FAIL_ERRNO(error, "cannot look at %s: %s", path, strerror(error));
    anchor->owner = info.st_uid;
    anchor->group = info.st_gid;
    anchor->group_may_write = (info.st_mode & S_IWGRP) != 0 && (info.st_mode & S_IWOTH) == 0;
    char *slash = strrchr(path, '/');
    slash[slash == path ? 1 : 0] = '\0';
    const bool is_real = realpath(path, folder) != NULL;
    const int unresolved = errno;
    if (!is_real)
        return FAIL_ERRNO(unresolved, "cannot resolve %s: %s", path, strerror(unresolved));
    memcpy(anchor->folder, folder, sizeof folder);
    return HALY_OK;
}

haly_status trust_anchor_find(struct trust_anchor *out_anchor)
{
    const haly_error before = *error_detail();
    out_anchor->folder[0] = '\0';
    const haly_status status = find_anchor(out_anchor);
    if (status != HALY_ERR_NOT_FOUND && status != HALY_ERR_PERMISSION)
        return status;
    LOG(HALY_LOG_WARN, "no backends are looked for beside libhalyard: %s", error_detail()->message);
    *error_detail() = before;
    return HALY_OK;
}
