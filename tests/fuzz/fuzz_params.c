/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters, from the program, the environment and backends. An input is lines, each with a letter in front:
 *     p name=value       set by the program
 *     e VARIABLE=value   in the environment (only names that begin with HALYARD_)
 *     d name=default     declared by a backend called "fuzz"; one that is sound joins if it is level, path or threads
 * What is in force comes from the first of program, environment and default that says something; a value is accepted
 * when it follows its grammar, which stands here as regular expressions; what is in force is accepted again; and a
 * refusal names the parameter or variable.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_intern.h"
#include "log.h"
#include "param.h"
#include "selection.h"
#include "selector.h"
#include "text.h"

enum { MOST = 24 };

struct setting {
    char *line, *name, *value; /* the last two point into the first */
};

struct settings {
    struct setting program[MOST], environment[MOST], declared[MOST];
    size_t program_count, environment_count, declared_count;
};

/* ---- reading the input ---- */

static void add(struct setting *list, size_t *count, char *line)
{
    char *equals = strchr(line, '=');
    if (*count == MOST || strlen(line) < 2 || equals == NULL) {
        free(line);
        return;
    }
    *equals = '\0';
    list[(*count)++] = (struct setting){line, line + 2, equals + 1};
}

static void read_settings(const uint8_t *data, size_t size, struct settings *out)
{
    memset(out, 0, sizeof *out);
    for (char *line; (line = fuzz_line(&data, &size)) != NULL;) {
        if (strncmp(line, "p ", 2) == 0)
            add(out->program, &out->program_count, line);
        else if (strncmp(line, "e HALYARD_", 10) == 0)
            add(out->environment, &out->environment_count, line);
        else if (strncmp(line, "d ", 2) == 0)
            add(out->declared, &out->declared_count, line);
        else
            free(line);
    }
    for (size_t i = 0; i < out->environment_count; i++)
        FUZZ_CHECK(setenv(out->environment[i].name, out->environment[i].value, 1) == 0, "setenv");
}

static void free_settings(struct settings *settings)
{
    for (size_t i = 0; i < settings->environment_count; i++)
        unsetenv(settings->environment[i].name);
    for (size_t i = 0; i < MOST; i++) {
        free(settings->program[i].line);
        free(settings->environment[i].line);
        free(settings->declared[i].line);
    }
}

/* ---- the grammars once more ---- */

#define NAME "[a-z0-9_]{1,32}"
#define BLANKS "[ \t]*"
#define SELECTED BLANKS "[A-Za-z0-9_]{1,32}" BLANKS
static const char selection_grammar[] = "^(\\^?" SELECTED "(," SELECTED ")*)?$";
static const char search_grammar[] = "^(/[^:]*(:/[^:]*)*)?$";
static const char trace_file_grammar[] = "^([^%]|%[pi])*$";
#define LAYER(name) BLANKS name BLANKS
static const char layers_grammar[] =
    "^(" LAYER("validate") "(," LAYER("trace") ")?|" LAYER("trace") "(," LAYER("validate") ")?)$";
static const char size_grammar[] = "^(0+|[0-9]+(B|KiB|MiB|GiB|TiB))$";

static bool is_selection(const char *value)
{
    char names[33][40];
    size_t count = 0;
    if (!fuzz_matches(selection_grammar, value))
        return false;
    value += strspn(value, " \t^,");
    for (; *value != '\0'; value += strspn(value, " \t^,")) {
        const size_t length = strcspn(value, " \t,");
        snprintf(names[count], sizeof names[0], "%.*s", (int)length, value);
        for (size_t i = 0; i < count; i++)
            if (strcasecmp(names[i], names[count]) == 0)
                return false;
        if (++count > 32)
            return false;
        value += length;
    }
    return true;
}

static bool is_search_path(const char *value)
{
    if (!fuzz_matches(search_grammar, value))
        return false;
    for (const char *end = value; *value != '\0'; value = *end != '\0' ? end + 1 : end) {
        char element[4096];
        end = value + strcspn(value, ":");
        if (end - value >= (ptrdiff_t)sizeof element)
            return false;
        snprintf(element, sizeof element, "%.*s", (int)(end - value), value);
        const char *base = strrchr(element, '/') + 1;
        if (strncmp(base, "libhalyard_backend_", 19) == 0 && !fuzz_matches("^libhalyard_backend_" NAME "\\.so$", base))
            return false;
    }
    return true;
}

