/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's policy: read whole, parsed line by line into rules. */
#define _GNU_SOURCE
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "selector.h"
#include "text.h"
#include "trust.h"

#define POLICY_BYTES_MAX (1U << 20)
#define RULES_MAX 4096U
#define GRAMMAR "allow|deny backend <name>, allow|deny vendor <name>, or allow|deny device <selector>"

enum subject { SUBJECT_BACKEND, SUBJECT_VENDOR, SUBJECT_DEVICE };

struct rule {
    uint32_t line;
    bool denies;
    enum subject subject;
    char pattern[SELECTOR_TEXT_BYTES]; /* of backend and vendor */
    struct selector *selector;         /* of device */
};

struct policy {
    char path[PATH_MAX];
    struct rule *rules;
    uint32_t count;
};

struct word {
    const char *text;
    size_t length;
    bool is_quoted;
};

/* Takes the next word off a line: quoted, or up to a blank; empty at the line's end. False: a quote without end. */
static bool next_word(const char **line, struct word *out_word)
{
    while (**line == ' ' || **line == '\t')
        ++*line;
    out_word->is_quoted = **line == '"';
    if (out_word->is_quoted) {
        const char *end = strchr(*line + 1, '"');
        if (end == NULL)
            return false;
        *out_word = (struct word){*line + 1, (size_t)(end - *line) - 1, true};
        *line = end + 1;
        return true;
    }
    out_word->text = *line;
    out_word->length = **line == '#' ? 0 : strcspn(*line, " \t#\"");
    *line += out_word->length;
    return true;
}

static bool word_is(const struct word *word, const char *text)
{
    return strlen(text) == word->length && memcmp(word->text, text, word->length) == 0;
}

static bool parse_subject(const struct word *word, enum subject *out_subject)
{
    static const char *const names[] = {"backend", "vendor", "device"};
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (word_is(word, names[i])) {
            *out_subject = (enum subject)i;
            return true;
        }
    return false;
}

static haly_status fail_line(const struct policy *policy, uint32_t line, const char *why)
{
    return FAIL(HALY_ERR_INVALID, "%s, line %u: %s; expected " GRAMMAR, policy->path, line, why);
}

static haly_status parse_object(const struct policy *policy, struct rule *rule, const struct word *word)
{
    char text[1024], why[256];
    const size_t room = rule->subject == SUBJECT_DEVICE ? sizeof text : sizeof rule->pattern;
    if (word->length == 0)
        return fail_line(policy, rule->line, "nothing is named");
    if (word->length >= room)
        return fail_line(policy, rule->line, "the name is too long");
    text_set(text, sizeof text, "%.*s", (int)word->length, word->text);
    if (rule->subject != SUBJECT_DEVICE) {
        memcpy(rule->pattern, text, word->length + 1);
        return HALY_OK;
    }
    rule->selector = malloc(sizeof *rule->selector);
    if (rule->selector == NULL)
        return fail_host_oom("a policy rule", sizeof *rule->selector);
    if (selector_parse(text, rule->selector, why, sizeof why))
        return HALY_OK;
    free(rule->selector);
    rule->selector = NULL;
    return fail_line(policy, rule->line, why);
}

/* One line without its end. Sets *out_is_rule when it holds one. */
static haly_status parse_line(const struct policy *policy, const char *line, struct rule *rule, bool *out_is_rule)
{
    struct word words[4];
    for (uint32_t i = 0; i < 4; i++)
        if (!next_word(&line, &words[i]))
            return fail_line(policy, rule->line, "a quote without end");
    *out_is_rule = words[0].length != 0 || words[0].is_quoted;
    if (!*out_is_rule)
        return HALY_OK;
    rule->denies = word_is(&words[0], "deny");
    if (!rule->denies && !word_is(&words[0], "allow"))
        return fail_line(policy, rule->line, "it begins with neither allow nor deny");
    if (!parse_subject(&words[1], &rule->subject))
        return fail_line(policy, rule->line, "the second word is not backend, vendor or device");
    if (words[3].length != 0 || words[3].is_quoted)
        return fail_line(policy, rule->line, "there is something behind the rule");
    return parse_object(policy, rule, &words[2]);
}

static haly_status add_rule(struct policy *policy, const struct rule *rule)
{
    if (policy->count % 16 == 0) {
        struct rule *grown = realloc(policy->rules, (policy->count + 16) * sizeof *grown);
        if (grown == NULL)
            return fail_host_oom("the policy", (policy->count + 16) * sizeof *grown);
        policy->rules = grown;
    }
    policy->rules[policy->count++] = *rule;
    return HALY_OK;
}

