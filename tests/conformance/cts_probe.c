/* SPDX-License-Identifier: Apache-2.0 */
/* What the probing child found, on its way to the runner: one JSON object through the result pipe. */
#include <jansson.h>
#include <string.h>

#include "cts_runner.h"

bool cts_probe_send(const struct cts_probe *probe, int fd)
{
    struct cts_probe clean = *probe;
    cts_printable(probe->message, clean.message, sizeof clean.message);
    cts_printable(probe->backend, clean.backend, sizeof clean.backend);
    cts_printable(probe->name, clean.name, sizeof clean.name);
    cts_printable(probe->architecture, clean.architecture, sizeof clean.architecture);
    cts_printable(probe->strict_param, clean.strict_param, sizeof clean.strict_param);
    json_t *root =
        json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:I}", "usable", (int)clean.is_usable, "message", clean.message,
                  "backend", clean.backend, "name", clean.name, "architecture", clean.architecture, "strict_param",
                  clean.strict_param, "capabilities", (json_int_t)clean.capabilities);
    const bool is_sent = root != NULL && json_dumpfd(root, fd, 0) == 0;
    json_decref(root);
    return is_sent;
}

void cts_probe_read(struct cts_probe *probe, const char *text)
{
    const char *message, *backend, *name, *architecture, *strict;
    json_int_t capabilities;
    int is_usable;
    json_t *root = json_loads(text, 0, NULL);
    memset(probe, 0, sizeof *probe);
    if (root == NULL || json_unpack(root, "{s:b, s:s, s:s, s:s, s:s, s:s, s:I}", "usable", &is_usable, "message",
                                    &message, "backend", &backend, "name", &name, "architecture", &architecture,
                                    "strict_param", &strict, "capabilities", &capabilities) != 0) {
        (void)snprintf(probe->message, sizeof probe->message, "the probing process gave no answer");
    } else {
        probe->is_usable = is_usable != 0;
        probe->capabilities = (uint64_t)capabilities;
        (void)snprintf(probe->message, sizeof probe->message, "%s", message);
        (void)snprintf(probe->backend, sizeof probe->backend, "%s", backend);
        (void)snprintf(probe->name, sizeof probe->name, "%s", name);
        (void)snprintf(probe->architecture, sizeof probe->architecture, "%s", architecture);
        (void)snprintf(probe->strict_param, sizeof probe->strict_param, "%s", strict);
    }
    json_decref(root);
}
