/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy files. An accepted one decides the same when each rule is written anew, quoted and on a line of its own, and
 * decides as its rules do one by one, the first that matches; a refused one is refused by the line at which it goes
 * wrong: without that line and what follows it is accepted.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "policy.h"
#include "selector.h"

enum { MOST_RULES = 512, WORD_BYTES = 1024 };

struct rule {
    char words[3][WORD_BYTES]; /* "deny", "device", "cuda:1" */
    uint32_t line;
};

static const haly_device_spec specs[] = {
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_CPU, .backend = "cpu", .vendor = "intel", .architecture = "x86_64"},
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_GPU, .backend = "cuda", .vendor = "nvidia", .memory_bytes = 1ULL << 36},
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_GPU, .backend = "cuda", .vendor = "nvidia", .index = 1, .die_index = 1},
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_NPU, .backend = "ascend", .vendor = "huawei", .index = 2},
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_OTHER, .backend = "a_b", .vendor = ""},
};
enum { SPECS = sizeof specs / sizeof specs[0] };

static struct policy *load(const void *text, size_t size)
{
    struct policy *policy = NULL;
    const haly_status status = policy_load(fuzz_file(text, size), &policy);
    FUZZ_CHECK((status == HALY_OK) == (policy != NULL), "status %d", (int)status);
    FUZZ_CHECK(policy == NULL || strcmp(policy_path(policy), fuzz_file(text, size)) == 0, "%s", policy_path(policy));
    return policy;
}

static struct policy *load_good(const char *text)
{
    struct policy *policy = load(text, strlen(text));
    FUZZ_CHECK(policy != NULL, "refused: %s: %s", text, error_detail()->message);
    return policy;
}

/* ---- the rules of a text ---- */

/* Copies the next word, without its quotes. False at the end of the line. */
static bool next_word(const char **line, char out_word[WORD_BYTES])
{
    *line += strspn(*line, " \t");
    if (**line == '\0' || **line == '#')
        return false;
    const bool is_quoted = **line == '"';
    *line += is_quoted;
    const size_t length = strcspn(*line, is_quoted ? "\"" : " \t#\"");
    FUZZ_CHECK(length < WORD_BYTES, "a word of %zu bytes was accepted", length);
    memcpy(out_word, *line, length);
    out_word[length] = '\0';
    *line += length + is_quoted;
    return true;
}

/* Of a text that was accepted. Returns how many there are; of more than MOST_RULES the first. */
static size_t find_rules(const char *text, struct rule *rules)
{
    const uint8_t *rest = (const uint8_t *)text;
    size_t left = strlen(text), count = 0;
    char *line;
    for (uint32_t number = 1; count < MOST_RULES && (line = fuzz_line(&rest, &left)) != NULL; number++) {
        const size_t length = strlen(line);
        const char *at = line;
        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';
        struct rule *rule = &rules[count];
        rule->line = number;
        if (next_word(&at, rule->words[0])) {
            FUZZ_CHECK(next_word(&at, rule->words[1]) && next_word(&at, rule->words[2]), "half a rule: %s", line);
            count++;
        }
        free(line);
    }
    return count;
}

/* ---- what they decide ---- */

/* The rule alone, as one that denies: does it match the device? */
static bool matches_device(const struct rule *rule, const haly_device_spec *spec)
{
    char text[sizeof rule->words];
    snprintf(text, sizeof text, "deny %s \"%s\"", rule->words[1], rule->words[2]);
    struct policy *policy = load_good(text);
    const uint32_t line = policy_denies_device(policy, spec);
    FUZZ_CHECK(line <= 1, "line %u of one", line);
    policy_destroy(policy);
    return line == 1;
}

/* Whether the rule settles what becomes of the backend, before any of its devices is seen. */
static bool settles_backend(const struct rule *rule, const haly_device_spec *spec)
{
    struct selector selector;
    char why[256];
    const bool denies = strcmp(rule->words[0], "deny") == 0;
    if (strcmp(rule->words[1], "backend") == 0)
        return matches_device(rule, spec);
    if (denies || strcmp(rule->words[1], "vendor") == 0)
        return !denies;
    FUZZ_CHECK(selector_parse(rule->words[2], &selector, why, sizeof why), "%s", why);
    return selector_allows_backend(&selector, spec->backend);
}