static bool is_level(const char *value)
{
    static const char *const levels[] = {"off", "error", "warn", "info", "debug"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcasecmp(value, levels[i]) == 0)
            return true;
    return false;
}

/* A value without the blanks around it; the next call overwrites it. */
static const char *trimmed(const char *value)
{
    static char *kept;
    free(kept);
    value += strspn(value, " \t");
    kept = fuzz_text(value, strlen(value));
    for (size_t length = strlen(kept); length > 0 && strchr(" \t", kept[length - 1]) != NULL; length--)
        kept[length - 1] = '\0';
    return kept;
}

/* Selectors have a target of their own, so here they are taken for what their parser says. */
static bool follows_grammar(const char *name, const char *value)
{
    struct selector selector;
    char why[256];
    uint64_t bytes;
    if (strcmp(name, "backend") == 0)
        return is_selection(value);
    if (strcmp(name, "backend_path") == 0)
        return is_search_path(value);
    if (strcmp(name, "device") == 0)
        return selector_parse(value, &selector, why, sizeof why);
    if (strcmp(name, "log") == 0)
        return is_level(value);
    if (strcmp(name, "layers") == 0)
        return fuzz_matches(layers_grammar, value);
    if (strcmp(name, "validate") == 0)
        return strcmp(value, "report") == 0 || strcmp(value, "fail") == 0;
    if (strcmp(name, "cache_dir") == 0)
        return fuzz_matches("^(off|/.*)?$", value);
    if (strcmp(name, "trace_file") == 0)
        return fuzz_matches(trace_file_grammar, value);
    if (!fuzz_matches(size_grammar, value) || !fuzz_number(value, &bytes))
        return false;
    return strcmp(name, "mem_limit") != 0 || bytes == 0 || bytes >= 2U << 20;
}

/* ---- properties ---- */

static haly_status create(const struct settings *settings, struct params **out_params)
{
    haly_param program[MOST];
    for (size_t i = 0; i < settings->program_count; i++)
        program[i] = (haly_param){settings->program[i].name, settings->program[i].value};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = program,
                                     .param_count = (uint32_t)settings->program_count,
                                     .param_size = sizeof(haly_param)};
    return params_create(&desc, out_params);
}

static const char *value_of(const struct setting *list, size_t count, const char *name)
{
    while (count-- > 0) /* the last of an environment's settings is the one that setenv() left */
        if (strcmp(list[count].name, name) == 0)
            return list[count].value;
    return NULL;
}

/* The value that counts, and where it is from; NULL: the default. An empty one is none, but hides those behind it; so
 * is one of blanks. */
static const char *given_value(const struct settings *settings, const char *name, const char *variable,
                               const char **out_source)
{
    const char *program = value_of(settings->program, settings->program_count, name);
    const char *given =
        program != NULL ? program : value_of(settings->environment, settings->environment_count, variable);
    const bool is_given = given != NULL && (trimmed(given)[0] != '\0' || strlen(given) >= 65536);
    *out_source = !is_given ? "default" : program != NULL ? "program" : "environment";
    return is_given ? given : NULL;
}

/* Whether the core's own parameters can be made of these settings. */
static bool are_acceptable(const struct settings *settings)
{
    static const char *const core[][2] = {
        {"backend", "HALYARD_BACKEND"},       {"backend_path", "HALYARD_BACKEND_PATH"},
        {"device", "HALYARD_DEVICE"},         {"log", "HALYARD_LOG"},
        {"mem_limit", "HALYARD_MEM_LIMIT"},   {"window", "HALYARD_WINDOW"},
        {"layers", "HALYARD_LAYERS"},         {"validate", "HALYARD_VALIDATE"},
        {"trace_file", "HALYARD_TRACE_FILE"}, {"cache_dir", "HALYARD_CACHE_DIR"}};
    for (size_t i = 0; i < settings->program_count; i++) {
        const char *name = settings->program[i].name;
        if (value_of(settings->program, i, name) != NULL)
            return false;
        if (strchr(name, '.') == NULL &&
            !fuzz_matches("^(backend|backend_path|device|log|mem_limit|window|layers|validate|trace_file|cache_dir)$",
                          name))
            return false;
    }
    for (size_t i = 0; i < sizeof core / sizeof core[0]; i++) {
        const char *source, *value = given_value(settings, core[i][0], core[i][1], &source);
        if (value != NULL && (strlen(value) >= 65536 || !follows_grammar(core[i][0], trimmed(value))))
            return false;
    }
    return true;
}

