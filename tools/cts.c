/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard cts`: becomes halyard-cts, which stands next to this program, so that both are of one installation. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum { WORDS_MAX = 256 };

/* "/usr/bin/halyard" -> "/usr/bin/halyard-cts" */
static bool beside_this_program(const char *name, char *out, size_t size)
{
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return false;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL)
        return false;
    slash[1] = '\0';
    const int written = snprintf(out, size, "%s%s", self, name);
    return written > 0 && (size_t)written < size;
}

int command_cts(int argc, char **argv)
{
    char path[PATH_MAX + 32];
    char *words[WORDS_MAX];
    if (argc + 2 > WORDS_MAX) {
        fprintf(stderr, "halyard: more than %d arguments for cts\n", WORDS_MAX - 2);
        return TOOL_USAGE;
    }
    if (!beside_this_program("halyard-cts", path, sizeof path)) {
        fprintf(stderr, "halyard: cannot tell where this program stands: %s\n", strerror(errno));
        return TOOL_FAILED;
    }
    words[0] = path;
    for (int i = 0; i < argc; i++)
        words[i + 1] = argv[i];
    words[argc + 1] = NULL;
    execv(path, words);
    fprintf(stderr, "halyard: cannot run %s: %s\n", path, strerror(errno));
    return TOOL_FAILED;
}
