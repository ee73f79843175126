/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the chat example. */
#ifndef CHAT_OPTIONS_H
#define CHAT_OPTIONS_H

#include "chat_error.h"

#include <stdint.h>

struct options {
    char model[4096];    /* path of the GGUF file */
    const char *prompt;  /* NULL: interactive */
    const char *system;  /* NULL: the model's default */
    const char *logits;  /* file for the first token's logits, or NULL */
    uint32_t max_tokens; /* of one answer */
    uint32_t context;    /* tokens the conversation may have */
    bool is_greedy, is_movable, shows_tokens, is_help;
    bool has_default_model; /* nobody named one: it is where ci/setup puts it */
    float temperature, top_p;
    uint32_t top_k;
    uint64_t seed;
};

bool options_parse(int argc, char **argv, struct options *out_options, struct chat_error *error);

/* The text of --help. */
extern const char options_help[];

#endif