/* `text` has `size` bytes and a NUL behind them. */
static haly_status parse_text(struct policy *policy, char *text, size_t size)
{
    if (strlen(text) != size)
        return FAIL(HALY_ERR_INVALID, "%s holds a NUL byte; expected lines of text: " GRAMMAR, policy->path);
    uint32_t number = 1;
    for (char *line = text; line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        const size_t length = strlen(line);
        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';
        struct rule rule = {.line = number};
        bool is_rule = false;
        TRY(parse_line(policy, line, &rule, &is_rule));
        if (is_rule && policy->count == RULES_MAX)
            return FAIL(HALY_ERR_INVALID, "%s has more than %u rules", policy->path, RULES_MAX);
        if (is_rule) {
            const haly_status status = add_rule(policy, &rule);
            if (status != HALY_OK) {
                free(rule.selector);
                return status;
            }
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return HALY_OK;
}

static haly_status read_file(const struct policy *policy, int file, char **out_text, size_t *out_size)
{
    struct stat info;
    char why[256];
    const haly_status status = trust_check_open(file, policy->path, &info, why, sizeof why);
    if (status != HALY_OK)
        return FAIL(status, "the policy file is not to be trusted: %s", why);
    if (info.st_size > (off_t)POLICY_BYTES_MAX)
        return FAIL(HALY_ERR_INVALID, "%s has %lld bytes; a policy has at most 1 MiB", policy->path,
                    (long long)info.st_size);
    /* One byte more than it should have shows a file that grows meanwhile. */
    const size_t room = (size_t)info.st_size + 1;
    char *text = malloc(room + 1);
    if (text == NULL)
        return fail_host_oom("the policy", room);
    size_t size = 0;
    ssize_t got;
    while (size < room && (got = read(file, text + size, room - size)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            const int error = errno;
            free(text);
            return FAIL_ERRNO(error, "cannot read %s: %s", policy->path, strerror(error));
        }
        size += (size_t)got;
    }
    text[size] = '\0';
    *out_text = text;
    *out_size = size;
    return HALY_OK;
}

static haly_status load(struct policy *policy)
{
    const int file = open(policy->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = file < 0 ? errno : 0;
    struct stat link; /* one that leads nowhere is a policy that cannot be read */
    if ((error == ENOENT || error == ENOTDIR) && lstat(policy->path, &link) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return HALY_OK;
        error = errno;
    }
    if (file < 0)
        return FAIL_ERRNO(error, "cannot open the policy file %s: %s", policy->path, strerror(error));
    char *text = NULL;
    size_t size = 0;
    haly_status status = read_file(policy, file, &text, &size);
    close(file);
    if (text != NULL)
        status = parse_text(policy, text, size);
    free(text);
    return status;
}

haly_status policy_load(const char *path, struct policy **out_policy)
{
    struct policy *policy = calloc(1, sizeof *policy);
    if (policy == NULL)
        return fail_host_oom("the policy", sizeof *policy);
    text_set(policy->path, sizeof policy->path, "%s", path);
    const haly_status status = load(policy);
    if (status != HALY_OK) {
        policy_destroy(policy);
        return status;
    }
    *out_policy = policy;
    return HALY_OK;
}

void policy_destroy(struct policy *policy)
{
    if (policy == NULL)
        return;
    for (uint32_t i = 0; i < policy->count; i++)
        free(policy->rules[i].selector);
    free(policy->rules);
    free(policy);
}

const char *policy_path(const struct policy *policy)
{
    return policy->path;
}

uint32_t policy_denies_backend(const struct policy *policy, const char *backend)
{
    for (uint32_t i = 0; i < policy->count; i++) {
        const struct rule *rule = &policy->rules[i];
        bool decides = false;
        switch (rule->subject) {
        case SUBJECT_BACKEND:
            decides = text_matches(rule->pattern, backend);
            break;
        case SUBJECT_VENDOR: /* one of its devices may be allowed; that it is denied says nothing of the others */
            decides = !rule->denies;
            break;
        case SUBJECT_DEVICE:
            decides = !rule->denies && selector_allows_backend(rule->selector, backend);
            break;
        }
        if (decides)
            return rule->denies ? rule->line : 0;
    }
    return 0;
}

uint32_t policy_denies_device(const struct policy *policy, const haly_device_spec *spec)
{
    for (uint32_t i = 0; i < policy->count; i++) {
        const struct rule *rule = &policy->rules[i];
        char why[256];
        const bool matches = rule->subject == SUBJECT_BACKEND ? text_matches(rule->pattern, spec->backend)
                             : rule->subject == SUBJECT_VENDOR
                                 ? text_matches(rule->pattern, spec->vendor)
                                 : selector_matches(rule->selector, spec, why, sizeof why);
        if (matches)
            return rule->denies ? rule->line : 0;
    }
    return 0;
}
