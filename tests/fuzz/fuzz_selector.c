/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device selectors. A text is accepted when, and only when, it follows the grammar of halyard/device.h, which stands
 * here as regular expressions; an accepted one, written out as conditions, parses to the same; it matches what a
 * second, plainer matcher says; and a refusal names the place.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selector.h"

#define BLANKS "[ \t]*"
#define VALUE "[^, \t]([^,]*[^, \t])?" BLANKS
#define TEXT_CONDITION BLANKS "(backend|vendor|name|architecture)" BLANKS "!?=" BLANKS VALUE
#define KIND_CONDITION BLANKS "kind" BLANKS "!?=" BLANKS VALUE
#define OP BLANKS "(=|!=|>=|<=|>|<)" BLANKS
#define NUMBER_CONDITION BLANKS "(index|compute_units|package|die)" OP "[0-9]+" BLANKS
#define SIZE_CONDITION BLANKS "memory" OP "(0+|[0-9]+(B|KiB|MiB|GiB|TiB))" BLANKS
#define CONDITION "(" TEXT_CONDITION "|" KIND_CONDITION "|" NUMBER_CONDITION "|" SIZE_CONDITION ")"

static const char grammar_auto[] = "^" BLANKS "(auto)?" BLANKS "$";
static const char grammar_short[] = "^" BLANKS "[A-Za-z0-9_]{1,32}(:[0-9]+)?" BLANKS "$";
static const char grammar_conditions[] = "^" CONDITION "(," CONDITION ")*$";

static const char *const fields[] = {"backend",      "index",  "vendor",        "name",    "kind",
                                     "architecture", "memory", "compute_units", "package", "die"};
static const char *const ops[] = {"=", "!=", ">=", "<=", ">", "<"};
enum { FIELDS = sizeof fields / sizeof fields[0], OPS = sizeof ops / sizeof ops[0] };

/* ---- the numbers by which the parser knows fields and operators ---- */

static uint32_t field_number[FIELDS], op_number[OPS];

static void learn_numbers(void)
{
    struct selector selector;
    char text[64], why[256];
    if (op_number[0] != op_number[1])
        return;
    for (size_t i = 0; i < FIELDS; i++) {
        snprintf(text, sizeof text, "%s=%s", fields[i], strcmp(fields[i], "kind") == 0 ? "cpu" : "0");
        FUZZ_CHECK(selector_parse(text, &selector, why, sizeof why) && selector.count == 1, "%s: %s", text, why);
        field_number[i] = selector.conditions[0].field;
    }
    for (size_t i = 0; i < OPS; i++) {
        snprintf(text, sizeof text, "memory%s1B", ops[i]);
        FUZZ_CHECK(selector_parse(text, &selector, why, sizeof why) && selector.count == 1, "%s: %s", text, why);
        op_number[i] = selector.conditions[0].op;
    }
}

static const char *field_name(const struct selector_condition *condition)
{
    size_t i = 0;
    while (i < FIELDS && field_number[i] != condition->field)
        i++;
    FUZZ_CHECK(i < FIELDS, "field %u", condition->field);
    return fields[i];
}

static const char *op_name(const struct selector_condition *condition)
{
    size_t i = 0;
    while (i < OPS && op_number[i] != condition->op)
        i++;
    FUZZ_CHECK(i < OPS, "operator %u", condition->op);
    return ops[i];
}

/* ---- the grammar once more ---- */

static bool is_number_field(const char *field)
{
    return fuzz_matches("^(index|compute_units|package|die|memory)$", field);
}

/* '*' stands for any run; from the end of both texts, each state from those behind it. */
static bool glob(const char *pattern, const char *text)
{
    bool matches[2][160] = {{false}};
    const size_t p = strlen(pattern), t = strlen(text);
    FUZZ_CHECK(t + 1 < sizeof matches[0], "a text of %zu bytes", t);
    for (size_t i = p + 1; i-- > 0;)
        for (size_t j = t + 1; j-- > 0;) {
            bool *now = &matches[i % 2][j];
            const bool *next = matches[(i + 1) % 2];
            if (i == p)
                *now = j == t;
            else if (pattern[i] == '*')
                *now = next[j] || (j < t && now[1]);
            else
                *now = j < t && strncasecmp(&pattern[i], &text[j], 1) == 0 && next[j + 1];
        }
    return matches[0][0];
}

/* What the regular expressions cannot say of one condition: lengths, ranges, and that some kind is meant. */
static bool is_condition_in_range(char *condition)
{
    char *op = condition + strcspn(condition, "=!<>"), *value = op + strspn(op, op[0] == '=' ? "=" : "!<>");
    uint64_t number;
    if (op[0] == '=')
        value = op + 1;
    else if (*value == '=')
        value++;
    value += strspn(value, " \t");
    size_t length = strlen(value);
    while (length > 0 && strchr(" \t", value[length - 1]) != NULL)
        value[--length] = '\0';
    if (length >= SELECTOR_TEXT_BYTES)
        return false;
    *op = '\0';
    condition += strspn(condition, " \t");
    condition[strcspn(condition, " \t")] = '\0';
    if (strcmp(condition, "kind") == 0)
        return glob(value, "cpu") || glob(value, "gpu") || glob(value, "npu") || glob(value, "other");
    return !is_number_field(condition) || fuzz_number(value, &number);
}

/* What stands behind the name in the short form, its colon included; NULL where nothing does. */
static bool is_index_in_range(const char *index)
{
    uint64_t number;
    return index == NULL || (strspn(index + 1, "0123456789") < SELECTOR_TEXT_BYTES && fuzz_number(index + 1, &number));
}

