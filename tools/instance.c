/* SPDX-License-Identifier: Apache-2.0 */
/* Opening an instance to look at: a wrong variable must not hide everything else from whoever looks for what is wrong,
 * so it is told, taken out of this process's environment, and the rest is shown. */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { ATTEMPTS = 32 };

static struct {
    char name[64];
    char *value;
} refused[ATTEMPTS]; /* up to the first without a value */

const char *refused_value(const char *variable)
{
    for (int i = 0; i < ATTEMPTS && refused[i].value != NULL; i++)
        if (strcmp(refused[i].name, variable) == 0)
            return refused[i].value;
    return NULL;
}

/* Remembers what it was, for those who show it. */
static void take_out(int attempt, const char *variable)
{
    const char *value = getenv(variable);
    snprintf(refused[attempt].name, sizeof refused[attempt].name, "%s", variable);
    refused[attempt].value = value != NULL ? strdup(value) : NULL;
    unsetenv(variable);
}

/* The first variable that the message names and that is set; else HALYARD_BACKEND, when it speaks of a backend. */
static const char *variable_at_fault(const char *message, char name[64])
{
    for (const char *at = strstr(message, "HALYARD_"); at != NULL; at = strstr(at + 1, "HALYARD_")) {
        size_t length = 0;
        while (length < 63 &&
               (isupper((unsigned char)at[length]) || isdigit((unsigned char)at[length]) || at[length] == '_'))
            length++;
        memcpy(name, at, length);
        name[length] = '\0';
        if (getenv(name) != NULL)
            return name;
    }
    if (getenv("HALYARD_BACKEND") == NULL || strncmp(message, "backend \"", 9) != 0)
        return NULL;
    snprintf(name, 64, "HALYARD_BACKEND");
    return name;
}

haly_instance *instance_open_anyway(complain_fn *complain, void *user)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        haly_instance *instance = NULL;
        haly_error error = {HALY_ERROR_INIT};
        char name[64];
        if (haly_instance_create(NULL, &instance) == HALY_OK)
            return instance;
        if (haly_error_last(&error) != HALY_OK)
            snprintf(error.message, sizeof error.message, "the library failed and did not say why");
        const char *variable = variable_at_fault(error.message, name);
        complain(user, variable, &error);
        if (variable == NULL)
            return NULL;
        take_out(attempt, variable);
    }
    return NULL;
}