static void check_in_force(const struct settings *settings, const struct params *params)
{
    for (uint32_t i = 0; i < params_count(params); i++) {
        haly_param_info info;
        params_info(params, i, &info);
        const char *source, *given = given_value(settings, info.name, info.variable, &source);
        FUZZ_CHECK(strcmp(info.value, given != NULL ? trimmed(given) : info.default_value) == 0, "%s is \"%s\"",
                   info.name, info.value);
        FUZZ_CHECK(strcmp(info.source, source) == 0, "%s is from %s, not %s", info.name, info.source, source);
        const char *named = strcmp(source, "program") == 0 ? info.name : info.variable;
        FUZZ_CHECK(strstr(param_origin(params, info.name), named) != NULL, "%s is said to come from %s", info.name,
                   param_origin(params, info.name));
    }
}

/* Values by type are what their text says. */
static void check_values(const struct params *params)
{
    static const char *const backends[] = {"cpu", "cuda", "opencl", "b1", "a"};
    struct selection selection;
    char why[256];
    uint64_t bytes;
    const char *window = param_text(params, "window"), *backend = param_text(params, "backend");
    FUZZ_CHECK(text_parse_size(window, strlen(window), &bytes) && param_size(params, "window") == bytes, "%s", window);
    FUZZ_CHECK(param_number(params, "window") == (strspn(window, "0123456789") == strlen(window) ? bytes : 0), "%s",
               window);
    FUZZ_CHECK(param_bool(params, "window") == (strcmp(window, "1") == 0), "%s", window);
    FUZZ_CHECK(selection_parse(backend, &selection, why, sizeof why), "%s", why);
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        const char *name = backends[i];
        bool is_listed = false;
        for (uint32_t n = 0; n < selection.count; n++)
            is_listed = is_listed || strcmp(selection.names[n], name) == 0;
        FUZZ_CHECK(selection_takes(&selection, name) == (selection.count == 0 || is_listed != selection.excludes), "%s",
                   name);
        FUZZ_CHECK(selection_names(&selection, name) == (is_listed && !selection.excludes), "%s", name);
        FUZZ_CHECK(!selection_names(&selection, name) ||
                       strcmp(selection.names[selection_preference(&selection, name)], name) == 0,
                   "%s", name);
    }
}

/* What a backend asks for is what is in force: of the instance in whose scope it asks, else of the latest. */
static void check_asked(const struct settings *settings, const struct params *params)
{
    const struct params *before = param_scope(params);
    FUZZ_CHECK(before == NULL, "a scope was left behind");
    for (int scope = 0; scope < 2; scope++) {
        for (size_t i = 0; i < settings->declared_count; i++) {
            char qualified[64];
            text_set(qualified, sizeof qualified, "fuzz.%s", settings->declared[i].name);
            const char *answer = param_of_backend("fuzz", settings->declared[i].name);
            FUZZ_CHECK(strcmp(answer, param_text(params, qualified)) == 0, "%s is \"%s\"", qualified, answer);
        }
        FUZZ_CHECK(param_of_backend("fuzz", "nothing")[0] == '\0', "a value that nobody declared");
        (void)param_scope(NULL);
    }
}

/* What is in force, set by the program, is in force again. */
static void check_again(const struct params *params)
{
    haly_param program[MOST];
    uint32_t count = 0;
    for (uint32_t i = 0; i < params_count(params) && count < MOST; i++) {
        haly_param_info info;
        params_info(params, i, &info);
        if (strchr(info.name, '.') == NULL)
            program[count++] = (haly_param){info.name, info.value};
    }
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = program, .param_count = count,
                                     .param_size = sizeof(haly_param)};
    struct params *again = NULL;
    FUZZ_CHECK(params_create(&desc, &again) == HALY_OK, "%s", error_detail()->message);
    for (uint32_t i = 0; i < count; i++)
        FUZZ_CHECK(strcmp(param_text(again, program[i].name), program[i].value) == 0, "%s", program[i].name);
    params_destroy(again);
}