static bool follows_grammar(const char *text)
{
    if (fuzz_matches(grammar_auto, text))
        return true;
    if (strpbrk(text, "=!<>") == NULL)
        return fuzz_matches(grammar_short, text) && is_index_in_range(strchr(text, ':'));
    if (!fuzz_matches(grammar_conditions, text))
        return false;
    char *copy = fuzz_text(text, strlen(text)), *rest = copy;
    size_t count = 0;
    bool is_good = true;
    for (char *condition; is_good && (condition = strsep(&rest, ",")) != NULL;)
        is_good = ++count <= SELECTOR_CONDITIONS && is_condition_in_range(condition);
    free(copy);
    return is_good;
}

/* ---- written out and matched ---- */

static void check_written_out(const struct selector *selector)
{
    char text[SELECTOR_CONDITIONS * (SELECTOR_TEXT_BYTES + 20)] = "", why[256];
    struct selector again;
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct selector_condition *condition = &selector->conditions[i];
        text_append(text, sizeof text, "%s%s%s%s", i != 0 ? "," : "", field_name(condition), op_name(condition),
                    condition->text);
    }
    FUZZ_CHECK(selector_parse(text, &again, why, sizeof why), "%s: %s", text, why);
    FUZZ_CHECK(again.count == selector->count, "%u conditions, then %u", selector->count, again.count);
    for (uint32_t i = 0; i < again.count; i++) {
        const struct selector_condition *one = &selector->conditions[i], *other = &again.conditions[i];
        FUZZ_CHECK(one->field == other->field && one->op == other->op && strcmp(one->text, other->text) == 0 &&
                       (!is_number_field(field_name(one)) || one->number == other->number),
                   "condition %u of %s", i, text);
    }
}

static bool holds_for_number(const char *op, uint64_t have, uint64_t want)
{
    const bool is_equal = have == want, is_more = have > want;
    if (op[0] == '!')
        return !is_equal;
    if (op[0] == '=')
        return is_equal;
    return (op[0] == '>' ? is_more : !is_more && !is_equal) || (op[1] == '=' && is_equal);
}

static bool holds(const struct selector_condition *condition, const haly_device_spec *spec)
{
    const char *field = field_name(condition), *op = op_name(condition);
    static const char *const kinds[] = {"cpu", "gpu", "npu", "other"};
    const struct {
        const char *name, *text;
        uint64_t number;
    } values[FIELDS] = {{"backend", spec->backend, 0},
                        {"vendor", spec->vendor, 0},
                        {"name", spec->name, 0},
                        {"architecture", spec->architecture, 0},
                        {"kind", kinds[spec->kind], 0},
                        {"index", NULL, spec->index},
                        {"memory", NULL, spec->memory_bytes},
                        {"compute_units", NULL, spec->compute_units},
                        {"package", NULL, spec->package_id},
                        {"die", NULL, spec->die_index}};
    uint64_t want = 0;
    size_t i = 0;
    while (strcmp(values[i].name, field) != 0)
        i++;
    if (values[i].text != NULL)
        return glob(condition->text, values[i].text) == (op[0] == '=');
    FUZZ_CHECK(fuzz_number(condition->text, &want) && want == condition->number, "%s is %" PRIu64, condition->text,
               want);
    return holds_for_number(op, values[i].number, want);
}

static const haly_device_spec specs[] = {
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_CPU, .backend = "cpu", .name = "processor",
     .architecture = "x86_64-avx2"},
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_GPU, .backend = "cuda", .vendor = "nvidia", .name = "NVIDIA H20",
     .architecture = "sm_90", .index = 1, .package_id = 1, .memory_bytes = 96ULL << 30, .compute_units = 78},
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_NPU, .backend = "ascend", .vendor = "huawei", .name = "Ascend 910C",
     .architecture = "dav-2201", .index = 3, .package_id = 1, .die_index = 1, .memory_bytes = 64ULL << 30,
     .compute_units = 24},
    {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_OTHER, .backend = "a_b_32", .vendor = "", .name = "a*b=c",
     .index = UINT32_MAX, .memory_bytes = UINT64_MAX, .die_index = 7},
};

static void check_matches(const struct selector *selector)
{
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        char why[256] = "";
        bool all = true, backend_allows = true;
        for (uint32_t c = 0; c < selector->count; c++) {
            const bool one = holds(&selector->conditions[c], &specs[i]);
            all = all && one;
            if (strcmp(field_name(&selector->conditions[c]), "backend") == 0)
                backend_allows = backend_allows && one;
        }
        FUZZ_CHECK(selector_matches(selector, &specs[i], why, sizeof why) == all, "%s: %s", specs[i].name, why);
        FUZZ_CHECK(selector_allows_backend(selector, specs[i].backend) == backend_allows, "%s", specs[i].backend);
        if (!all)
            fuzz_check_message(why, ", wanted ");
        const char *only = selector_backend(selector);
        FUZZ_CHECK(only == NULL || !all || strcasecmp(only, specs[i].backend) == 0, "matches %s, not %s alone",
                   specs[i].backend, only);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), why[256] = "";
    struct selector selector;
    learn_numbers();
    const bool is_good = selector_parse(text, &selector, why, sizeof why);
    FUZZ_CHECK(is_good == follows_grammar(text), "%s", is_good ? "accepted" : why);
    if (is_good) {
        check_written_out(&selector);
        check_matches(&selector);
    } else {
        fuzz_check_message(why, "\" at byte ");
    }
    free(text);
    return 0;
}