static void check_decisions(const struct policy *policy, const struct rule *rules, size_t count)
{
    for (size_t s = 0; s < SPECS; s++) {
        size_t device = 0, backend = 0;
        while (device < count && !matches_device(&rules[device], &specs[s]))
            device++;
        while (backend < count && !settles_backend(&rules[backend], &specs[s]))
            backend++;
        const uint32_t device_line = device < count && rules[device].words[0][0] == 'd' ? rules[device].line : 0;
        const uint32_t backend_line = backend < count && rules[backend].words[0][0] == 'd' ? rules[backend].line : 0;
        FUZZ_CHECK(policy_denies_device(policy, &specs[s]) == device_line, "device %zu: line %u, expected %u", s,
                   policy_denies_device(policy, &specs[s]), device_line);
        FUZZ_CHECK(policy_denies_backend(policy, specs[s].backend) == backend_line, "backend %s: line %u, expected %u",
                   specs[s].backend, policy_denies_backend(policy, specs[s].backend), backend_line);
    }
}

static void check_written_anew(const struct policy *policy, const struct rule *rules, size_t count)
{
    const size_t room = count * (sizeof rules[0].words + 16) + 1;
    char *text = fuzz_text(NULL, 0);
    text = realloc(text, room);
    FUZZ_CHECK(text != NULL, "out of memory");
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, room - used, "\t%s  %s \"%s\" # %zu\r\n", rules[i].words[0],
                                 rules[i].words[1], rules[i].words[2], i);
    struct policy *again = load_good(text);
    for (size_t s = 0; s < SPECS; s++) {
        const uint32_t one = policy_denies_device(policy, &specs[s]), other = policy_denies_device(again, &specs[s]);
        FUZZ_CHECK(one == (other == 0 ? 0 : rules[other - 1].line), "device %zu: lines %u and %u", s, one, other);
        const uint32_t here = policy_denies_backend(policy, specs[s].backend);
        const uint32_t there = policy_denies_backend(again, specs[s].backend);
        FUZZ_CHECK(here == (there == 0 ? 0 : rules[there - 1].line), "backend %zu: lines %u and %u", s, here, there);
    }
    policy_destroy(again);
    free(text);
}

/* ---- what was refused ---- */

static void check_refusal(const char *text, size_t size)
{
    const haly_error detail = *error_detail();
    const char *path = fuzz_file("", 0), *line = strstr(detail.message, ", line ");
    fuzz_check_message(detail.message, path);
    FUZZ_CHECK(detail.status == HALY_ERR_INVALID, "%s", detail.message);
    if (strlen(text) != size) {
        fuzz_check_message(detail.message, "NUL");
        return;
    }
    fuzz_check_message(detail.message, "expected allow|deny");
    FUZZ_CHECK(line != NULL, "%s", detail.message);
    const unsigned long number = strtoul(line + strlen(", line "), NULL, 10);
    size_t before = 0;
    for (unsigned long i = 1; i < number; i++) {
        const char *end = strchr(text + before, '\n');
        FUZZ_CHECK(end != NULL, "line %lu of %lu", number, i);
        before = (size_t)(end - text) + 1;
    }
    struct policy *policy = load(text, before);
    FUZZ_CHECK(policy != NULL, "not only line %lu is wrong: %s", number, detail.message);
    policy_destroy(policy);
    policy = load(text, before + strcspn(text + before, "\n"));
    FUZZ_CHECK(policy == NULL, "line %lu is fine, whatever this says: %s", number, detail.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rule rules[MOST_RULES];
    char *text = fuzz_text(data, size);
    struct policy *policy = load(text, size);
    if (policy == NULL) {
        check_refusal(text, size);
    } else {
        const size_t count = find_rules(text, rules);
        if (count < MOST_RULES) {
            check_decisions(policy, rules, count);
            check_written_anew(policy, rules, count);
        }
    }
    policy_destroy(policy);
    free(text);
    return 0;
}