/* One of the settings is to blame, and the message names it. */
static void check_refusal(const struct settings *settings, haly_status status)
{
    const char *message = error_detail()->message;
    bool is_named = false;
    FUZZ_CHECK(status == HALY_ERR_INVALID, "status %d: %s", (int)status, message);
    fuzz_check_message(message, "");
    for (size_t i = 0; i < settings->program_count; i++) {
        char shown[64]; /* messages cut long names and clean odd ones */
        text_printable(shown, sizeof shown, settings->program[i].name, SIZE_MAX);
        is_named = is_named || strstr(message, shown) != NULL;
    }
    for (size_t i = 0; i < settings->environment_count; i++)
        is_named = is_named || strstr(message, settings->environment[i].name) != NULL;
    FUZZ_CHECK(is_named, "names nothing that was set: %s", message);
}

/* The process keeps the names that backends declare for ever, so there must be few. */
static bool can_be_forgotten(const struct settings *settings)
{
    for (size_t i = 0; i < settings->declared_count; i++)
        if (!fuzz_matches("^(level|path|threads)$", settings->declared[i].name))
            return false;
    return true;
}

static void declare(const struct settings *settings, struct params *params)
{
    haly_backend_param rows[MOST];
    char why[256] = "";
    for (size_t i = 0; i < settings->declared_count; i++)
        rows[i] = (haly_backend_param){settings->declared[i].name, "anything", settings->declared[i].value, "none"};
    const haly_backend_table table = {.struct_size = sizeof table,
                                      .params = rows,
                                      .param_size = sizeof rows[0],
                                      .param_count = (uint32_t)settings->declared_count};
    bool is_sound = true;
    for (size_t i = 0; i < settings->declared_count; i++)
        is_sound = is_sound && fuzz_matches("^" NAME "$", settings->declared[i].name);
    FUZZ_CHECK(params_are_sound(&table, why, sizeof why) == is_sound, "%s", why);
    if (!is_sound)
        fuzz_check_message(why, "parameter ");
    else if (!can_be_forgotten(settings))
        return;
    else if (params_declare(params, "fuzz", &table) != HALY_OK)
        check_refusal(settings, error_detail()->status);
    else {
        check_in_force(settings, params);
        check_asked(settings, params);
    }
}

static void check_unknown(const struct settings *settings, const struct params *params)
{
    static const char *const unopened[] = {"cuda"};
    bool all_known = true;
    for (size_t i = 0; i < settings->program_count; i++) {
        const char *name = settings->program[i].name;
        bool is_known = strncasecmp(name, "cuda.", 5) == 0 || strcasecmp(name, "cuda") == 0;
        for (uint32_t p = 0; p < params_count(params); p++) {
            haly_param_info info;
            params_info(params, p, &info);
            is_known = is_known || strcmp(info.name, name) == 0;
        }
        all_known = all_known && is_known;
    }
    FUZZ_CHECK((params_check_unknown(params, unopened, 1) == HALY_OK) == all_known, "%s", error_detail()->message);
    if (!all_known)
        check_refusal(settings, error_detail()->status);
}

static void check_log(void *user, haly_log_level level, const char *text)
{
    (void)user;
    FUZZ_CHECK(level == HALY_LOG_WARN, "level %d: %s", (int)level, text);
    fuzz_check_message(text, "environment variable HALYARD_");
}

static void prepare(void)
{
    static const char *const kept[] = {"fuzz.level",         "fuzz.path",         "fuzz.threads",
                                       "HALYARD_FUZZ_LEVEL", "HALYARD_FUZZ_PATH", "HALYARD_FUZZ_THREADS"};
    static struct log_sink sink = {.fn = check_log, .level = HALY_LOG_DEBUG};
    static bool is_prepared;
    if (is_prepared)
        return;
    is_prepared = true;
    clearenv();
    log_sink_add(&sink);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        fuzz_intern_keep(kept[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings;
    struct params *params = NULL;
    prepare();
    read_settings(data, size, &settings);
    const haly_status status = create(&settings, &params);
    FUZZ_CHECK((status == HALY_OK) == are_acceptable(&settings), "%s",
               status == HALY_OK ? "accepted" : error_detail()->message);
    if (status == HALY_OK) {
        check_in_force(&settings, params);
        check_values(params);
        check_again(params);
        declare(&settings, params);
        check_unknown(&settings, params);
    } else {
        FUZZ_CHECK(params == NULL, "parameters that were refused");
        check_refusal(&settings, status);
    }
    params_destroy(params);
    fuzz_intern_forget();
    free_settings(&settings);
    return 0;
}
