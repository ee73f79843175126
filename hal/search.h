/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where backends are looked for, in this order:
 *   1. HALYARD_BACKEND_PATH: who names a file or folder means it, and it must not be shadowed in silence;
 *   2. in libhalyard itself, where backends were built in;
 *   3. `halyard/` beside a shared libhalyard, so that build trees and relocated installs work (not in set-uid
 * programs);
 *   4. the folder fixed when Halyard was built.
 * Of two of one name the first wins, trusted or not: nothing is ever replaced by a second choice.
 */
#ifndef HAL_SEARCH_H
#define HAL_SEARCH_H

#include "builtin.h"
#include "error.h"
#include "text.h"
#include "trust.h"

#define SEARCH_GRAMMAR "absolute folders or files named libhalyard_backend_<name>.so, with colons between"

/* One backend that was found: a file, or a part of this library. */
struct search_file {
    char name[BACKEND_NAME_BYTES];
    char path[PATH_MAX];      /* as found, or BUILTIN_PATH */
    char real[PATH_MAX];      /* as far as it could be resolved */
    haly_backend_entry entry; /* of one that is built in; else NULL */
    const char *shadowed_by;  /* the one of the same name that comes first, in words, or NULL */
    haly_status trust;        /* HALY_OK: may be opened by its real path */
    char why[256];            /* why not */
    dev_t device;             /* with trust HALY_OK: which file it is */
    ino_t inode;
    struct search_file *next;
};

struct search {
    struct search_file *files, **tail;
    char folders[1024]; /* that were looked through, for messages */
};

/* Whether a value of HALYARD_BACKEND_PATH follows the grammar; one sentence names the element that does not. */
bool search_path_check(const char *path, char *why, size_t why_size);

/*
 * Looks for backend files and checks each by trust.h; opens none. `backend_path` may be "". `builtins` ends as
 * builtin_backends does, or is NULL. `own_folder` may be NULL, and `anchor` too: then libhalyard's own folder is not
 * searched.
 * @return HALY_OK; HALY_ERR_NOT_FOUND (a file that the path names); HALY_ERR_PERMISSION; HALY_ERR_IO;
 * HALY_ERR_HOST_OOM.
 */
haly_status search_backends(const char *backend_path, const struct builtin_backend *builtins,
                            const struct trust_anchor *anchor, const char *own_folder, struct search *out_search);
void search_free(struct search *search);

#endif
