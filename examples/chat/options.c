/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing the command line: every value is checked, and a wrong one is named with what was expected. */
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "usage: chat [options] [\"prompt\"]\n"
    "Answers with a small language model; every tensor operation runs through Halyard.\n"
    "Without a prompt: a conversation, one line a turn, ended by an empty line or end of file.\n"
    "\n"
    "  --model FILE       GGUF file (default: $HALYARD_MODEL, else the one that ci/setup fetched)\n"
    "  -n TOKENS          longest answer (default 256)\n"
    "  --context TOKENS   room for the whole conversation (default 2048)\n"
    "  --system TEXT      system message (default: the model's own)\n"
    "  --greedy           always the most likely token\n"
    "  --seed N           sampling: seed (default 1)\n"
    "  --temperature T    sampling: above 0 (default 0.8)\n"
    "  --top-k K          sampling: only the K most likely tokens, 0 for all (default 40)\n"
    "  --top-p P          sampling: only the most likely tokens that together reach P, 0 < P <= 1 (default 0.95)\n"
    "  --movable          open a movable context\n"
    "  --tokens           write token ids to stderr\n"
    "  --logits FILE      write the logits of the first token as 32-bit floats\n"
    "  --help             this text\n"
    "\n"
    "HALYARD_BACKEND and HALYARD_DEVICE choose the device; `halyard info` lists what there is.\n"
    "Exit status: 0 answered, 1 not, 2 the command line is wrong.\n";

/* Where ci/setup puts the model. */
static bool default_model(struct options *options, struct chat_error *error)
{
    const char *model = getenv("HALYARD_MODEL"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (model != NULL && model[0] != '\0')
        length = snprintf(options->model, sizeof options->model, "%s", model);
    else if (cache != NULL && cache[0] == '/')
        length =
            snprintf(options->model, sizeof options->model, "%s/halyard/models/SmolLM2-135M-Instruct.Q4_1.gguf", cache);
    else if (home != NULL && home[0] == '/')
        length = snprintf(options->model, sizeof options->model,
                          "%s/.cache/halyard/models/SmolLM2-135M-Instruct.Q4_1.gguf", home);
    if (length < 0 || (size_t)length >= sizeof options->model)
        return CHAT_FAIL(error, "the path of the model is too long");
    options->has_default_model = model == NULL || model[0] == '\0';
    if (length == 0)
        return CHAT_FAIL(error, "no model: give --model FILE, or set HALYARD_MODEL or HOME");
    return true;
}

static bool parse_number(const char *name, const char *text, uint64_t minimum, uint64_t maximum, uint64_t *out,
                         struct chat_error *error)
{
    char *end = NULL;
    struct chat_quoted quoted;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < minimum || value > maximum)
        return CHAT_FAIL(error, "%s is \"%s\", expected a number from %" PRIu64 " to %" PRIu64, name,
                         chat_quote(&quoted, text, strlen(text)), minimum, maximum);
    *out = value;
    return true;
}

static bool parse_u32(const char *name, const char *text, uint32_t minimum, uint32_t maximum, uint32_t *out,
                      struct chat_error *error)
{
    uint64_t value;
    if (!parse_number(name, text, minimum, maximum, &value, error))
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool parse_float(const char *name, const char *text, float maximum, float *out, struct chat_error *error)
{
    char *end = NULL;
    struct chat_quoted quoted;
    const float value = strtof(text, &end);
    if (end == text || *end != '\0' || !(value > 0.0F && value <= maximum))
        return CHAT_FAIL(error, "%s is \"%s\", expected a number above 0, at most %g", name,
                         chat_quote(&quoted, text, strlen(text)), (double)maximum);
    *out = value;
    return true;
}

static bool parse_path(const char *value, struct options *options, struct chat_error *error)
{
    const int length = snprintf(options->model, sizeof options->model, "%s", value);
    if (length <= 0 || (size_t)length >= sizeof options->model)
        return CHAT_FAIL(error, "--model needs a path of 1 to %zu bytes", sizeof options->model - 1);
    return true;
}

/* Options without a value; true when `name` is one. */
static bool parse_flag(const char *name, struct options *options)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--greedy", &options->is_greedy},
                 {"--movable", &options->is_movable},
                 {"--tokens", &options->shows_tokens},
                 {"--help", &options->is_help},
                 {"-h", &options->is_help}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(name, flags[i].name) == 0)
            return *flags[i].flag = true;
    return false;
}

static bool is_option(const char *given, const char *name)
{
    return strcmp(given, name) == 0;
}

static bool parse_value(const char *name, const char *value, struct options *options, struct chat_error *error)
{
    if (is_option(name, "--model"))
        return parse_path(value, options, error);
    if (is_option(name, "-n"))
        return parse_u32(name, value, 1, 1U << 20, &options->max_tokens, error);
    if (is_option(name, "--context"))
        return parse_u32(name, value, 2, 1U << 20, &options->context, error);
    if (is_option(name, "--seed"))
        return parse_number(name, value, 0, UINT64_MAX, &options->seed, error);
    if (is_option(name, "--temperature"))
        return parse_float(name, value, 100.0F, &options->temperature, error);
    if (is_option(name, "--top-k"))
        return parse_u32(name, value, 0, 1U << 30, &options->top_k, error);
    if (is_option(name, "--top-p"))
        return parse_float(name, value, 1.0F, &options->top_p, error);
    if (is_option(name, "--system"))
        return (options->system = value) != NULL;
    return (options->logits = value) != NULL;
}

/* Whether the option takes a value; `length` bytes of it are its name. */
static bool takes_value(const char *name, size_t length)
{
    static const char *const names[] = {"--model", "-n",      "--context", "--seed",  "--temperature",
                                        "--top-k", "--top-p", "--system",  "--logits"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && memcmp(name, names[i], length) == 0)
            return true;
    return false;
}

/* `--option value`, or `--option=value` in one word. Moves *index to the last word used. */
static bool parse_option(int argc, char **argv, int *index, struct options *options, struct chat_error *error)
{
    const char *word = argv[*index], *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    const size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    char name[32];
    struct chat_quoted quoted;
    if (parse_flag(word, options))
        return true;
    if (!takes_value(word, length))
        return CHAT_FAIL(error, "unknown option \"%s\" (see --help)", chat_quote(&quoted, word, strlen(word)));
    if (equals == NULL && *index + 1 == argc)
        return CHAT_FAIL(error, "%s needs a value (see --help)", word);
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    return parse_value(name, equals != NULL ? equals + 1 : argv[++*index], options, error);
}

bool options_parse(int argc, char **argv, struct options *out_options, struct chat_error *error)
{
    struct options options = {
        .max_tokens = 256, .context = 2048, .temperature = 0.8F, .top_k = 40, .top_p = 0.95F, .seed = 1};
    bool only_prompt = false;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (!only_prompt && strcmp(argument, "--") == 0) {
            only_prompt = true;
        } else if (only_prompt || argument[0] != '-') {
            if (options.prompt != NULL)
                return CHAT_FAIL(error, "more than one prompt; put it in quotes (see --help)");
            options.prompt = argument;
        } else if (!parse_option(argc, argv, &i, &options, error)) {
            return false;
        }
    }
    if (options.model[0] == '\0' && !options.is_help && !default_model(&options, error))
        return false;
    *out_options = options;
    return true;
}
