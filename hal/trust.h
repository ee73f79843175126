/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files may bring code into the process: those that only root and the effective user can change, and with
 * elevated privileges only root, unless they are those of another effective user than the one who started the program.
 * A file is checked by its real path, together with every folder above it; a root-owned sticky folder (/tmp) is
 * accepted, since what stands in it belongs to its owner and is checked by itself.
 */
#ifndef HAL_TRUST_H
#define HAL_TRUST_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <halyard/error.h>

/*
 * A file beside libhalyard is trusted as far as libhalyard is: whoever could change the one could have changed the
 * other, whose code runs already. Folders at and above `folder` are then not checked, and what stands below may have
 * libhalyard's owner, and be writable by its group where libhalyard is too.
 */
struct trust_anchor {
    char folder[PATH_MAX]; /* real path of libhalyard's own */
    uid_t owner;
    gid_t group;
    bool group_may_write;
};

/* Finds it from the mapping of this library; its folder is "" where the system does not tell, or not us. Not to be used
 * in set-uid programs. @return HALY_OK; HALY_ERR_HOST_OOM, HALY_ERR_RESOURCE_EXHAUSTED, HALY_ERR_IO. */
haly_status trust_anchor_find(struct trust_anchor *out_anchor);

/*
 * Resolves `path` into `out_real` (PATH_MAX bytes) and checks it. `anchor` may be NULL. On failure out_real holds the
 * path as far as it is known and `why` one sentence.
 * @return HALY_OK; HALY_ERR_NOT_FOUND; HALY_ERR_PERMISSION (not to be trusted, or not allowed to look); HALY_ERR_IO.
 */
haly_status trust_check(const char *path, const struct trust_anchor *anchor, char *out_real, struct stat *out_stat,
                        char *why, size_t why_size);

/* The same for an open file alone, whatever the folders above it: regular, right owner, no foreign writer. */
haly_status trust_check_open(int file, const char *path, struct stat *out_stat, char *why, size_t why_size);

#endif
